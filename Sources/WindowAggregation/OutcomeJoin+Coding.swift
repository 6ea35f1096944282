public import ByteCoding
import MonitoringDomain

extension OutcomeJoin {
    /// Appends what is in memory, sorted by identity, and the names of the partitions.
    public func encode(to writer: inout ByteWriter) {
        writer.write(limits.horizonMilliseconds)
        writer.write(texts)
        writer.write(newest != nil)
        writer.write(newest ?? 0)
        writer.write(sealedHour != nil)
        writer.write(sealedHour ?? 0)
        writer.writeCount(partitionSequence)
        writer.writeCount(count)
        for number in [
            tally.tooOldPredictions, tally.tooOldTruths, tally.conflicts, tally.unmatchedTruths,
            tally.olderTruths,
        ] { writer.writeVarint(number) }
        writer.writeCount(partitions.count)
        for partition in partitions {
            writer.write(partition.name)
            writer.write(partition.checksum)
        }
        writeRecent(to: &writer)
    }

    private func writeRecent(to writer: inout ByteWriter) {
        let isWide = recent.wides.contains { $0 != JoinRecord.Wide() }
        writer.writeCount(recent.count)
        writer.write(isWide)
        let width = isWide ? 9 : 5
        var order = IdentityOrder()
        let words = recent.withColumns { cores, wides in
            order.sort(cores) { _ in true }
            return [UInt64](unsafeUninitializedCapacity: cores.count * width) { words, count in
                order.withKeys { keys in
                    for (index, key) in keys.enumerated() {
                        let start = index * width
                        let core = cores[IdentityOrder.place(key)]
                        words.initializeElement(at: start, to: core.high)
                        words.initializeElement(at: start + 1, to: core.low)
                        words.initializeElement(at: start + 2, to: UInt64(bitPattern: core.time))
                        words.initializeElement(at: start + 3, to: core.number)
                        words.initializeElement(at: start + 4, to: core.codes)
                        guard isWide else { continue }
                        let wide = wides[IdentityOrder.place(key)]
                        words.initializeElement(at: start + 5, to: wide.second)
                        words.initializeElement(at: start + 6, to: wide.truth)
                        words.initializeElement(
                            at: start + 7, to: UInt64(bitPattern: wide.revision))
                        words.initializeElement(at: start + 8, to: UInt64(bitPattern: wide.keep))
                    }
                }
                count = cores.count * width
            }
        }
        writer.write(words)
    }

    /// Reads what `encode` wrote, and opens the partitions.
    ///
    /// - Throws: On anything else, and where a partition is gone or is another one.
    public init(
        decoding reader: inout ByteReader, limits: Limits = Limits(),
        storage: PartitionStorage = .memory
    ) throws(ByteReadingError) {
        self.init(limits: limits, storage: storage)
        let start = reader.offset
        self.limits.horizonMilliseconds = try reader.read()
        guard self.limits.horizonMilliseconds > 0 else {
            throw .invalid(offset: start, reason: "no horizon")
        }
        let textOffset = reader.offset
        texts = try reader.readTexts()
        for (index, text) in texts.enumerated() {
            codeOfText[ExactText(text)] = UInt16(truncatingIfNeeded: index)
        }
        guard codeOfText.count == texts.count, texts.count <= Int(JoinRecord.unknownText) else {
            throw .invalid(offset: textOffset, reason: "\(texts.count) texts, some of them twice")
        }
        newest = try reader.readOptionalTime()
        sealedHour = try reader.readOptionalTime()
        partitionSequence = Int(clamping: try reader.readVarint())
        count = Int(clamping: try reader.readVarint())
        tally.tooOldPredictions = try reader.readVarint()
        tally.tooOldTruths = try reader.readVarint()
        tally.conflicts = try reader.readVarint()
        tally.unmatchedTruths = try reader.readVarint()
        tally.olderTruths = try reader.readVarint()
        let partitionCount = try reader.readCount(elementSize: 5)
        for _ in 0..<partitionCount {
            partitions.append(try Self.openPartition(&reader, storage))
        }
        recent = try Self.readRecent(&reader, textCount: texts.count)
    }

    private static func openPartition(
        _ reader: inout ByteReader, _ storage: PartitionStorage
    ) throws(ByteReadingError) -> SealedPartition {
        let offset = reader.offset
        let name = try reader.readText()
        let checksum: UInt32 = try reader.read()
        guard let bytes = storage.open(name) else {
            throw .invalid(offset: offset, reason: "partition \(name) is gone")
        }
        let partition = try SealedPartition(name: name, bytes: bytes)
        guard partition.checksum == checksum else {
            throw .checksumMismatch(found: partition.checksum, expected: checksum)
        }
        return partition
    }

    private static func readRecent(
        _ reader: inout ByteReader, textCount: Int
    ) throws(ByteReadingError) -> RecentRecords {
        let start = reader.offset
        let count = try reader.readCount(elementSize: 5)
        let isWide = try reader.readBool()
        let words = try reader.readArray(UInt64.self)
        let width = isWide ? 9 : 5
        guard words.count == count * width, count < RecentRecords.countMax else {
            throw .invalid(offset: start, reason: "\(words.count) words for \(count) ids")
        }
        var records = RecordColumns()
        for place in stride(from: 0, to: words.count, by: width) {
            var core = JoinRecord.Core(
                high: words[place], low: words[place + 1], time: Int64(bitPattern: words[place + 2])
            )
            core.number = words[place + 3]
            core.codes = words[place + 4]
            let codes = [core.version, core.label, core.truthLabel]
            guard codes.allSatisfy({ $0 >= JoinRecord.unknownText || Int($0) < textCount }),
                core.hasPrediction || core.hasTruth,
                records.cores.last.map({ JoinRecord.Core.precedes($0, core) }) ?? true
            else { throw .invalid(offset: start, reason: "an id that contradicts itself") }
            records.cores.append(core)
            guard isWide else { continue }
            records.wides.append(
                JoinRecord.Wide(
                    second: words[place + 5], truth: words[place + 6],
                    revision: Int64(bitPattern: words[place + 7]),
                    keep: Int64(bitPattern: words[place + 8])))
        }
        return RecentRecords(cores: records.cores, wides: records.wides)
    }
}

extension JoinRecord.Core {
    /// The four short fields as one word.
    fileprivate var codes: UInt64 {
        get {
            UInt64(version) | UInt64(label) << 16 | UInt64(truthLabel) << 32 | UInt64(flags) << 48
        }
        set {
            version = UInt16(truncatingIfNeeded: newValue)
            label = UInt16(truncatingIfNeeded: newValue >> 16)
            truthLabel = UInt16(truncatingIfNeeded: newValue >> 32)
            flags = UInt16(truncatingIfNeeded: newValue >> 48)
        }
    }
}

extension ByteReader {
    fileprivate mutating func readOptionalTime() throws(ByteReadingError) -> Int64? {
        let isThere = try readBool()
        let time: Int64 = try read()
        return isThere ? time : nil
    }
}
