import Glibc

/// This is Wilson's score interval of a proportion.
///
/// Source: E. B. Wilson, JASA 22(158), 1927.
/// - Precondition: `successes` is at most `count`.
/// - Returns: Within 0...1; (0, 1) when `count` is 0.
public func wilsonInterval(
    successes: UInt64, count: UInt64, z: Double = 1.959963984540054
) -> (lower: Double, upper: Double) {
    precondition(successes <= count, "\(successes) of \(count)")
    guard count > 0 else { return (0, 1) }
    let n = Double(count)
    let p = Double(successes) / n
    let denominator = 1 + z * z / n
    let centre = (p + z * z / (2 * n)) / denominator
    let width = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot() / denominator
    return (
        successes == 0 ? 0 : max(0, centre - width),
        successes == count ? 1 : min(1, centre + width)
    )
}

/// This is an interval of a mean of values in 0...1 that holds at all sample sizes at once.
///
/// Formula: {m : E_n(m) < 1/α}, ln E_n(m) = ln B(a+S, b+f) − ln B(a, b) − S ln m − f ln(1−m), a = r/(1−m),
/// b = r/m, r as tuned for `optimalCount` rows; roots by bisection on either side of S/n.
/// Source: S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Ann. Stat. 49(2), 2021, propositions 6 and 7.
///
/// - Parameters:
///   - successes: Σx, in 0...count.
///   - count: The number of rows so far.
///   - alpha: The chance that the interval ever misses.
///   - optimalCount: The number of rows at which it should be tightest.
/// - Returns: Within 0...1; (0, 1) when `count` is 0.
public func betaBinomialConfidenceSequence(
    successes: Double, count: Double, alpha: Double, optimalCount: Double
) -> (lower: Double, upper: Double) {
    precondition(alpha > 0 && alpha < 1, "alpha \(alpha)")
    precondition(optimalCount > 0, "optimalCount \(optimalCount)")
    guard count > 0 else { return (0, 1) }
    // A sum of rounded terms may stray past its bounds by an ulp.
    let successes = min(max(successes, 0), count)
    let failures = count - successes
    let mean = successes / count
    let threshold = log(1 / alpha)
    func isRejected(_ m: Double) -> Bool {
        logBetaBinomial(m, successes, failures, optimalCount) >= threshold
    }
    func root(inside: Double, outside: Double) -> Double {
        var (kept, rejected) = (inside, outside)
        for _ in 0..<100 {
            let middle = (kept + rejected) / 2
            if isRejected(middle) { rejected = middle } else { kept = middle }
        }
        return kept
    }
    let tiny = 1e-12
    let centre = min(max(mean, tiny), 1 - tiny)
    return (
        isRejected(tiny) ? root(inside: centre, outside: tiny) : 0,
        isRejected(1 - tiny) ? root(inside: centre, outside: 1 - tiny) : 1
    )
}

/// This is ln E_n(m).
func logBetaBinomial(
    _ m: Double, _ successes: Double, _ failures: Double, _ optimalCount: Double
) -> Double {
    let tuning = log(1 / 0.05)
    let variance = m * (1 - m)
    let rho = variance * optimalCount / (2 * tuning + log(1 + 2 * tuning))
    let r = max(rho - variance, 0.001 * variance)
    let a = r / (1 - m)
    let b = r / m
    return logBeta(a + successes, b + failures) - logBeta(a, b) - successes * log(m)
        - failures * log(1 - m)
}
