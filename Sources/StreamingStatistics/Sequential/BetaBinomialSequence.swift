/// This is a mean of values in 0...1 with an interval that holds at all sample sizes at once.
///
/// Formula: ln E_n(m) = ln B(a + S, b + f) − ln B(a, b) − S ln m − f ln(1 − m), f = n − S, a = r/(1 − m),
/// b = r/m; the interval is {m : E_n(m) < 1/α}.
/// Source: S. R. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform, nonparametric, nonasymptotic
/// confidence sequences", Annals of Statistics 49(2), 2021, propositions 6 and 7.
///
/// Two counters, order-free: late rows just add, shards merge. It needs no independence, only that each
/// row's mean given the past is m.
public struct BetaBinomialSequence: Equatable, Sendable {
    /// The number of rows at which the interval should be tightest; to be chosen before the data.
    public let optimalCount: Double
    /// Σx.
    public private(set) var sum = CompensatedSum()
    /// The number of rows.
    public private(set) var count: UInt64 = 0

    /// Starts without rows.
    ///
    /// - Precondition: `optimalCount` is positive.
    public init(optimalCount: Double) {
        precondition(optimalCount > 0, "optimalCount \(optimalCount)")
        self.optimalCount = optimalCount
    }

    /// Adds a row.
    ///
    /// - Precondition: `value` is in 0...1.
    public mutating func absorb(_ value: Double) {
        precondition((0...1).contains(value), "value \(value)")
        sum.add(value)
        count += 1
    }

    /// Adds rows that are 0 or 1.
    ///
    /// - Precondition: `successes` is at most `count`.
    public mutating func absorb(successes: UInt64, of count: UInt64) {
        precondition(successes <= count, "\(successes) of \(count)")
        sum.add(Double(successes))
        self.count += count
    }

    /// Adds the rows of another one.
    ///
    /// - Precondition: both are tuned for the same number of rows.
    public mutating func merge(_ other: Self) {
        precondition(optimalCount == other.optimalCount, "tuned differently")
        sum.merge(other.sum)
        count += other.count
    }

    /// This is ln E_n(m): evidence against the mean `m`, which under it ever exceeds ln(1/α) with
    /// probability at most α.
    ///
    /// - Precondition: `mean` is inside 0...1, without its ends.
    public func logEValue(against mean: Double) -> Double {
        precondition(mean > 0 && mean < 1, "mean \(mean)")
        guard count > 0 else { return 0 }
        let n = Double(count)
        let successes = min(max(sum.value, 0), n)
        return logBetaBinomial(mean, successes, n - successes, optimalCount)
    }

    /// This is the interval for which the chance that it ever misses is at most `alpha`; (0, 1) without rows.
    public func interval(alpha: Double) -> (lower: Double, upper: Double) {
        betaBinomialConfidenceSequence(
            successes: sum.value, count: Double(count), alpha: alpha, optimalCount: optimalCount)
    }
}
