import Glibc

/// This tests whether a model's risk on production exceeds that on its reference by more than a tolerance.
///
/// Formula: alarm when L_T(t) > U_S + ε; U_S an upper bound at level δ_S of the reference's risk, L_T the
/// lower end at level δ_T of a sequence of intervals of production's risk.
/// Source: A. Podkopaev and A. Ramdas, "Tracking the risk of a deployed model and detecting harmful
/// distribution shifts", ICLR 2022.
///
/// The chance of ever alarming while production's risk is at most the reference's plus ε is at most
/// δ_S + δ_T. ε is in the loss' own unit (points of accuracy): it is what an owner should set. Batches of
/// delayed ground truth are covered, when they come in the order of their cohorts.
public struct HarmfulShiftTest: Equatable, Sendable {
    /// ε, in the loss' unit.
    public let tolerance: Double
    /// U_S, 0...1.
    public let referenceRiskUpper: Double
    /// δ_T, all on the lower side.
    public let alpha: Double
    /// Production's losses.
    public private(set) var production: BetaBinomialSequence

    /// Starts without production rows.
    ///
    /// - Parameters:
    ///   - referenceRiskUpper: U_S, as from `hoeffdingUpperBound` or a sequence's upper end.
    ///   - tolerance: ε, at least 0.
    ///   - alpha: δ_T, above 0 and below ½.
    ///   - optimalCount: The number of production rows at which the test should be sharpest.
    public init(
        referenceRiskUpper: Double, tolerance: Double, alpha: Double, optimalCount: Double
    ) {
        precondition((0...1).contains(referenceRiskUpper), "risk \(referenceRiskUpper)")
        precondition(tolerance >= 0, "tolerance \(tolerance)")
        precondition(alpha > 0 && alpha < 0.5, "alpha \(alpha)")
        self.referenceRiskUpper = referenceRiskUpper
        self.tolerance = tolerance
        self.alpha = alpha
        production = BetaBinomialSequence(optimalCount: optimalCount)
    }

    /// Adds a loss.
    ///
    /// - Precondition: `loss` is in 0...1.
    public mutating func absorb(_ loss: Double) { production.absorb(loss) }

    /// Adds losses that are 0 or 1, as a window's or a cohort's errors.
    public mutating func absorb(errors: UInt64, of count: UInt64) {
        production.absorb(successes: errors, of: count)
    }

    /// This is L_T(t) − U_S − ε: above 0, the shift is harmful.
    ///
    /// The interval's two sides are one e-process, so its lower end at level δ_T alone has that level.
    public var excess: Double {
        production.interval(alpha: alpha).lower - referenceRiskUpper - tolerance
    }

    /// True when the shift is harmful.
    public var isHarmful: Bool { excess > 0 }
}

/// This is an upper bound of a mean of `count` independent values in 0...1, for one fixed count.
///
/// Formula: R̂ + √(ln(1/δ) / (2n)).
/// Source: W. Hoeffding, JASA 58(301), 1963, theorem 1.
/// - Returns: In 0...1; 1 without rows.
public func hoeffdingUpperBound(mean: Double, count: UInt64, alpha: Double) -> Double {
    precondition(alpha > 0 && alpha <= 1, "alpha \(alpha)")
    guard count > 0 else { return 1 }
    return min(1, mean + (log(1 / alpha) / (2 * Double(count))).squareRoot())
}
