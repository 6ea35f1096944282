/// This is what the opening of a data directory has found.
public struct StartFindings: Sendable, Equatable {
    /// True where the process before stopped in order.
    public internal(set) var wasClosed = true
    /// What a check of the file has said; empty where nothing is wrong.
    public internal(set) var damage: [String] = []
    /// False where the check has not come to the end in its time.
    public internal(set) var isCheckComplete = true
    /// What could not be taken along from a damaged file; nil where there was none.
    public internal(set) var salvage: Salvage?
    /// Positions that were durable and have gone since the process before.
    public internal(set) var newlyLost: ClosedRange<Int64>?
    /// All such positions of this log, also those of earlier starts.
    public internal(set) var lost: [ClosedRange<Int64>] = []
    /// True where the entry at the mark is not the one that was marked: the file is another one.
    public internal(set) var isForked = false
    /// True where the mark itself cannot be read, so that a lost end would not be noticed.
    public internal(set) var isMarkDamaged = false

    /// This is what was left behind when a damaged file was copied.
    public struct Salvage: Sendable, Equatable {
        /// The damaged file's new name.
        public internal(set) var file: String
        /// Positions of the log that could not be read.
        public internal(set) var positions: [ClosedRange<Int64>] = []
        /// Rows of other tables that could not be read, about.
        public internal(set) var otherRowCount = 0
    }

    /// These are sentences for the log, the worst first; empty where all is as it was left.
    public var sentences: [String] {
        var sentences: [String] = []
        if let range = newlyLost {
            sentences.append(
                "ACKNOWLEDGED RECORDS ARE LOST: the log ends at \(range.lowerBound - 1) and was durable "
                    + "through \(range.upperBound)")
        }
        if isForked {
            sentences.append(
                "the log is another one than this directory's mark is of: was a backup put here?")
        }
        if let salvage {
            let ranges = salvage.positions.map { "\($0.lowerBound) to \($0.upperBound)" }
            sentences.append(
                "the file was damaged and is kept as \(salvage.file); what could be read goes on; "
                    + "lost of the log: \(ranges.isEmpty ? "nothing" : ranges.joined(separator: ", ")); "
                    + "other rows lost: \(salvage.otherRowCount)")
        }
        sentences += damage.map { "the file is damaged: \($0)" }
        if isMarkDamaged {
            sentences.append("leeway.mark is damaged; a lost end of the log would not be noticed")
        }
        return sentences
    }
}
