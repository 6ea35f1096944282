import MonitoringDomain
import RuleLanguage
import StreamingStatistics
import WindowAggregation

/// This is all budgeted detectors: by model, rule group and length of windows.
struct DriftWatches: Sendable, Equatable {
    struct Key: Hashable, Comparable, Sendable {
        let model: ModelID
        let group: String
        let span: Int64

        static func < (left: Self, right: Self) -> Bool {
            (left.model, left.group, left.span) < (right.model, right.group, right.span)
        }
    }

    /// A rule group that has something to watch.
    private struct Planned: Sendable, Equatable {
        let group: RuleGroup
        let plans: [DriftPlan]
    }

    private var planned: [Planned] = []
    var watches: [Key: DriftWatch] = [:]

    init() {}

    /// Takes the rules in force; a detector whose plan is no longer there is dropped.
    mutating func plan(_ rules: RuleSet) {
        planned = rules.groups.map { Planned(group: $0, plans: $0.driftPlans) }
            .filter { !$0.plans.isEmpty }
        watches = watches.filter { key, watch in
            planned.contains {
                $0.group.matches(key.model) && $0.plans.contains(watch.identity.plan)
            }
        }
    }

    /// Brings a model's detectors to the clock; one whose reference or version is another begins afresh.
    mutating func advance(_ state: ModelCollector, to now: EventTime) {
        let model = state.schema.model
        for one in planned where one.group.matches(model) {
            for plan in one.plans {
                let key = Key(model: model, group: one.group.name, span: plan.span)
                // Taken out, so that the value is unique and is changed in place.
                var watch = watches.removeValue(forKey: key)
                if watch?.identity != DriftWatch.identity(plan, state) {
                    watch = DriftWatch(plan, state)
                }
                watch?.advance(state, to: now)
                watches[key] = watch
            }
        }
    }

    // MARK: - Questions

    /// This is what the detector says of a window: the newest one that has ended, or the one asked for.
    ///
    /// The value is the distance of the window from the reference (of the stream with the strongest
    /// evidence, named ones first), its lower end that of this window alone at 95 %.
    func measure(_ query: DriftQuery, of state: ModelCollector) -> Measurement {
        let model = state.schema.model
        let watch = planned.lazy.filter {
            $0.group.matches(model) && (query.group == nil || query.group == $0.group.name)
        }.compactMap { watches[Key(model: model, group: $0.group.name, span: query.span)] }.first
        let newest = watch.map { $0.next.advanced(byMilliseconds: -query.span) }
        let start = query.start ?? newest ?? EventTime(milliseconds: 0)
        var measurement = Measurement(
            model: model, statistic: .drift, feature: query.feature,
            version: watch?.identity.version, segment: query.segment,
            window: TimeWindow(start: start, end: start.advanced(byMilliseconds: query.span)),
            reading: .noData, count: 0, reference: state.aggregator.reference?.id)
        guard let watch else {
            measurement.reading = absence(query, state)
            return measurement
        }
        let wanted = watch.names.indices.filter { watch.isWanted(watch.names[$0], query) }
        guard let first = wanted.first else {
            measurement.reading = watch.absence(of: query, state)
            return measurement
        }
        guard let place = watch.judged.lastIndex(where: { $0.start == start }) else {
            measurement.reading = watch.absence(ofWindow: start)
            return measurement
        }
        let judged = watch.judged[place]
        measurement.count = Int(clamping: watch.rowCount(ofWindow: place, stream: first))
        measurement.referenceCount = Int(
            clamping: watch.referenceCount(ofWindow: place, stream: first))
        measurement.isRevised = judged.isRevised
        let finding = watch.finding(judged, wanted)
        measurement.finding = .drift(finding)
        if let strongest = finding.streams.first(where: { $0.distance != nil }),
            let distance = strongest.distance
        {
            measurement.reading = .value(
                Estimate(value: distance, lower: strongest.distanceLowerBound))
        }
        return measurement
    }

