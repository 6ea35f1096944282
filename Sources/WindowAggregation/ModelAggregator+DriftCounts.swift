public import MonitoringDomain
import StreamingStatistics

/// This is whose distribution a drift detector watches.
public struct DriftStreamName: Hashable, Sendable {
    /// The feature's name, or `prediction`.
    public let feature: String
    /// The slice; nil for the whole traffic.
    public let segment: Segment?

    /// Compares the bytes of names.
    public static func == (left: Self, right: Self) -> Bool {
        left.feature.isExactly(right.feature) && left.segment == right.segment
    }

    /// Hashes the bytes of the names.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(ExactText(feature))
        hasher.combine(segment)
    }

    /// Names a stream.
    public init(feature: String, segment: Segment?) {
        self.feature = feature
        self.segment = segment
    }
}

/// This is what a drift detector needs to know of one feature of the reference, or of the prediction.
public struct DriftSubjectReference: Equatable, Sendable {
    /// Of what, and of which slice.
    public let name: DriftStreamName
    /// [binCount]: the reference's rows in coarse bins, missing values last.
    public let counts: [UInt64]
    /// True for numbers, whose bins have an order.
    public let isOrdered: Bool
}

extension ModelAggregator {
    /// Categories that keep a bin of their own for drift detectors, the reference's most frequent ones:
    /// among more bins the evidence would be shared too thinly.
    static let driftCategoryCountMax = 20

    /// These are the subjects that a detector can watch: the names that the reference knows, each once, of the
    /// whole traffic or of each segment that has a reference of its own.
    ///
    /// - Parameters:
    ///   - slicing: What is wanted; what the reference does not know is left out.
    ///   - countMax: Subjects at most: a segment whose subjects would be more is left out, with all that have
    ///     fewer rows in the reference.
    /// - Returns: The segments with the most rows first; of each, in the order of the reference, then of the
    ///   names.
    public func driftSubjects(
        _ slicing: DriftSlicing, countMax: Int = .max
    ) -> [DriftSubjectReference] {
        guard let reference else { return [] }
        guard let key = slicing.segmentKey else {
            return Array(subjects(slicing, nil, reference).prefix(countMax))
        }
        let known = reference.segments.known.map(\.segment).filter { $0.key == key }
        let owned = known.compactMap { segment -> (Segment, ModelReference)? in
            guard case .own(let own) = self.reference(of: segment, in: reference) else {
                return nil
            }
            return (segment, own)
        }
        var subjects: [DriftSubjectReference] = []
        for (segment, own) in owned.sorted(by: {
            ($1.1.rowCount, $0.0) < ($0.1.rowCount, $1.0)
        }) {
            let more = self.subjects(slicing, segment, own)
            guard subjects.count + more.count <= countMax else { break }
            subjects += more
        }
        return subjects
    }

    private func subjects(
        _ slicing: DriftSlicing, _ segment: Segment?, _ reference: ModelReference
    ) -> [DriftSubjectReference] {
        var wanted = slicing.watchesFeatures ? reference.features.map(\.name) : []
        for name in slicing.names where !wanted.containsExactly(name) { wanted.append(name) }
        return wanted.compactMap { name in
            guard let subject = reference.subject(named: name) else { return nil }
            let content = subject.content
            let isOrdered =
                switch content {
                case .numeric: true
                case .categorical: false
                }
            return DriftSubjectReference(
                name: DriftStreamName(feature: name, segment: segment),
                counts: Self.coarse(reference.profile(of: subject), content),
                isOrdered: isOrdered)
        }
    }

    /// This is why a segment has no reference of its own; nil where it has.
    public func driftAbsence(of segment: Segment) -> Reading? {
        guard let reference else { return .undefined(reason: "no reference is pinned") }
        switch self.reference(of: segment, in: reference) {
        case .own: return nil
        case .keyUnknown(let reading), .absent(let reading): return reading
        }
    }

    /// These are a window's rows of a version in the subjects' coarse bins.
    ///
    /// - Parameters:
    ///   - names: The subjects; the panes of a segment are merged once for neighbours of it.
    ///   - version: The version; nil for all together.
    ///   - window: The interval whose panes count.
    /// - Returns: By name as asked, nil where the subject is unknown, where the window has no rows, and where it
    ///   cuts a rolled-up pane.
    public func driftCounts(
        of names: [DriftStreamName], version: String?, window: TimeWindow
    ) -> [[UInt64]?] {
        var counts: [[UInt64]?] = []
        counts.reserveCapacity(names.count)
        var start = 0
        while start < names.count {
            let segment = names[start].segment
            let end = names[start...].firstIndex { $0.segment != segment } ?? names.count
            counts += driftCounts(
                of: names[start..<end].map(\.feature),
                PaneSelection(version: version, segment: segment, window: window))
            start = end
        }
        return counts
    }

