import ByteCoding
import MonitoringDomain
import StreamingStatistics

// The stored form of panes and of what orders them; AggregatorCoding.swift has the whole.

extension SegmentTable {
    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let start = reader.offset
        let keys = try reader.readTexts()
        var values: [[String]] = []
        for _ in keys { values.append(try reader.readTexts()) }
        guard let table = SegmentTable(keys: keys, values: values) else {
            throw .invalid(offset: start, reason: "segments beyond the limits, or twice")
        }
        self = table
    }
}

extension ReferenceSegments {
    /// The keys, their values, and the segments with rows, each as one pane.
    func encode(to writer: inout ByteWriter) {
        writer.write(table.keys)
        for values in table.values { writer.write(values) }
        writer.writeCount(references.count)
        for (_, code) in known {
            writer.writeCount(code.key)
            writer.writeCount(code.value)
            references[code]?.asPane.encode(to: &writer)
        }
    }

    init(
        decoding reader: inout ByteReader, of whole: ModelReference
    ) throws(ByteReadingError) {
        let start = reader.offset
        let table = try SegmentTable(decoding: &reader)
        var profiles: [(code: SegmentCode, profile: PaneProfile)] = []
        let count = try reader.readCount(elementSize: 9)
        for _ in 0..<count {
            let code = SegmentCode(
                key: Int(clamping: try reader.readVarint()),
                value: Int(clamping: try reader.readVarint()))
            profiles.append((code, try PaneProfile(decoding: &reader, reference: whole)))
        }
        guard let segments = Self(table: table, profiles: profiles, of: whole) else {
            throw .invalid(offset: start, reason: "segments of a reference that are not its own")
        }
        self = segments
    }
}

extension PaneLevels {
    init(decoding reader: inout ByteReader, paneMilliseconds: Int64) throws(ByteReadingError) {
        self.init(paneMilliseconds: paneMilliseconds)
        for level in spans.indices {
            let start = reader.offset
            let cut: Int64 = try reader.read()
            let next = spans[min(level + 1, spans.count - 1)]
            guard cut == .min || cut % next == 0, level == 0 || cut <= cuts[level - 1] else {
                throw .invalid(offset: start, reason: "panes are not cut at \(cut)")
            }
            cuts[level] = cut
        }
    }
}

extension PaneSeries {
    init(
        decoding reader: inout ByteReader, versionCount: Int, segments: SegmentTable,
        levels: PaneLevels, reference: ModelReference?
    ) throws(ByteReadingError) {
        let start = reader.offset
        let version = try reader.readVarint()
        let key = try reader.readVarint()
        let value = key > 0 ? try reader.readVarint() : 0
        guard version < UInt64(versionCount), key <= UInt64(segments.keys.count),
            key == 0 || value <= UInt64(segments.values[Int(key) - 1].count)
        else { throw .invalid(offset: start, reason: "a series of what is not known") }
        self.init(
            key: SeriesKey(
                version: Int(version),
                segment: key == 0 ? nil : SegmentCode(key: Int(key) - 1, value: Int(value))),
            levelCount: levels.spans.count)
        for level in levels.spans.indices {
            let paneCount = try reader.readCount(elementSize: 9)
            for _ in 0..<paneCount {
                let offset = reader.offset
                let number: Int64 = try reader.read()
                guard let reference,
                    !number.multipliedReportingOverflow(by: levels.spans[level]).overflow,
                    self.levels[level].append(
                        number, try PaneProfile(decoding: &reader, reference: reference))
                else { throw .invalid(offset: offset, reason: "pane \(number) out of order") }
            }
        }
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
        label.encode(to: &writer)
        truth.encode(to: &writer)
        outcomes.encode(to: &writer)
        serving.encode(to: &writer)
        writer.writeCount(typeErrors.count)
        for count in typeErrors { writer.writeVarint(count) }
        writer.write(optional: revision.rows)
        writer.write(optional: revision.outcomes)
    }

