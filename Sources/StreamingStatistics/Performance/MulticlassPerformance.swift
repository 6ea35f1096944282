import Glibc

/// This is how well a classifier of several classes did, from its labels and its probabilities.
///
/// Formulas: macro means are over all classes, with 0 where a class's figure is undefined; the weighted F1 weighs by support;
/// log loss is −mean ln p of the true class, clipped to [2⁻⁵², 1 − 2⁻⁵²]; Brier is mean Σ_k (p_k − y_k)², in 0...2.
/// Source: scikit-learn 1.5, `precision_recall_fscore_support`, `roc_auc_score(multi_class="ovr")`, `log_loss`.
public struct MulticlassPerformance: Equatable, Sendable {
    /// [classes][classes]: rows by true class, then by predicted class.
    public let confusion: [[Int]]
    /// [classes].
    public let classes: [ClassCounts]
    /// The share of right predictions, in 0...1.
    public let accuracy: Double
    /// In nats, at least 0.
    public let logLoss: Double
    /// In 0...2.
    public let brier: Double
    /// The calibration error of the largest probability against "that class was right", in 10 bins.
    public let topCalibrationError: Double
    /// [classes]: one class against the rest; nil where one of both does not occur.
    public let rocAUC: [Double?]

    /// Computes all of it; nil without rows.
    ///
    /// - Parameters:
    ///   - labels: The true class of each row, in 0..<classCount.
    ///   - predicted: [labels.count]: the predicted one.
    ///   - probabilities: [labels.count][classCount], each in 0...1.
    ///   - classCount: At least 1.
    public init?(
        labels: [Int], predicted: [Int], probabilities: [[Double]], classCount: Int
    ) {
        precondition(
            labels.count == predicted.count && labels.count == probabilities.count,
            "unequal columns")
        guard !labels.isEmpty else { return nil }
        var confusion = [[Int]](
            repeating: [Int](repeating: 0, count: classCount), count: classCount)
        var (loss, squares) = (CompensatedSum(), CompensatedSum())
        var top: (scores: [Double], isRight: [Bool]) = ([], [])
        for (row, label) in labels.enumerated() {
            let shares = probabilities[row]
            precondition(shares.count == classCount, "\(shares.count) of \(classCount) classes")
            confusion[label][predicted[row]] += 1
            loss.add(-logarithm(clipped: shares[label]))
            for (place, share) in shares.enumerated() {
                let difference = share - (place == label ? 1 : 0)
                squares.add(difference * difference)
            }
            let largest = shares.max() ?? 0
            top.scores.append(largest)
            top.isRight.append(shares.firstIndex(of: largest) == label)
        }
        let count = Double(labels.count)
        self.confusion = confusion
        classes = (0..<classCount).map { place in
            let right = confusion[place][place]
            let predictedCount = confusion.reduce(0) { $0 + $1[place] }
            return ClassCounts(
                truePositives: Double(right), falsePositives: Double(predictedCount - right),
                falseNegatives: Double(confusion[place].reduce(0, +) - right))
        }
        accuracy = classes.reduce(0) { $0 + $1.truePositives } / count
        logLoss = loss.value / count
        brier = squares.value / count
        topCalibrationError =
            expectedCalibrationError(top.scores, isPositive: top.isRight) ?? 0
        rocAUC = (0..<classCount).map { place in
            let isOfClass = labels.map { $0 == place ? 1.0 : 0 }
            return weightedAUC(
                probabilities.map { $0[place] }, positives: isOfClass,
                negatives: isOfClass.map { 1 - $0 })
        }
    }

    /// This is the mean of the classes' precisions.
    public var macroPrecision: Double { macroMean(classes.map(\.precision)) }
    /// This is the mean of the classes' recalls.
    public var macroRecall: Double { macroMean(classes.map(\.recall)) }
    /// This is the mean of the classes' F1.
    public var macroF1: Double { macroMean(classes.map(\.f1)) }
    /// This is the mean of the classes' F1, by support.
    public var weightedF1: Double {
        let supports = confusion.map { Double($0.reduce(0, +)) }
        let sum = zip(classes, supports).reduce(0) { $0 + ($1.0.f1 ?? 0) * $1.1 }
        return sum / supports.reduce(0, +)
    }
    /// This is the mean of the classes' areas; nil unless each class occurs with and without.
    public var macroROCAUC: Double? {
        let areas = rocAUC.compactMap { $0 }
        return areas.count == rocAUC.count ? macroMean(rocAUC) : nil
    }
}

/// The plain mean, 0 where a class's figure is undefined.
func macroMean(_ values: [Double?]) -> Double {
    values.reduce(0) { $0 + ($1 ?? 0) } / Double(max(1, values.count))
}

private func logarithm(clipped share: Double) -> Double {
    let least = 0x1p-52
    return share > 0.5 ? log1p(-max(1 - share, least)) : log(max(share, least))
}
