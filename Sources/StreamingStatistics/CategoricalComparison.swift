/// This is a window's categories beside its reference's, and every distance between them.
///
/// The bins are the reference's categories, one for all unseen values, and one for missing ones.
public struct CategoricalComparison: ShareComparison {
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

    /// These are counts of the categories, of all unseen values, and of missing ones.
    public func counts() throws(UndefinedStatistic) -> (window: [UInt64], reference: [UInt64]) {
        try check()
        return (window.counts + [window.missing], reference.counts + [reference.missing])
    }

    /// These are the same: no category is blind.
    public func customaryCounts() throws(UndefinedStatistic) -> (
        window: [UInt64], reference: [UInt64]
    ) { try counts() }

    /// Each unseen text is a column of the χ² test while all of them are remembered by name, and all are one
    /// column beyond: the value is the same, the p-value then that of the lumped table.
    public var mergedColumnCount: Int {
        let named = window.unseenTexts.values.reduce(0, +)
        // What the reference holds of rare categories is not known by name.
        let isExact = named == window.unseen && reference.unseen == 0
        return isExact ? max(0, window.unseenTexts.count - 1) : 0
    }

    private func check() throws(UndefinedStatistic) {
        let found = window.count + window.missing
        guard found > 0 else { throw .windowEmpty }
        guard found >= rowCountMin else {
            throw .insufficient(found: found, required: rowCountMin)
        }
        guard reference.count + reference.missing > 0 else { throw .referenceEmpty }
    }
}
