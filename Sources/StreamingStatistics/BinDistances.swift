import Glibc

// Distances of two rows of counts over the same bins. They are exact for these bins; a coarser binning never
// raises any of them (data processing inequality), so each, and each lower end, is a lower bound of the same
// distance over finer bins. Shares are p of the window (n rows) and q of the reference (m rows); K is the
// number of bins that hold a row of either.
//
// Where a null distribution is given, it is that of φ-divergences: 2 D / (φ″(1) (1/n + 1/m)) → χ², K − 1
// degrees of freedom. Source: L. Pardo, Statistical Inference Based on Divergence Measures, 2006, ch. 8.
//
// The intervals hold the distance, from the reference as it is stored, of what the window's rows are drawn
// from: with 95 % at least, for every number of rows, whatever the shares. See `ShareRegion`.

/// This is the Jensen–Shannon distance: the square root of the divergence, with logarithm base 2.
///
/// Formula: √(½ Σ p log₂(p/a) + ½ Σ q log₂(q/a)), a = (p + q) / 2; no smoothing, 0 log 0 = 0.
/// Source: D. Endres, J. Schindelin, IEEE Trans. Inf. Theory 49(7), 2003, who show that it is a metric: so
/// the interval reaches as far as the window's shares may lie from those they are drawn from.
///
/// - Parameters:
///   - window: Counts, [binCount].
///   - reference: Counts, same shape and order.
/// - Returns: 0...1; 0 when the shares are equal, 1 when no bin is common.
/// - Throws: `windowEmpty`, `referenceEmpty`.
public func jensenShannon(
    window: [UInt64], reference: [UInt64]
) throws(UndefinedStatistic) -> StatisticValue {
    let bins = try SharedBins(window, reference)
    let divergence = bins.sum { p, q in
        let middle = (p + q) / 2
        return 0.5 * (p > 0 ? p * log2(p / middle) : 0) + 0.5 * (q > 0 ? q * log2(q / middle) : 0)
    }
    // In nats 8 D / (1/n + 1/m) is the χ² variable.
    return bins.metric(max(0, divergence), bins.region.jensenShannon, chiSquareScale: 8 * log(2))
}

/// This is the Hellinger distance.
///
/// Formula: √(½ Σ (√p − √q)²); no smoothing. It is a metric, as the Jensen–Shannon distance is.
/// Source: E. Hellinger, J. reine angew. Math. 136, 1909.
///
/// - Parameters:
///   - window: Counts, [binCount].
///   - reference: Counts, same shape and order.
/// - Returns: 0...1; 0 when the shares are equal, 1 when no bin is common.
/// - Throws: `windowEmpty`, `referenceEmpty`.
public func hellinger(
    window: [UInt64], reference: [UInt64]
) throws(UndefinedStatistic) -> StatisticValue {
    let bins = try SharedBins(window, reference)
    return bins.metric(bins.squaredHellinger, bins.region.hellinger, chiSquareScale: 8)
}

/// This is the total variation distance.
///
/// Formula: ½ Σ |p − q|; no smoothing. One row changes it by at most 1/n, and chance raises its mean by at
/// most ½ √((K − 1) / n): the interval is [value − bias − t, value + t], t = √(ln(2/α) / 2n).
///
/// - Parameters:
///   - window: Counts, [binCount].
///   - reference: Counts, same shape and order.
/// - Returns: 0...1, the share of rows that lie elsewhere; no p-value.
/// - Throws: `windowEmpty`, `referenceEmpty`.
public func totalVariation(
    window: [UInt64], reference: [UInt64]
) throws(UndefinedStatistic) -> StatisticValue {
    let bins = try SharedBins(window, reference)
    let value = min(1, bins.sum { abs($0 - $1) / 2 })
    let (bias, deviation) = (bins.region.bias, bins.region.deviation)
    return StatisticValue(
        value: value, lower: max(0, value - bias - deviation), upper: min(1, value + deviation),
        method: .concentration)
}

/// This is the Kullback–Leibler divergence of the window from the reference.
///
/// Formula: Σ p ln(p / q), with half a count added to every bin that is not empty on both sides.
/// Source: S. Kullback, R. Leibler, Ann. Math. Stat. 22(1), 1951.
///
/// The interval is of the divergence from the reference with half a count in each of all bins.
///
/// - Parameters:
///   - window: Counts, [binCount].
///   - reference: Counts, same shape and order.
/// - Returns: In nats, 0...∞.
/// - Throws: `windowEmpty`, `referenceEmpty`.
public func kullbackLeibler(
    window: [UInt64], reference: [UInt64]
) throws(UndefinedStatistic) -> StatisticValue {
    let bins = try SharedBins(window, reference, addedCount: 0.5)
    let value = max(0, bins.sum { $0 * log($0 / $1) })
    let half = Double(reference.count) / 2
    let ends = bins.region.divergences(
        of: window.map { Double($0) / bins.n },
        near: window.map { (Double($0) + 0.5) / (bins.n + half) },
        from: reference.map { (Double($0) + 0.5) / (bins.m + half) })
    return bins.tested(
        value, lower: max(0, min(value, ends.lower)), upper: max(value, ends.upper),
        variable: 2 * value)
}

