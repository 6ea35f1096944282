public import ByteCoding
import MonitoringDomain
import StreamingStatistics

// The stored form of an aggregator, in this order:
//
//     schema   model, task, positive label, pane, features (name, kind), segment keys
//     retention  four counts
//     segments   keys, then for each its values
//     revision   1 and a range, or 0
//     present  1 when a reference follows
//     reference  id, time, origin, moving, rows, task, positive label, features, prediction, label, truth,
//              1 and the outcomes' range or 0, outcomes, ground truth
//     versions   names
//     cuts     one for each level of panes
//     series   for each: version, 0 or (key + 1, value), and for each level panes (number, profile),
//              sorted by number
//
// Equal aggregators give equal bytes: everything is sorted or in an order that the log fixes. A profile's
// bins, categories and shift are the reference's and are not repeated.

extension ModelAggregator {
    /// Appends the aggregator's bytes; equal aggregators append equal ones.
    public func encode(to writer: inout ByteWriter) {
        writer.write(schema.model.rawValue)
        writer.write(schema.task?.rawValue)
        writer.write(schema.positiveLabel)
        writer.write(schema.paneMilliseconds)
        writer.writeCount(schema.features.count)
        for feature in schema.features {
            writer.write(feature.name)
            writer.write(feature.kind.code)
        }
        writer.write(schema.segments)
        for count in [
            retention.finestCountMax, retention.hourCountMax, retention.dayCountMax,
            retention.profileCountMax,
        ] { writer.writeCount(count) }
        writer.write(segments.keys)
        for values in segments.values { writer.write(values) }
        writer.write(revision != nil)
        if let revision {
            writer.write(revision.start.milliseconds)
            writer.write(revision.end.milliseconds)
        }
        writer.write(reference != nil)
        reference?.encode(to: &writer)
        writer.write(versions)
        for cut in levels.cuts { writer.write(cut) }
        writer.writeCount(series.count)
        for one in series {
            writer.writeCount(one.key.version)
            writer.writeCount(one.key.segment.map { $0.key + 1 } ?? 0)
            if let segment = one.key.segment { writer.writeCount(segment.value) }
            for panes in one.levels {
                writer.writeCount(panes.numbers.count)
                for (number, profile) in zip(panes.numbers, panes.profiles) {
                    writer.write(number)
                    profile.encode(to: &writer)
                }
            }
        }
    }

    /// Reads what `encode` wrote.
    ///
    /// - Throws: On anything else, and never traps later on what it accepted.
    public init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let start = reader.offset
        let schema = try reader.readSchema()
        let retention = PaneRetention(
            finestCountMax: try reader.readLimit(), hourCountMax: try reader.readLimit(),
            dayCountMax: try reader.readLimit(), profileCountMax: try reader.readLimit())
        let segments = try SegmentTable(decoding: &reader)
        var revision: TimeWindow?
        if try reader.readBool() { revision = try reader.readWindow() }
        let reference = try reader.readBool() ? try ModelReference(decoding: &reader) : nil
        let versions = try reader.readTexts()
        let levels = try PaneLevels(decoding: &reader, paneMilliseconds: schema.paneMilliseconds)
        var series: [PaneSeries] = []
        let seriesCount = try reader.readCount(elementSize: 2)
        for _ in 0..<seriesCount {
            series.append(
                try PaneSeries(
                    decoding: &reader, versionCount: versions.count, segments: segments,
                    levels: levels, reference: reference))
        }
        guard
            let aggregator = ModelAggregator(
                schema: schema, retention: retention, reference: reference, versions: versions,
                segments: segments, levels: levels, series: series, revision: revision)
        else { throw .invalid(offset: start, reason: "a version or a series stands twice") }
        self = aggregator
    }
}

extension ModelReference {
    func encode(to writer: inout ByteWriter) {
        writer.write(id)
        writer.write(pinnedAt.milliseconds)
        writer.write(origin.rawValue)
        writer.write(moving?.rawValue)
        writer.writeCount(rowCount)
        writer.write(task?.rawValue)
        writer.write(positiveLabel)
        writer.writeCount(features.count)
        for feature in features {
            writer.write(feature.name)
            writer.write(feature.narrow != nil)
            feature.content.encode(to: &writer)
        }
        prediction.encode(to: &writer)
        label.encode(to: &writer)
        truth.encode(to: &writer)
        writer.write(outcomeWindow != nil)
        if let outcomeWindow {
            writer.write(outcomeWindow.start.milliseconds)
            writer.write(outcomeWindow.end.milliseconds)
        }
        outcomes.encode(to: &writer)
        truthCounts.encode(to: &writer)
        segments.encode(to: &writer)
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let id = try reader.readText()
        let time = EventTime(milliseconds: try reader.read())
        let start = reader.offset
        let origin = Origin(rawValue: try reader.readText())
        let movingText = try reader.readOptionalText()
        let moving = movingText.flatMap { MovingReference(rawValue: $0) }
        guard let origin, (moving == nil) == (movingText == nil),
            let rowCount = Int(exactly: try reader.readTally())
        else { throw .invalid(offset: start, reason: "not a reference's origin") }
        let task = try reader.readTask()
        let positiveLabel = try reader.readOptionalText()
        var features: [FeatureReference] = []
        let featureCount = try reader.readCount()
        for _ in 0..<featureCount {
            let name = try reader.readText()
            let isSingle = try reader.readBool()
            features.append(
                FeatureReference(
                    name: name, content: try FeatureReference.Content(decoding: &reader),
                    isSingle: isSingle))
        }
        let prediction = try NumericReference(decoding: &reader)
        let label = try CategoricalReference(decoding: &reader)
        let truth = try FeatureReference.Content(decoding: &reader)
        self.init(
            id: id, pinnedAt: time, origin: origin, rowCount: rowCount, task: task,
            positiveLabel: positiveLabel, features: features, prediction: prediction, label: label,
            truth: truth, outcomeWindow: try reader.readBool() ? try reader.readWindow() : nil)
        self.moving = moving
        outcomes = try OutcomeProfile(decoding: &reader, binCount: scoreEdges.binCount)
        truthCounts = try TruthProfile(decoding: &reader, empty: truthCounts)
        segments = try ReferenceSegments(decoding: &reader, of: self)
    }
}

