import MonitoringTestSupport
import Testing

@testable import WindowAggregation

@Suite struct IdentityOrderTests {
    /// How identities are spread: evenly, in few upper halves, or behind 12 bits that all share.
    enum Spread: CaseIterable { case even, few, shared }

    private func cores(
        _ count: Int, _ spread: Spread, _ random: inout SeededGenerator
    ) -> [JoinRecord.Core] {
        (0..<count).map { time in
            let high: UInt64 =
                switch spread {
                case .even: random.next()
                case .few: UInt64.random(in: 0...2, using: &random) << 40
                case .shared: 0xABC << 52 | random.next() >> 12
                }
            // Some identities come twice.
            return JoinRecord.Core(
                high: high, low: UInt64.random(in: 0...UInt64(count), using: &random),
                time: Int64(time))
        }
    }

    @Test(arguments: Spread.allCases, [0, 1, 2, 63, 64, 700, 2_000])
    func `the order is that of a stable sort of what is taken`(spread: Spread, count: Int) {
        var random = SeededGenerator(seed: UInt64(count))
        var order = IdentityOrder()
        // The memory of one sort is that of the next, of fewer records or of more.
        for size in [count, count / 3, count] {
            let cores = cores(size, spread, &random)
            let isTaken = cores.map { _ in Int.random(in: 0...3, using: &random) > 0 }
            let expected = cores.indices.filter { isTaken[$0] }.sorted {
                let (left, right) = (cores[$0], cores[$1])
                if JoinRecord.Core.precedes(left, right) { return true }
                return JoinRecord.Core.precedes(right, left) ? false : $0 < $1
            }

            cores.withUnsafeBufferPointer { cores in
                order.sort(cores, behind: spread == .shared ? 12 : 0) { isTaken[$0] }
            }

            #expect(order.count == expected.count)
            #expect(order.withKeys { $0.map { IdentityOrder.place($0) } } == expected)
        }
    }

    @Test func `the last of equal identities can be kept`() {
        var random = SeededGenerator(seed: 1)
        let cores = (0..<500).map { time in
            JoinRecord.Core(
                high: UInt64.random(in: 0...99, using: &random) << 57, low: 1, time: Int64(time))
        }
        var latest: [UInt64: Int] = [:]
        for (place, core) in cores.enumerated() { latest[core.high] = place }
        var order = IdentityOrder()

        cores.withUnsafeBufferPointer { cores in
            order.sort(cores) { _ in true }
            order.keep { key, next in
                guard let next else { return true }
                return cores[IdentityOrder.place(key)].high != cores[IdentityOrder.place(next)].high
            }
        }

        let kept = order.withKeys { $0.map { IdentityOrder.place($0) } }
        #expect(kept == latest.sorted { $0.key < $1.key }.map(\.value))
    }
}
