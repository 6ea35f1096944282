public import ByteCoding
public import MonitoringDomain
import RecordCoding
public import WindowAggregation

extension ModelCollector {
    /// Appends the state; equal states have equal bytes.
    public func encode(to writer: inout ByteWriter) {
        writer.append(contentsOf: prefixed(InputCoding.encode(.declareSchema(schema))))
        writer.write(recordCount)
        references.encode(to: &writer)
        writer.writeCount(learningTarget)
        writer.write(movingAfterLearning?.rawValue)
        writer.write(pending != nil)
        if let pending { encode(pending, to: &writer) }
        writer.write(referenceRows != nil)
        if let referenceRows {
            encode(referenceRows.source, to: &writer)
            writer.write(referenceRows.position)
        }
        writer.writeCount(rowCountOfVersion.count)
        for (version, count) in rowCountOfVersion.sorted(by: { $0.key < $1.key }) {
            writer.write(version.string)
            writer.writeCount(count)
        }
        writer.write(watermark != nil)
        writer.write(watermark?.milliseconds ?? 0)
        writer.write(referenceStart != nil)
        writer.write(referenceStart?.milliseconds ?? 0)
        writer.write(profiledSince != nil)
        writer.write(profiledSince?.milliseconds ?? 0)
        join.encode(to: &writer)
        pairing.encode(to: &writer)
        writer.writeCount(waiting.count)
        for batch in waiting {
            writer.append(contentsOf: prefixed(InputCoding.encode(.predictions(batch))))
        }
        writer.writeCount(waitingOutcomes.count)
        for outcome in waitingOutcomes { outcome.encode(to: &writer) }
        writer.write(early != nil)
        early?.encode(to: &writer)
        aggregator.encode(to: &writer)
        detectors.encode(to: &writer)
    }

    /// Reads what `encode` wrote.
    ///
    /// - Throws: `ByteReadingError` for anything else.
    public init(
        decoding reader: inout ByteReader,
        storage: @Sendable (ModelID) -> PartitionStorage = { _ in .memory }
    ) throws(ByteReadingError) {
        guard case .declareSchema(let schema) = try Self.readInput(&reader) else {
            throw .invalid(offset: reader.offset, reason: "a schema was expected")
        }
        self.init(schema: schema)
        recordCount = try reader.read()
        references = try ReferenceHistory(decoding: &reader)
        learningTarget = max(1, Int(clamping: try reader.readVarint()))
        movingAfterLearning = try reader.readOptionalText().flatMap {
            MovingReference(rawValue: $0)
        }
        if try reader.readBool() { pending = try Self.readPending(&reader) }
        if try reader.readBool() {
            referenceRows = ReferenceRows(
                source: try Self.readSource(&reader), position: try reader.read())
        }
        let versionCount = try reader.readCount(elementSize: 2)
        for _ in 0..<versionCount {
            let version = try reader.readText()
            rowCountOfVersion[ExactText(version)] = Int(clamping: try reader.readVarint())
        }
        let hasWatermark = try reader.readBool()
        let time: Int64 = try reader.read()
        watermark = hasWatermark ? EventTime(milliseconds: time) : nil
        let hasReference = try reader.readBool()
        let start: Int64 = try reader.read()
        referenceStart = hasReference ? EventTime(milliseconds: start) : nil
        let isTrimmed = try reader.readBool()
        let since: Int64 = try reader.read()
        profiledSince = isTrimmed ? EventTime(milliseconds: since) : nil
        join = try OutcomeJoin(decoding: &reader, storage: storage(schema.model))
        pairing = try InferencePairing(decoding: &reader)
        let batchCount = try reader.readCount()
        for _ in 0..<batchCount {
            guard case .predictions(let batch) = try Self.readInput(&reader) else {
                throw .invalid(offset: reader.offset, reason: "a batch was expected")
            }
            waiting.append(batch)
        }
        let outcomeCount = try reader.readCount()
        for _ in 0..<outcomeCount {
            waitingOutcomes.append(try Outcome(decoding: &reader))
        }
        if try reader.readBool() { early = try ModelAggregator(decoding: &reader) }
        aggregator = try ModelAggregator(decoding: &reader)
        detectors = try ErrorDetectors(decoding: &reader)
    }

    private func encode(_ pending: PendingReference, to writer: inout ByteWriter) {
        writer.write(pending.id)
        encode(pending.source, to: &writer)
        writer.write(pending.requestedAt.milliseconds)
        writer.append(contentsOf: prefixed(InputCoding.encode(.declareSchema(pending.schema))))
        writer.write(pending.position != nil)
        writer.write(pending.position ?? 0)
        writer.write(pending.isResegmented)
    }

    /// An input holds every part of a source that is of the log.
    private func encode(_ source: PendingReference.Source, to writer: inout ByteWriter) {
        switch source {
        case .uploaded(let position):
            writer.write(UInt8(0))
            writer.write(position)
        case .current: writer.write(UInt8(1))
        case .log(let chosen):
            writer.write(UInt8(2))
            writer.append(
                contentsOf: prefixed(
                    InputCoding.encode(
                        .chooseReference(schema.model, chosen, at: EventTime(milliseconds: 0)))))
        }
    }

    private static func readPending(
        _ reader: inout ByteReader
    ) throws(ByteReadingError) -> PendingReference {
        let id = try reader.readText()
        let source = try readSource(&reader)
        let start = reader.offset
        let time = EventTime(milliseconds: try reader.read())
        guard case .declareSchema(let schema) = try readInput(&reader) else {
            throw .invalid(offset: start, reason: "a schema was expected")
        }
        let hasPosition = try reader.readBool()
        let position: Int64 = try reader.read()
        return PendingReference(
            id: id, source: source, requestedAt: time, schema: schema,
            position: hasPosition ? position : nil, isResegmented: try reader.readBool())
    }

    private static func readSource(
        _ reader: inout ByteReader
    ) throws(ByteReadingError) -> PendingReference.Source {
        let start = reader.offset
        switch try reader.readByte() {
        case 0: return .uploaded(at: try reader.read())
        case 1: return .current
        case 2:
            guard case .chooseReference(_, let chosen, _) = try readInput(&reader) else {
                throw .invalid(offset: start, reason: "a source was expected")
            }
            return .log(chosen)
        case let kind: throw .invalid(offset: start, reason: "pending kind \(kind)")
        }
    }

    private func prefixed(_ bytes: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeCount(bytes.count)
        writer.append(contentsOf: bytes)
        return writer.bytes
    }

    private static func readInput(_ reader: inout ByteReader) throws(ByteReadingError) -> Input {
        let count = try reader.readCount()
        return try InputCoding.decode(try reader.readSlice(count: count))
    }
}
