import MonitoringTestSupport
import StreamingStatistics
import Testing

private func profile(_ values: [Double], _ edges: BinEdges) -> NumericProfile {
    var profile = NumericProfile(binCount: edges.binCount, shift: 0)
    for value in values { profile.absorb(value, edges: edges) }
    return profile
}

/// NumPy's `linear`, from the values themselves.
private func exactQuantile(_ values: [Double], _ fraction: Double) -> Double {
    let sorted = values.sorted()
    let place = Double(sorted.count - 1) * fraction
    let index = Int(place)
    guard index + 1 < sorted.count else { return sorted[sorted.count - 1] }
    let weight = place - Double(index)
    return sorted[index] * (1 - weight) + sorted[index + 1] * weight
}

@Suite struct HistogramQuantileTests {
    @Test(arguments: Distribution.all, [0, 0.001, 0.1, 0.25, 0.5, 0.9, 0.999, 1])
    func `the true quantile lies between the bounds`(
        distribution: Distribution, fraction: Double
    ) throws {
        let reference = distribution.values(1_000, seed: 1)
        let edges = BinEdges(reference: reference)
        for values in [distribution.values(300, seed: 2), reference.map { $0 / 3 }, [reference[0]]]
        {
            let found = try profile(values, edges).quantile(at: fraction, edges: edges)
            let exact = exactQuantile(values, fraction)
            let slack = 1e-14 * abs(exact)
            #expect(found.lower - slack <= exact && exact <= found.upper + slack)
            #expect(found.lower <= found.value && found.value <= found.upper)
            if fraction == 0 || fraction == 1 { #expect(found.lower == found.upper) }
        }
    }

    @Test func `values with bins of their own have exact quantiles`() throws {
        let values = (0..<1_000).map { Double($0 % 10) }
        let edges = BinEdges(reference: values)
        for fraction in stride(from: 0.0, through: 1, by: 0.05) {
            let found = try profile(values, edges).quantile(at: fraction, edges: edges)
            #expect(isClose(found.value, exactQuantile(values, fraction), 1e-12))
            #expect(isClose(found.upper, found.lower, 1e-12))
        }
    }

    @Test func `absence has its reason`() {
        let edges = BinEdges(reference: [1, 2, 3])
        #expect(throws: UndefinedStatistic.windowEmpty) {
            try profile([], edges).quantile(at: 0.5, edges: edges)
        }
        #expect(throws: UndefinedStatistic.windowAllMissing) {
            try profile([.nan], edges).quantile(at: 0.5, edges: edges)
        }
        #expect(throws: UndefinedStatistic.windowInfinite) {
            try profile([1, .infinity], edges).quantile(at: 0.5, edges: edges)
        }
    }

    private struct QuantileVector: Decodable {
        let name: String
        let values: [Double]
        let q: [Double]
        let expected: [Double]
    }

    @Test(.enabled(if: Vectors.areThere, "the reference values are not beside the repository"))
    func `the libraries' quantiles lie between the bounds`() throws {
        for vector in try Vectors.read("quantile", as: [QuantileVector].self) {
            let edges = BinEdges(reference: vector.values)
            for (fraction, expected) in zip(vector.q, vector.expected) {
                let found = try profile(vector.values, edges).quantile(at: fraction, edges: edges)
                #expect(found.lower <= expected + 1e-12, "\(vector.name)")
                #expect(expected - 1e-12 <= found.upper, "\(vector.name)")
            }
        }
    }
}
