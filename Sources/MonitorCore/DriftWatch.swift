import MonitoringDomain
import StreamingStatistics
import WindowAggregation

/// This is one budgeted detector at work: of a model's newest version, for one rule group and one length of
/// windows; over all features of the whole traffic and of the segments that the group's rules watch.
///
/// Windows are judged in order as they end by the rules' clock. Late rows restate: all windows from the first
/// one touched are judged again from the state before it, bit for bit as if the rows had come in time; what
/// the detector said of them before is forgotten. Its limit: rows that are later than the newest
/// `retainedCountMax` windows with rows change nothing here.
struct DriftWatch: Equatable, Sendable {
    /// Windows with rows that can be judged again.
    static let retainedCountMax = 32
    /// Streams of one detector, each a feature of a slice: about 9 MB of evidence.
    ///
    /// Beyond, segments that have the fewest rows in the reference are not watched.
    static let streamCountMax = 2_000
    /// Windows judged at one tick; the rest waits for the next one, so that a tick's time is bounded.
    static let windowCountMax = 64

    /// This is what must stay the same, or the detector begins afresh.
    struct Identity: Equatable, Sendable {
        let plan: DriftPlan
        let version: String
        let reference: String
    }

    /// This is one judged window.
    struct Judged: Equatable, Sendable {
        let start: EventTime
        var rowCount: UInt64
        /// Rows of the earlier window that it is compared with; 0 where the reference stays.
        var movingRowCount: UInt64 = 0
        var isRevised: Bool
        var verdict: BudgetVerdict
    }

    let identity: Identity
    /// Which windows are compared with each other; nil where the reference stays.
    let pairs: MovingPairs?
    /// The streams' names, in the detector's order.
    let names: [DriftStreamName]
    let referenceCount: UInt64
    var history: BudgetedHistory
    /// The retained windows, as in `history`.
    var judged: [Judged] = []
    /// Where the next window begins.
    var next: EventTime
    /// Where the oldest window begins that late rows can still change.
    var oldest: EventTime
    /// The model's rows and the minute when late rows were last looked for.
    var lastLook: (recordCount: UInt64, minute: Int64) = (0, .min)

    static func == (left: Self, right: Self) -> Bool {
        left.identity == right.identity && left.pairs == right.pairs && left.names == right.names
            && left.referenceCount == right.referenceCount && left.history == right.history
            && left.judged == right.judged && left.next == right.next
            && left.oldest == right.oldest
            && left.lastLook == right.lastLook
    }

    var span: WindowSpan { .milliseconds(identity.plan.span) }

    /// Nil while the model has no reference, no row, or nothing that the plan watches; and where a reference
    /// moves by a distance that the windows do not divide.
    init?(_ plan: DriftPlan, _ state: ModelCollector) {
        guard let identity = Self.identity(plan, state), let reference = state.aggregator.reference,
            let extent = state.aggregator.extent(ofVersion: identity.version)
        else { return nil }
        var subjects: [DriftSubjectReference] = []
        for slicing in plan.slicings {
            subjects += state.aggregator.driftSubjects(
                slicing, countMax: Self.streamCountMax - subjects.count)
        }
        pairs = reference.moving.flatMap { MovingPairs($0, span: plan.span) }
        guard reference.moving == nil || pairs != nil,
            let detector = Self.detector(plan, subjects, state, isMoving: pairs != nil)
        else { return nil }
        self.identity = identity
        names = subjects.map(\.name)
        referenceCount = UInt64(clamping: reference.rowCount)
        history = BudgetedHistory(detector, retainedCountMax: Self.retainedCountMax)
        let span = WindowSpan.milliseconds(plan.span)
        let first = span.window(containing: extent.start).start
        // Rows that a reference was learned from are no new evidence against it; a window before moves.
        if pairs == nil, let learned = reference.learnedThrough, learned >= first {
            next = span.window(containing: learned).end
        } else {
            next = first
        }
        oldest = next
    }

    init(
        identity: Identity, pairs: MovingPairs?, names: [DriftStreamName], referenceCount: UInt64,
        history: BudgetedHistory, next: EventTime, oldest: EventTime
    ) {
        self.identity = identity
        self.pairs = pairs
        self.names = names
        self.referenceCount = referenceCount
        self.history = history
        self.next = next
        self.oldest = oldest
    }

    static func identity(_ plan: DriftPlan, _ state: ModelCollector) -> Identity? {
        guard let version = state.aggregator.newestVersion,
            let reference = state.aggregator.reference?.id
        else { return nil }
        return Identity(plan: plan, version: version, reference: reference)
    }

    private static func detector(
        _ plan: DriftPlan, _ subjects: [DriftSubjectReference], _ state: ModelCollector,
        isMoving: Bool
    ) -> BudgetedDetector? {
        guard !subjects.isEmpty, let level = level(plan, streamCount: subjects.count) else {
            return nil
        }
        return BudgetedDetector(
            streams: DriftCalibration.streams(subjects, plan, state), level: level,
            null: null(of: plan),
            seed: seed(of: "\(state.schema.model)/\(plan.group)/\(plan.span)"),
            isMoving: isMoving)
    }

