public import ByteCoding
import MonitoringDomain
import StreamingStatistics

// The stored form of an aggregator, in this order:
//
//     schema   model, task, positive label, pane, features (name, kind)
//     present  1 when a reference follows
//     reference  id, time, origin, rows, task, positive label, features, prediction, outcomes
//     series   for each version: name, panes (number, profile), sorted by number
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
            writer.write(feature.kind == .categorical)
        }
        writer.write(reference != nil)
        reference?.encode(to: &writer)
        writer.writeCount(versions.count)
        for (version, panes) in zip(versions, series) {
            writer.write(version)
            writer.writeCount(panes.numbers.count)
            for (number, profile) in zip(panes.numbers, panes.profiles) {
                writer.write(number)
                profile.encode(to: &writer)
            }
        }
    }

    /// Reads what `encode` wrote.
    ///
    /// - Throws: On anything else, and never traps later on what it accepted.
    public init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let start = reader.offset
        guard let model = ModelID(try reader.readText()) else {
            throw .invalid(offset: start, reason: "not a model's name")
        }
        var schema = ModelSchema(model: model)
        schema.task = try reader.readTask()
        schema.positiveLabel = try reader.readOptionalText()
        let paneOffset = reader.offset
        let pane: Int64 = try reader.read()
        guard pane > 0, pane <= WindowSpan.day else {
            throw .invalid(offset: paneOffset, reason: "a pane of \(pane) ms")
        }
        schema.paneMilliseconds = pane
        let featureCount = try reader.readCount(elementSize: 2)
        for _ in 0..<featureCount {
            let name = try reader.readText()
            schema.features.append(
                FeatureSchema(name: name, kind: try reader.readBool() ? .categorical : .numeric))
        }
        let reference = try reader.readBool() ? try ModelReference(decoding: &reader) : nil
        var versions: [String] = []
        var series: [PaneSeries] = []
        let versionCount = try reader.readCount()
        for _ in 0..<versionCount {
            versions.append(try reader.readText())
            var panes = PaneSeries()
            let paneCount = try reader.readCount(elementSize: 9)
            for _ in 0..<paneCount {
                let offset = reader.offset
                let number: Int64 = try reader.read()
                guard let reference, panes.numbers.last.map({ $0 < number }) ?? true,
                    !number.multipliedReportingOverflow(by: pane).overflow
                else { throw .invalid(offset: offset, reason: "pane \(number) out of order") }
                panes.numbers.append(number)
                panes.profiles.append(
                    try PaneProfile(decoding: &reader, reference: reference))
            }
            series.append(panes)
        }
        guard Set(versions).count == versions.count else {
            throw .invalid(offset: start, reason: "a version stands twice")
        }
        self.init(schema: schema, reference: reference, versions: versions, series: series)
    }
}

extension ModelReference {
    func encode(to writer: inout ByteWriter) {
        writer.write(id)
        writer.write(pinnedAt.milliseconds)
        writer.write(origin.rawValue)
        writer.writeCount(rowCount)
        writer.write(task?.rawValue)
        writer.write(positiveLabel)
        writer.writeCount(features.count)
        for feature in features {
            writer.write(feature.name)
            switch feature.content {
            case .numeric(let numeric):
                writer.write(UInt8(0))
                numeric.encode(to: &writer)
            case .categorical(let categorical):
                writer.write(UInt8(1))
                writer.write(categorical.categories)
                categorical.profile.encode(to: &writer)
            }
        }
        prediction.encode(to: &writer)
        outcomes.encode(to: &writer)
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let id = try reader.readText()
        let time = EventTime(milliseconds: try reader.read())
        let start = reader.offset
        guard let origin = Origin(rawValue: try reader.readText()),
            let rowCount = Int(exactly: try reader.readTally())
        else { throw .invalid(offset: start, reason: "not a reference's origin") }
        let task = try reader.readTask()
        let positiveLabel = try reader.readOptionalText()
        var features: [FeatureReference] = []
        let featureCount = try reader.readCount()
        for _ in 0..<featureCount {
            let name = try reader.readText()
            switch try reader.readByte() {
            case 0:
                features.append(
                    FeatureReference(
                        name: name, content: .numeric(try NumericReference(decoding: &reader))))
            case 1:
                let categories = try reader.readTexts()
                guard Set(categories).count == categories.count else {
                    throw .invalid(offset: reader.offset, reason: "a category stands twice")
                }
                let profile = try CategoricalProfile(
                    decoding: &reader, categoryCount: categories.count)
                features.append(
                    FeatureReference(
                        name: name,
                        content: .categorical(
                            CategoricalReference(categories: categories, profile: profile))))
            case let kind:
                throw .invalid(offset: reader.offset - 1, reason: "feature kind \(kind)")
            }
        }
        let prediction = try NumericReference(decoding: &reader)
        self.init(
            id: id, pinnedAt: time, origin: origin, rowCount: rowCount, task: task,
            positiveLabel: positiveLabel, features: features, prediction: prediction)
        outcomes = try OutcomeProfile(decoding: &reader, binCount: scoreEdges.binCount)
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

extension PaneProfile {
    func encode(to writer: inout ByteWriter) {
        writer.writeVarint(predictionCount)
        for feature in features {
            switch feature {
            case .numeric(let numeric): numeric.encode(to: &writer)
            case .categorical(let categorical): categorical.encode(to: &writer)
            }
        }
        prediction.encode(to: &writer)
        outcomes.encode(to: &writer)
    }

    init(
        decoding reader: inout ByteReader, reference: ModelReference
    ) throws(ByteReadingError) {
        let count = try reader.readTally()
        var features: [FeatureProfile] = []
        for feature in reference.features {
            switch feature.content {
            case .numeric(let numeric):
                features.append(
                    .numeric(
                        try NumericProfile(
                            decoding: &reader, empty: numeric.emptyProfile())))
            case .categorical(let categorical):
                features.append(
                    .categorical(
                        try CategoricalProfile(
                            decoding: &reader, categoryCount: categorical.categories.count)))
            }
        }
        let prediction = try NumericProfile(
            decoding: &reader, empty: reference.prediction.emptyProfile())
        let outcomes = try OutcomeProfile(
            decoding: &reader, binCount: reference.scoreEdges.binCount)
        self.init(
            predictionCount: count, features: features, prediction: prediction, outcomes: outcomes)
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

    fileprivate mutating func readTask() throws(ByteReadingError) -> TaskKind? {
        let start = offset
        guard let text = try readOptionalText() else { return nil }
        guard let task = TaskKind(rawValue: text) else {
            throw .invalid(offset: start, reason: "\"\(text)\" is not a task")
        }
        return task
    }
}
