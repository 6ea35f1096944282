import ByteCoding
import MonitoringDomain
import MonitoringTestSupport
import Synchronization
import Testing

@testable import WindowAggregation

/// This is a storage whose partitions a test can look at and change.
final class Shelf: Sendable {
    private let content = Mutex<[String: [UInt8]]>([:])
    var files: [String: [UInt8]] {
        get { content.withLock { $0 } }
        set { content.withLock { $0 = newValue } }
    }

    var storage: PartitionStorage {
        PartitionStorage(
            make: { [self] name, write in
                var bytes: [UInt8] = []
                write { bytes.append(contentsOf: $0) }
                content.withLock { [bytes] in $0[name] = bytes }
                return PartitionBytes(bytes)
            }, open: { [self] name in files[name].map { PartitionBytes($0) } })
    }
}

@Suite struct SealedPartitionTests {
    private func records(_ count: Int, seed: UInt64, isWide: Bool = false) -> RecordColumns {
        var random = SeededGenerator(seed: seed)
        var records = RecordColumns()
        for index in 0..<count {
            var record = JoinRecord(
                RecordIdentity(high: random.next(), low: random.next()), time: Int64(index))
            record.setPrediction(
                JoinRecord.Prediction(
                    time: Int64(index), score: Double.random(in: 0...1, using: &random),
                    value: .nan, version: 1, label: 2, digest: 3))
            if isWide { record.setTruth(label: 4, value: Double(index), revision: 9) }
            records.cores.append(record.core)
            if isWide { records.wides.append(record.wide) }
        }
        return records
    }

    private func bytes(of records: RecordColumns) -> [UInt8] {
        var bytes: [UInt8] = []
        var writer = PartitionWriter(
            countMax: records.cores.count, isWide: !records.wides.isEmpty
        ) { bytes.append(contentsOf: $0) }
        var order = IdentityOrder()
        records.withColumns { cores, wides in
            order.sort(cores) { _ in true }
            order.withKeys { writer.write($0, cores, wides) }
        }
        writer.finish()
        return bytes
    }

    @Test(arguments: [0, 1, 2, 15, 16, 17, 1_000, 3_000], [false, true])
    func `what was written is found, and nothing else`(count: Int, isWide: Bool) throws {
        let records = records(count, seed: 3, isWide: isWide)
        let partition = try SealedPartition(
            name: "1", bytes: PartitionBytes(bytes(of: records)))

        #expect(partition.count == count)
        for place in records.cores.indices {
            let record = JoinRecord(
                records.cores[place], isWide ? records.wides[place] : JoinRecord.Wide())
            #expect(partition.find(record.identity) == .found(record))
        }
        var random = SeededGenerator(seed: 4)
        for _ in 0..<1_000 {
            let other = RecordIdentity(high: random.next(), low: random.next())
            #expect(partition.find(other) == .absent)
        }
    }

    @Test func `the filter never says no wrongly, and seldom yes`() {
        var random = SeededGenerator(seed: 5)
        let known = (0..<5_000).map { _ in
            RecordIdentity(high: random.next(), low: random.next())
        }
        var filter = IdentityFilter(count: known.count)
        for identity in known { filter.insert(identity) }

        var marks = [Bool](repeating: false, count: known.count)
        filter.mark(known, known.map { IdentityFilter.mask($0) }, in: &marks)
        #expect(marks.allSatisfy { $0 })
        let wrong = (0..<20_000).count { _ in
            filter.mayContain(RecordIdentity(high: random.next(), low: random.next()))
        }
        // One of 250 is 80.
        #expect(wrong < 160)
    }

    @Test func `every changed byte is found, at the latest where it would be used`() throws {
        let records = records(60, seed: 6)
        let sound = bytes(of: records)
        for offset in sound.indices {
            var changed = sound
            changed[offset] ^= 0x10
            guard let partition = try? SealedPartition(name: "1", bytes: PartitionBytes(changed))
            else { continue }
            // The zeros at the end and behind the body's checksum say nothing.
            if offset >= sound.count - 4 { continue }
            let isFound = records.cores.indices.contains {
                partition.find(JoinRecord(records.cores[$0]).identity) == .damaged
            }
            #expect(isFound, "byte \(offset) of \(sound.count)")
        }
        for count in 0..<sound.count {
            #expect(throws: ByteReadingError.self) {
                try SealedPartition(name: "1", bytes: PartitionBytes(Array(sound[..<count])))
            }
        }
    }

    @Test func `a damaged partition is not merged, and damages the join`() throws {
        let shelf = Shelf()
        var limits = OutcomeJoin.Limits()
        limits.recentCountMax = 50
        var join = OutcomeJoin(limits: limits, storage: shelf.storage)
        var batch = try Samples.batch((0..<50).map { Sample(time: Int64($0), label: "yes") })
        let identities = records(50, seed: 8).cores.map {
            RecordIdentity(high: $0.high, low: $0.low)
        }
        batch.identities = identities
        _ = join.admit(batch)
        var writer = ByteWriter()
        join.encode(to: &writer)
        let name = try #require(shelf.files.keys.first)
        shelf.files[name]?[3] ^= 1
        var reader = ByteReader(writer.bytes)
        join = try OutcomeJoin(decoding: &reader, limits: limits, storage: shelf.storage)

        #expect(!join.isDamaged)
        _ = join.admit(batch)
        #expect(join.isDamaged)
    }
}
