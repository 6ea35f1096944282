import Glibc

/// This is the smallest change that matters to a model's owner, in statistics' own units.
public struct DriftTolerance: Hashable, Sendable {
    /// In nats; nil where not given.
    public let psi: Double?
    /// A Kolmogorov–Smirnov distance, or for categories the largest difference of a share; nil where not
    /// given.
    public let ks: Double?

    /// Nil unless those given are at least 0, finite, and `ks` is below 1.
    public init?(psi: Double? = nil, ks: Double? = nil) {
        guard (psi ?? 0) >= 0, (psi ?? 0).isFinite, (ks ?? 0) >= 0, (ks ?? 0) < 1 else {
            return nil
        }
        self.psi = psi
        self.ks = ks
    }

    /// This is no tolerance: every change matters.
    public static var none: Self { Self(noneGiven: ()) }

    private init(noneGiven: Void) {
        psi = nil
        ks = nil
    }

    /// This is the largest distance that is no drift by any of the tolerances.
    ///
    /// Formula: min(ks, ½ √psi), since PSI ≥ 4 TV² by Pinsker's inequality in both directions, and no event's
    /// share moves by more than TV. An alarm beyond it means what it says for `ks`; for `psi` alone a
    /// change must be somewhat larger (a shifted normal: by a quarter) to be seen.
    ///
    /// - Returns: In 0..<1; 0 when none is given.
    public var distance: Double {
        let candidates = [ks, psi.map { min(0.999, $0.squareRoot() / 2) }].compactMap { $0 }
        return candidates.min() ?? 0
    }
}

/// This is how many false alarms a model's owner accepts, over everything that is watched.
///
/// What is promised: with `BudgetedDetector` at the levels of `level(…)`, the expected number of false alarms
/// in any number n of windows is at most α n, so in the period at most `falseAlarmCount`; also at any
/// stopping time, with n the expected number of windows; under any dependence between streams. If some
/// streams have drifted, what is bounded is the sum over alarms of the share of streams named wrongly.
///
/// Why: let Z = (1/K) Σ_k M_k + A/α, A the number of alarms and M_k ≥ 0 the streams' Shiryaev–Roberts values.
/// A step raises E[Z] by at most 1. An alarm by e-BH names a set R with M_k ≥ K/(α |R|) for each of its
/// members; setting those to 0 takes at least 1/α from the first part while A/α grows by 1/α. So
/// E[A_n]/α ≤ E[Z_n] ≤ n.
/// Source: the e-detectors' bound of Shin, Ramdas, Rinaldo (2024), the sets of Dandapanthula and Ramdas
/// (2025); the argument above joins them for restarts of the named streams only.
public struct AlertBudget: Hashable, Sendable {
    /// The chance that the reference itself is unlucky, over all streams: then nothing is promised.
    public static let referenceRisk = 0.01

    /// The expected number accepted per period, positive.
    public let falseAlarmCount: Double
    /// The period, positive.
    public let period: Duration
    /// Changes up to this are no drift.
    public let tolerance: DriftTolerance

    /// Nil unless the count is positive and finite and the period is positive.
    public init?(falseAlarmCount: Double, per period: Duration, tolerance: DriftTolerance = .none) {
        guard falseAlarmCount > 0, falseAlarmCount.isFinite, period > .zero else { return nil }
        self.falseAlarmCount = falseAlarmCount
        self.period = period
        self.tolerance = tolerance
    }

    /// This is the level of one kind of window, where several kinds (and rules) share the budget evenly.
    ///
    /// Formula: α = falseAlarmCount · window / period / sharerCount; at most 1.
    ///
    /// - Parameters:
    ///   - window: The length of the windows, which must not overlap.
    ///   - streamCount: K, all features times all segments that may ever be watched, positive.
    ///   - sharerCount: How many kinds of windows or rules share the budget, positive.
    /// - Returns: What a detector over all streams needs to know.
    public func level(
        window: Duration, streamCount: Int, sharerCount: Int = 1
    ) -> BudgetLevel {
        precondition(window > .zero, "window \(window)")
        precondition(streamCount > 0, "streamCount \(streamCount)")
        precondition(sharerCount > 0, "sharerCount \(sharerCount)")
        let alpha = falseAlarmCount * (window / period) / Double(sharerCount)
        return BudgetLevel(
            alpha: min(1, alpha), streamCount: streamCount, tolerance: tolerance.distance,
            referenceAlpha: Self.referenceRisk / Double(sharerCount) / Double(streamCount))
    }
}

/// This is an alert budget for one kind of windows, as a level per window.
public struct BudgetLevel: Hashable, Sendable {
    /// α: the expected number of false alarms per window, over all streams; in 0...1 and above 0.
    public let alpha: Double
    /// K.
    public let streamCount: Int
    /// The largest distance that is no drift, 0..<1.
    public let tolerance: Double
    /// The chance, per stream, that its reference's shares are off by more than is accounted for.
    public let referenceAlpha: Double

    /// Puts a level together.
    ///
    /// - Precondition: each is in the range that its property names.
    public init(alpha: Double, streamCount: Int, tolerance: Double, referenceAlpha: Double) {
        precondition(alpha > 0 && alpha <= 1, "alpha \(alpha)")
        precondition(streamCount > 0, "streamCount \(streamCount)")
        precondition(tolerance >= 0 && tolerance < 1, "tolerance \(tolerance)")
        precondition(referenceAlpha > 0 && referenceAlpha <= 1, "alpha \(referenceAlpha)")
        self.alpha = alpha
        self.streamCount = streamCount
        self.tolerance = tolerance
        self.referenceAlpha = referenceAlpha
    }

    /// This is the value at which `count` streams raise an alarm together: K / (α · count).
    public func alarmValue(together count: Int = 1) -> Double {
        precondition(count > 0, "count \(count)")
        return Double(streamCount) / (alpha * Double(count))
    }

    /// This is r: the tolerance, and by how much the shares of a reference of `count` rows may be off.
    ///
    /// Formula: tolerance + √(ln(2 E / α) / (2m)), E = 1 for ordered bins (Massart) and the number of bins for
    /// single ones (Hoeffding, for each of them).
    ///
    /// - Parameters:
    ///   - count: m, the reference's rows.
    ///   - binCount: The number of bins.
    ///   - isOrdered: Whether events are prefixes.
    /// - Returns: In 0..<1.
    public func radius(referenceCount count: UInt64, binCount: Int, isOrdered: Bool) -> Double {
        let events = isOrdered ? 1 : Double(max(1, binCount))
        return min(
            0.999, tolerance + massartWidth(count: count, alpha: referenceAlpha / events))
    }
}
