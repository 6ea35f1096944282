import MonitoringDomain

/// This is how many panes are kept at each granularity before they are rolled up to the next.
///
/// Panes that hold rows are counted, not time: one record from a wrong clock takes one pane's place and
/// pushes nothing else out. So what is kept depends on which panes have rows, not on the order in which
/// they came.
public struct PaneRetention: Sendable, Equatable {
    /// Panes of the model's own span; older ones are merged to hours, or to days where that span is no
    /// divisor of an hour.
    public var finestCountMax: Int
    /// Hours; older ones are merged to days.
    public var hourCountMax: Int
    /// Days; older ones are dropped, and windows that reach back so far say so.
    public var dayCountMax: Int
    /// Profiles of one feature in one pane over all versions and segments, at each granularity; where
    /// there are many segments, fewer panes are kept, but at least `paneCountMin`.
    public var profileCountMax: Int

    /// Panes of a granularity that are kept however many segments there are.
    static let paneCountMin = 8

    /// Makes the usual retention, unless told otherwise: two days of minutes, a month of hours, and a
    /// little over two years of days.
    public init(
        finestCountMax: Int = 2_880, hourCountMax: Int = 768, dayCountMax: Int = 800,
        profileCountMax: Int = 1_000_000
    ) {
        self.finestCountMax = finestCountMax
        self.hourCountMax = hourCountMax
        self.dayCountMax = dayCountMax
        self.profileCountMax = profileCountMax
    }

    /// By level: how many panes are kept when every pane holds so many profiles.
    func countMax(levels: PaneLevels, profilesPerPane: Int) -> [Int] {
        let room = max(Self.paneCountMin, profileCountMax / max(1, profilesPerPane))
        return levels.spans.enumerated().map { index, span in
            let wanted =
                index == levels.spans.count - 1
                ? dayCountMax : span == WindowSpan.hour ? hourCountMax : finestCountMax
            return max(1, min(wanted, room))
        }
    }
}

/// This is the granularities of a model's panes, finest first, and from when on each is kept.
struct PaneLevels: Sendable, Equatable {
    /// In milliseconds; each divides the next, and the last is a day.
    let spans: [Int64]
    /// By level: the first instant that is kept at this level; a multiple of the next level's span.
    ///
    /// Earlier instants are kept at a coarser level; before the last cut at none. Never decreases with
    /// time, never increases with the level.
    var cuts: [Int64]

    init(paneMilliseconds: Int64) {
        var spans = [paneMilliseconds]
        if paneMilliseconds < WindowSpan.hour, WindowSpan.hour % paneMilliseconds == 0 {
            spans.append(WindowSpan.hour)
        }
        if paneMilliseconds < WindowSpan.day { spans.append(WindowSpan.day) }
        self.spans = spans
        cuts = spans.map { _ in .min }
    }

    /// This is where an instant is kept; nil when it is older than everything kept.
    func level(of milliseconds: Int64) -> Int? {
        cuts.firstIndex { milliseconds >= $0 }
    }

    /// This is the number of the pane, of a level, that holds an instant.
    func number(of milliseconds: Int64, level: Int) -> Int64 {
        let (quotient, remainder) = milliseconds.quotientAndRemainder(dividingBy: spans[level])
        return remainder < 0 ? quotient - 1 : quotient
    }

    func start(of number: Int64, level: Int) -> EventTime {
        let (start, isOverflow) = number.multipliedReportingOverflow(by: spans[level])
        return EventTime(milliseconds: isOverflow ? (number < 0 ? .min : .max) : start)
    }

    func window(of number: Int64, level: Int) -> TimeWindow {
        let start = start(of: number, level: level)
        return TimeWindow(start: start, end: start.advanced(byMilliseconds: spans[level]))
    }

    /// This is the window without the part of its first pane, where that pane is a rolled-up one, and
    /// without what is no longer kept.
    func wholePanes(of window: TimeWindow) -> TimeWindow {
        var start = window.start
        if let oldest = cuts.last, start.milliseconds < oldest {
            start = EventTime(milliseconds: oldest)
        }
        if let level = level(of: start.milliseconds), level > 0 {
            let pane = self.window(of: number(of: start.milliseconds, level: level), level: level)
            if pane.start < start { start = pane.end }
        }
        return TimeWindow(start: min(start, window.end), end: window.end)
    }
}
