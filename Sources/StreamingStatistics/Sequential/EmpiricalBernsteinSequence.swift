import Glibc

/// This is a mean of values in 0...1 with an interval that holds at all times and learns the variance.
///
/// Formula: μ̂_t = (½ + Σx) / (t + 1); σ̂²_t = (¼ + Σ(x_i − μ̂_i)²) / (t + 1);
/// λ_t = min(½, √(2 ln(2/α) / (σ̂²_{t−1} t ln(1 + t)))); lower end
/// (Σ λ_i x_i − ln(2/α) − Σ v_i ψ(λ_i)) / Σ λ_i, v_i = (x_i − x̄_{i−1})², x̄_0 = 0,
/// ψ(λ) = −ln(1 − λ) − λ; the upper end by the same for 1 − x.
/// Source: I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting",
/// JRSS-B 86(1), 2024, theorem 2.
///
/// The order of rows matters, so it does not merge: after a late row it is replayed from the first window
/// that the row touches, and is bit-identical then.
public struct EmpiricalBernsteinSequence: Equatable, Sendable {
    /// The largest bet.
    static let betMax = 0.5

    /// The chance that the interval ever misses, shared by both ends.
    public let alpha: Double
    /// The number of rows.
    public private(set) var count: UInt64 = 0
    private var sum = 0.0
    private var deviation = 0.25
    private var betSum = 0.0
    private var lower = End()
    private var upper = End()

    /// One side: of x, or of 1 − x.
    private struct End: Equatable, Sendable {
        var weightedSum = 0.0
        var penalty = 0.0
        var sum = 0.0
    }

    /// Starts without rows.
    ///
    /// - Precondition: `alpha` is above 0 and below 1.
    public init(alpha: Double) {
        precondition(alpha > 0 && alpha < 1, "alpha \(alpha)")
        self.alpha = alpha
    }

    /// Adds a row.
    ///
    /// - Precondition: `value` is in 0...1.
    public mutating func absorb(_ value: Double) {
        precondition((0...1).contains(value), "value \(value)")
        let t = Double(count) + 1
        let variance = deviation / t
        let bet = min(
            Self.betMax, (2 * log(2 / alpha) / (variance * t * log(1 + t))).squareRoot())
        betSum += bet
        absorb(value, bet, into: &lower)
        absorb(1 - value, bet, into: &upper)
        count += 1
        sum += value
        let mean = (0.5 + sum) / (t + 1)
        deviation += (value - mean) * (value - mean)
    }

    private func absorb(_ value: Double, _ bet: Double, into end: inout End) {
        let before = count == 0 ? 0 : end.sum / Double(count)
        end.penalty += (value - before) * (value - before) * (-log1p(-bet) - bet)
        end.weightedSum += bet * value
        end.sum += value
    }

    /// This is the interval after the rows so far; (0, 1) without rows.
    public var interval: (lower: Double, upper: Double) {
        guard count > 0 else { return (0, 1) }
        func bound(_ end: End) -> Double {
            min(1, max(0, (end.weightedSum - log(2 / alpha) - end.penalty) / betSum))
        }
        return (bound(lower), 1 - bound(upper))
    }
}
