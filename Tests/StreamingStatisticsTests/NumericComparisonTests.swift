import MonitoringTestSupport
import StreamingStatistics
import Testing

/// ∫ |F − G|, from the values themselves.
private func exactArea(_ left: [Double], _ right: [Double]) -> Double {
    let all = Set(left + right).sorted()
    return zip(all, all.dropFirst()).reduce(0) { sum, pair in
        let f = Double(left.count { $0 <= pair.0 }) / Double(left.count)
        let g = Double(right.count { $0 <= pair.0 }) / Double(right.count)
        return sum + (pair.1 - pair.0) * abs(f - g)
    }
}

private func comparison(
    _ window: [Double], _ reference: [Double], rowCountMin: UInt64 = 1
) -> NumericComparison {
    let edges = BinEdges(reference: reference)
    let finite = reference.filter(\.isFinite)
    let mean = finite.isEmpty ? 0 : finite.reduce(0) { $0 + $1 / Double(finite.count) }
    var range: ClosedRange<Double>?
    if let low = finite.min(), let high = finite.max() { range = low...high }
    func profile(_ values: [Double]) -> NumericProfile {
        var profile = NumericProfile(binCount: edges.binCount, shift: mean, range: range)
        var bins: [UInt16] = []
        edges.bins(of: values.span, into: &bins)
        profile.absorb(values.span, bins: bins.span)
        return profile
    }
    return NumericComparison(
        window: profile(window), reference: profile(reference), edges: edges,
        rowCountMin: rowCountMin)
}

private func reason<Value>(
    _ body: () throws(UndefinedStatistic) -> Value
) -> UndefinedStatistic? {
    do throws(UndefinedStatistic) {
        _ = try body()
        return nil
    } catch {
        return error
    }
}

extension NumericComparison {
    /// All statistics that have one form.
    fileprivate static let all:
        [(String, @Sendable (Self) -> () throws(UndefinedStatistic) -> StatisticValue)] = [
            ("ks", { $0.kolmogorovSmirnov }), ("wasserstein", { $0.wasserstein }),
            ("wasserstein_normalized", { $0.normalizedWasserstein }),
            ("jensen_shannon", { $0.jensenShannon }), ("hellinger", { $0.hellinger }),
            ("total_variation", { $0.totalVariation }), ("kl", { $0.kullbackLeibler }),
            ("chi_square", { $0.chiSquare }), ("mean_shift", { $0.meanShift }),
        ]
}

@Suite struct NumericComparisonTests {
    @Test(arguments: Distribution.all, [-2, 0, 0.25, 3])
    func `the true Wasserstein distance lies between the bounds`(
        distribution: Distribution, shift: Double
    ) throws {
        let reference = distribution.values(900, seed: 1)
        let scale = (reference.max() ?? 0) - (reference.min() ?? 0)
        let window = distribution.values(300, seed: 2).map { $0 + shift * scale / 4 }
        guard window.allSatisfy(\.isFinite), scale.isFinite else { return }
        let found = try comparison(window, reference).wasserstein()
        let exact = exactArea(window, reference)
        // Among subnormal numbers each product is rounded to a whole one.
        let slack =
            1e-12 * max(exact, abs(reference.max() ?? 0)) + 2_000 * Double.leastNonzeroMagnitude
        #expect(found.method == .bins)
        #expect(found.lower - slack <= exact && exact <= found.upper + slack)
        #expect(found.lower <= found.value && found.value <= found.upper)
        // Bins hold few rows of this reference, so the bounds are near.
        #expect(found.upper - found.lower <= 0.01 * scale + slack)
    }

    @Test func `beyond the reference's range, and for a pure shift, Wasserstein is exact`() throws {
        let reference = (0..<500).map { Double($0 * $0 % 977) }
        for shift in [5_000.0, -5_000, 1e9] {
            let window = reference.map { $0 + shift }
            let found = try comparison(window, reference).wasserstein()
            #expect(isClose(found.lower, abs(shift), 1e-12))
            #expect(isClose(found.upper, abs(shift), 1e-12))
        }
    }

