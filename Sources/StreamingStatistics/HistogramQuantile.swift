extension NumericProfile {
    /// This is a quantile of the values, with certainty between two bounds.
    ///
    /// Formula: NumPy's `linear`, h = (n − 1) q, x[⌊h⌋] + (h − ⌊h⌋)(x[⌊h⌋ + 1] − x[⌊h⌋]) on sorted x; of each
    /// x only the bin is known, so the bounds take its ends, and the value spreads a bin's rows evenly.
    /// The ends 0 and 1 are exact, and so is a bin of one value.
    ///
    /// - Precondition: `fraction` is in 0...1; `edges` are the profile's.
    /// - Returns: Certified, within `minimum...maximum`.
    /// - Throws: `windowEmpty`, `windowAllMissing`, `windowInfinite`.
    /// - Complexity: O(binCount).
    public func quantile(
        at fraction: Double, edges: BinEdges
    ) throws(UndefinedStatistic) -> StatisticValue {
        precondition((0...1).contains(fraction), "quantile at \(fraction)")
        precondition(edges.binCount == counts.binCount, "counts and edges of different bins")
        guard count + missing > 0 else { throw .windowEmpty }
        guard nonFinite == 0 else { throw .windowInfinite }
        guard let minimum, let maximum else { throw .windowAllMissing }
        let place = Double(count - 1) * fraction
        let rank = min(UInt64(place), count - 1)
        let weight = place - Double(rank)
        let low = orderStatistic(rank, edges, minimum, maximum)
        guard weight > 0, rank + 1 < count else { return low }
        let high = orderStatistic(rank + 1, edges, minimum, maximum)
        // Weights instead of a difference: that of huge values is beyond a double's range.
        func between(_ part: KeyPath<StatisticValue, Double>) -> Double {
            min(
                maximum,
                max(minimum, low[keyPath: part] * (1 - weight) + high[keyPath: part] * weight))
        }
        let (lower, upper) = (between(\.lower), between(\.upper))
        return StatisticValue(
            value: min(upper, max(lower, between(\.value))), lower: lower, upper: upper,
            method: .bins)
    }

    /// The value of a rank, 0 for the smallest.
    private func orderStatistic(
        _ rank: UInt64, _ edges: BinEdges, _ minimum: Double, _ maximum: Double
    ) -> StatisticValue {
        if rank == 0 { return exactly(minimum) }
        if rank == count - 1 { return exactly(maximum) }
        var before: UInt64 = 0
        var found: (bin: Int, count: UInt64) = (0, 1)
        var start: UInt64 = 0
        counts.forEachNonZero { bin, count in
            if before <= rank, rank < before + count {
                found = (bin, count)
                start = before
            }
            before += count
        }
        let bin = found.bin
        let lower = bin == 0 ? minimum : max(minimum, edges.edges[bin - 1].nextUp)
        let upper = bin < edges.edges.count ? min(maximum, edges.edges[bin]) : maximum
        let share = (Double(rank - start) + 0.5) / Double(found.count)
        let value = lower * (1 - share) + upper * share
        return StatisticValue(
            value: min(upper, max(lower, value)), lower: lower, upper: upper, method: .bins)
    }

    private func exactly(_ value: Double) -> StatisticValue {
        StatisticValue(value: value, lower: value, upper: value, method: .exact)
    }
}
