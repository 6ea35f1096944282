public import MonitoringDomain
import StreamingStatistics

extension ModelAggregator {
    /// This is a statistic of a window, over whole panes that start in it.
    public func measure(_ query: MeasurementQuery, window: TimeWindow) -> Measurement {
        measure([query.statistic], as: query, window: window)[0]
    }

    /// These are several statistics of one subject in one window, in their order; its panes are merged
    /// once for all.
    ///
    /// - Parameters:
    ///   - statistics: The wanted quantities.
    ///   - query: Of what; its own statistic is not looked at.
    ///   - window: The interval whose panes count.
    /// - Returns: One measurement for each statistic.
    public func measure(
        _ statistics: [Statistic], as query: MeasurementQuery, window: TimeWindow
    ) -> [Measurement] {
        guard let reference else {
            return statistics.map { statistic in
                var measurement = blank(query, window)
                measurement.statistic = statistic
                measurement.reading = .undefined(reason: "no reference is pinned")
                return measurement
            }
        }
        var found: [Statistic: Measurement] = [:]
        let groups = Dictionary(grouping: statistics) { statistic -> Int in
            switch statistic.group {
            case .volume: 0
            case .performance: 1
            case .quality, .drift: 2
            case .detector: 3
            }
        }
        var measured: [Measurement] = []
        if let volume = groups[0] { measured += measureVolume(volume, query, window) }
        if let performance = groups[1] {
            measured += measurePerformance(performance, query, window, reference)
        }
        if let subject = groups[2] {
            measured += measureSubject(subject, query, window, reference)
        }
        for statistic in groups[3] ?? [] {
            var measurement = blank(query, window)
            measurement.statistic = statistic
            measurement.reading = .undefined(
                reason: "\(statistic.rawValue) is a detector's state, not a window's value")
            measured.append(measurement)
        }
        for measurement in measured { found[measurement.statistic] = measurement }
        return statistics.map { found[$0] ?? blank(query, window) }
    }

    private func measurePerformance(
        _ statistics: [Statistic], _ query: MeasurementQuery, _ window: TimeWindow,
        _ reference: ModelReference
    ) -> [Measurement] {
        var count: UInt64 = 0
        var outcomes = OutcomeProfile(scoreBinCount: reference.scoreEdges.binCount)
        var revision = PaneRevision()
        let coverage = forEachPane(selection(query, window)) { pane in
            count += pane.predictionCount
            revision.merge(pane.revision)
            outcomes.merge(pane.outcomes)
        }
        return statistics.map { statistic in
            var measurement = blank(query, window)
            measurement.statistic = statistic
            measurement.count = Int(clamping: statistic == .coverage ? count : outcomes.labelled)
            measurement.isRevised = revision.outcomes.map { $0 >= window.end.milliseconds } ?? false
            if query.feature != nil {
                measurement.count = 0
                measurement.reading = .undefined(
                    reason: "\(statistic.rawValue) is of the model, not of a feature")
            } else if let reason = coverage.reason {
                measurement.reading = .undefined(reason: reason)
            } else {
                measurement.reading = Self.performance(
                    statistic, outcomes, predictionCount: count, reference)
            }
            return measurement
        }
    }

    /// This is the same statistic on the reference itself.
    ///
    /// - Parameters:
    ///   - statistic: The wanted quantity.
    ///   - feature: Of what; nil for the model as a whole.
    ///   - segment: On which of the reference's rows. Where they name no value of its key, on all.
    /// - Returns: Why there is none, where the segment has too few rows in the reference.
    public func baseline(
        _ statistic: Statistic, feature: String?, segment: Segment? = nil
    ) -> Reading {
        guard let whole = reference else { return .undefined(reason: "no reference is pinned") }
        switch reference(of: segment, in: whole) {
        case .own(let reference): return baseline(statistic, feature, reference)
        case .keyUnknown: return baseline(statistic, feature, whole)
        case .absent(let reading): return reading
        }
    }

