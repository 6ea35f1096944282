public import MonitoringDomain
import StreamingStatistics

/// This is one model's panes: rows are folded in, windows are merged out.
///
/// It guarantees that counts do not depend on the order or the batching of rows, and that storage is
/// bounded: panes are rolled up and dropped by `PaneRetention`, versions and segment values beyond a limit
/// count in `other`. Its limit: a feature that the reference does not know is not profiled, because it has
/// no bins.
///
/// Each version's whole traffic has panes of its own beside those of its segments. It could be merged from
/// the values of one key; but nearly every question is about the whole, at every tick, and would then merge
/// as many times the panes as the key has values. The price is one more count of each row.
public struct ModelAggregator: Sendable {
    /// Versions that are told apart; rows of further ones count in the version `other`.
    public static let versionCountMax = 1_000

    /// This is the newest schema; what the panes were made with is in the reference.
    public internal(set) var schema: ModelSchema
    /// This is what windows are compared with; nil until one is pinned.
    public internal(set) var reference: ModelReference?
    /// In order of first appearance.
    public internal(set) var versions: [String] = []
    /// In order of first appearance.
    var series: [PaneSeries] = []
    var segments: SegmentTable
    var levels: PaneLevels
    let retention: PaneRetention
    /// By level: the numbers of the panes that hold rows or outcomes of any version, sorted.
    var occupied: [[Int64]]
    /// This is the event-time range of panes that late rows changed since `takeRevision`.
    public internal(set) var revision: TimeWindow?
    var indexOfVersion: [ExactText: Int] = [:]
    var indexOfSeries: [SeriesKey: Int] = [:]

    /// Makes an aggregator that counts nothing until a reference is pinned.
    public init(schema: ModelSchema, retention: PaneRetention = PaneRetention()) {
        self.schema = schema
        self.retention = retention
        segments = SegmentTable(keys: schema.segments)
        levels = PaneLevels(paneMilliseconds: schema.paneMilliseconds)
        occupied = levels.spans.map { _ in [] }
    }

    /// Puts a stored aggregator together again; nil where the parts contradict each other.
    init?(
        schema: ModelSchema, retention: PaneRetention, reference: ModelReference?,
        versions: [String], segments: SegmentTable, levels: PaneLevels, series: [PaneSeries],
        revision: TimeWindow?
    ) {
        self.init(schema: schema, retention: retention)
        self.reference = reference
        self.versions = versions
        self.segments = segments
        self.levels = levels
        self.series = series
        self.revision = revision
        for (index, version) in versions.enumerated() { indexOfVersion[ExactText(version)] = index }
        for (index, one) in series.enumerated() { indexOfSeries[one.key] = index }
        guard indexOfVersion.count == versions.count, indexOfSeries.count == series.count else {
            return nil
        }
        occupied = levels.spans.indices.map { level in
            Set(series.flatMap { $0.levels[level].numbers }).sorted()
        }
    }

    /// Takes a schema with more features, or with a task that was learned.
    ///
    /// A reference keeps the task and the positive label it was pinned with, so another task or label
    /// counts from the next reference on; only what a reference without panes did not know is filled in.
    /// Other segment keys count from the next time that the log is folded again.
    ///
    /// - Precondition: the pane's span stays the same once there are panes.
    public mutating func update(schema: ModelSchema) {
        precondition(
            series.isEmpty || schema.paneMilliseconds == self.schema.paneMilliseconds,
            "a pane of \(schema.paneMilliseconds) ms among panes of \(self.schema.paneMilliseconds) ms"
        )
        self.schema = schema
        guard series.isEmpty else { return }
        if levels.spans.first != schema.paneMilliseconds { resetLevels() }
        guard var reference else { return }
        reference.task = reference.task ?? schema.task
        reference.positiveLabel = reference.positiveLabel ?? schema.positiveLabel
        self.reference = reference
    }

    /// Pins a reference and drops all panes: the caller folds the log again.
    public mutating func pin(_ reference: ModelReference) {
        self.reference = reference
        versions = []
        series = []
        indexOfVersion = [:]
        indexOfSeries = [:]
        revision = nil
        resetLevels()
    }

