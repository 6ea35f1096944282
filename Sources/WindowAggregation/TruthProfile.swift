import MonitoringDomain
import StreamingStatistics

/// This is the ground truth of one pane as a distribution of its own: counts that can be taken back when
/// ground truth is replaced.
///
/// It has no smallest and largest value, because what is taken back cannot be taken out of them; in their
/// place stand the ends of the outermost bins that hold a value.
struct TruthProfile: Sendable, Equatable {
    /// Of a classification: [categoryCount + 1], the last for labels that the reference does not know.
    var labels: [UInt64]
    /// Of a regression, per bin.
    var values: BinCounts
    /// Of a regression.
    var sums = NumericProfile.Sums()

    init(for content: FeatureReference.Content) {
        switch content {
        case .categorical(let categorical):
            labels = [UInt64](repeating: 0, count: categorical.categories.count + 1)
            values = BinCounts(binCount: 1)
        case .numeric(let numeric):
            labels = []
            values = BinCounts(binCount: numeric.edges.binCount)
        }
    }

    /// Counts the true label or value, or takes back what was counted; a row without one is passed over.
    mutating func absorb(
        _ outcome: Outcome, content: FeatureReference.Content, adding: Bool
    ) {
        switch content {
        case .categorical(let categorical):
            guard let label = outcome.truthLabel else { return }
            let code = categorical.codeOfCategory[ExactText(label)] ?? categorical.categories.count
            guard adding || labels[code] > 0 else { return }
            labels[code] = adding ? labels[code] + 1 : labels[code] - 1
        case .numeric(let numeric):
            guard let value = outcome.truthValue, value.isFinite else { return }
            let bin = numeric.edges.bin(of: value)
            guard adding || values[bin] > 0 else { return }
            if adding { values.add(bin) } else { values.remove(bin) }
            let shifted = value - numeric.profile.shift
            change(\.linear, by: shifted, adding: adding)
            change(\.squared, by: shifted * shifted, adding: adding)
            guard let range = numeric.profile.range else { return }
            change(\.below, by: max(0, range.lowerBound - value), adding: adding)
            change(\.above, by: max(0, value - range.upperBound), adding: adding)
        }
    }

    private mutating func change(
        _ sum: WritableKeyPath<NumericProfile.Sums, CompensatedSum>, by value: Double, adding: Bool
    ) {
        if adding { sums[keyPath: sum].add(value) } else { sums[keyPath: sum].subtract(value) }
    }

    mutating func merge(_ other: Self) {
        for index in labels.indices { labels[index] += other.labels[index] }
        values.merge(other.values)
        sums.linear.merge(other.sums.linear)
        sums.squared.merge(other.sums.squared)
        sums.below.merge(other.sums.below)
        sums.above.merge(other.sums.above)
    }

    /// This is the counts as those of a feature; nil where they contradict each other.
    func profile(content: FeatureReference.Content) -> FeatureProfile? {
        switch content {
        case .categorical:
            return CategoricalProfile(
                counts: labels, missing: 0, unseenTexts: [:], unseenSketch: DistinctSketch()
            ).map { .categorical($0) }
        case .numeric(let numeric):
            guard values.total > 0 else { return .numeric(numeric.emptyProfile()) }
            return NumericProfile(
                empty: numeric.emptyProfile(), extremes: extremes(numeric), counts: values,
                tallies: NumericProfile.Tallies(), sums: sums
            ).map { .numeric($0) }
        }
    }

    /// The ends of the outermost bins that hold a value, finite.
    private func extremes(_ numeric: NumericReference) -> ClosedRange<Double>? {
        var bins: [Int] = []
        values.forEachNonZero { bin, _ in bins.append(bin) }
        guard let first = bins.first, let last = bins.last else { return nil }
        let edges = numeric.edges.edges
        let low = first > 0 ? edges[first - 1] : edges.first ?? 0
        let high = last < edges.count ? edges[last] : edges.last ?? 0
        return min(low, high)...max(low, high)
    }
}