    private func absence(_ query: DriftQuery, _ state: ModelCollector) -> Reading {
        if state.isLearning {
            return .insufficientSamples(
                found: state.learnedRowCount, required: ModelCollector.learningRowCount)
        }
        if let moving = state.aggregator.reference?.moving,
            MovingPairs(moving, span: query.span) == nil
        {
            return .undefined(
                reason:
                    "windows of \(WindowSpan.milliseconds(query.span).text) are no even part of a "
                    + "week, whose windows a reference that moves would compare them with")
        }
        let isPlanned = planned.contains { one in
            one.group.matches(state.schema.model) && one.plans.contains { $0.span == query.span }
        }
        let window = WindowSpan.milliseconds(query.span).text
        return isPlanned
            ? .noData
            : .undefined(reason: "no drift rule of this model judges windows of \(window)")
    }
}

extension DriftWatch {
    fileprivate func isWanted(_ name: DriftStreamName, _ query: DriftQuery) -> Bool {
        name.segment == query.segment
            && (query.feature == nil || query.feature?.isExactly(name.feature) == true)
    }

    /// Rows of what the window is compared with: the reference, its part of the stream's segment, or an
    /// earlier window.
    fileprivate func referenceCount(ofWindow place: Int, stream index: Int) -> UInt64 {
        if let moving = history.windows[place].moving {
            return moving.counts[index]?.reduce(0, +) ?? 0
        }
        return names[index].segment == nil
            ? referenceCount : history.base.streams[index].allReferenceCounts.reduce(0, +)
    }

    /// Rows of the window, or of its part that is of the stream's segment.
    fileprivate func rowCount(ofWindow place: Int, stream index: Int) -> UInt64 {
        names[index].segment == nil
            ? judged[place].rowCount : history.windows[place].counts[index]?.reduce(0, +) ?? 0
    }

    /// Why nothing is watched that was asked for.
    fileprivate func absence(of query: DriftQuery, _ state: ModelCollector) -> Reading {
        guard let segment = query.segment else {
            return .undefined(
                reason: "\(query.feature ?? "the whole traffic") is watched by no drift rule with "
                    + "windows of \(span.text)")
        }
        guard let slicing = identity.plan.slicings.first(where: { $0.segmentKey == segment.key })
        else {
            return .undefined(
                reason: "no drift rule with windows of \(span.text) is by \(segment.key)")
        }
        if let absence = state.aggregator.driftAbsence(of: segment) { return absence }
        if names.contains(where: { $0.segment == segment })
            || query.feature.map({ !slicing.watchesFeatures && !slicing.names.contains($0) })
                ?? false
        {
            return .undefined(
                reason: "\(query.feature ?? "it") is watched by no drift rule with windows of "
                    + "\(span.text) by \(segment.key)")
        }
        return .undefined(
            reason: "\(Self.streamCountMax) streams are watched, of segments with more rows in the "
                + "reference")
    }

    /// Why a window was not judged.
    fileprivate func absence(ofWindow start: EventTime) -> Reading {
        if start >= next { return .undefined(reason: "the window has not ended") }
        if span.window(containing: start).start != start {
            return .undefined(reason: "drift judges windows that follow each other, without a step")
        }
        if judged.count == Self.retainedCountMax, let first = judged.first, start < first.start {
            return .undefined(
                reason: "only the newest \(Self.retainedCountMax) windows' verdicts are kept")
        }
        return .noData
    }

    /// The named ones first, then by evidence.
    fileprivate func finding(_ judged: Judged, _ wanted: [Int]) -> DriftFinding {
        let streams =
            wanted.map { index in
                let stream = judged.verdict.streams[index]
                return DriftFinding.Stream(
                    feature: names[index].feature, segment: names[index].segment,
                    evidence: stream.evidence, distance: stream.distance,
                    distanceLowerBound: stream.distanceLowerBound, isNamed: stream.isNamed)
            }
            .sorted { left, right in
                if left.isNamed != right.isNamed { return left.isNamed }
                return left.evidence == right.evidence
                    ? left.feature < right.feature : left.evidence > right.evidence
            }
        let level = history.current.level
        return DriftFinding(
            null: identity.plan.budget.null, level: level.alpha, tolerance: level.tolerance,
            streamCount: level.streamCount,
            streams: Array(streams.prefix(DriftFinding.streamCountMax)),
            calibrationCount: history.current.calibrationCount(
                ofClass: identity.plan.budget.season.classIndex(
                    of: judged.start, span: identity.plan.span)))
    }
}
