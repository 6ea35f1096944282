import ByteCoding
import MonitoringDomain

extension OutcomeJoin {
    /// Partitions of one size that are merged into one, so that an identity asks few filters: of
    /// fifty million ids, about ten.
    ///
    /// More at once would be fewer merges, beside the machine, for more questions, within it.
    static let mergeCount = 4
    /// A merged partition has at most so many ids.
    static let partitionCountMax = 1 << 25

    /// This is the number of the hour of an event time.
    static func hour(of milliseconds: Int64) -> Int64 {
        let (hour, rest) = milliseconds.quotientAndRemainder(dividingBy: 3_600_000)
        return rest < 0 ? hour - 1 : hour
    }

    /// Seals what is due: hours that have passed, when they are many ids; and whatever is too much.
    mutating func sealIfDue() {
        guard let newest else {
            if recent.count >= limits.recentCountMax { seal { _ in true } }
            return
        }
        let hour = Self.hour(of: newest)
        let isFull = recent.count >= limits.recentCountMax
        guard isFull || hour != sealedHour else { return }
        sealedHour = hour
        forget()
        let last = hour - limits.recentHourCount
        let isPast = { (core: JoinRecord.Core) in Self.hour(of: core.time) < last }
        let pastCount = recent.cores.reduce(0) { $0 + (isPast($1) ? 1 : 0) }
        if isFull, pastCount * 2 < recent.count {
            seal { _ in true }
        } else if pastCount >= limits.sealCountMin || isFull {
            seal(isPast)
        }
    }

    /// Drops partitions in which nothing is within the horizon.
    private mutating func forget() {
        let cutoff = cutoff
        partitions.removeAll { $0.times.upperBound < cutoff }
    }

    private mutating func seal(_ isSealed: (JoinRecord.Core) -> Bool) {
        let cutoff = cutoff
        var records = recent.remove { isSealed($0) || $0.time < cutoff }
        let kept = records.cores.indices.filter { records[$0].keptTime >= cutoff }
        if kept.count < records.cores.count {
            records = SortedRecords(
                cores: kept.map { records.cores[$0] },
                wides: records.wides.isEmpty ? [] : kept.map { records.wides[$0] })
        }
        guard !records.cores.isEmpty else { return }
        partitionSequence += 1
        let isWide = records.wides.contains { $0 != JoinRecord.Wide() }
        partitions.append(
            SealedPartition.make(name: "\(partitionSequence)", in: storage) { append in
                var writer = PartitionWriter(
                    countMax: records.cores.count, isWide: isWide, append: append)
                for place in records.cores.indices { writer.write(records[place]) }
                writer.finish()
            })
    }

    // MARK: - Merging

    /// This is partitions that one should replace; nil while there is nothing to gain.
    ///
    /// They are neighbours in age and of about one size, so each id is merged a few times in its life.
    /// What the join knows is the same before and after, so anybody may merge, at any time.
    public var merge: PartitionMerge? {
        guard partitions.count >= Self.mergeCount else { return nil }
        let levels = partitions.map { Self.level(of: $0.count) }
        for end in (Self.mergeCount...partitions.count).reversed() {
            let range = end - Self.mergeCount..<end
            let total = partitions[range].reduce(0) { $0 + $1.count }
            if total <= Self.partitionCountMax, levels[range].allSatisfy({ $0 <= levels[end - 1] })
            {
                return PartitionMerge(
                    partitions: Array(partitions[range]), cutoff: cutoff, storage: storage)
            }
        }
        return nil
    }

    /// Replaces partitions by what they were merged into; false where they are no longer there.
    public mutating func adopt(_ merged: SealedPartition, of merge: PartitionMerge) -> Bool {
        let names = merge.partitions.map(\.name)
        guard let start = partitions.firstIndex(where: { $0.name == names[0] }),
            partitions[start...].prefix(names.count).map(\.name) == names
        else { return false }
        partitions.replaceSubrange(start..<start + names.count, with: [merged])
        return true
    }

    /// Each level is of four times the ids of the one below.
    private static func level(of count: Int) -> Int {
        (Int.bitWidth - 1 - max(1, count).leadingZeroBitCount) / 2
    }
}

extension SealedPartition {
    /// Seals what `write` appends, in memory where the storage has no room: the join must not stop
    /// for a full disk, and whoever needs the file later folds the log.
    static func make(
        name: String, in storage: PartitionStorage, write: (@escaping ([UInt8]) -> Void) -> Void
    ) -> SealedPartition {
        for storage in [storage, .memory] {
            let bytes = withoutActuallyEscaping(write) { write in
                storage.make(name) { append in withoutActuallyEscaping(append) { write($0) } }
            }
            if let bytes, let sealed = try? SealedPartition(name: name, bytes: bytes) {
                return sealed
            }
        }
        preconditionFailure("partition \(name) cannot be read from memory")
    }
}