extension NumericReference {
    func encode(to writer: inout ByteWriter) {
        writer.write(edges.edges)
        writer.write(edges.decileEdges)
        writer.write(profile.shift)
        writer.write(profile.range?.lowerBound)
        writer.write(profile.range?.upperBound)
        profile.encode(to: &writer)
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let start = reader.offset
        let cuts = try reader.readDoubles()
        let deciles = try reader.readDoubles()
        guard let edges = BinEdges(edges: cuts, decileEdges: deciles) else {
            throw .invalid(offset: start, reason: "edges are not increasing")
        }
        let shiftOffset = reader.offset
        let shift = try reader.readDouble()
        guard shift.isFinite else { throw .invalid(offset: shiftOffset, reason: "shift \(shift)") }
        let low = try reader.readOptionalDouble()
        let high = try reader.readOptionalDouble()
        var range: ClosedRange<Double>?
        if let low, let high, low.isFinite, high.isFinite, low <= high { range = low...high }
        guard (low == nil) == (range == nil), (high == nil) == (range == nil) else {
            throw .invalid(offset: shiftOffset, reason: "not a reference's range")
        }
        let empty = NumericProfile(binCount: edges.binCount, shift: shift, range: range)
        self.init(edges: edges, profile: try NumericProfile(decoding: &reader, empty: empty))
    }
}

extension CategoricalReference {
    func encode(to writer: inout ByteWriter) {
        writer.write(categories)
        profile.encode(to: &writer)
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let categories = try reader.readTexts()
        guard categories.exactSet.count == categories.count else {
            throw .invalid(offset: reader.offset, reason: "a category stands twice")
        }
        self.init(
            categories: categories,
            profile: try CategoricalProfile(decoding: &reader, categoryCount: categories.count))
    }
}

extension FeatureReference.Content {
    func encode(to writer: inout ByteWriter) {
        switch self {
        case .numeric(let numeric):
            writer.write(UInt8(0))
            numeric.encode(to: &writer)
        case .categorical(let categorical):
            writer.write(UInt8(1))
            categorical.encode(to: &writer)
        }
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        switch try reader.readByte() {
        case 0: self = .numeric(try NumericReference(decoding: &reader))
        case 1: self = .categorical(try CategoricalReference(decoding: &reader))
        case let kind: throw .invalid(offset: reader.offset - 1, reason: "feature kind \(kind)")
        }
    }
}

extension OutcomeProfile {
    func encode(to writer: inout ByteWriter) {
        writer.writeVarint(labelled)
        writer.writeVarint(binary.count)
        writer.writeVarint(binary.correct)
        binary.logLossSum.encode(to: &writer)
        binary.brierSum.encode(to: &writer)
        binary.positives.encode(to: &writer)
        binary.negatives.encode(to: &writer)
        writer.writeVarint(regression.count)
        regression.absoluteSum.encode(to: &writer)
        regression.squaredSum.encode(to: &writer)
        regression.signedSum.encode(to: &writer)
    }

    init(decoding reader: inout ByteReader, binCount: Int) throws(ByteReadingError) {
        self.init(scoreBinCount: binCount)
        let start = reader.offset
        labelled = try reader.readTally()
        let count = try reader.readTally()
        let correct = try reader.readTally()
        let logLoss = try CompensatedSum(decoding: &reader)
        let brier = try CompensatedSum(decoding: &reader)
        let positives = try BinCounts(decoding: &reader, binCount: binCount)
        let negatives = try BinCounts(decoding: &reader, binCount: binCount)
        guard
            let outcomes = BinaryOutcomes(
                count: count, correct: correct, logLossSum: logLoss, brierSum: brier,
                positives: positives, negatives: negatives)
        else { throw .invalid(offset: start, reason: "outcomes that contradict themselves") }
        binary = outcomes
        regression = RegressionOutcomes(
            count: try reader.readTally(), absoluteSum: try CompensatedSum(decoding: &reader),
            squaredSum: try CompensatedSum(decoding: &reader),
            signedSum: try CompensatedSum(decoding: &reader))
        guard binary.count <= labelled, regression.count <= labelled else {
            throw .invalid(offset: start, reason: "more outcomes than ground truth")
        }
    }
}

extension ByteReader {
    /// Rows in one count: so far below the range of 64 bits that no sum of stored counts can overflow.
    private static let tallyMax: UInt64 = 1 << 40

    mutating func readTally() throws(ByteReadingError) -> UInt64 {
        let start = offset
        let tally = try readVarint()
        guard tally <= Self.tallyMax else {
            throw .invalid(offset: start, reason: "a count of \(tally) rows")
        }
        return tally
    }

    mutating func readTask() throws(ByteReadingError) -> TaskKind? {
        let start = offset
        guard let text = try readOptionalText() else { return nil }
        guard let task = TaskKind(rawValue: text) else {
            throw .invalid(offset: start, reason: "\"\(text)\" is not a task")
        }
        return task
    }
}
