import ByteCoding
import MonitoringDomain
import StreamingStatistics
import WindowAggregation

// The stored form of the budgeted detectors, sorted by model, group and span:
//
//     key        model, group, span
//     identity   plan (budget, sharers, subjects), version, reference; how that moves
//     streams    feature, segment, reference counts by season class, ordered; K is their number
//     reference  rows; next and oldest window's start; last look
//     base       the detector before the oldest retained window: values, scores
//     windows    start, rows, rows of the earlier one, revised, counts of each stream, and of the earlier one
//
// The detector after all windows, and the verdicts, are computed again from these: the same code on the same
// values, so bit for bit what they were.

extension DriftWatches {
    func encode(to writer: inout ByteWriter) {
        writer.writeCount(watches.count)
        for (key, watch) in watches.sorted(by: { $0.key < $1.key }) {
            writer.write(key.model.rawValue)
            watch.encode(to: &writer)
        }
    }

    /// Reads what `encode` wrote; the caller plans the rules afterwards.
    init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        self.init()
        let count = try reader.readCount()
        for _ in 0..<count {
            let start = reader.offset
            guard let model = ModelID(try reader.readText()) else {
                throw .invalid(offset: start, reason: "not a model's name")
            }
            let watch = try DriftWatch(decoding: &reader, model: model)
            let plan = watch.identity.plan
            watches[Key(model: model, group: plan.group, span: plan.span)] = watch
        }
    }
}

extension DriftPlan {
    fileprivate func encode(to writer: inout ByteWriter) {
        writer.write(group)
        writer.write(budget.falseAlarmCount)
        writer.write(budget.periodMilliseconds)
        writer.write(budget.psiTolerance)
        writer.write(budget.ksTolerance)
        writer.write(budget.null.rawValue)
        writer.write(budget.season.rawValue)
        writer.write(span)
        writer.writeCount(sharerCount)
        writer.writeCount(slicings.count)
        for slicing in slicings {
            writer.write(slicing.segmentKey)
            writer.write(slicing.watchesFeatures)
            writer.write(slicing.names)
        }
    }

    fileprivate init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let start = reader.offset
        let group = try reader.readText()
        let count = try reader.readDouble()
        let period: Int64 = try reader.read()
        let psi = try reader.readOptionalDouble()
        let ks = try reader.readOptionalDouble()
        guard let null = DriftNull(rawValue: try reader.readText()),
            let season = DriftSeason(rawValue: try reader.readText())
        else { throw .invalid(offset: start, reason: "not a budget's null") }
        let span: Int64 = try reader.read()
        let sharers = try reader.readVarint()
        guard span > 0, span <= 3_660 * WindowSpan.day, (1...1 << 20).contains(sharers) else {
            throw .invalid(offset: start, reason: "a drift window of \(span) ms")
        }
        var slicings: [DriftSlicing] = []
        let slicingCount = try reader.readCount(elementSize: 3)
        for _ in 0..<slicingCount {
            slicings.append(
                DriftSlicing(
                    segmentKey: try reader.readOptionalText(),
                    watchesFeatures: try reader.readBool(), names: try reader.readTexts()))
        }
        self.init(
            group: group,
            budget: DriftBudget(
                falseAlarmCount: count, periodMilliseconds: period, psiTolerance: psi,
                ksTolerance: ks, null: null, season: season), span: span,
            sharerCount: Int(sharers), slicings: slicings)
    }
}

extension DriftWatch {
    fileprivate func encode(to writer: inout ByteWriter) {
        identity.plan.encode(to: &writer)
        writer.write(identity.version)
        writer.write(identity.reference)
        writer.write(pairs?.moving.rawValue)
        writer.writeCount(names.count)
        for (name, stream) in zip(names, history.base.streams) {
            writer.write(name.feature)
            writer.write(name.segment?.key)
            writer.write(name.segment?.value)
            writer.writeCount(stream.referenceCounts.count)
            for counts in stream.referenceCounts { writer.write(counts) }
            writer.write(stream.isOrdered)
        }
        writer.writeVarint(referenceCount)
        writer.write(next.milliseconds)
        writer.write(oldest.milliseconds)
        writer.write(lastLook.recordCount)
        writer.write(lastLook.minute)
        let state = history.base.state
        writer.writeCount(state.values.count)
        for (values, scores) in zip(state.values, state.scores) {
            writer.write(values)
            writer.writeCount(scores.count)
            for ofClass in scores { writer.write(ofClass) }
        }
        writer.writeCount(judged.count)
        for (one, window) in zip(judged, history.windows) {
            writer.write(one.start.milliseconds)
            writer.writeVarint(one.rowCount)
            writer.writeVarint(one.movingRowCount)
            writer.write(one.isRevised)
            for counts in window.counts { writer.write(counts ?? []) }
            for counts in window.moving?.counts ?? [] { writer.write(counts ?? []) }
        }
    }