    @Test func `a mean's shift is in deviations of the reference, with its sign`() throws {
        let found = try comparison([5, 7], [1, 3, 1, 3]).meanShift()
        #expect(found.value == 4 && found.lower < 4 && found.upper > 4)
        #expect(try comparison([-3, -1], [1, 3, 1, 3]).meanShift().value == -4)
        // The error is √(1/2 + 1/4), so z is 4 / 0.866 = 4.62.
        #expect(isClose(found.upper - found.value, 1.959963984540054 * 0.75.squareRoot()))
        #expect(abs((found.pValue ?? 1) - 3.86e-6) < 1e-8)
        let tiny = try comparison([3e-200, 3e-200], [1e-200, 2e-200]).wasserstein()
        #expect(isClose(tiny.value / 1.5e-200, 1))
    }

    @Test(arguments: NumericComparison.all.map(\.0))
    func `every absence has its reason`(name: String) throws {
        let statistic = try #require(NumericComparison.all.first { $0.0 == name }).1
        func why(
            _ window: [Double], _ reference: [Double], _ least: UInt64 = 1
        )
            -> UndefinedStatistic?
        {
            reason(statistic(comparison(window, reference, rowCountMin: least)))
        }
        let some: [Double] = [1, 2, 3, 4]
        let isOfBins = ["jensen_shannon", "hellinger", "total_variation", "kl", "chi_square"]
            .contains(name)
        let isOfMoments = ["wasserstein", "wasserstein_normalized", "mean_shift"].contains(name)
        #expect(why([], some) == .windowEmpty)
        #expect(why(some, []) == .referenceEmpty)
        #expect(why(some, [.nan]) == .referenceAllMissing)
        #expect(why(some, some, 5) == .insufficient(found: 4, required: 5))
        #expect(why([.nan], some) == (isOfBins ? nil : .windowAllMissing))
        #expect(why([.infinity, -.infinity], some) == (isOfMoments ? .windowInfinite : nil))
        #expect(why(some, some + [.infinity]) == (isOfMoments ? .referenceInfinite : nil))
        #expect(why(some, some) == nil && why([2], some) == nil && why([9, 9], some) == nil)
        let isOfDeviation = ["wasserstein_normalized", "mean_shift"].contains(name)
        #expect(why([7, 8], [7, 7]) == (isOfDeviation ? .referenceConstant : nil))
        let oneBin: UndefinedStatistic? = name == "chi_square" ? .oneBin : nil
        #expect(why([7, 7], [7, 7]) == (isOfDeviation ? .referenceConstant : oneBin))
        let huge: [Double] = [1e308, -1e308, 1e308]
        #expect(why(huge, huge) == (isOfDeviation ? .overflow : nil))
    }

    @Test(arguments: Distribution.all)
    func `no value, bound or p-value is ever not a number`(distribution: Distribution) {
        let reference = distribution.values(400, seed: 3)
        let others: [[Double]] = [
            distribution.values(90, seed: 4), [reference[0]], reference.map { -$0 },
            [.infinity, 1, .nan], [.nan, .nan], [0, 0, 0], Distribution.all[1].values(50, seed: 5),
        ]
        for window in others {
            let pair = comparison(window, reference)
            for (name, statistic) in NumericComparison.all {
                guard let found = try? statistic(pair)() else { continue }
                #expect(found.value.isFinite && found.lower.isFinite, "\(name)")
                #expect(found.upper.isFinite, "\(name)")
                #expect(found.lower <= found.value && found.value <= found.upper, "\(name)")
                if let chance = found.pValue { #expect((0...1).contains(chance), "\(name)") }
            }
        }
    }

    @Test(.enabled(if: Vectors.areThere, "the reference values are not beside the repository"))
    func `the libraries' Wasserstein distances lie between the bounds`() throws {
        for vector in try Vectors.read("numeric", as: [NumericVector].self) {
            let pair = comparison(vector.windowValues, vector.referenceValues)
            let found = try? pair.wasserstein()
            #expect((found == nil) == (vector.expected.w1 == nil), "\(vector.name)")
            guard let found, let expected = vector.expected.w1 else { continue }
            let slack = 1e-9 * expected
            #expect(found.lower - slack <= expected, "\(vector.name)")
            #expect(expected <= found.upper + slack, "\(vector.name)")
            let normalized = try? pair.normalizedWasserstein()
            #expect((normalized == nil) == (vector.expected.w1Norm == nil), "\(vector.name)")
            guard let normalized, let ratio = vector.expected.w1Norm else { continue }
            #expect(normalized.lower <= ratio * (1 + 1e-9), "\(vector.name)")
            #expect(normalized.upper >= ratio * (1 - 1e-9), "\(vector.name)")
        }
    }
}
