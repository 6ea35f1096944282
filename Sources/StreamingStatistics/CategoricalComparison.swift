/// This is a window's categories beside its reference's, and every distance between them.
///
/// The bins are the reference's categories, one for all unseen values, and one for missing ones.
public struct CategoricalComparison: Sendable {
    /// The window.
    public let window: CategoricalProfile
    /// The reference, of the same categories.
    public let reference: CategoricalProfile
    /// Rows, missing ones included, below which nothing is said of the window.
    public let rowCountMin: UInt64

    /// Compares two profiles.
    ///
    /// - Precondition: Both have the same categories.
    public init(
        window: CategoricalProfile, reference: CategoricalProfile, rowCountMin: UInt64 = 1
    ) {
        precondition(
            window.counts.count == reference.counts.count, "profiles of different categories")
        self.window = window
        self.reference = reference
        self.rowCountMin = rowCountMin
    }

    /// The population stability index with half a count added to every bin.
    public func populationStability() throws(UndefinedStatistic) -> PSIResult {
        try check()
        return try StreamingStatistics.populationStability(window: counts, reference: expected)
    }

    /// The Jensen–Shannon distance.
    public func jensenShannon() throws(UndefinedStatistic) -> StatisticValue {
        try check()
        return try StreamingStatistics.jensenShannon(window: counts, reference: expected)
    }

    /// The Hellinger distance.
    public func hellinger() throws(UndefinedStatistic) -> StatisticValue {
        try check()
        return try StreamingStatistics.hellinger(window: counts, reference: expected)
    }

    /// The total variation distance.
    public func totalVariation() throws(UndefinedStatistic) -> StatisticValue {
        try check()
        return try StreamingStatistics.totalVariation(window: counts, reference: expected)
    }

    /// The Kullback–Leibler divergence of the window from the reference.
    public func kullbackLeibler() throws(UndefinedStatistic) -> StatisticValue {
        try check()
        return try StreamingStatistics.kullbackLeibler(window: counts, reference: expected)
    }

    /// Pearson's test that both are of one distribution.
    ///
    /// Each unseen text is a column while all of them are remembered by name, and all are one column beyond:
    /// the value is the same, the p-value then that of the lumped table.
    public func chiSquare() throws(UndefinedStatistic) -> StatisticValue {
        try check()
        let named = window.unseenTexts.values.reduce(0, +)
        // What the reference holds of rare categories is not known by name.
        let isExact = named == window.unseen && reference.unseen == 0
        return try chiSquareHomogeneity(
            window: counts, reference: expected,
            mergedColumnCount: isExact ? max(0, window.unseenTexts.count - 1) : 0)
    }

    private var counts: [UInt64] { window.counts + [window.missing] }
    private var expected: [UInt64] { reference.counts + [reference.missing] }

    private func check() throws(UndefinedStatistic) {
        let found = window.count + window.missing
        guard found > 0 else { throw .windowEmpty }
        guard found >= rowCountMin else {
            throw .insufficient(found: found, required: rowCountMin)
        }
        guard reference.count + reference.missing > 0 else { throw .referenceEmpty }
    }
}
