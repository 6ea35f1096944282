import MonitoringTestSupport
import StreamingStatistics
import Testing

/// This is the distance of two samples, from the values themselves.
private func exactDistance(_ left: [Double], _ right: [Double]) -> Double {
    let (left, right) = (left.sorted(), right.sorted())
    var (i, j) = (0, 0)
    var distance = 0.0
    for value in Set(left + right).sorted() {
        while i < left.count, left[i] <= value { i += 1 }
        while j < right.count, right[j] <= value { j += 1 }
        distance = max(
            distance, abs(Double(i) / Double(left.count) - Double(j) / Double(right.count)))
    }
    return distance
}

private func counts(_ values: [Double], _ edges: BinEdges) -> BinCounts {
    var counts = BinCounts(binCount: edges.binCount)
    var bins: [UInt16] = []
    edges.bins(of: values.span, into: &bins)
    counts.add(bins: bins.span)
    return counts
}

private func counts(_ list: [UInt64]) -> BinCounts {
    var counts = BinCounts(binCount: list.count)
    for (bin, count) in list.enumerated() { counts.add(bin, count: count) }
    return counts
}

@Suite struct KolmogorovSmirnovTests {
    @Test func `the worked example of the bounds`() throws {
        let found = try #require(
            binnedKolmogorovSmirnov(
                window: counts([10, 30, 40, 20]), reference: counts([15, 35, 25, 25])))
        #expect(isClose(found.lower, 0.10, 1e-12))
        #expect(isClose(found.upper, 0.40, 1e-12))
    }

    @Test(arguments: Distribution.all, [0, 1, 3])
    func `the true distance lies between the bounds, and they are near`(
        distribution: Distribution, shift: Double
    ) throws {
        let reference = distribution.values(3_000, seed: 1)
        let window = distribution.values(800, seed: 2).map { $0 + shift }
        let edges = BinEdges(reference: reference)
        let found = try #require(
            binnedKolmogorovSmirnov(
                window: counts(window, edges), reference: counts(reference, edges), edges: edges))
        let exact = exactDistance(window, reference)
        #expect(found.lower <= exact + 1e-12 && exact <= found.upper + 1e-12)
        #expect(found.upper - found.lower <= 0.03)
    }

    @Test func `few distinct values make it exact`() throws {
        let integers = Distribution(testDescription: "integers") {
            Double(Int.random(in: 0..<90, using: &$0))
        }
        let reference = integers.values(3_000, seed: 1)
        let window = integers.values(500, seed: 2).map { min($0 + 4, 89) }
        let edges = BinEdges(reference: reference)
        let found = try #require(
            binnedKolmogorovSmirnov(
                window: counts(window, edges), reference: counts(reference, edges), edges: edges))
        #expect(isClose(found.lower, exactDistance(window, reference), 1e-12))
        #expect(found.lower == found.upper)
    }

    @Test func `nothing can be said of an empty side`() {
        let (none, some) = (counts([0, 0]), counts([1, 0]))
        #expect(binnedKolmogorovSmirnov(window: none, reference: some) == nil)
        #expect(binnedKolmogorovSmirnov(window: some, reference: none) == nil)
        #expect(kolmogorovSmirnovPValue(d: 0.5, n: 0, m: 9) == 1)
    }

    @Test func `the worked example of the area under the curve`() throws {
        let found = try #require(
            binnedAUC(positives: counts([1, 2, 5, 9]), negatives: counts([20, 9, 4, 1])))
        #expect(isClose(found.lower, 0.833910, 5e-7))
        #expect(isClose(found.upper, 0.949827, 5e-7))
        #expect(binnedAUC(positives: counts([1]), negatives: counts([0])) == nil)
        #expect(binnedAUC(positives: counts([0]), negatives: counts([1])) == nil)
    }

    @Test func `equal scores of a bin of their own are ties, and no doubt`() throws {
        let edges = BinEdges(reference: [Double](repeating: 0.5, count: 9))
        let same = counts([0.5, 0.5], edges)
        let found = try #require(binnedAUC(positives: same, negatives: same, edges: edges))
        #expect(found.value == 0.5 && found.lower == 0.5 && found.upper == 0.5)
    }

    /// (λ, survival), from SciPy's `kolmogorov`.
    private static let tail = [
        (0.1, 1), (0.3, 0.999990694199), (0.5, 0.963945243665), (0.8, 0.544142411574),
        (1, 0.269999671677), (1.36, 0.0494858767554), (2, 0.00067092525578),
        (5, 3.85749969593e-22), (10, 2.76779305347e-87), (20, 0),
    ]

    @Test(arguments: tail)
    func `the tail is SciPy's`(lambda: Double, expected: Double) {
        let found = kolmogorovSurvival(lambda)
        #expect(abs(found - expected) <= 1e-11 * expected)
    }

    @Test(.enabled(if: Vectors.areThere, "the reference values are not beside the repository"))
    func `the libraries' distances lie between the bounds`() throws {
        for vector in try Vectors.read("numeric", as: [NumericVector].self) {
            let edges = BinEdges(reference: vector.referenceValues)
            let window = vector.profile(vector.windowValues, edges)
            let reference = vector.profile(vector.referenceValues, edges)
            let found = binnedKolmogorovSmirnov(
                window: window.counts, reference: reference.counts, edges: edges)
            #expect((found == nil) == (vector.expected.ksD == nil), "\(vector.name)")
            guard let found, let distance = vector.expected.ksD else { continue }
            #expect(found.lower <= distance + 1e-11, "\(vector.name)")
            #expect(found.upper >= distance - 1e-11, "\(vector.name)")
            let chance = kolmogorovSmirnovPValue(
                d: distance, n: window.count, m: reference.count)
            #expect(isClose(chance, vector.expected.ksP), "\(vector.name)")
        }
    }
}