    fileprivate init(
        decoding reader: inout ByteReader, model: ModelID
    ) throws(ByteReadingError) {
        let start = reader.offset
        let identity = Identity(
            plan: try DriftPlan(decoding: &reader), version: try reader.readText(),
            reference: try reader.readText())
        let plan = identity.plan
        let moving = try reader.readOptionalText()
        let pairs = moving.flatMap { MovingReference(rawValue: $0) }
            .flatMap { MovingPairs($0, span: plan.span) }
        guard (moving == nil) == (pairs == nil) else {
            throw .invalid(offset: start, reason: "not a reference that moves")
        }
        var names: [DriftStreamName] = []
        var streams: [DriftStream] = []
        let classCount = plan.budget.season.classCount(span: plan.span)
        let streamCount = try reader.readCount(elementSize: 5)
        guard streamCount <= Self.streamCountMax else {
            throw .invalid(offset: reader.offset, reason: "\(streamCount) drift streams")
        }
        for _ in 0..<streamCount {
            let feature = try reader.readText()
            let key = try reader.readOptionalText()
            let value = try reader.readOptionalText()
            names.append(
                DriftStreamName(
                    feature: feature,
                    segment: key.flatMap { key in value.map { Segment(key: key, value: $0) } }))
            let offset = reader.offset
            var counts: [[UInt64]] = []
            let ofClasses = try reader.readCount()
            for _ in 0..<ofClasses { counts.append(try reader.readArray()) }
            guard counts.count == 1 || counts.count == classCount, let first = counts.first,
                (1...100).contains(first.count),
                counts.allSatisfy({ ofClass in
                    ofClass.count == first.count && ofClass.allSatisfy { $0 <= 1 << 40 }
                })
            else { throw .invalid(offset: offset, reason: "not coarse bins of a reference") }
            streams.append(
                DriftStream(
                    referenceCounts: counts, isOrdered: try reader.readBool(),
                    calibrationScores: plan.budget.null == .windows
                        ? Array(repeating: [], count: classCount) : []))
        }
        guard let level = Self.level(plan, streamCount: streams.count) else {
            throw .invalid(offset: start, reason: "not a budget")
        }
        let referenceCount = try reader.readVarint()
        let next = EventTime(milliseconds: try reader.read())
        let oldest = EventTime(milliseconds: try reader.read())
        let look = (recordCount: try reader.read(UInt64.self), minute: try reader.read(Int64.self))
        var state = BudgetedDetector.State(values: [], scores: [])
        let detectorCount = try reader.readCount()
        for _ in 0..<detectorCount {
            state.values.append(try reader.readDoubles())
            var scores: [[Double]] = []
            let count = try reader.readCount()
            for _ in 0..<count { scores.append(try reader.readDoubles()) }
            state.scores.append(scores)
        }
        var base = BudgetedDetector(
            streams: streams, level: level, null: Self.null(of: plan),
            seed: Self.seed(of: "\(model)/\(plan.group)/\(plan.span)"), isMoving: pairs != nil)
        guard base.restore(state) else {
            throw .invalid(offset: reader.offset, reason: "not a detector's state")
        }
        self.init(
            identity: identity, pairs: pairs, names: names, referenceCount: referenceCount,
            history: BudgetedHistory(base, retainedCountMax: Self.retainedCountMax), next: next,
            oldest: oldest)
        lastLook = look
        try readWindows(&reader)
    }

    private mutating func readWindows(_ reader: inout ByteReader) throws(ByteReadingError) {
        let count = try reader.readCount(elementSize: 10)
        guard count <= Self.retainedCountMax else {
            throw .invalid(offset: reader.offset, reason: "\(count) drift windows")
        }
        for _ in 0..<count {
            let offset = reader.offset
            let start = EventTime(milliseconds: try reader.read())
            guard judged.last.map({ $0.start < start }) ?? true else {
                throw .invalid(offset: offset, reason: "drift windows out of order")
            }
            let rowCount = try reader.readVarint()
            let movingRowCount = try reader.readVarint()
            let isRevised = try reader.readBool()
            let counts = try readCounts(&reader)
            let moving = try pairs.map { pairs throws(ByteReadingError) in
                DriftWindow.Moving(counts: try readCounts(&reader), phase: pairs.phase(of: start))
            }
            let window = DriftWindow(
                index: Self.index(of: start), counts: counts,
                seasonClass: identity.plan.budget.season.classIndex(
                    of: start, span: identity.plan.span), moving: moving)
            judged.append(
                Judged(
                    start: start, rowCount: rowCount, movingRowCount: movingRowCount,
                    isRevised: isRevised, verdict: history.absorb(window)))
        }
    }

    /// The counts of each stream in one window, nil where there are no rows.
    private func readCounts(
        _ reader: inout ByteReader
    ) throws(ByteReadingError) -> [[UInt64]?] {
        var counts: [[UInt64]?] = []
        for stream in history.base.streams {
            let offset = reader.offset
            let bins: [UInt64] = try reader.readArray()
            guard bins.isEmpty || bins.count == stream.reference(ofClass: 0).count,
                bins.allSatisfy({ $0 <= 1 << 40 })
            else { throw .invalid(offset: offset, reason: "\(bins.count) coarse bins") }
            counts.append(bins.isEmpty ? nil : bins)
        }
        return counts
    }
}