/// This is Pearson's chi-square test of homogeneity of two rows of counts, without continuity correction.
///
/// Formula: Σ (c − e)² / e over both rows, e = row total · column total / all; empty columns left out.
/// Source: K. Pearson, 1900; W. Cochran, Ann. Math. Stat. 23(3), 1952.
///
/// A value that only the window has adds c · m / n whether it stands in a column of its own or with others;
/// it is the degrees of freedom that say how many there are.
///
/// - Parameters:
///   - window: Counts, [binCount].
///   - reference: Counts, same shape and order.
///   - mergedColumnCount: Further distinct values of the window alone that the bins hold in one column.
/// - Returns: 0...∞ with degrees of freedom and p-value, certified: it is exact for the counts.
/// - Throws: `windowEmpty`, `referenceEmpty`; `oneBin` without a degree of freedom.
public func chiSquareHomogeneity(
    window: [UInt64], reference: [UInt64], mergedColumnCount: Int = 0
) throws(UndefinedStatistic) -> StatisticValue {
    precondition(mergedColumnCount >= 0, "mergedColumnCount \(mergedColumnCount)")
    let bins = try SharedBins(window, reference)
    let degrees = bins.shares.count - 1 + mergedColumnCount
    guard degrees > 0 else { throw .oneBin }
    var sum = 0.0
    for (p, q) in bins.shares {
        // Both cells of a column together: (p − q)² n m / (n p + m q).
        sum += (p - q) * (p - q) / (bins.n * p + bins.m * q)
    }
    let value = sum * bins.n * bins.m
    return StatisticValue(
        value: value, lower: value, upper: value, method: .exact,
        pValue: chiSquareSurvival(value, degreesOfFreedom: degrees), degreesOfFreedom: degrees)
}

/// The standard normal quantile of 97.5 %.
let z95 = 1.959963984540054

/// The bins that hold a row of either side, as shares.
private struct SharedBins {
    /// These are (window, reference).
    var shares: [(Double, Double)] = []
    let n: Double
    let m: Double
    /// Of all bins: what the window is drawn from may reach those that are empty on both sides.
    let region: ShareRegion

    init(
        _ window: [UInt64], _ reference: [UInt64], addedCount: Double = 0
    ) throws(UndefinedStatistic) {
        precondition(window.count == reference.count, "\(window.count) and \(reference.count) bins")
        n = window.reduce(0.0) { $0 + Double($1) }
        m = reference.reduce(0.0) { $0 + Double($1) }
        guard n > 0 else { throw .windowEmpty }
        guard m > 0 else { throw .referenceEmpty }
        region = ShareRegion(rowCount: n, binCount: window.count)
        let bins = window.indices.filter { window[$0] > 0 || reference[$0] > 0 }
        let added = addedCount * Double(bins.count)
        shares = bins.map {
            (
                (Double(window[$0]) + addedCount) / (n + added),
                (Double(reference[$0]) + addedCount) / (m + added)
            )
        }
    }

    func sum(_ term: (Double, Double) -> Double) -> Double {
        shares.reduce(0) { $0 + term($1.0, $1.1) }
    }

    var squaredHellinger: Double {
        min(
            1,
            sum { p, q in
                let difference = p.squareRoot() - q.squareRoot()
                return difference * difference / 2
            })
    }

    /// With the p-value of a χ² variable in units of 1/n + 1/m.
    func tested(
        _ value: Double, lower: Double, upper: Double, variable: Double
    ) -> StatisticValue {
        let degrees = shares.count - 1
        return StatisticValue(
            value: value, lower: lower, upper: upper, method: .concentration,
            pValue: degrees > 0
                ? chiSquareSurvival(variable / (1 / n + 1 / m), degreesOfFreedom: degrees) : 1,
            degreesOfFreedom: degrees)
    }

    /// The square root of a divergence within 0...1, a metric, with how far the window's shares may lie from
    /// those they are drawn from; `chiSquareScale` times the divergence is the χ² variable.
    func metric(_ squared: Double, _ reach: Double, chiSquareScale: Double) -> StatisticValue {
        let value = min(1, squared.squareRoot())
        return tested(
            value, lower: max(0, value - reach), upper: min(1, value + reach),
            variable: squared * chiSquareScale)
    }
}
