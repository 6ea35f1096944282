/// This is what became of a batch's rows that were not counted as new ones.
public struct Absorption: Sendable, Equatable {
    /// This is how many rows were repeats or said nothing new, those in conflict among them.
    public var duplicateCount = 0
    /// This is how many rows repeat an id with other content: the first one counts.
    public var conflictCount = 0
    /// This is how many rows are beyond the model's horizon: they are counted nowhere.
    public var tooOldCount = 0
    /// This is how many ground truths, of the batch or of earlier ones, were found to be older than their
    /// predictions.
    public var olderTruthCount = 0
    /// Which rows of a batch of predictions are repeats; increasing.
    public var duplicateRows: [Int] = []
    /// Which of them are in conflict; increasing.
    public var conflictRows: [Int] = []
    /// Which rows of a batch of predictions are beyond the horizon; increasing.
    public var tooOldRows: [Int] = []

    /// Makes what becomes of rows of which only repeats are known.
    public init(duplicateCount: Int = 0, conflictCount: Int = 0, tooOldCount: Int = 0) {
        self.duplicateCount = duplicateCount
        self.conflictCount = conflictCount
        self.tooOldCount = tooOldCount
    }
}