    private func baseline(
        _ statistic: Statistic, _ feature: String?, _ reference: ModelReference
    ) -> Reading {
        switch statistic.group {
        case .volume:
            guard statistic == .volume else {
                return .undefined(reason: "\(statistic.rawValue) of a reference is not kept")
            }
            return .value(Estimate(value: Double(reference.rowCount)))
        case .performance:
            guard feature == nil else {
                return .undefined(
                    reason: "\(statistic.rawValue) is of the model, not of a feature")
            }
            return Self.performance(
                statistic, reference.outcomes, predictionCount: UInt64(reference.rowCount),
                reference)
        case .quality, .drift:
            guard let feature else {
                return .undefined(reason: "\(statistic.rawValue) is of a feature; name one")
            }
            guard let subject = subject(named: feature, reference) else {
                return .undefined(reason: reference.absence(of: feature))
            }
            let profile = reference.profile(of: subject)
            if statistic == .typeErrorRate {
                // A reference is taken as a whole, so none of its values is of another type.
                return typeErrorRate(0, of: profile.rowCount, feature, subject)
            }
            if let measures = schema.kind(of: feature)?.measures, !measures.isEmpty,
                statistic != .missingRate
            {
                return .undefined(reason: Self.absence(of: feature, measures))
            }
            let isTruth = if case .truth = subject.place { true } else { false }
            return SubjectReading(
                window: profile, reference: profile, content: subject.content,
                query: MeasurementQuery(model: schema.model, statistic: statistic),
                isTruth: isTruth
            ).reading(statistic)
        case .detector:
            return .undefined(reason: "\(statistic.rawValue) has no value on the reference")
        }
    }

    // MARK: - Performance

    private static let overflow = Reading.undefined(
        reason: "overflow: the sum is beyond a double's range")

    private static func performance(
        _ statistic: Statistic, _ outcomes: OutcomeProfile, predictionCount: UInt64,
        _ reference: ModelReference
    ) -> Reading {
        guard predictionCount > 0 || outcomes.labelled > 0 else { return .noData }
        if statistic == .coverage {
            guard predictionCount > 0 else { return .noData }
            return .proportion(min(outcomes.labelled, predictionCount), predictionCount)
        }
        guard let task = reference.task else {
            return .undefined(
                reason: "the model's task was not known when reference \(reference.id) was pinned")
        }
        let isOfTask: Bool =
            switch (statistic, task) {
            case (.accuracy, .binary), (.accuracy, .multiclass), (.rocAUC, .binary),
                (.logLoss, .binary), (.brier, .binary), (.mae, .regression), (.rmse, .regression):
                true
            default: false
            }
        guard isOfTask else {
            return .undefined(
                reason: "\(statistic.rawValue) is not computed for \(task.rawValue) models")
        }
        guard outcomes.labelled > 0 else {
            return .insufficientSamples(found: 0, required: 1)
        }
        if task == .regression { return regression(statistic, outcomes.regression) }
        if statistic != .accuracy, reference.positiveLabel == nil {
            return .undefined(
                reason: "the positive label was not known when reference \(reference.id) was pinned"
            )
        }
        return classification(statistic, outcomes.binary, reference.scoreEdges)
    }

    private static func regression(_ statistic: Statistic, _ sums: RegressionOutcomes) -> Reading {
        guard sums.count > 0 else {
            return .undefined(reason: "no outcome has a predicted value and a true one")
        }
        let n = Double(sums.count)
        let mean = sums.absoluteSum.value / n
        let square = sums.squaredSum.value / n
        // Before any `max`, which would turn NaN into its other argument.
        guard mean.isFinite, square.isFinite else { return overflow }
        guard statistic == .mae else {
            return .value(Estimate(value: max(0, square).squareRoot()))
        }
        // The normal interval of a mean, 95 %.
        let width = 1.959963984540054 * (max(0, square - mean * mean) / n).squareRoot()
        return .value(
            Estimate(value: max(0, mean), lower: max(0, mean - width), upper: mean + width))
    }

    private static func classification(
        _ statistic: Statistic, _ outcomes: BinaryOutcomes, _ edges: BinEdges
    ) -> Reading {
        if statistic == .accuracy {
            guard outcomes.count > 0 else {
                return .undefined(reason: "no outcome has a predicted label and a true one")
            }
            return .proportion(outcomes.correct, outcomes.count)
        }
        guard outcomes.scored > 0 else { return .undefined(reason: "no outcome has a score") }
        switch statistic {
        case .rocAUC:
            guard
                let area = binnedAUC(
                    positives: outcomes.positives, negatives: outcomes.negatives, edges: edges)
            else {
                return .undefined(reason: "only one class has ground truth in the window")
            }
            return .value(
                Estimate(
                    value: area.value, lower: area.lower, upper: area.upper, isCertified: true))
        default:
            let sum = statistic == .logLoss ? outcomes.logLossSum : outcomes.brierSum
            let value = sum.value / Double(outcomes.scored)
            return value.isFinite ? .value(Estimate(value: value)) : overflow
        }
    }
}