    private func driftCounts(
        of features: [String], _ selection: PaneSelection
    ) -> [[UInt64]?] {
        guard let reference,
            case .own(let own) = self.reference(of: selection.segment, in: reference)
        else { return features.map { _ in nil } }
        let subjects = features.map { own.subject(named: $0) }
        var merged = subjects.map { $0?.content.emptyProfile }
        let coverage = forEachPane(selection) { pane in
            for (index, subject) in subjects.enumerated() {
                guard let profile = subject?.profile(of: pane) else { continue }
                merged[index]?.merge(profile)
            }
        }
        guard coverage.reason == nil else { return features.map { _ in nil } }
        return zip(merged, subjects).map { profile, subject in
            guard let profile, let subject, profile.rowCount > 0 else { return nil }
            return Self.coarse(profile, subject.content)
        }
    }

    /// These are a version's rows in a range, by the start of the aligned window of `span` that their pane
    /// lies in; windows without rows, and those that a rolled-up pane cuts, are not there.
    public func rowCounts(
        version: String, in range: TimeWindow, span: WindowSpan
    ) -> [(start: EventTime, count: UInt64)] {
        var counts: [(start: EventTime, count: UInt64)] = []
        var current: TimeWindow?
        var cutUntil = EventTime(milliseconds: .min)
        forEachPane(ofVersion: version, window: range) { bounds, isRolledUp, pane in
            guard pane.predictionCount > 0 else { return }
            let window: TimeWindow
            if let known = current, known.contains(bounds.start) {
                window = known
            } else {
                window = span.window(containing: bounds.start)
                current = window
            }
            if isRolledUp, bounds.end > window.end {
                cutUntil = max(cutUntil, bounds.end)
                if counts.last?.start == window.start { counts.removeLast() }
            }
            guard window.start >= cutUntil else { return }
            if counts.last?.start == window.start {
                counts[counts.count - 1].count += pane.predictionCount
            } else {
                counts.append((window.start, pane.predictionCount))
            }
        }
        return counts
    }

    /// This is from a version's first pane's start to its last one's end; nil without rows.
    public func extent(ofVersion version: String) -> TimeWindow? {
        guard let all = extent else { return nil }
        var extent: TimeWindow?
        forEachPane(ofVersion: version, window: all) { bounds, _, _ in
            extent = TimeWindow(
                start: min(extent?.start ?? bounds.start, bounds.start), end: bounds.end)
        }
        return extent
    }

    /// Visits the panes of a version's whole traffic whose start lies in the window, in order.
    private func forEachPane(
        ofVersion version: String, window: TimeWindow,
        _ body: (_ bounds: TimeWindow, _ isRolledUp: Bool, _ pane: PaneProfile) -> Void
    ) {
        guard
            let one = series.first(where: {
                $0.key.segment == nil && versions[$0.key.version] == version
            })
        else { return }
        // The coarse levels hold the older panes.
        for (level, panes) in one.levels.enumerated().reversed() {
            let first = window.start.advanced(byMilliseconds: levels.spans[level] - 1)
            var place = panes.place(of: levels.number(of: first.milliseconds, level: level))
            while place < panes.numbers.count {
                let bounds = levels.window(of: panes.numbers[place], level: level)
                guard bounds.start < window.end else { break }
                body(bounds, level > 0, panes.profiles[place])
                place += 1
            }
        }
    }

    /// [≤ 100]: deciles with atoms of their own and missing; or the frequent categories, the rest, unseen
    /// ones, missing.
    private static func coarse(
        _ profile: FeatureProfile, _ content: FeatureReference.Content
    ) -> [UInt64] {
        switch (profile, content) {
        case (.numeric(let numeric), .numeric(let reference)):
            return numeric.stabilityCounts(reference.edges)
        case (.categorical(let categorical), .categorical(let reference)):
            let categoryCount = reference.categories.count
            let frequent = (0..<categoryCount).sorted {
                (reference.profile.counts[$1], $0) < (reference.profile.counts[$0], $1)
            }.prefix(driftCategoryCountMax)
            var counts = frequent.map { categorical.counts[$0] }
            let all = categorical.counts[..<categoryCount].reduce(0, +)
            counts.append(all - counts.reduce(0, +))
            return counts + [categorical.counts[categoryCount], categorical.missing]
        case (.numeric, .categorical), (.categorical, .numeric):
            preconditionFailure("a feature and its reference are of one kind")
        }
    }
}