    static func null(of plan: DriftPlan) -> BudgetedDetector.Null {
        switch plan.budget.null {
        case .rows: .withinTolerance
        case .windows: .exchangeableWindows
        }
    }

    static func level(_ plan: DriftPlan, streamCount: Int) -> BudgetLevel? {
        guard
            let tolerance = DriftTolerance(
                psi: plan.budget.psiTolerance, ks: plan.budget.ksTolerance),
            let budget = AlertBudget(
                falseAlarmCount: plan.budget.falseAlarmCount,
                per: .milliseconds(plan.budget.periodMilliseconds), tolerance: tolerance),
            streamCount > 0
        else { return nil }
        return budget.level(
            window: .milliseconds(plan.span), streamCount: streamCount,
            sharerCount: plan.sharerCount)
    }

    /// FNV-1a, so that a replay draws the same and two detectors differ.
    static func seed(of text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    // MARK: - Judging

    /// Judges the windows that have ended by `now`, and those again that late rows touched.
    mutating func advance(_ state: ModelCollector, to now: EventTime) {
        let minute = now.milliseconds / WindowSpan.minute
        let hasEnded = end(of: next) <= now
        if state.recordCount != lastLook.recordCount, hasEnded || minute != lastLook.minute {
            lastLook = (state.recordCount, minute)
            restate(state)
        }
        guard hasEnded else { return }
        let limit = span.window(containing: now).start
        let windows = state.aggregator.rowCounts(
            version: identity.version, in: TimeWindow(start: next, end: limit), span: span)
        for (start, count) in windows.prefix(Self.windowCountMax) {
            let verdict = history.absorb(window(start, state))
            judged.append(
                Judged(
                    start: start, rowCount: count, movingRowCount: movingRowCount(start, state),
                    isRevised: false, verdict: verdict))
        }
        trim()
        // Windows without rows are no step of the detector and are passed over.
        if windows.count > Self.windowCountMax {
            next = windows[Self.windowCountMax].start
        } else {
            next = limit
        }
    }

    private func end(of start: EventTime) -> EventTime {
        start.advanced(byMilliseconds: identity.plan.span)
    }

    private func window(_ start: EventTime, _ state: ModelCollector) -> DriftWindow {
        let window = TimeWindow(start: start, end: end(of: start))
        let counts = state.aggregator.driftCounts(
            of: names, version: identity.version, window: window)
        let moving = pairs.map { pairs in
            DriftWindow.Moving(
                counts: state.aggregator.driftCounts(
                    of: names, version: identity.version, window: pairs.reference(of: window)),
                phase: pairs.phase(of: start))
        }
        return DriftWindow(
            index: Self.index(of: start), counts: counts,
            seasonClass: identity.plan.budget.season.classIndex(
                of: start, span: identity.plan.span), moving: moving)
    }

    private func movingRowCount(_ start: EventTime, _ state: ModelCollector) -> UInt64 {
        guard let pairs else { return 0 }
        let window = pairs.reference(of: TimeWindow(start: start, end: end(of: start)))
        return state.aggregator.rowCounts(version: identity.version, in: window, span: span)
            .reduce(0) { $0 + $1.count }
    }

    /// Ascending with time, also before 1970.
    static func index(of start: EventTime) -> UInt64 {
        UInt64(bitPattern: start.milliseconds ^ .min)
    }

    private mutating func restate(_ state: ModelCollector) {
        guard oldest < next else { return }
        let known = Dictionary(
            judged.map { ($0.start, ($0.rowCount, $0.movingRowCount)) },
            uniquingKeysWith: { first, _ in first })
        let changed = state.aggregator.rowCounts(
            version: identity.version, in: TimeWindow(start: oldest, end: next), span: span
        ).map { (start: $0.start, count: $0.count, moving: movingRowCount($0.start, state)) }
            .filter { known[$0.start].map { $0.0 } != $0.count || known[$0.start]?.1 != $0.moving }
        guard !changed.isEmpty else { return }
        let verdicts = history.restate(changed.map { window($0.start, state) })
        for (start, count, moving) in changed {
            let place = judged.firstIndex { $0.start >= start } ?? judged.count
            let isKnown = place < judged.count && judged[place].start == start
            if !isKnown {
                judged.insert(
                    Judged(start: start, rowCount: count, isRevised: true, verdict: verdicts[0]),
                    at: place)
            }
            judged[place].rowCount = count
            judged[place].movingRowCount = moving
            judged[place].isRevised = true
        }
        for (index, verdict) in verdicts.enumerated() { judged[index].verdict = verdict }
        trim()
    }

    private mutating func trim() {
        guard judged.count > Self.retainedCountMax else { return }
        judged.removeFirst(judged.count - Self.retainedCountMax)
        oldest = judged[0].start
    }
}
