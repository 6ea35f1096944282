import MonitoringDomain
import StreamingStatistics
import WindowAggregation

/// This is which windows a reference that moves compares with each other, in pairs that do not overlap.
struct MovingPairs: Equatable, Sendable {
    let moving: MovingReference
    /// Milliseconds of a window.
    let span: Int64
    /// Milliseconds from a window back to the one that it is compared with.
    let distance: Int64

    /// Nil where windows and those that they are compared with would overlap in part.
    init?(_ moving: MovingReference, span: Int64) {
        switch moving {
        case .previous: distance = span
        case .sameHoursLastWeek:
            guard WindowSpan.week % span == 0 else { return nil }
            distance = WindowSpan.week
        }
        self.moving = moving
        self.span = span
    }

    func reference(of window: TimeWindow) -> TimeWindow { moving.window(for: window) }

    /// The stretches of `distance` are numbered; windows of the odd ones are compared with those of the even
    /// ones before, and the other way round.
    func phase(of start: EventTime) -> Int {
        let rest = start.milliseconds % (2 &* distance)
        return (rest < 0 ? rest &+ 2 &* distance : rest) < distance ? 0 : 1
    }
}

/// This is what quiet windows the null of windows begins with: those of the reference's own span of
/// production, as far as their panes are kept.
///
/// Of each season class the first quarter makes the centre and the others calibrate, so that these and those
/// to come are compared with a centre that none of them is in. The bins are made of all of them; since the
/// shares of the two parts then lean to opposite sides, that errs towards fewer alarms. A class with one
/// window or none keeps the whole reference as its centre and learns from the windows to come.
enum DriftCalibration {
    /// The newest windows that are looked at.
    static let windowCountMax = 1_024

    /// The subjects as streams; those of the null of rows need no windows.
    static func streams(
        _ subjects: [DriftSubjectReference], _ plan: DriftPlan, _ state: ModelCollector
    ) -> [DriftStream] {
        let season = plan.budget.season
        let classCount = season.classCount(span: plan.span)
        let isOfWindows = plan.budget.null == .windows
        let quiet = isOfWindows ? windows(subjects, plan, state) : []
        return subjects.indices.map { index in
            let subject = subjects[index]
            guard isOfWindows, !quiet.isEmpty else {
                return DriftStream(
                    referenceCounts: [subject.counts], isOrdered: subject.isOrdered,
                    calibrationScores: isOfWindows ? Array(repeating: [], count: classCount) : [])
            }
            var centres = Array(repeating: subject.counts, count: classCount)
            var scores = Array(repeating: [Double](), count: classCount)
            for seasonClass in 0..<classCount {
                let counts = quiet.filter { $0.seasonClass == seasonClass }
                    .compactMap { $0.counts[index] }
                guard counts.count > 1 else { continue }
                let centreCount = max(1, counts.count / 4)
                centres[seasonClass] = counts[1..<centreCount].reduce(counts[0]) {
                    zip($0, $1).map(+)
                }
                scores[seasonClass] = counts[centreCount...].compactMap {
                    DriftStream.score($0, against: centres[seasonClass])
                }
            }
            return DriftStream(
                referenceCounts: centres, isOrdered: subject.isOrdered, calibrationScores: scores)
        }
    }

    private static func windows(
        _ subjects: [DriftSubjectReference], _ plan: DriftPlan, _ state: ModelCollector
    ) -> [DriftWindow] {
        guard let reference = state.aggregator.reference, reference.moving == nil,
            let span = reference.outcomeWindow
        else { return [] }
        let names = subjects.map(\.name)
        let length = WindowSpan.milliseconds(plan.span)
        var window = length.window(containing: span.start)
        if window.start < span.start { window = length.window(containing: window.end) }
        let skipped =
            span.end.milliseconds(since: window.start) / plan.span - Int64(windowCountMax)
        if skipped > 0 {
            let start = window.start.advanced(byMilliseconds: skipped &* plan.span)
            window = length.window(containing: start)
        }
        var windows: [DriftWindow] = []
        while window.end <= span.end, windows.count < windowCountMax {
            // Of all versions, as the reference's rows are.
            let counts = state.aggregator.driftCounts(of: names, version: nil, window: window)
            if counts.contains(where: { $0 != nil }) {
                windows.append(
                    DriftWindow(
                        index: DriftWatch.index(of: window.start), counts: counts,
                        seasonClass: plan.budget.season.classIndex(
                            of: window.start, span: plan.span)))
            }
            window = length.window(containing: window.end)
        }
        return windows
    }
}
