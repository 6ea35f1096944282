import Glibc
import MonitoringDomain
import StreamingStatistics
import WindowAggregation

/// This is how a retraining is judged: old version against new on matured ground truth, with an
/// interval that stays valid however often it is looked at.
enum RetrainingVerification {
    /// The chance that the verdict is wrong although the retraining changed nothing.
    static let level = 0.05
    /// Below this many outcomes on either side nothing is said.
    static let outcomeCountMin: UInt64 = 100
    /// When an interval still holds 0 after this span of the new version, it did not help.
    static let horizonMilliseconds = 14 * WindowSpan.day
    /// The number of outcomes at which the intervals are tightest.
    static let optimalOutcomeCount = 1_000.0

    /// The two versions, their periods, and the clock.
    struct Question {
        var oldVersion: String
        var newVersion: String
        var before: OutcomeSummary
        var after: OutcomeSummary
        var task: TaskKind
        var watchedSince: EventTime
        var now: EventTime
    }

    /// Nil while either side has too few outcomes.
    static func verify(_ question: Question) -> Verification? {
        let before = question.before
        let after = question.after
        guard before.count >= outcomeCountMin, after.count >= outcomeCountMin else { return nil }
        let statistic: Statistic
        let old: Interval
        let new: Interval
        let method: String
        switch question.task {
        case .binary, .multiclass:
            statistic = .accuracy
            old = accuracy(before)
            new = accuracy(after)
            method =
                "beta-binomial confidence sequences of both versions at 97.5 % each, valid at any "
                + "time; before and after are different periods of the stream"
        case .regression:
            statistic = .mae
            old = meanAbsoluteError(before)
            new = meanAbsoluteError(after)
            method =
                "asymptotic confidence sequences of both mean absolute errors at 97.5 % each; "
                + "before and after are different periods of the stream"
        }
        let sign: Double = statistic == .mae ? -1 : 1
        let effect = (new.value - old.value) * sign
        let lower = sign > 0 ? new.lower - old.upper : old.lower - new.upper
        let upper = sign > 0 ? new.upper - old.lower : old.upper - new.lower
        let elapsed = question.now.milliseconds - question.watchedSince.milliseconds
        let verdict: Verdict =
            if lower > 0 {
                .helped
            } else if upper < 0 {
                .madeItWorse
            } else if elapsed >= horizonMilliseconds {
                .didNotHelp
            } else {
                .watching
            }
        return Verification(
            verdict: verdict, statistic: statistic, oldVersion: question.oldVersion,
            newVersion: question.newVersion, before: old.value, after: new.value,
            beforeCount: Int(clamping: before.count), afterCount: Int(clamping: after.count),
            effect: effect, effectLower: lower, effectUpper: upper, decidedAt: question.now,
            method: method)
    }

    private struct Interval {
        var value: Double
        var lower: Double
        var upper: Double
    }

    private static func accuracy(_ summary: OutcomeSummary) -> Interval {
        let count = Double(summary.count)
        let correct = Double(summary.correct)
        let bounds = betaBinomialConfidenceSequence(
            successes: correct, count: count, alpha: level / 2, optimalCount: optimalOutcomeCount)
        return Interval(value: correct / count, lower: bounds.lower, upper: bounds.upper)
    }

    /// Formula: half-width = σ̂ √(2 (nρ² + 1) / (n²ρ²) · ln(√(nρ² + 1) / α)).
    ///
    /// Source: I. Waudby-Smith et al., "Time-uniform central limit theory and asymptotic confidence
    /// sequences", Ann. Stat. 52(6), 2024, theorem 2.2; ρ² is set for `optimalOutcomeCount`.
    private static func meanAbsoluteError(_ summary: OutcomeSummary) -> Interval {
        let count = Double(summary.count)
        let mean = summary.absoluteErrorSum / count
        let variance = max(0, summary.absoluteErrorSquareSum / count - mean * mean)
        let alpha = level / 2
        let rhoSquare = (-2 * log(alpha) + log(-2 * log(alpha) + 1)) / optimalOutcomeCount
        let scaled = count * rhoSquare + 1
        let width =
            (variance * 2 * scaled / (count * count * rhoSquare) * log(scaled.squareRoot() / alpha))
            .squareRoot()
        return Interval(value: mean, lower: max(0, mean - width), upper: mean + width)
    }
}