    init(
        decoding reader: inout ByteReader, reference: ModelReference
    ) throws(ByteReadingError) {
        self.init(for: reference)
        predictionCount = try reader.readTally()
        for (index, feature) in reference.features.enumerated() {
            switch feature.content {
            case .numeric(let numeric):
                features[index] = .numeric(
                    try NumericProfile(decoding: &reader, empty: numeric.emptyProfile()))
            case .categorical(let categorical):
                features[index] = .categorical(
                    try CategoricalProfile(
                        decoding: &reader, categoryCount: categorical.categories.count))
            }
        }
        prediction = try NumericProfile(decoding: &reader, empty: prediction)
        label = try CategoricalProfile(
            decoding: &reader, categoryCount: reference.label.categories.count)
        truth = try TruthProfile(decoding: &reader, empty: truth)
        outcomes = try OutcomeProfile(
            decoding: &reader, binCount: reference.scoreEdges.binCount)
        let start = reader.offset
        serving = try ServingProfile(decoding: &reader)
        guard serving.errorCount <= predictionCount else {
            throw .invalid(offset: start, reason: "more errors than predictions")
        }
        let errorStart = reader.offset
        let errorCount = try reader.readCount()
        guard errorCount == 0 || errorCount == features.count else {
            throw .invalid(offset: errorStart, reason: "type errors of \(errorCount) features")
        }
        for _ in 0..<errorCount { typeErrors.append(try reader.readTally()) }
        revision.rows = try reader.readOptionalInteger()
        revision.outcomes = try reader.readOptionalInteger()
    }
}

extension TruthProfile {
    func encode(to writer: inout ByteWriter) {
        for count in labels { writer.writeVarint(count) }
        values.encode(to: &writer)
        sums.linear.encode(to: &writer)
        sums.squared.encode(to: &writer)
        sums.below.encode(to: &writer)
        sums.above.encode(to: &writer)
    }

    init(decoding reader: inout ByteReader, empty: TruthProfile) throws(ByteReadingError) {
        self = empty
        for index in labels.indices { labels[index] = try reader.readTally() }
        values = try BinCounts(decoding: &reader, binCount: values.binCount)
        sums.linear = try CompensatedSum(decoding: &reader)
        sums.squared = try CompensatedSum(decoding: &reader)
        sums.below = try CompensatedSum(decoding: &reader)
        sums.above = try CompensatedSum(decoding: &reader)
    }
}

extension ServingProfile {
    func encode(to writer: inout ByteWriter) {
        writer.writeVarint(duplicateCount)
        writer.writeVarint(errorCount)
        writer.writeVarint(unloggedThousandths)
        writer.write(optional: newest)
        writer.write(latencies != nil)
        latencies?.encode(to: &writer)
    }

    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        duplicateCount = try reader.readTally()
        errorCount = try reader.readTally()
        unloggedThousandths = try reader.readVarint()
        newest = try reader.readOptionalInteger()
        guard try reader.readBool() else { return }
        latencies = try NumericProfile(decoding: &reader, empty: Self.emptyLatencies)
    }
}

extension ByteWriter {
    mutating func write(optional number: Int64?) {
        write(number != nil)
        if let number { write(number) }
    }
}

extension ByteReader {
    mutating func readOptionalInteger() throws(ByteReadingError) -> Int64? {
        try readBool() ? try read() : nil
    }

    mutating func readLimit() throws(ByteReadingError) -> Int {
        let start = offset
        guard let limit = Int(exactly: try readVarint()) else {
            throw .invalid(offset: start, reason: "a limit beyond all numbers")
        }
        return limit
    }

    mutating func readWindow() throws(ByteReadingError) -> TimeWindow {
        let offset = offset
        let start = EventTime(milliseconds: try read())
        let end = EventTime(milliseconds: try read())
        guard start <= end else { throw .invalid(offset: offset, reason: "an inverted range") }
        return TimeWindow(start: start, end: end)
    }

    mutating func readSchema() throws(ByteReadingError) -> ModelSchema {
        let start = offset
        guard let model = ModelID(try readText()) else {
            throw .invalid(offset: start, reason: "not a model's name")
        }
        var schema = ModelSchema(model: model)
        schema.task = try readTask()
        schema.positiveLabel = try readOptionalText()
        let paneOffset = offset
        schema.paneMilliseconds = try read()
        guard schema.paneMilliseconds > 0, WindowSpan.day % schema.paneMilliseconds == 0 else {
            throw .invalid(
                offset: paneOffset, reason: "a pane of \(schema.paneMilliseconds) ms")
        }
        let featureCount = try readCount(elementSize: 2)
        for _ in 0..<featureCount {
            let name = try readText()
            let start = offset
            guard let kind = FeatureKind(code: try readText()) else {
                throw .invalid(offset: start, reason: "an unknown kind of feature")
            }
            schema.features.append(FeatureSchema(name: name, kind: kind))
        }
        schema.segments = try readTexts()
        return schema
    }
}
