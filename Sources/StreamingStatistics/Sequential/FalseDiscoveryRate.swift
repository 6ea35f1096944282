/// This is one hypothesis after a correction for many.
public struct AdjustedPValue: Equatable, Sendable {
    /// The smallest level at which it is rejected, 0...1.
    public let adjusted: Double
    /// Whether it is rejected at the level asked for.
    public let isRejected: Bool
}

/// Rejects hypotheses so that the expected share of false ones among them is at most `alpha`.
///
/// Formula: with sorted p, reject the k* smallest, k* = max{k : p_(k) ≤ α k / K}; adjusted
/// min_{j ≥ k} p_(j) K / j.
/// Source: Y. Benjamini and Y. Hochberg, JRSS-B 57(1), 1995.
///
/// It needs independence (or positive dependence) between the hypotheses, which features of one model
/// break: prefer `eBenjaminiHochberg`.
///
/// - Parameters:
///   - pValues: In 0...1; nil is undefined and left out.
///   - alpha: The expected share of false rejections, 0...1.
/// - Returns: In the order of `pValues`, nil where they are.
public func benjaminiHochberg(_ pValues: [Double?], alpha: Double) -> [AdjustedPValue?] {
    adjust(pValues, alpha: alpha) { _ in 1 }
}

/// Rejects hypotheses so that the expected share of false ones is at most `alpha` under any dependence.
///
/// Formula: as `benjaminiHochberg` with α / Σ_{i ≤ K} 1/i.
/// Source: Y. Benjamini and D. Yekutieli, Annals of Statistics 29(4), 2001.
public func benjaminiYekutieli(_ pValues: [Double?], alpha: Double) -> [AdjustedPValue?] {
    adjust(pValues, alpha: alpha) { count in
        (0..<count).reduce(0) { $0 + 1 / Double($1 + 1) }
    }
}

private func adjust(
    _ pValues: [Double?], alpha: Double, penalty: (Int) -> Double
) -> [AdjustedPValue?] {
    precondition(alpha >= 0 && alpha <= 1, "alpha \(alpha)")
    let defined = pValues.indices.compactMap { index in pValues[index].map { (index, $0) } }
    precondition(defined.allSatisfy { (0...1).contains($0.1) }, "a p-value outside 0...1")
    let factor = penalty(defined.count)
    let sorted = defined.sorted { ($0.1, $0.0) < ($1.1, $1.0) }
    let count = Double(sorted.count)
    var result = [AdjustedPValue?](repeating: nil, count: pValues.count)
    var smallest = 1.0
    var isRejected = false
    for (rank, (index, p)) in sorted.enumerated().reversed() {
        let number = Double(rank + 1)
        smallest = min(smallest, p * count * factor / number)
        // By its own inequality: rounding of the adjusted value must not decide.
        isRejected = isRejected || p * factor <= alpha * number / count
        result[index] = AdjustedPValue(adjusted: smallest, isRejected: isRejected)
    }
    return result
}

/// Rejects hypotheses by their e-values so that the expected share of false ones is at most `alpha`,
/// whatever the dependence.
///
/// Formula: reject the k* largest, k* = max{k : e_[k] ≥ K / (α k)}.
/// Source: R. Wang and A. Ramdas, "False discovery rate control with e-values", JRSS-B 84(3), 2022. On
/// e-detectors the same rule gives E[false share at τ] ≤ α E[τ] for every stopping time τ: S. Dandapanthula
/// and A. Ramdas, arXiv 2501.04130, 2025.
///
/// It is not valid on running maxima: give it *current* values, and never latch one hypothesis' crossing.
///
/// - Parameters:
///   - eValues: At least 0, none NaN; nil is undefined and left out.
///   - alpha: The expected share of false rejections, or its growth per step for e-detectors; positive.
///   - hypothesisCount: K, where more hypotheses share the level than are given; at least those given.
/// - Returns: The indices of the rejected, in ascending order.
public func eBenjaminiHochberg(
    _ eValues: [Double?], alpha: Double, hypothesisCount: Int? = nil
) -> [Int] {
    precondition(alpha > 0, "alpha \(alpha)")
    let defined = eValues.indices.compactMap { index in eValues[index].map { (index, $0) } }
    precondition(defined.allSatisfy { $0.1 >= 0 }, "an e-value below 0")
    let sorted = defined.sorted { $0.1 == $1.1 ? $0.0 < $1.0 : $0.1 > $1.1 }
    let count = Double(hypothesisCount ?? sorted.count)
    precondition(count >= Double(sorted.count), "\(sorted.count) of \(count) hypotheses")
    let rejected = sorted.indices.last { sorted[$0].1 * alpha * Double($0 + 1) >= count }
    return sorted.prefix((rejected ?? -1) + 1).map(\.0).sorted()
}
