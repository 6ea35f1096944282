/// This is a window beside its reference over the same bins, and every distance of their shares.
public protocol ShareComparison: Sendable {
    /// These are the counts of both sides, [binCount], in the bins that PSI and its kin are computed in.
    ///
    /// - Throws: Why nothing can be said of the window.
    func counts() throws(UndefinedStatistic) -> (window: [UInt64], reference: [UInt64])

    /// These are the counts of the customary definition, which may be blind to moves out of a tied value.
    ///
    /// - Throws: As `counts()`.
    func customaryCounts() throws(UndefinedStatistic) -> (window: [UInt64], reference: [UInt64])

    /// The number of further values of the window alone that the counts hold in one bin.
    var mergedColumnCount: Int { get }
}

extension ShareComparison {
    /// The population stability index with half a count added to every bin.
    public func populationStability() throws(UndefinedStatistic) -> PSIResult {
        let counts = try counts()
        return try StreamingStatistics.populationStability(
            window: counts.window, reference: counts.reference)
    }

    /// The customary index, with shares below 1e-4 raised to it; it has no interval.
    public func populationStabilityFloored() throws(UndefinedStatistic) -> Double {
        let counts = try customaryCounts()
        guard
            let value = populationStabilityIndexFloored(
                window: counts.window, reference: counts.reference)
        else { throw .referenceEmpty }
        return value
    }

    /// The Jensen–Shannon distance.
    public func jensenShannon() throws(UndefinedStatistic) -> StatisticValue {
        let counts = try counts()
        return try StreamingStatistics.jensenShannon(
            window: counts.window, reference: counts.reference)
    }

    /// The Hellinger distance.
    public func hellinger() throws(UndefinedStatistic) -> StatisticValue {
        let counts = try counts()
        return try StreamingStatistics.hellinger(window: counts.window, reference: counts.reference)
    }

    /// The total variation distance.
    public func totalVariation() throws(UndefinedStatistic) -> StatisticValue {
        let counts = try counts()
        return try StreamingStatistics.totalVariation(
            window: counts.window, reference: counts.reference)
    }

    /// The Kullback–Leibler divergence of the window from the reference.
    public func kullbackLeibler() throws(UndefinedStatistic) -> StatisticValue {
        let counts = try counts()
        return try StreamingStatistics.kullbackLeibler(
            window: counts.window, reference: counts.reference)
    }

    /// Pearson's test that both are of one distribution.
    public func chiSquare() throws(UndefinedStatistic) -> StatisticValue {
        let counts = try counts()
        return try chiSquareHomogeneity(
            window: counts.window, reference: counts.reference,
            mergedColumnCount: mergedColumnCount)
    }
}
