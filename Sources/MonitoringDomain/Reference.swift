/// This is which data a model's reference is to be made of, when no rows are uploaded.
public enum ReferenceSource: Hashable, Sendable {
    /// The production rows of an event-time span.
    case span(TimeWindow)
    /// The first rows of a version, in log order; nil: of all versions.
    case first(count: Int, version: String?)
    /// Another production window for each window, in the bins of the reference before.
    case moving(MovingReference)
}

/// This is the window that a window is compared with when the reference moves along.
public enum MovingReference: String, Hashable, Sendable, CaseIterable {
    /// The window of the same length just before.
    case previous
    /// The window seven days earlier: for models with daily and weekly seasons.
    case sameHoursLastWeek = "same-hours-last-week"

    /// This is the window that `window` is compared with.
    public func window(for window: TimeWindow) -> TimeWindow {
        let distance: Int64
        switch self {
        case .previous:
            let (length, isOverflow) = window.end.milliseconds.subtractingReportingOverflow(
                window.start.milliseconds)
            distance = isOverflow ? .max : length
        case .sameHoursLastWeek: distance = WindowSpan.week
        }
        return TimeWindow(
            start: window.start.advanced(byMilliseconds: -distance),
            end: window.end.advanced(byMilliseconds: -distance))
    }
}
