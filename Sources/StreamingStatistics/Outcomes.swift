import Glibc

/// This is the outcomes of a classifier in one pane: hits, and for binary scores their losses and the
/// (score bin × outcome) counts.
public struct BinaryOutcomes: Equatable, Sendable {
    /// Outcomes, with or without a score.
    public private(set) var count: UInt64 = 0
    /// Outcomes whose predicted label was right.
    public private(set) var correct: UInt64 = 0
    /// Σ −ln p of what happened, over scored outcomes, nats.
    public private(set) var logLossSum = CompensatedSum()
    /// Σ(score − [positive])², over scored outcomes.
    public private(set) var brierSum = CompensatedSum()
    /// Scored outcomes of the positive class, per score bin.
    public private(set) var positives: BinCounts
    /// Scored outcomes of all other classes, per score bin.
    public private(set) var negatives: BinCounts

    /// Starts empty, with so many score bins.
    public init(binCount: Int) {
        positives = BinCounts(binCount: binCount)
        negatives = BinCounts(binCount: binCount)
    }

    /// Puts stored outcomes together again; nil where the parts contradict each other.
    public init?(
        count: UInt64, correct: UInt64, logLossSum: CompensatedSum, brierSum: CompensatedSum,
        positives: BinCounts, negatives: BinCounts
    ) {
        let (scored, isOverflow) = positives.total.addingReportingOverflow(negatives.total)
        guard correct <= count, positives.binCount == negatives.binCount, !isOverflow,
            scored <= count
        else { return nil }
        self.count = count
        self.correct = correct
        self.logLossSum = logLossSum
        self.brierSum = brierSum
        self.positives = positives
        self.negatives = negatives
    }

    /// Outcomes that have a score.
    public var scored: UInt64 { positives.total + negatives.total }

    /// Counts one outcome; without a score, `scoreBin` is not looked at.
    public mutating func add(score: Double?, scoreBin: Int, isPositive: Bool, isCorrect: Bool) {
        count += 1
        if isCorrect { correct += 1 }
        guard let score else { return }
        if isPositive { positives.add(scoreBin) } else { negatives.add(scoreBin) }
        logLossSum.add(Self.logLoss(score, isPositive))
        brierSum.add(Self.squaredError(score, isPositive))
    }

    /// Takes back what `add` counted, with the same arguments.
    public mutating func remove(score: Double?, scoreBin: Int, isPositive: Bool, isCorrect: Bool) {
        count -= 1
        if isCorrect { correct -= 1 }
        guard let score else { return }
        if isPositive { positives.remove(scoreBin) } else { negatives.remove(scoreBin) }
        logLossSum.subtract(Self.logLoss(score, isPositive))
        brierSum.subtract(Self.squaredError(score, isPositive))
    }

    /// Counts what others have counted.
    ///
    /// - Precondition: both have the same score bins.
    public mutating func merge(_ other: Self) {
        count += other.count
        correct += other.correct
        logLossSum.merge(other.logLossSum)
        brierSum.merge(other.brierSum)
        positives.merge(other.positives)
        negatives.merge(other.negatives)
    }

    /// Formula: −ln p of what happened, p clipped to [2⁻⁵², 1 − 2⁻⁵²]; nats.
    private static func logLoss(_ score: Double, _ isPositive: Bool) -> Double {
        let clipped = min(max(score, .ulpOfOne), 1 - .ulpOfOne)
        return isPositive ? -log(clipped) : -log(1 - clipped)
    }

    private static func squaredError(_ score: Double, _ isPositive: Bool) -> Double {
        let residual = score - (isPositive ? 1 : 0)
        return residual * residual
    }
}

/// This is the outcomes of a regression in one pane: sums of errors.
public struct RegressionOutcomes: Equatable, Sendable {
    /// Outcomes counted.
    public private(set) var count: UInt64 = 0
    /// Σ|prediction − truth|.
    public private(set) var absoluteSum = CompensatedSum()
    /// Σ(prediction − truth)².
    public private(set) var squaredSum = CompensatedSum()
    /// Σ(prediction − truth).
    public private(set) var signedSum = CompensatedSum()

    /// Starts empty.
    public init() {}

    /// Puts stored outcomes together again.
    public init(
        count: UInt64, absoluteSum: CompensatedSum, squaredSum: CompensatedSum,
        signedSum: CompensatedSum
    ) {
        self.count = count
        self.absoluteSum = absoluteSum
        self.squaredSum = squaredSum
        self.signedSum = signedSum
    }

    /// Counts one outcome.
    public mutating func add(prediction: Double, truth: Double) {
        let error = prediction - truth
        count += 1
        absoluteSum.add(abs(error))
        squaredSum.add(error * error)
        signedSum.add(error)
    }

    /// Takes back what `add` counted, with the same arguments.
    public mutating func remove(prediction: Double, truth: Double) {
        let error = prediction - truth
        count -= 1
        absoluteSum.subtract(abs(error))
        squaredSum.subtract(error * error)
        signedSum.subtract(error)
    }

    /// Counts what others have counted.
    public mutating func merge(_ other: Self) {
        count += other.count
        absoluteSum.merge(other.absoluteSum)
        squaredSum.merge(other.squaredSum)
        signedSum.merge(other.signedSum)
    }
}
