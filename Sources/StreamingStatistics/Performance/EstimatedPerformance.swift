/// This is the performance of a binary classifier as its calibrated probabilities announce it, before ground truth is there.
///
/// Formula: a row that is predicted positive with probability c adds c to TP and 1 − c to FP, else 1 − c to TN and c to FN.
/// Source: NannyML's confidence-based performance estimation (CBPE). It holds as far as c is calibrated on today's rows.
public struct EstimatedPerformance: Equatable, Sendable {
    /// The expected counts of the positive class.
    public let counts: ClassCounts
    /// The expected number of true negatives.
    public let trueNegatives: Double
    /// The expected area with each row as a positive with weight c and a negative with 1 − c; nil without pairs.
    public let rocAUC: Double?
    /// The same without the pairs of a row with itself.
    public let rocAUCOffDiagonal: Double?

    /// Estimates; all columns have equal lengths.
    ///
    /// - Parameters:
    ///   - scores: What ranks the rows.
    ///   - isPredicted: Whether the positive class was predicted.
    ///   - probabilities: Calibrated P(positive), each in 0...1.
    public init(scores: [Double], isPredicted: [Bool], probabilities: [Double]) {
        var (tp, fp, tn, fn) = (
            CompensatedSum(), CompensatedSum(), CompensatedSum(), CompensatedSum()
        )
        for (isPredicted, share) in zip(isPredicted, probabilities) {
            if isPredicted {
                tp.add(share)
                fp.add(1 - share)
            } else {
                tn.add(1 - share)
                fn.add(share)
            }
        }
        counts = ClassCounts(
            truePositives: tp.value, falsePositives: fp.value, falseNegatives: fn.value)
        trueNegatives = tn.value
        let negatives = probabilities.map { 1 - $0 }
        rocAUC = weightedAUC(scores, positives: probabilities, negatives: negatives)
        rocAUCOffDiagonal = weightedAUC(
            scores, positives: probabilities, negatives: negatives, countsOwnPair: false)
    }

    /// This is the expected share of right predictions, in 0...1; nil without rows.
    public var accuracy: Double? {
        let right = counts.truePositives + trueNegatives
        let whole = right + counts.falsePositives + counts.falseNegatives
        return whole > 0 ? right / whole : nil
    }
}

/// This is the same for several classes: a row adds its probability of a class to that class's counts.
public struct EstimatedMulticlassPerformance: Equatable, Sendable {
    /// [classes]: expected counts.
    public let classes: [ClassCounts]
    /// The expected share of right predictions, in 0...1; nil without rows.
    public let accuracy: Double?

    /// Estimates.
    ///
    /// - Parameters:
    ///   - predicted: The predicted class of each row, in 0..<classCount.
    ///   - probabilities: [predicted.count][classCount]: calibrated, each row adds up to 1.
    ///   - classCount: At least 1.
    public init(predicted: [Int], probabilities: [[Double]], classCount: Int) {
        var classes = [ClassCounts](repeating: ClassCounts(), count: classCount)
        for (chosen, shares) in zip(predicted, probabilities) {
            precondition(shares.count == classCount, "\(shares.count) of \(classCount) classes")
            for (place, share) in shares.enumerated() {
                if place == chosen {
                    classes[place].truePositives += share
                    classes[place].falsePositives += 1 - share
                } else {
                    classes[place].falseNegatives += share
                }
            }
        }
        self.classes = classes
        let right = classes.reduce(0) { $0 + $1.truePositives }
        accuracy = predicted.isEmpty ? nil : right / Double(predicted.count)
    }

    /// This is the mean of the classes' F1, 0 where one is undefined.
    public var macroF1: Double { macroMean(classes.map(\.f1)) }
}
