import Glibc

/// This is a population stability index with what chance alone would give.
public struct PSIResult: Equatable, Sendable {
    /// In nats, 0...∞.
    public let value: Double
    /// The 95 % delta-method interval of `value`; `lower` is at least 0.
    public let lower: Double
    /// The other end of the interval.
    public let upper: Double
    /// Of the hypothesis that both samples come from one distribution.
    public let pValue: Double
    /// What is expected without drift: (B − 1)(1/n + 1/m).
    public let bias: Double
    /// Bins that hold a row on either side.
    public let binCount: Int

    /// What is left without what chance alone would give; below 0 where chance gave less than it does on
    /// average.
    public var debiased: Double { value - bias }
}

/// This is the population stability index with half a count added to every bin.
///
/// Formula: Σ (p − q) ln(p / q), p = (c + ½) / (n + K/2) of the window and q likewise of the reference,
/// over the K bins that are not empty on both sides; natural logarithm.
/// Source: N. Siddiqi, Credit Risk Scorecards, Wiley, 2006; null and bias: B. Yurdakul, Western Michigan
/// University dissertation 3208, 2018; interval: delta method.
///
/// - Parameters:
///   - window: Counts, [binCount].
///   - reference: Counts, same shape and order.
/// - Returns: Nil when either side is empty.
public func populationStabilityIndex(window: [UInt64], reference: [UInt64]) -> PSIResult? {
    precondition(window.count == reference.count, "\(window.count) and \(reference.count) bins")
    let windowTotal = window.reduce(0, +)
    let referenceTotal = reference.reduce(0, +)
    guard windowTotal > 0, referenceTotal > 0 else { return nil }
    let bins = window.indices.filter { window[$0] > 0 || reference[$0] > 0 }
    let half = Double(bins.count) / 2
    var value = 0.0
    var (g1, g2, h1, h2) = (0.0, 0.0, 0.0, 0.0)
    for bin in bins {
        let p = (Double(window[bin]) + 0.5) / (Double(windowTotal) + half)
        let q = (Double(reference[bin]) + 0.5) / (Double(referenceTotal) + half)
        let ratio = log(p / q)
        value += (p - q) * ratio
        let g = ratio + 1 - q / p
        let h = -ratio + 1 - p / q
        g1 += p * g
        g2 += p * g * g
        h1 += q * h
        h2 += q * h * h
    }
    let n = Double(windowTotal)
    let m = Double(referenceTotal)
    let deviation = (max(0, g2 - g1 * g1) / n + max(0, h2 - h1 * h1) / m).squareRoot()
    let unit = 1 / n + 1 / m
    let degrees = bins.count - 1
    return PSIResult(
        value: value, lower: max(0, value - 1.959963984540054 * deviation),
        upper: value + 1.959963984540054 * deviation,
        pValue: degrees > 0 ? chiSquareSurvival(value / unit, degreesOfFreedom: degrees) : 1,
        bias: Double(degrees) * unit, binCount: bins.count)
}

/// This is the same index, with the reason where it has no value.
///
/// - Throws: `windowEmpty`, `referenceEmpty`.
func populationStability(
    window: [UInt64], reference: [UInt64]
) throws(UndefinedStatistic) -> PSIResult {
    guard window.contains(where: { $0 > 0 }) else { throw .windowEmpty }
    guard let result = populationStabilityIndex(window: window, reference: reference) else {
        throw .referenceEmpty
    }
    return result
}

/// This is the customary index, with shares below 1e-4 raised to it and not renormalised.
///
/// - Returns: Nil when either side is empty; in nats, 0...∞.
public func populationStabilityIndexFloored(window: [UInt64], reference: [UInt64]) -> Double? {
    precondition(window.count == reference.count, "\(window.count) and \(reference.count) bins")
    let n = Double(window.reduce(0, +))
    let m = Double(reference.reduce(0, +))
    guard n > 0, m > 0 else { return nil }
    return zip(window, reference).reduce(0) { sum, pair in
        let p = max(Double(pair.0) / n, 1e-4)
        let q = max(Double(pair.1) / m, 1e-4)
        return sum + (p - q) * log(p / q)
    }
}
