import MonitoringTestSupport
import StreamingStatistics
import Testing

private func sketch(_ texts: some Sequence<String>) -> DistinctSketch {
    var sketch = DistinctSketch()
    for text in texts { sketch.insert(hash: DistinctSketch.hash(of: text)) }
    return sketch
}

@Suite struct DistinctSketchTests {
    @Test(arguments: UInt64(0)..<4, [60, 3_000])
    func `the merge laws hold, sparse and dense`(seed: UInt64, count: Int) {
        var random = SeededGenerator(seed: seed)
        let hashes = (0..<count).map { _ in random.next() }
        checkMergeLaws(DistinctSketch(), hashes, cuts: randomCuts(count, &random)) {
            $0.insert(hash: $1)
        }
    }

    @Test func `nothing was seen, and seeing again changes nothing`() {
        #expect(DistinctSketch().estimate == 0)
        let once = sketch(["a", "b"])
        #expect(sketch(["b", "a", "b", "a", "a"]) == once)
        #expect(once.estimate.rounded() == 2)
    }

    @Test(arguments: [1, 10, 100, 500, 2_000, 6_000])
    func `estimates are within four standard errors`(count: Int) {
        let found = sketch((0..<count).map { "text-\($0)" }).estimate
        let error = DistinctSketch.relativeStandardError * Double(count)
        #expect(abs(found - Double(count)) <= max(0.5, 4 * error), "\(found)")
    }

    /// Registers say all: an estimate of 10⁹ distinct values need not see them.
    @Test func `registers of a huge number give it back`() {
        var random = SeededGenerator(seed: 9)
        var found = DistinctSketch()
        let perRegister = 1e9 / Double(DistinctSketch.registerCount)
        for register in 0..<DistinctSketch.registerCount {
            // The largest of n ranks has the distribution (1 − 2^−k)ⁿ, about exp(−n 2^−k).
            let uniform = Double.random(in: 1e-9..<1, using: &random)
            var rank: UInt8 = 1
            var power = perRegister / 2
            while power > 0, rank < DistinctSketch.rankMax, uniform > exponential(-power) {
                rank += 1
                power /= 2
            }
            found.raise(register: register, to: rank)
        }
        #expect(abs(found.estimate / 1e9 - 1) < 4 * DistinctSketch.relativeStandardError)
    }

    /// eˣ for x ≤ 0, by halving.
    private func exponential(_ x: Double) -> Double {
        if x < -745 { return 0 }
        guard x < -1e-3 else { return 1 + x + x * x / 2 }
        let root = exponential(x / 2)
        return root * root
    }

    @Test func `a text's hash is the same everywhere`() {
        #expect(DistinctSketch.hash(of: "") == 0xEFD0_1F60_BA99_2926)
        #expect(DistinctSketch.hash(of: "north") == 0x2BAF_0EC4_F29D_AD31)
        #expect(DistinctSketch.hash(of: "a") != DistinctSketch.hash(of: "b"))
    }
}
