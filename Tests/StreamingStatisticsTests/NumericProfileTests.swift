import MonitoringTestSupport
import StreamingStatistics
import Testing

private func profile(_ values: [Double], _ edges: BinEdges, shift: Double) -> NumericProfile {
    var profile = NumericProfile(binCount: edges.binCount, shift: shift)
    var bins: [UInt16] = []
    edges.bins(of: values.span, into: &bins)
    profile.absorb(values.span, bins: bins.span)
    return profile
}

@Suite struct NumericProfileTests {
    private static let edges = BinEdges(reference: (0..<100).map { Double($0) / 4 })

    /// Quarters, so that sums and squares are exact; some are missing.
    private static func quarters(_ count: Int, _ random: inout SeededGenerator) -> [Double] {
        (0..<count).map { _ in
            Int.random(in: 0..<10, using: &random) == 0
                ? .nan : Double(Int.random(in: -200...200, using: &random)) / 4
        }
    }

    @Test(arguments: UInt64(0)..<8)
    func `the merge laws hold`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let values = Self.quarters(150, &random)
        checkMergeLaws(
            NumericProfile(binCount: Self.edges.binCount, shift: 12.5), values,
            cuts: randomCuts(150, &random)
        ) { $0.absorb($1, edges: Self.edges) }
    }

    @Test(arguments: 0..<14)
    func `a block is its values, one by one`(count: Int) {
        var random = SeededGenerator(seed: UInt64(count))
        let values = Self.quarters(count, &random)
        var single = NumericProfile(binCount: Self.edges.binCount, shift: 12.5)
        for value in values { single.absorb(value, edges: Self.edges) }
        #expect(profile(values, Self.edges, shift: 12.5) == single)
    }

    @Test func `a large offset costs no digits`() {
        let values = (0..<1_000).map { 1e15 + Double($0 % 2) }
        let edges = BinEdges(reference: values)
        let found = profile(values, edges, shift: 1e15)
        #expect(found.mean == 1e15 + 0.5)
        #expect(found.standardDeviation == 0.5)
        #expect(profile(values, edges, shift: 0).mean == 1e15 + 0.5)
    }

    @Test func `absence has no moments`() {
        let found = profile([.nan, .nan], Self.edges, shift: 0)
        #expect(found.count == 0 && found.missing == 2)
        #expect(found.mean == nil && found.standardDeviation == nil)
        #expect(found.minimum == nil && found.maximum == nil)
    }

    @Test func `a constant has no deviation, and what is beyond a double has no moments`() {
        #expect(profile([0.1, 0.1, 0.1], Self.edges, shift: 0).standardDeviation == 0)
        let huge = profile([1e308, 1e308, -1e308], Self.edges, shift: 0)
        #expect(huge.maximum == 1e308 && huge.standardDeviation == nil)
        let infinite = profile([1, .infinity], Self.edges, shift: 0)
        #expect(infinite.count == 2 && infinite.maximum == .infinity && infinite.mean == nil)
    }

    @Test func `stored parts make the same profile, unless they contradict each other`() {
        let found = profile([1, 2, .nan], Self.edges, shift: 3)
        let stored = NumericProfile(
            shift: 3, missing: 1, minimum: 1, maximum: 2, counts: found.counts, sum: found.sum,
            sumOfSquares: found.sumOfSquares)
        #expect(stored == found)
        let contradiction = NumericProfile(
            shift: 3, missing: 1, minimum: nil, maximum: 2, counts: found.counts, sum: found.sum,
            sumOfSquares: found.sumOfSquares)
        #expect(contradiction == nil)
    }

    @Test(.enabled(if: Vectors.areThere, "the reference values are not beside the repository"))
    func `moments, range and decile counts are the libraries'`() throws {
        for vector in try Vectors.read("numeric", as: [NumericVector].self) {
            let edges = BinEdges(reference: vector.referenceValues)
            let found = vector.profile(vector.windowValues, edges)
            let expected = vector.expected
            #expect(Int(found.count + found.missing) == expected.n, "\(vector.name)")
            #expect(found.missing == expected.missing, "\(vector.name)")
            #expect(isClose(found.mean, expected.mean), "\(vector.name)")
            #expect(isClose(found.standardDeviation, expected.std), "\(vector.name)")
            // Given to 12 digits, and not at all with an infinity.
            if vector.windowValues.allSatisfy({ !$0.isInfinite }) {
                #expect(isClose(found.minimum, expected.min?.value, 1e-11), "\(vector.name)")
                #expect(isClose(found.maximum, expected.max?.value, 1e-11), "\(vector.name)")
            }
            guard vector.isFiniteReference, let bins = expected.bins, !edges.edges.isEmpty
            else { continue }
            // The libraries keep repeated edges, whose bins are empty; they are left out here.
            let cuts = vector.referenceEdges
            let kept = bins.indices.filter {
                $0 == 0 || $0 >= cuts.count || cuts[$0] != cuts[$0 - 1]
            }
            #expect(found.decileCounts(edges) == kept.map { bins[$0] }, "\(vector.name)")
        }
    }
}