    /// Compares with a window that moves from now on, in the bins of the reference before; panes stay.
    ///
    /// - Precondition: there is a reference.
    public mutating func move(id: String, at time: EventTime, by moving: MovingReference) {
        precondition(reference != nil, "nothing is pinned that could move")
        reference = reference?.moved(id: id, pinnedAt: time, by: moving)
    }

    /// Takes the schema's segment keys, and forgets the values of the ones before.
    ///
    /// - Precondition: there are no panes.
    public mutating func restartSegments() {
        precondition(series.isEmpty, "\(series.count) series hold rows")
        segments = SegmentTable(keys: schema.segments)
    }

    private mutating func resetLevels() {
        levels = PaneLevels(paneMilliseconds: schema.paneMilliseconds)
        occupied = levels.spans.map { _ in [] }
    }

    /// This is the names under which the schema's features are measured, known to the reference or not.
    public var featureNames: [String] { schema.measuredFeatures.map(\.name) }

    /// These are the keys that panes are kept apart by; the schema's from the next folding on.
    public var segmentKeys: [String] { segments.keys }

    /// These are the segments that have rows, by key and then by value, without `version`.
    public var knownSegments: [Segment] {
        Set(series.compactMap { $0.key.segment.map(segment) }).sorted()
    }

    /// These are the values of a segment key that have rows, sorted; `version` is always a key.
    public func segmentValues(of key: String) -> [String] {
        guard key != "version" else { return versions.sorted() }
        return knownSegments.filter { $0.key == key }.map(\.value)
    }

    func segment(of code: SegmentCode) -> Segment {
        Segment(
            key: segments.keys[code.key], value: segments.value(of: code.value, key: code.key))
    }

    /// This is from the first pane's start to the last pane's end; nil without rows.
    public var extent: TimeWindow? {
        var extent: TimeWindow?
        for (level, numbers) in occupied.enumerated() {
            guard let first = numbers.first, let last = numbers.last else { continue }
            let start = levels.window(of: first, level: level).start
            let end = levels.window(of: last, level: level).end
            extent = TimeWindow(
                start: min(extent?.start ?? start, start), end: max(extent?.end ?? end, end))
        }
        return extent
    }

    // MARK: - Folding in

    /// Folds the rows that the join admitted into their panes; the others count as repeats.
    ///
    /// - Parameters:
    ///   - batch: Columns of equal length; features that the reference does not know are passed over, and
    ///     texts and vectors count through the numbers that stand for them.
    ///   - rows: Indices into the batch, strictly increasing.
    ///   - repeats: Indices of rows whose id was known already.
    ///   - judgedAt: Until when windows have been judged: rows before are late.
    public mutating func absorb(
        _ batch: PredictionBatch, rows: [Int], repeats: [Int] = [], judgedAt: EventTime? = nil
    ) {
        guard let reference else { return }
        let batch = batch.measured
        let slices = slices(of: batch)
        if !repeats.isEmpty {
            for group in grouped(batch, repeats, slices) {
                series[group.series].levels[group.level].profiles[group.place]
                    .serving.duplicateCount += UInt64(group.rows.count)
            }
        }
        guard !rows.isEmpty else { return }
        let groups = grouped(batch, rows, slices)
        for group in groups {
            series[group.series].levels[group.level].profiles[group.place].absorb(
                serving: batch, rows: group.rows)
            markLate(group, judgedAt)
        }
        var bins: [UInt16] = []
        absorbFeatures(batch, groups, reference, &bins)
        absorbPredictions(batch, groups, reference, &bins)
        rollUp()
    }

    private mutating func absorbFeatures(
        _ batch: PredictionBatch, _ groups: [Group], _ reference: ModelReference,
        _ bins: inout [UInt16]
    ) {
        var widened: [Double] = []
        for (index, feature) in reference.features.enumerated() {
            switch (feature.content, batch.column(named: feature.name, near: index)) {
            case (.numeric(let numeric), .numeric(let values)?):
                numeric.edges.bins(of: values.span, into: &bins)
                absorb(values, bins, groups, feature: index)
            case (.numeric(let numeric), .single(let values)?):
                widened.replaceSubrange(widened.indices, with: values.lazy.map { Double($0) })
                if let narrow = feature.narrow {
                    narrow.bins(of: values.span, into: &bins)
                } else {
                    numeric.edges.bins(of: widened.span, into: &bins)
                }
                absorb(widened, bins, groups, feature: index)
            case (.categorical(let categorical), .categorical(let texts)?):
                let codes = texts.dictionary.map { categorical.codeOfCategory[ExactText($0)] }
                for group in groups {
                    series[group.series].levels[group.level].profiles[group.place].absorb(
                        texts, codes: codes, rows: group.rows, feature: index)
                }
            case (.numeric, _), (.categorical, _):
                for group in groups {
                    series[group.series].levels[group.level].profiles[group.place].absorbMissing(
                        group.rows.count, feature: index)
                }
            }
        }
    }

