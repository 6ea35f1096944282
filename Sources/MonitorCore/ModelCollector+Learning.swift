public import MonitoringDomain
import WindowAggregation

extension ModelCollector {
    // MARK: - Before there is a reference

    /// Folds rows that wait for a reference into panes without bins.
    mutating func absorbEarly(_ batch: PredictionBatch, _ admission: OutcomeJoin.Admission) {
        if early == nil { early = ModelAggregator(learning: schema) }
        early?.absorb(batch, rows: admission.rows, repeats: admission.repeats)
        for outcome in admission.outcomes { early?.absorb(outcome, adding: true) }
    }

    /// Folds the waiting rows again, because what their outcomes mean or their segments have changed.
    mutating func restartEarly() {
        guard let before = early else { return }
        var after = ModelAggregator(learning: schema)
        for batch in waiting { after.absorb(batch, rows: Array(0..<batch.rowCount)) }
        for outcome in waitingOutcomes { after.absorb(outcome, adding: true) }
        after.takeRefusals(from: before)
        early = after
    }

    /// Counts values of another type than their feature's, whose records were refused for them.
    public mutating func absorb(typeErrorsOf batch: PredictionBatch, features: TextColumn) {
        guard isLearning else {
            aggregator.absorb(typeErrorsOf: batch, features: features)
            return
        }
        if early == nil { early = ModelAggregator(learning: schema) }
        early?.absorb(typeErrorsOf: batch, features: features)
    }

    // MARK: - Questions

    /// This is the answer to a question; insufficient samples while the reference is being learned that it
    /// needs.
    public func measure(_ query: MeasurementQuery, window: TimeWindow) -> Measurement {
        measure([query.statistic], as: query, window: window)[0]
    }

    /// These are several statistics of one subject, in their order: as `measure` for each, and faster.
    public func measure(
        _ statistics: [Statistic], as query: MeasurementQuery, window: TimeWindow
    ) -> [Measurement] {
        if let profiledSince, window.start < profiledSince {
            return statistics.map { absence(of: $0, query, window, profiledSince) }
        }
        let areDetectors = statistics.contains { $0.group == .detector && $0 != .drift }
        guard !areDetectors else {
            return statistics.map { statistic in
                var query = query
                query.statistic = statistic
                return statistic.group == .detector && statistic != .drift
                    ? detectors.measure(query, window: window)
                    : measure(query, window: window)
            }
        }
        guard isLearning else {
            return aggregator.measure(statistics, as: query, window: window)
        }
        return measureEarly(statistics, query, window)
    }

    /// This is what is said of a window whose rows were partly gone from the log.
    private func absence(
        of statistic: Statistic, _ query: MeasurementQuery, _ window: TimeWindow,
        _ start: EventTime
    ) -> Measurement {
        Measurement(
            model: query.model, statistic: statistic, feature: query.feature,
            version: query.version, segment: query.segment, window: window,
            reading: .undefined(
                reason: "the log began at \(start) when the reference was profiled"),
            count: 0)
    }

    /// What needs no reference is told of the waiting rows.
    private func measureEarly(
        _ statistics: [Statistic], _ query: MeasurementQuery, _ window: TimeWindow
    ) -> [Measurement] {
        let possible = statistics.filter(isKnownEarly)
        var found: [Measurement] = []
        if let early, !possible.isEmpty {
            var query = query
            query.feature = query.feature.map(earlySubject)
            found = early.measure(possible, as: query, window: window)
        }
        var next = found.makeIterator()
        return statistics.map { statistic in
            if isKnownEarly(statistic), var measurement = next.next() {
                measurement.feature = query.feature
                measurement.reference = nil
                return measurement
            }
            return Measurement(
                model: query.model, statistic: statistic, feature: query.feature,
                version: query.version, segment: query.segment, window: window,
                reading: .insufficientSamples(found: learnedRowCount, required: learningTarget),
                count: 0)
        }
    }

    /// True for what has a value without a reference's bins, range or categories, and without what is
    /// learned with a reference.
    private func isKnownEarly(_ statistic: Statistic) -> Bool {
        switch statistic.group {
        case .volume: true
        case .quality:
            ![.outOfRangeRate, .unseenRate, .quantile].contains(statistic)
        case .performance: statistic == .coverage || schema.task != nil
        case .drift, .detector: false
        }
    }

    /// What is predicted follows from the reference later, and from the first waiting rows before.
    private func earlySubject(_ name: String) -> String {
        guard name == "prediction", let first = waiting.first else { return name }
        let hasNumbers = first.scores.contains { !$0.isNaN } || first.values.contains { !$0.isNaN }
        return hasNumbers ? name : "prediction.label"
    }

    /// This is a statistic on the reference, or on its rows of a segment.
    public func baseline(
        _ statistic: Statistic, feature: String?, segment: Segment? = nil
    ) -> Reading {
        aggregator.baseline(statistic, feature: feature, segment: segment)
    }
}
