/// This is neighbouring partitions of one join that one is to replace.
///
/// A value that needs nobody else: it can be run on another thread while the join goes on.
public struct PartitionMerge: Sendable {
    /// Records that are merged at a time, about: with their order they stay in the processor's cache.
    private static let stepCount = 4_096

    /// From the oldest to the newest.
    public let partitions: [SealedPartition]
    /// What is older is left out.
    let cutoff: Int64
    let storage: PartitionStorage

    /// This is the one partition; nil where one of them is damaged.
    ///
    /// A record of a later partition replaces the same id's in an earlier one.
    public func merged() -> SealedPartition? {
        let first = partitions.first?.name.split(separator: "-").first ?? ""
        let last = partitions.last?.name.split(separator: "-").last ?? ""
        var isSound = false
        let merged = SealedPartition.make(name: "\(first)-\(last)", in: storage) { append in
            isSound = write(append: append)
        }
        return isSound ? merged : nil
    }

    /// Identities are spread evenly, so a step is those with the same top bits, of all partitions: they
    /// are sorted together, which costs less than asking each time which partition has the least.
    private func write(append: @escaping (UnsafeRawBufferPointer) -> Void) -> Bool {
        let total = partitions.reduce(0) { $0 + $1.count }
        let isWide = partitions.contains { $0.isWide }
        var writer = PartitionWriter(countMax: total, isWide: isWide, append: append)
        let steps = max(1, total / Self.stepCount)
        let bits = UInt64(Int.bitWidth - 1 - steps.leadingZeroBitCount)
        var sources = partitions.map { Source(partition: $0) }
        var records = RecordColumns()
        var order = IdentityOrder()
        for step in 0..<UInt64(1) << bits {
            // A shift by all 64 bits gives zero.
            let last = step << (64 - bits) | UInt64.max >> bits
            records.removeAll()
            for place in sources.indices {
                guard sources[place].move(through: last, to: &records, isWide: isWide) else {
                    writer.finish()
                    return false
                }
            }
            records.withColumns { cores, wides in
                order.sort(cores, behind: bits) { _ in true }
                order.keep { isKept($0, $1, cores, wides) }
                order.withKeys { writer.write($0, cores, wides) }
            }
        }
        writer.finish()
        return true
    }

    /// Of equal identities the last is the newest.
    @inline(__always)
    private func isKept(
        _ key: UInt64, _ next: UInt64?, _ cores: UnsafeBufferPointer<JoinRecord.Core>,
        _ wides: UnsafeBufferPointer<JoinRecord.Wide>
    ) -> Bool {
        let place = IdentityOrder.place(key)
        let core = cores[place]
        if let next {
            let other = cores[IdentityOrder.place(next)]
            if core.low == other.low, core.high == other.high { return false }
        }
        let keep = wides.isEmpty ? Int64.min : wides[place].keep
        return max(core.time, keep) >= cutoff
    }

    /// This is a partition that is read once, in order.
    private struct Source {
        let partition: SealedPartition
        private var bucket = 0
        /// What is read and not moved: of a small partition, whose buckets are wider than a step.
        private var records = RecordColumns()
        private var start = 0

        init(partition: SealedPartition) { self.partition = partition }

        /// Moves the records with identities up to `last`; false where the bytes are damaged.
        mutating func move(
            through last: UInt64, to target: inout RecordColumns, isWide: Bool
        ) -> Bool {
            let end = partition.bucket(of: last) + 1
            if start == records.cores.count, partition.lastHigh(ofBucket: end - 1) == last {
                defer { bucket = end }
                return partition.append(bucket..<end, to: &target, isWide: isWide)
            }
            guard partition.append(bucket..<max(bucket, end), to: &records, isWide: isWide)
            else { return false }
            bucket = max(bucket, end)
            while start < records.cores.count, records.cores[start].high <= last {
                target.cores.append(records.cores[start])
                if isWide { target.wides.append(records.wides[start]) }
                start += 1
            }
            if start == records.cores.count {
                records.removeAll()
                start = 0
            }
            return true
        }
    }
}
