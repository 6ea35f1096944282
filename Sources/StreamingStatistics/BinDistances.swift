import Glibc

// Distances of two rows of counts over the same bins. They are exact for these bins; a coarser binning never
// raises any of them (data processing inequality), so each is a lower bound of the same distance over finer
// bins. Shares are p of the window (n rows) and q of the reference (m rows); K is the number of bins that
// hold a row of either.
//
// Where a null distribution is given, it is that of φ-divergences: 2 D / (φ″(1) (1/n + 1/m)) → χ², K − 1
// degrees of freedom. Source: L. Pardo, Statistical Inference Based on Divergence Measures, 2006, ch. 8.
// The intervals are 95 % ones by the delta method, widened by the deviation that the null distribution has,
// because without drift the first-order term vanishes.

/// This is the Jensen–Shannon distance: the square root of the divergence, with logarithm base 2.
///
/// Formula: √(½ Σ p log₂(p/a) + ½ Σ q log₂(q/a)), a = (p + q) / 2; no smoothing, 0 log 0 = 0.
/// Source: D. Endres, J. Schindelin, IEEE Trans. Inf. Theory 49(7), 2003.
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
    var value = 0.0
    var spread = DeltaSpread()
    for (p, q) in bins.shares {
        let middle = (p + q) / 2
        let g = p > 0 ? 0.5 * log2(p / middle) : 0
        let h = q > 0 ? 0.5 * log2(q / middle) : 0
        value += p * g + q * h
        spread.add(p, g, q, h)
    }
    // In nats 8 D / (1/n + 1/m) is the χ² variable.
    return bins.rooted(max(0, value), spread, chiSquareScale: 8 * log(2))
}

/// This is the Hellinger distance.
///
/// Formula: √(½ Σ (√p − √q)²); no smoothing.
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
    var value = 0.0
    var spread = DeltaSpread()
    for (p, q) in bins.shares {
        let difference = p.squareRoot() - q.squareRoot()
        value += difference * difference / 2
        spread.add(
            p, p > 0 ? -0.5 * (q / p).squareRoot() : 0, q, q > 0 ? -0.5 * (p / q).squareRoot() : 0)
    }
    return bins.rooted(min(1, value), spread, chiSquareScale: 8)
}

/// This is the total variation distance.
///
/// Formula: ½ Σ |p − q|; no smoothing.
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
    var value = 0.0
    var spread = DeltaSpread()
    for (p, q) in bins.shares {
        value += abs(p - q) / 2
        let sign = p > q ? 0.5 : p < q ? -0.5 : 0
        spread.add(p, sign, q, -sign)
    }
    value = min(1, value)
    let width = z95 * spread.variance(bins.n, bins.m).squareRoot()
    return StatisticValue(
        value: value, lower: max(0, value - width), upper: min(1, value + width),
        isCertified: false)
}

/// This is the Kullback–Leibler divergence of the window from the reference.
///
/// Formula: Σ p ln(p / q), with half a count added to every bin that is not empty on both sides.
/// Source: S. Kullback, R. Leibler, Ann. Math. Stat. 22(1), 1951.
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
    var value = 0.0
    var spread = DeltaSpread()
    for (p, q) in bins.shares {
        let ratio = log(p / q)
        value += p * ratio
        spread.add(p, ratio + 1, q, -p / q)
    }
    value = max(0, value)
    return bins.plain(value, spread, chiSquareScale: 2)
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
        value: value, lower: value, upper: value, isCertified: true,
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

    init(
        _ window: [UInt64], _ reference: [UInt64], addedCount: Double = 0
    ) throws(UndefinedStatistic) {
        precondition(window.count == reference.count, "\(window.count) and \(reference.count) bins")
        n = window.reduce(0.0) { $0 + Double($1) }
        m = reference.reduce(0.0) { $0 + Double($1) }
        guard n > 0 else { throw .windowEmpty }
        guard m > 0 else { throw .referenceEmpty }
        let bins = window.indices.filter { window[$0] > 0 || reference[$0] > 0 }
        let added = addedCount * Double(bins.count)
        shares = bins.map {
            (
                (Double(window[$0]) + addedCount) / (n + added),
                (Double(reference[$0]) + addedCount) / (m + added)
            )
        }
    }

    private var unit: Double { 1 / n + 1 / m }

    /// A divergence D of which `chiSquareScale` · D / (1/n + 1/m) is the χ² variable of no drift.
    func plain(_ value: Double, _ spread: DeltaSpread, chiSquareScale: Double) -> StatisticValue {
        let degrees = shares.count - 1
        let null = 2 * Double(degrees) * (unit / chiSquareScale) * (unit / chiSquareScale)
        let width = z95 * (spread.variance(n, m) + null).squareRoot()
        return StatisticValue(
            value: value, lower: max(0, value - width), upper: value + width, isCertified: false,
            pValue: degrees > 0
                ? chiSquareSurvival(value * chiSquareScale / unit, degreesOfFreedom: degrees) : 1,
            degreesOfFreedom: degrees)
    }

    /// The square root of a divergence within 0...1.
    func rooted(_ value: Double, _ spread: DeltaSpread, chiSquareScale: Double) -> StatisticValue {
        var result = plain(value, spread, chiSquareScale: chiSquareScale)
        result.value = min(1, result.value.squareRoot())
        result.lower = min(result.value, result.lower.squareRoot())
        result.upper = max(result.value, min(1, result.upper.squareRoot()))
        return result
    }
}

/// The delta method's sums: g and h are the derivatives by a bin's share of the window and reference.
private struct DeltaSpread {
    private var (g1, g2, h1, h2) = (0.0, 0.0, 0.0, 0.0)

    mutating func add(_ p: Double, _ g: Double, _ q: Double, _ h: Double) {
        g1 += p * g
        g2 += p * g * g
        h1 += q * h
        h2 += q * h * h
    }

    func variance(_ n: Double, _ m: Double) -> Double {
        max(0, g2 - g1 * g1) / n + max(0, h2 - h1 * h1) / m
    }
}
