import MonitoringTestSupport
import StreamingStatistics
import Testing

@Suite struct CompensatedSumTests {
    @Test func `small terms survive beside large ones`() {
        var sum = CompensatedSum()
        for term in [1, 1e100, 1, -1e100] { sum.add(term) }
        #expect(sum.value == 2)
        var tenths = CompensatedSum()
        for _ in 0..<1_000_000 { tenths.add(0.1) }
        #expect(tenths.value == 100_000)
    }

    @Test(arguments: UInt64(0)..<8)
    func `what is added can be taken back, in any order`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let terms = (0..<1_000).map { _ in Double.random(in: -1e9...1e9, using: &random) }
        var sum = CompensatedSum()
        sum.add(0.3)
        for term in terms { sum.add(term) }
        for term in terms.shuffled(using: &random) { sum.subtract(term) }
        #expect(abs(sum.value - 0.3) <= 0.3.ulp)
    }

    @Test(arguments: UInt64(0)..<8)
    func `the merge laws hold`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let terms = (0..<200).map { _ in Double(Int.random(in: -1_000...1_000, using: &random)) / 8
        }
        checkMergeLaws(CompensatedSum(), terms, cuts: randomCuts(200, &random)) { $0.add($1) }
    }

    @Test func `a stored sum is the same sum`() {
        var sum = CompensatedSum()
        for term in [0.1, 0.2, 1e17] { sum.add(term) }
        #expect(CompensatedSum(high: sum.high, low: sum.low) == sum)
    }

    @Test func `what is beyond a double is not finite`() {
        var sum = CompensatedSum()
        sum.add(.greatestFiniteMagnitude)
        sum.add(.greatestFiniteMagnitude)
        #expect(!sum.value.isFinite)
    }
}
