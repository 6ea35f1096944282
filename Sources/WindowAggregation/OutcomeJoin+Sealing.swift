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

    private static let hourMilliseconds: Int64 = 3_600_000

    /// This is the number of the hour of an event time.
    static func hour(of milliseconds: Int64) -> Int64 {
        let (hour, rest) = milliseconds.quotientAndRemainder(dividingBy: hourMilliseconds)
        return rest < 0 ? hour - 1 : hour
    }

    /// Seals what is due: hours that have passed, when they are many ids; and whatever is too much.
    mutating func sealIfDue() {
        guard let newest else {
            if recent.count >= limits.recentCountMax { seal(before: nil) }
            return
        }
        let hour = Self.hour(of: newest)
        let isFull = recent.count >= limits.recentCountMax
        guard isFull || hour != sealedHour else { return }
        sealedHour = hour
        forget()
        let (start, isOverflow) = (hour - limits.recentHourCount)
            .multipliedReportingOverflow(by: Self.hourMilliseconds)
        let bound = isOverflow ? Int64.min : start
        let pastCount = recent.count(before: bound)
        if isFull, pastCount * 2 < recent.count {
            seal(before: nil)
        } else if pastCount >= limits.sealCountMin || isFull {
            seal(before: bound)
        }
    }

    /// Drops partitions in which nothing is within the horizon.
    private mutating func forget() {
        let cutoff = cutoff
        partitions.removeAll { $0.times.upperBound < cutoff }
    }

    /// Seals the records of before a time, or all; what is forgotten goes with them, and nowhere.
    private mutating func seal(before bound: Int64?) {
        let cutoff = cutoff
        let end = bound.map { max($0, cutoff) }
        let sealed = recent.withColumns { cores, wides in
            order.sort(cores) { place in
                let time = cores[place].time
                if let end, time >= end { return false }
                return time >= cutoff || !wides.isEmpty && wides[place].keep >= cutoff
            }
            return order.withKeys { makePartition($0, cores, wides) }
        }
        recent.removeAll(before: end)
        guard let sealed else { return }
        partitionSequence += 1
        partitions.append(sealed)
    }

    private func makePartition(
        _ keys: UnsafeBufferPointer<UInt64>, _ cores: UnsafeBufferPointer<JoinRecord.Core>,
        _ wides: UnsafeBufferPointer<JoinRecord.Wide>
    ) -> SealedPartition? {
        if keys.isEmpty { return nil }
        let isWide =
            !wides.isEmpty
            && keys.contains { wides[IdentityOrder.place($0)] != JoinRecord.Wide() }
        return SealedPartition.make(name: "\(partitionSequence + 1)", in: storage) { append in
            var writer = PartitionWriter(countMax: keys.count, isWide: isWide, append: append)
            writer.write(keys, cores, wides)
            writer.finish()
        }
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
        name: String, in storage: PartitionStorage,
        write: (@escaping (UnsafeRawBufferPointer) -> Void) -> Void
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
