public import MonitoringDomain
import StreamingStatistics

/// This is which panes a question is about.
struct PaneSelection: Equatable {
    var version: String?
    var segment: Segment?
    var window: TimeWindow
}

/// This is how far the panes that are kept can answer a question.
enum PaneCoverage: Equatable {
    case whole
    /// A rolled-up pane lies partly inside the window.
    case cut(TimeWindow)
    /// The window begins before everything that is kept.
    case expired(EventTime)
    /// The key is none of the declared ones.
    case unknownKey(String)

    /// Nil when the panes answer exactly.
    var reason: String? {
        switch self {
        case .whole: nil
        case .cut(let pane):
            "the window cuts the rolled-up pane from \(pane.start) to \(pane.end); ask for whole ones"
        case .expired(let oldest): "rows before \(oldest) are no longer kept"
        case .unknownKey(let key): "\"\(key)\" is not a declared segment key"
        }
    }
}

extension ModelAggregator {
    /// Visits the panes of a selection.
    ///
    /// Panes of the model's own span count when they begin in the window; rolled-up ones must lie in it.
    func forEachPane(_ selection: PaneSelection, _ body: (PaneProfile) -> Void) -> PaneCoverage {
        let window = selection.window
        if let oldest = levels.cuts.last, oldest > .min, window.start.milliseconds < oldest {
            return .expired(EventTime(milliseconds: oldest))
        }
        var version = selection.version
        var segment: SegmentCode?
        if let wanted = selection.segment {
            if wanted.key == "version" {
                guard version == nil || version == wanted.value else { return .whole }
                version = wanted.value
            } else {
                guard let key = segments.keys.firstIndex(of: wanted.key) else {
                    return .unknownKey(wanted.key)
                }
                let code = segments.code(of: wanted.value, key: key)
                guard code != SegmentTable.other || wanted.value == Segment.other else {
                    return .whole
                }
                segment = SegmentCode(key: key, value: code)
            }
        }
        for one in series where one.key.segment == segment {
            guard version == nil || versions[one.key.version] == version else { continue }
            for (level, panes) in one.levels.enumerated() where !panes.numbers.isEmpty {
                if let pane = visit(panes, level: level, window, body) { return .cut(pane) }
            }
        }
        return .whole
    }

    /// Nil, or a pane that the window cuts.
    private func visit(
        _ panes: Panes, level: Int, _ window: TimeWindow, _ body: (PaneProfile) -> Void
    ) -> TimeWindow? {
        // The first pane that begins in the window; of rolled-up ones the one before too, to see it cut.
        let first =
            level > 0
            ? window.start : window.start.advanced(byMilliseconds: levels.spans[0] - 1)
        var place = panes.place(of: levels.number(of: first.milliseconds, level: level))
        while place < panes.numbers.count {
            let pane = levels.window(of: panes.numbers[place], level: level)
            guard pane.start < window.end else { break }
            if level > 0, pane.start < window.start || pane.end > window.end { return pane }
            body(panes.profiles[place])
            place += 1
        }
        return nil
    }

    /// This is the part of a sliding window that whole panes answer: where the window's start lies inside
    /// a rolled-up pane, it moves to that pane's end, and to the first instant that is kept.
    public func wholePanes(of window: TimeWindow) -> TimeWindow { levels.wholePanes(of: window) }

    /// This is the totals of a version's outcomes in a window, over the whole panes in it.
    public func outcomeSummary(version: String, window: TimeWindow) -> OutcomeSummary {
        var summary = OutcomeSummary()
        var regression = RegressionOutcomes()
        _ = forEachPane(PaneSelection(version: version, window: wholePanes(of: window))) { pane in
            summary.count += pane.outcomes.binary.count + pane.outcomes.regression.count
            summary.correct += pane.outcomes.binary.correct
            regression.merge(pane.outcomes.regression)
        }
        summary.absoluteErrorSum = regression.absoluteSum.value
        // |e|² = e², so the squared errors serve.
        summary.absoluteErrorSquareSum = regression.squaredSum.value
        return summary
    }
}
