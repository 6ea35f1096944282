import Glibc

/// This is the outcomes of a classifier in one pane: hits, and for binary scores their losses and the
/// (score bin × outcome) counts.
public struct BinaryOutcomes: Equatable, Sendable {
    public private(set) var count: UInt64 = 0
    public private(set) var correct: UInt64 = 0
    public private(set) var logLossSum = CompensatedSum()
    public private(set) var brierSum = CompensatedSum()
    public private(set) var positives: BinCounts
    public private(set) var negatives: BinCounts

    public init(binCount: Int) {
        positives = BinCounts(binCount: binCount)
        negatives = BinCounts(binCount: binCount)
    }

    /// Puts stored outcomes together again; nil where the parts contradict each other.
    public init?(
        count: UInt64, correct: UInt64, logLossSum: CompensatedSum, brierSum: CompensatedSum,
        positives: BinCounts, negatives: BinCounts
    ) {
        guard correct <= count, positives.binCount == negatives.binCount,
            positives.total + negatives.total <= count
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
    public private(set) var count: UInt64 = 0
    public private(set) var absoluteSum = CompensatedSum()
    public private(set) var squaredSum = CompensatedSum()
    /// Σ(prediction − truth)
    public private(set) var signedSum = CompensatedSum()

    public init() {}

    public init(
        count: UInt64, absoluteSum: CompensatedSum, squaredSum: CompensatedSum,
        signedSum: CompensatedSum
    ) {
        self.count = count
        self.absoluteSum = absoluteSum
        self.squaredSum = squaredSum
        self.signedSum = signedSum
    }

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

    public mutating func merge(_ other: Self) {
        count += other.count
        absoluteSum.merge(other.absoluteSum)
        squaredSum.merge(other.squaredSum)
        signedSum.merge(other.signedSum)
    }
}
