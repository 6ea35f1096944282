/// This is the expected calibration error: how far scores are from the shares that they announce.
///
/// Formula: Σ_b n_b/n |mean score of b − share of positives of b| over equal bins [0, 1/B], (1/B, 2/B], …, (1 − 1/B, 1].
/// Source: M. P. Naeini, G. F. Cooper and M. Hauskrecht, AAAI 2015.
///
/// - Parameters:
///   - scores: P(positive), each in 0...1.
///   - isPositive: [scores.count]: what happened.
///   - binCount: B, at least 1.
/// - Returns: In 0...1; exact up to rounding; nil without scores.
/// - Precondition: scores are in 0...1.
public func expectedCalibrationError(
    _ scores: [Double], isPositive: [Bool], binCount: Int = 10
) -> Double? {
    precondition(
        scores.count == isPositive.count && binCount > 0,
        "\(scores.count) scores, \(isPositive.count) outcomes, \(binCount) bins")
    guard !scores.isEmpty else { return nil }
    var scoreSums = [CompensatedSum](repeating: CompensatedSum(), count: binCount)
    var positiveCounts = [Int](repeating: 0, count: binCount)
    for (score, isPositive) in zip(scores, isPositive) {
        precondition((0...1).contains(score), "score \(score)")
        // A score on an edge belongs to the bin below; the product may be one off where it rounds.
        var bin = min(binCount - 1, Int(score * Double(binCount)))
        while bin > 0, score <= Double(bin) / Double(binCount) { bin -= 1 }
        while bin < binCount - 1, score > Double(bin + 1) / Double(binCount) { bin += 1 }
        scoreSums[bin].add(score)
        positiveCounts[bin] += isPositive ? 1 : 0
    }
    // n_b cancels: the bin's share of the rows, times the difference of two means over its rows.
    let distance = zip(scoreSums, positiveCounts).reduce(0) { sum, bin in
        sum + abs(bin.0.value - Double(bin.1))
    }
    return distance / Double(scores.count)
}