    private mutating func absorb(
        _ values: [Double], _ bins: [UInt16], _ groups: [Group], feature index: Int
    ) {
        for group in groups {
            series[group.series].levels[group.level].profiles[group.place].absorb(
                values, bins: bins, rows: group.rows, feature: index)
        }
    }

    private mutating func absorbPredictions(
        _ batch: PredictionBatch, _ groups: [Group], _ reference: ModelReference,
        _ bins: inout [UInt16]
    ) {
        let predictions = batch.predictionColumn(for: reference.task)
        reference.prediction.edges.bins(of: predictions.span, into: &bins)
        let codes = batch.labels.dictionary.map { reference.label.codeOfCategory[ExactText($0)] }
        for group in groups {
            series[group.series].levels[group.level].profiles[group.place].prediction.absorb(
                predictions, bins: bins, rows: group.rows)
            series[group.series].levels[group.level].profiles[group.place].label.absorb(
                batch.labels, codes: codes, rows: group.rows)
        }
    }

    /// Counts an outcome in the pane of its prediction, or takes it back.
    ///
    /// Ground truth that comes for the first time completes a window and does not restate it; its coverage
    /// tells. Ground truth that replaces other does restate the window.
    public mutating func absorb(
        _ outcome: Outcome, adding: Bool, isReplaced: Bool = false, judgedAt: EventTime? = nil
    ) {
        // Before anything shares the reference's arrays, so that they are changed in place.
        if reference?.outcomeWindow?.contains(outcome.time) == true {
            reference?.absorb(outcome, adding: adding)
        }
        guard let reference, let level = levels.level(of: outcome.time.milliseconds) else { return }
        let version = index(ofVersion: outcome.version)
        let number = levels.number(of: outcome.time.milliseconds, level: level)
        var keys = [SeriesKey(version: version, segment: nil)]
        for key in segments.keys.indices {
            let value = key < outcome.segments.count ? outcome.segments[key] : nil
            let code = SegmentCode(key: key, value: segments.code(of: value, key: key))
            keys.append(SeriesKey(version: version, segment: code))
        }
        for key in keys {
            let index = index(ofSeries: key)
            let place = place(of: number, level: level, series: index, reference)
            series[index].levels[level].profiles[place].absorb(
                outcome, reference: reference, adding: adding)
            if isReplaced {
                markLate(
                    Group(series: index, level: level, number: number, place: place), judgedAt,
                    isOutcome: true)
            }
        }
        rollUp()
    }

    private mutating func markLate(
        _ group: Group, _ judgedAt: EventTime?, isOutcome: Bool = false
    ) {
        let window = levels.window(of: group.number, level: group.level)
        guard let judgedAt, judgedAt >= window.end else { return }
        series[group.series].levels[group.level].profiles[group.place].revision.mark(
            at: judgedAt, isOutcome: isOutcome)
        revision = TimeWindow(
            start: min(revision?.start ?? window.start, window.start),
            end: max(revision?.end ?? window.end, window.end))
    }

    /// This is the range of the panes that late rows changed since it was last asked for.
    public mutating func takeRevision() -> TimeWindow? {
        defer { revision = nil }
        return revision
    }
}

extension PredictionBatch {
    /// This is a feature's column, nil where the batch has none.
    ///
    /// Batches mostly name features in the reference's order, so `place` is looked at first.
    fileprivate func column(named name: String, near place: Int) -> FeatureColumn? {
        if place < features.count, features[place].name.isExactly(name) {
            return features[place].column
        }
        return features.first { $0.name.isExactly(name) }?.column
    }
}
