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
    /// Replaces windows by what they are with their late rows, or adds ones that had no rows before.
    ///
    /// - Parameter changed: In any order, each newer than what is before the oldest retained window.
    /// - Returns: The verdicts of all windows, the oldest first; of those beyond `retainedCountMax`, which
    ///   are no longer retained then, too.
    public mutating func restate(_ changed: [DriftWindow]) -> [BudgetVerdict] {
        for window in changed {
            let place = windows.firstIndex { $0.index >= window.index } ?? windows.count
            if place < windows.count, windows[place].index == window.index {
                windows[place] = window
            } else {
                windows.insert(window, at: place)
            }
        }
        var detector = base
        let verdicts = windows.map { detector.absorb($0) }
        current = detector
        while windows.count > retainedCountMax { _ = base.absorb(windows.removeFirst()) }
        return verdicts
    }
}
