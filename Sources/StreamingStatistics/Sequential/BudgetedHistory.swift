/// This is a budgeted detector that can take a window back: late rows restate it and all after it.
///
/// It keeps the detector as it was before the oldest retained window, and the windows since; a restatement
/// replays them. The replay is the same code on the same values, so it is bit-identical to what would have
/// been had the late rows come in time.
public struct BudgetedHistory: Equatable, Sendable {
    /// How many windows can be restated.
    public let retainedCountMax: Int
    /// The detector before the oldest retained window.
    public private(set) var base: BudgetedDetector
    /// The retained windows, oldest first.
    public private(set) var windows: [DriftWindow] = []
    /// The detector after all windows.
    public private(set) var current: BudgetedDetector

    /// Starts with a detector.
    ///
    /// - Precondition: `retainedCountMax` is positive.
    public init(_ detector: BudgetedDetector, retainedCountMax: Int) {
        precondition(retainedCountMax > 0, "retainedCountMax \(retainedCountMax)")
        self.retainedCountMax = retainedCountMax
        base = detector
        current = detector
    }

    /// Adds the next window.
    ///
    /// - Precondition: its number is above all before.
    public mutating func absorb(_ window: DriftWindow) -> BudgetVerdict {
        if let last = windows.last {
            precondition(last.index < window.index, "\(window.index) after \(last.index)")
        }
        windows.append(window)
        if windows.count > retainedCountMax { _ = base.absorb(windows.removeFirst()) }
        return current.absorb(window)
    }

    /// Replaces a window by what it is with its late rows.
    ///
    /// - Returns: The verdicts of this window and all after it; nil, and nothing changed, when the window is
    ///   not retained.
    public mutating func restate(_ window: DriftWindow) -> [BudgetVerdict]? {
        guard let place = windows.firstIndex(where: { $0.index == window.index }) else {
            return nil
        }
        windows[place] = window
        current = base
        let verdicts = windows.map { current.absorb($0) }
        return Array(verdicts[place...])
    }
}
