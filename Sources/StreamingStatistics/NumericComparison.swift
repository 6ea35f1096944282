/// This is a window's profile beside its reference's, and every distance between them.
///
/// Distances over bins use the reference's deciles and a bin for missing values. Where deciles repeat and
/// the reference has no value between a repeated one and the decile before, what lies below that value has a
/// bin of its own, so that moves in either direction are seen.
public struct NumericComparison: ShareComparison {
    /// The window.
    public let window: NumericProfile
    /// The reference, of the same edges, shift and range.
    public let reference: NumericProfile
    /// The bins of both.
    public let edges: BinEdges
    /// Rows, missing ones included, below which nothing is said of the window.
    public let rowCountMin: UInt64

    /// Compares two profiles.
    ///
    /// - Precondition: Both profiles have the edges' bins.
    public init(
        window: NumericProfile, reference: NumericProfile, edges: BinEdges, rowCountMin: UInt64 = 1
    ) {
        precondition(window.counts.binCount == edges.binCount, "the window has other bins")
        precondition(reference.counts.binCount == edges.binCount, "the reference has other bins")
        self.window = window
        self.reference = reference
        self.edges = edges
        self.rowCountMin = rowCountMin
    }

    /// The Kolmogorov–Smirnov distance: its lower bound is the value, which is what the bins can prove;
    /// certified, with the p-value of that bound.
    public func kolmogorovSmirnov() throws(UndefinedStatistic) -> StatisticValue {
        try check()
        guard window.count > 0 else { throw .windowAllMissing }
        guard
            let bounds = binnedKolmogorovSmirnov(
                window: window.counts, reference: reference.counts, edges: edges)
        else { throw .referenceAllMissing }
        return StatisticValue(
            value: bounds.lower, lower: bounds.lower, upper: bounds.upper, method: .bins,
            pValue: kolmogorovSmirnovPValue(d: bounds.lower, n: window.count, m: reference.count))
    }

    /// The Wasserstein-1 distance in the values' unit.
    public func wasserstein() throws(UndefinedStatistic) -> StatisticValue {
        try check()
        return try StreamingStatistics.wasserstein(
            window: window, reference: reference, edges: edges)
    }

    /// The Wasserstein-1 distance in the reference's deviations.
    public func normalizedWasserstein() throws(UndefinedStatistic) -> StatisticValue {
        try check()
        return try StreamingStatistics.normalizedWasserstein(
            window: window, reference: reference, edges: edges)
    }

    /// How far the window's mean lies from the reference's, in the reference's deviations.
    public func meanShift() throws(UndefinedStatistic) -> StatisticValue {
        try check()
        return try StreamingStatistics.meanShift(window: window, reference: reference)
    }

    /// These are counts of decile bins and missing values, with tied deciles' own bins where the plain ones
    /// would be blind.
    public func counts() throws(UndefinedStatistic) -> (window: [UInt64], reference: [UInt64]) {
        try check()
        var own = window.stabilityCounts(edges)
        var other = reference.stabilityCounts(edges)
        guard edges.decileEdges.count < 9 else { return (own, other) }
        // Where the reference itself lies on both sides of a tied value, the deciles are not blind, and
        // more bins would only make the value another one than everybody's.
        for below in stride(from: 0, to: other.count - 1, by: 2) where other[below] > 0 {
            own[below + 1] += own[below]
            other[below + 1] += other[below]
            own[below] = 0
            other[below] = 0
        }
        return (own, other)
    }

    /// These are counts of ten decile bins, empty ones where deciles repeat, and of missing values.
    public func customaryCounts() throws(UndefinedStatistic) -> (
        window: [UInt64], reference: [UInt64]
    ) {
        try check()
        func deciles(_ profile: NumericProfile) -> [UInt64] {
            var counts = [UInt64](repeating: 0, count: 11)
            profile.counts.forEachNonZero { counts[Int(edges.decileOfBin[$0])] += $1 }
            counts[10] = profile.missing
            return counts
        }
        return (deciles(window), deciles(reference))
    }

    /// Each value has a bin: none are merged.
    public var mergedColumnCount: Int { 0 }

    private func check() throws(UndefinedStatistic) {
        let found = window.count + window.missing
        guard found > 0 else { throw .windowEmpty }
        guard found >= rowCountMin else {
            throw .insufficient(found: found, required: rowCountMin)
        }
        guard reference.count + reference.missing > 0 else { throw .referenceEmpty }
        // Without a value the reference has no bins to compare in.
        guard reference.count > 0 else { throw .referenceAllMissing }
    }
}

extension NumericProfile {
    /// This is the finest counts in which PSI and its kin are computed: one per decile bin of the reference,
    /// then missing; where deciles repeat, two per decile bin, the second for the decile edge's own bin.
    ///
    /// Merging bins never raises a distance of shares, so its value is at least that of the plain deciles.
    /// - Precondition: `edges` are the profile's.
    public func stabilityCounts(_ edges: BinEdges) -> [UInt64] {
        let isTied = edges.decileEdges.count < 9
        let deciles = Set(edges.decileEdges)
        let perDecile = isTied ? 2 : 1
        var sums = [UInt64](repeating: 0, count: perDecile * (edges.decileEdges.count + 1) + 1)
        counts.forEachNonZero { bin, count in
            let isOwn =
                isTied && bin < edges.edges.count && edges.isAtom[bin]
                && deciles.contains(edges.edges[bin])
            sums[perDecile * Int(edges.decileOfBin[bin]) + (isOwn ? 1 : 0)] += count
        }
        sums[sums.count - 1] = missing
        return sums
    }
}
