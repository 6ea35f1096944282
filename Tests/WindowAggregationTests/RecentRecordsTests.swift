import MonitoringDomain
import MonitoringTestSupport
import Testing

@testable import WindowAggregation

@Suite struct RecentRecordsTests {
    private func record(_ identity: RecordIdentity, _ time: Int64, isWide: Bool) -> JoinRecord {
        var record = JoinRecord(identity, time: time)
        record.setTruth(label: 1, value: isWide ? Double(time) : .nan, revision: 0)
        return record
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `the table agrees with a dictionary while records come, change and go`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var records = RecentRecords()
        var twin: [RecordIdentity: JoinRecord] = [:]
        // Neighbours in the table, ids with one lower half, and others.
        let pool = (0..<3_000).map { number in
            number % 3 == 0
                ? RecordIdentity(high: UInt64(number), low: 5)
                : RecordIdentity(high: random.next(), low: random.next())
        }
        for time in 0..<Int64(6_000) {
            let identity = pool[Int.random(in: 0..<pool.count, using: &random)]
            let record = record(
                identity, time, isWide: seed > 2 && Int.random(in: 0...200, using: &random) == 0)
            records.reserve(1)
            records.prefetchSlot(of: identity)
            switch records.find(identity) {
            case .place(let place):
                #expect(records[place] == twin[identity])
                records[place] = record
            case .vacant(let slot):
                #expect(twin[identity] == nil)
                records.append(record, inSlot: slot)
            }
            twin[identity] = record
            guard time % 1_500 == 1_499 else { continue }
            let end = time == 4_499 ? nil : time - 700
            let gone = twin.values.count { $0.core.time < end ?? .max }
            #expect(records.count(before: end ?? .max) == gone)
            records.removeAll(before: end)
            twin = twin.filter { $0.value.core.time >= end ?? .max }
            records.reserve(1)
            let agrees = pool.allSatisfy { identity in
                switch records.find(identity) {
                case .place(let place): records[place] == twin[identity]
                case .vacant: twin[identity] == nil
                }
            }
            #expect(agrees && records.count == twin.count)
            #expect(records.wides.isEmpty || records.wides.count == records.count)
        }
    }
}
