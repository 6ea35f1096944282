import MonitoringDomain
import MonitoringTestSupport
import Testing

@testable import WindowAggregation

@Suite struct PartitionMergeTests {
    /// A partition of these records, in memory or where a test can change it.
    private func partition(
        _ name: String, _ records: [JoinRecord], in storage: PartitionStorage = .memory
    ) -> SealedPartition {
        let isWide = records.contains { !$0.isNarrow }
        let columns = RecordColumns(
            cores: records.map(\.core), wides: isWide ? records.map(\.wide) : [])
        var order = IdentityOrder()
        return columns.withColumns { cores, wides in
            order.sort(cores) { _ in true }
            return order.withKeys { keys in
                SealedPartition.make(name: name, in: storage) { append in
                    var writer = PartitionWriter(
                        countMax: keys.count, isWide: isWide, append: append)
                    writer.write(keys, cores, wides)
                    writer.finish()
                }
            }
        }
    }

    /// Of `count` records some have an identity from the pool, which other partitions use as well.
    private func records(
        _ count: Int, isWide: Bool, pool: [RecordIdentity], _ random: inout SeededGenerator
    ) -> [JoinRecord] {
        var seen = Set<RecordIdentity>()
        return (0..<count).compactMap { _ in
            let isShared = Int.random(in: 0...3, using: &random) == 0
            let identity =
                isShared
                ? pool[Int.random(in: 0..<pool.count, using: &random)]
                : RecordIdentity(high: random.next(), low: random.next())
            guard seen.insert(identity).inserted else { return nil }
            var record = JoinRecord(identity, time: Int64.random(in: 0...999, using: &random))
            record.setTruth(
                label: UInt16.random(in: 0...9, using: &random),
                value: isWide ? Double.random(in: 0...1, using: &random) : .nan, revision: 0)
            if isWide, Bool.random(using: &random) { record.wide.keep = 1_500 }
            return record
        }
    }

    /// Sizes of the partitions, and which of them are wide: also ones that are much smaller than a
    /// step of the merge, or empty at the end of what is kept.
    static let shapes: [([Int], Set<Int>)] = [
        ([1, 1, 1, 1], []), ([40, 40, 40, 40], [2]), ([3, 900, 900, 900], []),
        ([900, 20, 900, 900], [0]), ([9_000, 4, 17, 9_000], [1, 3]), ([6_000, 6_000], []),
        ([5_000, 5_000, 5_000, 5_000], [0, 1, 2, 3]),
    ]

    @Test(arguments: PartitionMergeTests.shapes, [Int64.min, 400])
    func `a merge holds the newest record of each id, and none of before the horizon`(
        shape: (sizes: [Int], wide: Set<Int>), cutoff: Int64
    ) throws {
        var random = SeededGenerator(seed: UInt64(shape.sizes[0]))
        let pool = (0..<max(2, shape.sizes[0] / 2)).map { _ in
            RecordIdentity(high: random.next(), low: random.next())
        }
        var known: [RecordIdentity: JoinRecord] = [:]
        let partitions = shape.sizes.enumerated().map { index, size in
            let records = records(
                size, isWide: shape.wide.contains(index), pool: pool, &random)
            for record in records { known[record.identity] = record }
            return partition("\(index)", records)
        }

        let merge = PartitionMerge(partitions: partitions, cutoff: cutoff, storage: .memory)
        let merged = try #require(merge.merged())

        let kept = known.values.filter { $0.keptTime >= cutoff }
        #expect(merged.name == "0-\(shape.sizes.count - 1)")
        #expect(merged.count == kept.count)
        #expect(merged.isWide == !shape.wide.isEmpty)
        #expect(kept.allSatisfy { merged.find($0.identity) == .found($0) })
        for record in known.values where record.keptTime < cutoff {
            #expect(merged.find(record.identity) == .absent)
        }
        let least = kept.map(\.keptTime).min() ?? 0
        #expect(merged.times == least...(kept.map(\.keptTime).max() ?? 0))
    }

    @Test func `a changed byte in any record of any of them stops the merge`() throws {
        var random = SeededGenerator(seed: 7)
        let shelf = Shelf()
        let pool = [RecordIdentity(high: 1, low: 1)]
        let sizes = [70, 4, 90]
        for (index, size) in sizes.enumerated() {
            let records = records(size, isWide: index == 2, pool: pool, &random)
            _ = partition("\(index)", records, in: shelf.storage)
        }
        let sound = shelf.files
        func merged() throws -> SealedPartition? {
            let partitions = try sizes.indices.map { index in
                let bytes = try #require(shelf.storage.open("\(index)"))
                return try SealedPartition(name: "\(index)", bytes: bytes)
            }
            return PartitionMerge(partitions: partitions, cutoff: .min, storage: .memory).merged()
        }
        #expect(try merged() != nil)

        for index in sizes.indices {
            let partition = try SealedPartition(
                name: "", bytes: PartitionBytes(sound["\(index)"] ?? []))
            for offset in stride(from: 0, to: partition.count * partition.recordSize, by: 7) {
                shelf.files = sound
                shelf.files["\(index)"]?[offset] ^= 4
                #expect(try merged() == nil, "byte \(offset) of partition \(index)")
            }
        }
    }

    @Test func `identities that are not spread make large buckets, and are merged as well`() throws
    {
        let lists = (0..<4).map { part in
            (0..<700).map { number in
                let high = UInt64(number % 2) << 63
                let identity = RecordIdentity(high: high, low: UInt64(number * 4 + part))
                return JoinRecord(identity, time: Int64(number))
            }
        }
        let partitions = lists.enumerated().map { partition("\($0)", $1) }

        let merged = try #require(
            PartitionMerge(partitions: partitions, cutoff: .min, storage: .memory).merged())

        #expect(merged.count == 2_800)
        #expect(lists.joined().allSatisfy { merged.find($0.identity) == .found($0) })
    }
}
