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

    /// Quarters, so that sums and squares are exact; some are missing, some infinite.
    private static func quarters(_ count: Int, _ random: inout SeededGenerator) -> [Double] {
        (0..<count).map { _ in
            switch Int.random(in: 0..<20, using: &random) {
            case 0, 1: .nan
            case 2: .infinity
            case 3: -.infinity
            default: Double(Int.random(in: -200...200, using: &random)) / 4
            }
        }
    }

    @Test(arguments: UInt64(0)..<8)
    func `the merge laws hold`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let values = Self.quarters(150, &random)
        checkMergeLaws(
            NumericProfile(binCount: Self.edges.binCount, shift: 12.5, range: -10...20), values,
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
    }

    @Test func `infinite values are counted apart, and in the outermost bins`() {
        let values: [Double] = [1, .infinity, -.infinity, .nan, .infinity, 3]
        let found = profile(values, Self.edges, shift: 0)
        #expect(found.count == 5 && found.missing == 1 && found.nonFinite == 3)
        #expect(found.tallies.positiveInfinite == 2 && found.tallies.negativeInfinite == 1)
        #expect(found.minimum == 1 && found.maximum == 3)
        #expect(found.mean == nil && found.standardDeviation == nil)
        #expect(found.counts[0] == 1 && found.counts[Self.edges.binCount - 1] == 2)
        let none = profile([.infinity, -.infinity], Self.edges, shift: 0)
        #expect(none.count == 2 && none.minimum == nil && none.maximum == nil)
    }

    @Test func `distances beyond the reference's range are summed`() {
        var found = NumericProfile(binCount: Self.edges.binCount, shift: 0, range: 0...24.75)
        let values: [Double] = [-2, -0.5, 0, 5, 24.75, 25, 30, .nan, .infinity, -.infinity]
        var bins: [UInt16] = []
        Self.edges.bins(of: values.span, into: &bins)
        found.absorb(values.span, bins: bins.span)
        #expect(found.sums.below.value == 2.5 && found.sums.above.value == 5.5)
        var single = NumericProfile(binCount: Self.edges.binCount, shift: 0, range: 0...24.75)
        for value in values { single.absorb(value, edges: Self.edges) }
        #expect(single == found)
    }

    @Test func `stored parts make the same profile, unless they contradict each other`() {
        let found = profile([1, 2, .nan, .infinity], Self.edges, shift: 3)
        let empty = profile([], Self.edges, shift: 3)
        func stored(
            _ extremes: ClosedRange<Double>?, _ tallies: NumericProfile.Tallies
        ) -> NumericProfile? {
            NumericProfile(
                empty: empty, extremes: extremes, counts: found.counts, tallies: tallies,
                sums: found.sums)
        }
        #expect(stored(1...2, found.tallies) == found)
        #expect(stored(nil, found.tallies) == nil)
        var tallies = found.tallies
        tallies.positiveInfinite = 2
        #expect(stored(1...2, tallies) == nil)
        tallies.positiveInfinite = .max
        tallies.negativeInfinite = 1
        #expect(stored(1...2, tallies) == nil)
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
