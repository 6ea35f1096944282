/// This is what became of one class: right and wrong predictions of it, counted or expected.
public struct ClassCounts: Equatable, Sendable {
    /// Rows of the class that were predicted as it.
    public var truePositives = 0.0
    /// Rows of other classes that were predicted as it.
    public var falsePositives = 0.0
    /// Rows of the class that were predicted as another.
    public var falseNegatives = 0.0

    /// Makes counts, of nothing where none are given.
    public init(truePositives: Double = 0, falsePositives: Double = 0, falseNegatives: Double = 0) {
        self.truePositives = truePositives
        self.falsePositives = falsePositives
        self.falseNegatives = falseNegatives
    }

    /// This is TP / (TP + FP), in 0...1; nil where the class was never predicted.
    public var precision: Double? { ratio(truePositives, truePositives + falsePositives) }
    /// This is TP / (TP + FN), in 0...1; nil where there are no rows of the class.
    public var recall: Double? { ratio(truePositives, truePositives + falseNegatives) }
    /// This is 2 TP / (2 TP + FP + FN), in 0...1; nil where neither occurs.
    public var f1: Double? {
        ratio(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives)
    }
}

private func ratio(_ part: Double, _ whole: Double) -> Double? { whole > 0 ? part / whole : nil }

/// This is the area under the ROC curve where each row is positive with a weight and negative with another.
///
/// Formula: Σ_i Σ_j p_i q_j ([s_i > s_j] + ½ [s_i = s_j]) / Σ_i p_i Σ_j q_j.
/// Source: J. A. Hanley and B. J. McNeil, Radiology 143, 1982; with weights as in NannyML's estimate.
///
/// - Parameters:
///   - scores: What ranks the rows; not NaN.
///   - positives: [scores.count]: p, at least 0.
///   - negatives: [scores.count]: q, at least 0.
///   - countsOwnPair: False leaves out i = j.
/// - Returns: In 0...1; nil where no pair has weight.
public func weightedAUC(
    _ scores: [Double], positives: [Double], negatives: [Double], countsOwnPair: Bool = true
) -> Double? {
    precondition(
        scores.count == positives.count && scores.count == negatives.count, "unequal columns")
    let order = scores.indices.sorted { scores[$0] < scores[$1] }
    var (favourable, below, own) = (CompensatedSum(), CompensatedSum(), CompensatedSum())
    var start = 0
    while start < order.count {
        let end = order[start...].firstIndex { scores[$0] > scores[order[start]] } ?? order.count
        var (positive, negative) = (CompensatedSum(), CompensatedSum())
        for row in order[start..<end] {
            positive.add(positives[row])
            negative.add(negatives[row])
            own.add(positives[row] * negatives[row])
        }
        favourable.add(positive.value * (below.value + negative.value / 2))
        below.add(negative.value)
        start = end
    }
    let whole = positives.reduce(0, +) * below.value
    guard !countsOwnPair else { return whole > 0 ? favourable.value / whole : nil }
    let rest = whole - own.value
    // What is left of two equal sums is rounding.
    guard rest > whole * 1e-12 else { return nil }
    return (favourable.value - own.value / 2) / rest
}
