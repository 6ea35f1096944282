/// This makes metrics that are no means into means of values in 0...1, so that any sequence of intervals
/// of a mean is one of the metric.
public enum BoundedMetrics {
    /// This is F1 from the share q of true positives among the rows that are no true negatives.
    ///
    /// Formula: F1 = 2q / (1 + q), increasing in q: an interval of q maps onto one of F1, end by end.
    ///
    /// - Precondition: `share` is in 0...1.
    public static func f1(truePositiveShare share: Double) -> Double {
        precondition((0...1).contains(share), "share \(share)")
        return 2 * share / (1 + share)
    }

    /// This is what a row adds to the share of true positives; nil for a true negative, which adds nothing.
    public static func f1Row(isPredicted: Bool, isPositive: Bool) -> Double? {
        isPredicted || isPositive ? (isPredicted && isPositive ? 1 : 0) : nil
    }

    /// This is a loss divided by its declared cap, and whether it was above.
    ///
    /// - Precondition: `loss` is at least 0, `cap` positive.
    public static func clipped(loss: Double, cap: Double) -> (value: Double, isClipped: Bool) {
        precondition(loss >= 0, "loss \(loss)")
        precondition(cap > 0, "cap \(cap)")
        return (min(1, loss / cap), loss > cap)
    }
}

/// This pairs each next positive with a next negative: what a pair adds has the area under the ROC curve
/// as its mean.
///
/// Formula: x_j = 1{s⁺_j > s⁻_j} + ½ · 1{s⁺_j = s⁻_j}.
/// Order matters; the point estimate should still come from all rows.
public struct ScorePairing: Equatable, Sendable {
    /// Pairs wait for a partner on one side only; beyond this many the oldest are dropped, which loses
    /// evidence, not validity: the choice does not depend on the scores.
    public static let waitingCountMax = 10_000

    /// The class of those that wait.
    public private(set) var isWaitingPositive = false
    /// Scores, oldest first; those before `start` have found their partners.
    private var queue: [Double] = []
    private var start = 0

    /// Starts without rows.
    public init() {}

    /// These are the scores that wait, all of one class, oldest first.
    public var waiting: [Double] { Array(queue[start...]) }

    /// Adds a row.
    ///
    /// - Returns: 0, ½ or 1 when the row completes a pair; nil when it waits.
    public mutating func absorb(score: Double, isPositive: Bool) -> Double? {
        if start == queue.count { isWaitingPositive = isPositive }
        guard isPositive != isWaitingPositive else {
            queue.append(score)
            if queue.count - start > Self.waitingCountMax { start += 1 }
            compact()
            return nil
        }
        let partner = queue[start]
        start += 1
        compact()
        if score == partner { return 0.5 }
        return (score > partner) == isPositive ? 1 : 0
    }

    /// Removes what was taken once it is half, so that each removal is paid for.
    private mutating func compact() {
        guard start > 64, 2 * start > queue.count else { return }
        queue.removeFirst(start)
        start = 0
    }
}
