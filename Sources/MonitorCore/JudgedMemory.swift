import ByteCoding
import MonitoringDomain
import RuleEvaluation
import WindowAggregation

/// This is what rules read of one model's windows lately, and the log of what late rows made of it.
///
/// It guarantees that a window is measured again only while what it was compared with is the same. A pane
/// that was open when the window was judged counts with the rows that it has now.
struct JudgedMemory: Sendable, Equatable {
    /// Judged windows that are kept; the oldest goes first, and late rows no longer restate it.
    ///
    /// At 200 questions a minute these are five minutes.
    static let windowCountMax = 1_000
    /// Restatements that are kept for a reader; the oldest goes first.
    static let restatementCountMax = 1_000
    /// Late rows that keep coming restate at most once in this time, so that they cost no more than the
    /// rules themselves do; milliseconds.
    static let intervalMilliseconds = WindowSpan.minute

    private var windows: [JudgedWindow] = []
    /// These are the restated windows, oldest first.
    private(set) var restatements: [Restatement] = []
    /// The reference that `windows` rest on.
    private var reference: String?
    private var restatedAt: EventTime?

    var isEmpty: Bool { windows.isEmpty && restatements.isEmpty }

    init() {}

    func isDue(at now: EventTime) -> Bool {
        restatedAt.map { now.milliseconds(since: $0) >= Self.intervalMilliseconds } ?? true
    }

    /// Remembers what rules read.
    mutating func add(_ judged: [JudgedWindow], reference: String?) {
        guard !judged.isEmpty else { return }
        if reference != self.reference {
            windows = []
            self.reference = reference
        }
        for one in judged {
            if let index = recentIndex(of: one) {
                windows[index].reading = one.reading
                for group in one.groups where !windows[index].groups.contains(group) {
                    windows[index].groups.append(group)
                }
            } else {
                windows.append(one)
            }
        }
        // In one go, because removing from the front moves everything.
        if windows.count > Self.windowCountMax {
            windows.removeFirst(windows.count - Self.windowCountMax)
        }
    }

    /// Two groups, or two rules, may ask the same; only the newest windows can be the same ones.
    private func recentIndex(of judged: JudgedWindow) -> Int? {
        var index = windows.endIndex
        while index > windows.startIndex {
            index -= 1
            guard windows[index].window.end == judged.window.end else { return nil }
            if windows[index].query == judged.query, windows[index].window == judged.window {
                return index
            }
        }
        return nil
    }

    /// Measures the judged windows again that late rows touched.
    ///
    /// - Parameters:
    ///   - range: From the first to the last pane that late rows changed; nil for none.
    ///   - state: The model with the late rows.
    ///   - now: The rules' time.
    /// - Returns: The names of the groups that read what is another value now.
    mutating func restate(
        _ range: TimeWindow?, of state: ModelCollector, at now: EventTime
    ) -> Set<String> {
        guard let range, !windows.isEmpty else { return [] }
        restatedAt = now
        guard state.aggregator.reference?.id == reference else {
            windows = []
            return []
        }
        var groups: Set<String> = []
        windows.removeAll { state.aggregator.wholePanes(of: $0.window) != $0.window }
        for (index, judged) in windows.enumerated()
        where judged.window.start < range.end && range.start < judged.window.end {
            let reading = state.measure(judged.query, window: judged.window).reading
            guard reading != judged.reading else { continue }
            windows[index].reading = reading
            restatements.append(
                Restatement(
                    query: judged.query, window: judged.window, old: judged.reading, new: reading,
                    restatedAt: now))
            groups.formUnion(judged.groups)
        }
        if restatements.count > Self.restatementCountMax {
            restatements.removeFirst(restatements.count - Self.restatementCountMax)
        }
        return groups
    }

    // MARK: - Snapshot

    func encode(to writer: inout ByteWriter) {
        writer.write(reference)
        writer.write(restatedAt != nil)
        writer.write(restatedAt?.milliseconds ?? 0)
        writer.writeCount(windows.count)
        for window in windows { window.encode(to: &writer) }
        writer.writeCount(restatements.count)
        for restatement in restatements { restatement.encode(to: &writer) }
    }

    init(decoding reader: inout ByteReader, model: ModelID) throws(ByteReadingError) {
        reference = try reader.readOptionalText()
        let hasTime = try reader.readBool()
        let time: Int64 = try reader.read()
        restatedAt = hasTime ? EventTime(milliseconds: time) : nil
        let windowCount = try reader.readCount()
        for _ in 0..<windowCount {
            windows.append(try JudgedWindow(decoding: &reader, model: model))
        }
        let restatementCount = try reader.readCount()
        for _ in 0..<restatementCount {
            restatements.append(try Restatement(decoding: &reader, model: model))
        }
    }
}
