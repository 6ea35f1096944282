/// This is neighbouring partitions of one join that one is to replace.
///
/// A value that needs nobody else: it can be run on another thread while the join goes on.
public struct PartitionMerge: Sendable {
    /// From the oldest to the newest.
    public let partitions: [SealedPartition]
    /// What is older is left out.
    let cutoff: Int64
    let storage: PartitionStorage

    private struct Cursor {
        let partition: SealedPartition
        var bucket = 0
        var records: [JoinRecord] = []
        var place = 0

        var isAtEnd: Bool { place == records.count }
        /// - Precondition: it is not at the end.
        var record: JoinRecord { records[place] }

        /// False where the bytes are damaged.
        mutating func fill() -> Bool {
            guard isAtEnd else { return true }
            guard let next = partition.records(from: &bucket, countMin: 1_024) else { return false }
            records = next
            place = 0
            return true
        }
    }

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

    private func write(append: @escaping ([UInt8]) -> Void) -> Bool {
        var writer = PartitionWriter(
            countMax: partitions.reduce(0) { $0 + $1.count },
            isWide: partitions.contains { $0.isWide }, append: append)
        var cursors = partitions.map { Cursor(partition: $0) }
        var isSound = true
        while true {
            var least: (place: Int, core: JoinRecord.Core)?
            for index in cursors.indices {
                isSound = cursors[index].fill() && isSound
                if cursors[index].isAtEnd { continue }
                let core = cursors[index].record.core
                // Of equal ones the later is the newer.
                if let least, JoinRecord.Core.precedes(least.core, core) { continue }
                least = (index, core)
            }
            guard isSound, let (place, core) = least else { break }
            let record = cursors[place].record
            for index in cursors.indices where !cursors[index].isAtEnd {
                let other = cursors[index].record.core
                if other.high == core.high, other.low == core.low { cursors[index].place += 1 }
            }
            if record.keptTime >= cutoff { writer.write(record) }
        }
        writer.finish()
        return isSound
    }
}
