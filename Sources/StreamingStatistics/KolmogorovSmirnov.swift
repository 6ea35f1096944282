/// This is the Kolmogorov–Smirnov distance of two binned samples, with certainty between two bounds.
///
/// Formula: max_k |F_k − G_k| ≤ D ≤ max_k max(F_k − G_{k−1}, G_k − F_{k−1}); within a bin that holds one
/// value only both functions jump at once, so nothing lies between its edges.
/// Source: monotonicity of distribution functions.
///
/// - Returns: Nil when either side is empty; both in 0...1, `lower <= upper`.
public func binnedKolmogorovSmirnov(
    window: BinCounts, reference: BinCounts, edges: BinEdges
) -> (lower: Double, upper: Double)? {
    precondition(
        window.binCount == edges.binCount && reference.binCount == edges.binCount,
        "counts and edges of different bins")
    return kolmogorovSmirnov(window, reference) { edges.isAtom[$0] }
}

/// This is the same distance where nothing is known of the bins.
public func binnedKolmogorovSmirnov(
    window: BinCounts, reference: BinCounts
) -> (lower: Double, upper: Double)? {
    kolmogorovSmirnov(window, reference) { _ in false }
}

private func kolmogorovSmirnov(
    _ window: BinCounts, _ reference: BinCounts, isAtom: (Int) -> Bool
) -> (lower: Double, upper: Double)? {
    guard window.total > 0, reference.total > 0 else { return nil }
    let n = Double(window.total)
    let m = Double(reference.total)
    let windowCounts = window.dense()
    let referenceCounts = reference.dense()
    var (f, g) = (UInt64(0), UInt64(0))
    var (lower, upper) = (0.0, 0.0)
    for bin in windowCounts.indices {
        let (fBefore, gBefore) = (Double(f) / n, Double(g) / m)
        f += windowCounts[bin]
        g += referenceCounts[bin]
        let (fAfter, gAfter) = (Double(f) / n, Double(g) / m)
        lower = max(lower, abs(fAfter - gAfter))
        // Where a side has no row in the bin, its function is flat there, and the ends decide.
        let isFlat = windowCounts[bin] == 0 || referenceCounts[bin] == 0
        if isAtom(bin) || isFlat {
            upper = max(upper, abs(fAfter - gAfter))
        } else {
            upper = max(upper, fAfter - gBefore, gAfter - fBefore)
        }
    }
    return (lower, max(lower, upper))
}

/// This is the chance of a distance of at least `d` between two samples of one distribution.
///
/// Formula: that of one sample of N = nm / (n + m) values, rounded, the customary stand-in for two samples.
/// Source: see `kolmogorovSurvival(d:n:)`.
///
/// - Accuracy: Of the stand-in 1e-9, as SciPy's `ks_2samp(method="asymp")`; two samples of a few dozen rows have
///   a chance that differs from it by up to 0.01.
public func kolmogorovSmirnovPValue(d: Double, n: UInt64, m: UInt64) -> Double {
    guard n > 0, m > 0 else { return 1 }
    let count = Double(n) * Double(m) / (Double(n) + Double(m))
    return kolmogorovSurvival(d: d, n: UInt64(max(1, count.rounded(.toNearestOrEven))))
}

/// This is the area under the ROC curve of binned scores, with certainty between two bounds.
///
/// Formula: Σ_k P_k (N_{<k} + ½ N_k) / (P N), half-width ½ Σ_k P_k N_k / (P N).
/// - Returns: Nil when either class is missing; all in 0...1.
public func binnedAUC(
    positives: BinCounts, negatives: BinCounts
) -> (value: Double, lower: Double, upper: Double)? {
    binnedAUC(positives: positives, negatives: negatives, isAtom: { _ in false })
}

/// This is the same area where bins of a single score are known: within them all are ties, and exact.
public func binnedAUC(
    positives: BinCounts, negatives: BinCounts, edges: BinEdges
) -> (value: Double, lower: Double, upper: Double)? {
    binnedAUC(positives: positives, negatives: negatives, isAtom: { edges.isAtom[$0] })
}

private func binnedAUC(
    positives: BinCounts, negatives: BinCounts, isAtom: (Int) -> Bool
) -> (value: Double, lower: Double, upper: Double)? {
    guard positives.total > 0, negatives.total > 0 else { return nil }
    let negativeCounts = negatives.dense()
    var below: [Double] = []
    var sum = 0.0
    for count in negativeCounts {
        below.append(sum)
        sum += Double(count)
    }
    var area = 0.0
    var ties = 0.0
    positives.forEachNonZero { bin, count in
        let pairs = Double(count) * Double(negativeCounts[bin])
        area += Double(count) * below[bin] + pairs / 2
        if !isAtom(bin) { ties += pairs / 2 }
    }
    let scale = Double(positives.total) * Double(negatives.total)
    return (
        area / scale, max(0, (area - ties) / scale), min(1, (area + ties) / scale)
    )
}
