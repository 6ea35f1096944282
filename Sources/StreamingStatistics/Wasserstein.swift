import Glibc

/// This is the Wasserstein-1 distance of two profiles of one binning, with certainty between two bounds.
///
/// Formula: ∫ |F − G| dx. Beyond the reference's range it is exact, from the sums of distances there. In a
/// bin F lies in F_{k−1}...F_k and G likewise, which bounds the parts A where F > G and B where F < G; and
/// since A − B = Δ is the difference of the means, which is known, W₁ = A + B = 2A − Δ = 2B + Δ bounds it
/// thrice. So a pure shift is exact. The value takes both functions as linear within a bin.
/// Source: S. Vallender, Theory Probab. Appl. 18(4), 1974; bounds: monotonicity.
///
/// - Precondition: Both profiles have the edges' bins, and the reference's shift and range.
/// - Returns: In the values' own unit, 0...∞, certified.
/// - Throws: `windowEmpty`, `windowAllMissing`, `referenceAllMissing`, `windowInfinite`,
///   `referenceInfinite`; `overflow` where a sum is beyond a double's range.
/// - Complexity: O(binCount).
public func wasserstein(
    window: NumericProfile, reference: NumericProfile, edges: BinEdges
) throws(UndefinedStatistic) -> StatisticValue {
    try checkFinite(window: window, reference: reference)
    guard let range = reference.range else { throw .referenceAllMissing }
    precondition(
        window.range == range && window.shift == reference.shift,
        "profiles of different references")
    let n = Double(window.count)
    let m = Double(reference.count)
    var inner = InnerArea()
    let windowCounts = window.counts.dense()
    let referenceCounts = reference.counts.dense()
    precondition(windowCounts.count == edges.binCount, "counts and edges of different bins")
    var (f, g) = (UInt64(0), UInt64(0))
    for bin in 0..<edges.binCount {
        let (f0, g0) = (Double(f) / n, Double(g) / m)
        f += windowCounts[bin]
        g += referenceCounts[bin]
        // Beyond the range nothing is left of a bin: its distances are in the sums.
        let start = bin == 0 ? range.lowerBound : max(edges.edges[bin - 1], range.lowerBound)
        let end =
            bin < edges.edges.count ? min(edges.edges[bin], range.upperBound) : range.upperBound
        guard end > start else { continue }
        inner.add(width: end - start, f: (f0, Double(f) / n), g: (g0, Double(g) / m))
    }
    let below = window.sums.below.value / n
    let above = window.sums.above.value / n
    // ∫ (F − G) = mean of the reference − mean of the window.
    let delta = reference.sums.linear.value / m - window.sums.linear.value / n
    let direct = inner.value + below + above
    let lower = max(
        inner.lower + below + above, 2 * (inner.aboveLower + below) - delta,
        2 * (inner.belowLower + above) + delta, abs(delta))
    let upper = max(
        lower,
        min(
            inner.upper + below + above, 2 * (inner.aboveUpper + below) - delta,
            2 * (inner.belowUpper + above) + delta))
    let result = StatisticValue(
        value: min(max(direct, lower), upper), lower: lower, upper: upper, method: .bins)
    guard result.isFinite, direct.isFinite, delta.isFinite else { throw .overflow }
    return result
}

/// This is the same distance in standard deviations of the reference (divisor m).
///
/// - Throws: As `wasserstein`, and `referenceConstant`.
public func normalizedWasserstein(
    window: NumericProfile, reference: NumericProfile, edges: BinEdges
) throws(UndefinedStatistic) -> StatisticValue {
    let distance = try wasserstein(window: window, reference: reference, edges: edges)
    guard let deviation = reference.standardDeviation else { throw .overflow }
    guard deviation > 0 else { throw .referenceConstant }
    let result = distance.divided(by: deviation)
    guard result.isFinite else { throw .overflow }
    return result
}

/// This is how far the window's mean lies from the reference's, in standard deviations of the reference.
///
/// Formula: (mean of the window − mean of the reference) / s, s the reference's deviation with divisor m;
/// 95 % interval ± 1.96 √(w²/n + s²/m) / s, w the window's deviation; p-value of that normal test, two-sided.
/// Source: G. Glass, "Primary, secondary, and meta-analysis of research", 1976 (Glass's Δ); B. Welch, 1947.
///
/// - Returns: −∞...∞, signed; 0 when the means are equal.
/// - Throws: `windowEmpty`, `windowAllMissing`, `referenceAllMissing`, `windowInfinite`,
///   `referenceInfinite`, `referenceConstant`; `overflow` where a sum is beyond a double's range.
public func meanShift(
    window: NumericProfile, reference: NumericProfile
) throws(UndefinedStatistic) -> StatisticValue {
    try checkFinite(window: window, reference: reference)
    precondition(window.shift == reference.shift, "profiles of different references")
    guard let own = window.standardDeviation, let deviation = reference.standardDeviation else {
        throw .overflow
    }
    guard deviation > 0 else { throw .referenceConstant }
    let n = Double(window.count)
    let m = Double(reference.count)
    // Without the common shift, which would cost digits.
    let difference = window.sums.linear.value / n - reference.sums.linear.value / m
    // Not the root of squares, which a tiny deviation's would leave as 0.
    let error = hypot(own / n.squareRoot(), deviation / m.squareRoot())
    let value = difference / deviation
    let width = z95 * error / deviation
    let result = StatisticValue(
        value: value, lower: value - width, upper: value + width, method: .normal,
        pValue: min(1, 2 * normalDistribution(-abs(difference) / error)))
    guard result.isFinite, result.pValue?.isNaN == false else { throw .overflow }
    return result
}

private func checkFinite(
    window: NumericProfile, reference: NumericProfile
) throws(UndefinedStatistic) {
    guard window.count + window.missing > 0 else { throw .windowEmpty }
    guard window.count > 0 else { throw .windowAllMissing }
    guard reference.count > 0 else { throw .referenceAllMissing }
    guard window.nonFinite == 0 else { throw .windowInfinite }
    guard reference.nonFinite == 0 else { throw .referenceInfinite }
}

/// ∫ |F − G| over bins, and its bounds; `above` is the part where F > G.
private struct InnerArea {
    var value = 0.0
    var lower = 0.0
    var upper = 0.0
    var aboveLower = 0.0
    var aboveUpper = 0.0
    var belowLower = 0.0
    var belowUpper = 0.0

    mutating func add(width: Double, f: (Double, Double), g: (Double, Double)) {
        let (most, least) = (f.1 - g.0, f.0 - g.1)
        aboveUpper += width * max(0, most)
        belowUpper += width * max(0, -least)
        aboveLower += width * max(0, least)
        belowLower += width * max(0, -most)
        upper += width * max(most, -least)
        lower += width * max(0, least, -most)
        // A linear function between a and b.
        let (a, b) = (f.0 - g.0, f.1 - g.1)
        let isOneSided = (a >= 0) == (b >= 0)
        value +=
            width * (isOneSided ? abs(a + b) / 2 : (a * a + b * b) / (2 * (abs(a) + abs(b))))
    }
}
