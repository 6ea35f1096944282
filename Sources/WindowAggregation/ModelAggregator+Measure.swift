public import MonitoringDomain
import StreamingStatistics

extension ModelAggregator {
    /// This is a statistic of a window, over whole panes that start in it.
    public func measure(_ query: MeasurementQuery, window: TimeWindow) -> Measurement {
        var measurement = Measurement(
            model: query.model, statistic: query.statistic, feature: query.feature,
            version: query.version, segment: query.segment, window: window, reading: .noData,
            count: 0, reference: reference?.id)
        guard let reference else {
            measurement.reading = .undefined(reason: "no reference is pinned")
            return measurement
        }
        switch query.statistic.group {
        case .volume, .performance:
            guard query.feature == nil else {
                measurement.reading = .undefined(
                    reason: "\(query.statistic.rawValue) is of the model, not of a feature")
                return measurement
            }
            var count: UInt64 = 0
            var outcomes = OutcomeProfile(
                scoreBinCount: reference.scoreEdges.binCount)
            var revision = PaneRevision()
            let coverage = forEachPane(selection(query, window)) { pane in
                count += pane.predictionCount
                revision.merge(pane.revision)
                if query.statistic.group == .performance { outcomes.merge(pane.outcomes) }
            }
            if let reason = coverage.reason {
                measurement.reading = .undefined(reason: reason)
                return measurement
            }
            let revisedAt =
                query.statistic.group == .performance ? revision.outcomes : revision.rows
            measurement.isRevised = revisedAt.map { $0 >= window.end.milliseconds } ?? false
            measurement.count =
                query.statistic == .volume || query.statistic == .coverage
                ? Int(clamping: count) : Int(clamping: outcomes.labelled)
            measurement.reading = Self.performance(
                query.statistic, outcomes, predictionCount: count, reference)
        case .quality, .drift:
            measureFeature(query, window, reference, &measurement)
        case .detector:
            measurement.reading = .undefined(
                reason: "\(query.statistic.rawValue) is a detector's state, not a window's value")
        }
        return measurement
    }

    /// This is the same statistic on the reference itself.
    public func baseline(_ statistic: Statistic, feature: String?) -> Reading {
        guard let reference else { return .undefined(reason: "no reference is pinned") }
        switch statistic.group {
        case .volume: return .value(Estimate(value: Double(reference.rowCount)))
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
            guard let subject = reference.subject(named: feature) else {
                return .undefined(reason: reference.absence(of: feature))
            }
            return Self.reading(statistic, subject.content.profile, subject.content)
        case .detector:
            return .undefined(reason: "\(statistic.rawValue) has no value on the reference")
        }
    }

    private func selection(_ query: MeasurementQuery, _ window: TimeWindow) -> PaneSelection {
        PaneSelection(version: query.version, segment: query.segment, window: window)
    }

    // MARK: - Features

    private func measureFeature(
        _ query: MeasurementQuery, _ window: TimeWindow, _ reference: ModelReference,
        _ measurement: inout Measurement
    ) {
        guard let name = query.feature else {
            measurement.reading = .undefined(
                reason: "\(query.statistic.rawValue) is of a feature; name one")
            return
        }
        guard let subject = reference.subject(named: name) else {
            measurement.reading = .undefined(reason: reference.absence(of: name))
            return
        }
        var merged = subject.content.emptyProfile
        var revision = PaneRevision()
        let coverage = forEachPane(selection(query, window)) { pane in
            revision.merge(pane.revision)
            merged.merge(subject.place.map { pane.features[$0] } ?? .numeric(pane.prediction))
        }
        if let reason = coverage.reason {
            measurement.reading = .undefined(reason: reason)
            return
        }
        measurement.isRevised = revision.rows.map { $0 >= window.end.milliseconds } ?? false
        measurement.count = Int(clamping: merged.rowCount)
        measurement.missing = Int(clamping: merged.missing)
        if query.statistic.group == .drift { measurement.referenceCount = reference.rowCount }
        guard merged.rowCount > 0 else { return }
        measurement.reading =
            query.statistic == .psi && query.smoothing == .floor
            ? Self.flooredStability(merged, subject.content)
            : Self.reading(query.statistic, merged, subject.content)
    }

    private static func reading(
        _ statistic: Statistic, _ profile: FeatureProfile, _ baseline: FeatureReference.Content
    ) -> Reading {
        switch (statistic, profile, baseline) {
        case (.psi, .numeric(let profile), .numeric(let numeric)):
            stability(
                deciles(profile, numeric.edges), deciles(numeric.profile, numeric.edges))
        case (.psi, .categorical(let profile), .categorical(let categorical)):
            stability(
                profile.counts + [profile.missing],
                categorical.profile.counts + [categorical.profile.missing])
        case (.ks, .numeric(let profile), .numeric(let numeric)): distance(profile, numeric)
        case (.ks, _, _): .undefined(reason: "ks is of numeric features")
        default: quality(statistic, profile)
        }
    }

    /// [11]: counts per decile bin of the reference, then missing.
    static func deciles(_ profile: NumericProfile, _ edges: BinEdges) -> [UInt64] {
        // Where deciles repeat, the atom's own bin keeps moves below it visible.
        edges.decileEdges.count < 9 ? separated(profile, edges) : plainDeciles(profile, edges)
    }

    /// [11]: the customary bins, empty ones where deciles repeat.
    private static func plainDeciles(_ profile: NumericProfile, _ edges: BinEdges) -> [UInt64] {
        var counts = [UInt64](repeating: 0, count: 11)
        profile.counts.forEachNonZero { counts[Int(edges.decileOfBin[$0])] += $1 }
        counts[10] = profile.missing
        return counts
    }

    /// The decile bins of a tied reference, each split where it holds an atom that is a decile edge.
    ///
    /// Merging bins never raises the index, so the value is at least that of the plain deciles.
    private static func separated(_ profile: NumericProfile, _ edges: BinEdges) -> [UInt64] {
        let deciles = Set(edges.decileEdges)
        // Two bins for each decile: below the atom, and the atom itself.
        var counts = [UInt64](repeating: 0, count: 2 * (edges.decileEdges.count + 1) + 1)
        profile.counts.forEachNonZero { bin, count in
            let isOwn =
                bin < edges.edges.count && edges.isAtom[bin] && deciles.contains(edges.edges[bin])
            counts[2 * Int(edges.decileOfBin[bin]) + (isOwn ? 1 : 0)] += count
        }
        counts[counts.count - 1] = profile.missing
        return counts
    }

    private static func stability(_ window: [UInt64], _ reference: [UInt64]) -> Reading {
        guard let result = populationStabilityIndex(window: window, reference: reference) else {
            return .undefined(reason: "the reference holds no rows of this feature")
        }
        return .value(
            Estimate(
                value: result.value, lower: result.lower, upper: result.upper,
                pValue: result.pValue))
    }

    /// The customary index over the plain decile bins, without an interval.
    private static func flooredStability(
        _ profile: FeatureProfile, _ baseline: FeatureReference.Content
    ) -> Reading {
        let value: Double?
        switch (profile, baseline) {
        case (.numeric(let profile), .numeric(let numeric)):
            value = populationStabilityIndexFloored(
                window: plainDeciles(profile, numeric.edges),
                reference: plainDeciles(numeric.profile, numeric.edges))
        case (.categorical(let profile), .categorical(let categorical)):
            value = populationStabilityIndexFloored(
                window: profile.counts + [profile.missing],
                reference: categorical.profile.counts + [categorical.profile.missing])
        case (.numeric, .categorical), (.categorical, .numeric):
            preconditionFailure("a feature and its reference are of one kind")
        }
        guard let value else {
            return .undefined(reason: "the reference holds no rows of this feature")
        }
        return .value(Estimate(value: value))
    }

    private static func distance(_ profile: NumericProfile, _ numeric: NumericReference) -> Reading
    {
        guard profile.count > 0 else { return .undefined(reason: "all values are missing") }
        guard
            let bounds = binnedKolmogorovSmirnov(
                window: profile.counts, reference: numeric.profile.counts, edges: numeric.edges)
        else { return .undefined(reason: "the reference holds no values of this feature") }
        return .value(
            Estimate(
                value: bounds.lower, lower: bounds.lower, upper: bounds.upper, isCertified: true,
                pValue: kolmogorovSmirnovPValue(
                    d: bounds.lower, n: profile.count, m: numeric.profile.count)))
    }

    private static func quality(_ statistic: Statistic, _ profile: FeatureProfile) -> Reading {
        if statistic == .missingRate {
            guard profile.rowCount > 0 else { return .noData }
            return proportion(profile.missing, profile.rowCount)
        }
        switch profile {
        case .categorical(let categorical):
            guard statistic == .unseenRate else {
                return .undefined(reason: "\(statistic.rawValue) is of numeric features")
            }
            guard categorical.count > 0 else { return .undefined(reason: "all values are missing") }
            return proportion(categorical.unseen, categorical.count)
        case .numeric(let numeric):
            let value: Double?
            switch statistic {
            case .mean: value = numeric.mean
            case .stddev: value = numeric.standardDeviation
            case .min: value = numeric.minimum
            case .max: value = numeric.maximum
            default:
                return .undefined(reason: "\(statistic.rawValue) is of categorical features")
            }
            guard numeric.count > 0 else { return .undefined(reason: "all values are missing") }
            guard let value else {
                return overflow
            }
            return .value(Estimate(value: value))
        }
    }

    private static let overflow = Reading.undefined(
        reason: "overflow: the sum is beyond a double's range")

    private static func proportion(_ part: UInt64, _ whole: UInt64) -> Reading {
        let bounds = wilsonInterval(successes: part, count: whole)
        return .value(
            Estimate(
                value: Double(part) / Double(whole), lower: bounds.lower, upper: bounds.upper))
    }

    // MARK: - Performance

    private static func performance(
        _ statistic: Statistic, _ outcomes: OutcomeProfile, predictionCount: UInt64,
        _ reference: ModelReference
    ) -> Reading {
        if statistic == .volume { return .value(Estimate(value: Double(predictionCount))) }
        guard predictionCount > 0 || outcomes.labelled > 0 else { return .noData }
        if statistic == .coverage {
            guard predictionCount > 0 else { return .noData }
            return proportion(min(outcomes.labelled, predictionCount), predictionCount)
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
            return proportion(outcomes.correct, outcomes.count)
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

extension FeatureReference.Content {
    var emptyProfile: FeatureProfile {
        switch self {
        case .numeric(let numeric): .numeric(numeric.emptyProfile())
        case .categorical(let categorical): .categorical(categorical.emptyProfile())
        }
    }

    /// The profile of the reference's own rows.
    var profile: FeatureProfile {
        switch self {
        case .numeric(let numeric): .numeric(numeric.profile)
        case .categorical(let categorical): .categorical(categorical.profile)
        }
    }
}

extension ModelReference {
    /// This is what a query names: a feature with its place, or the prediction, which has none.
    ///
    /// A feature that is called `prediction` cannot be asked for.
    func subject(named name: String) -> (place: Int?, content: FeatureReference.Content)? {
        if name == "prediction" { return (nil, .numeric(prediction)) }
        return features.firstIndex { $0.name == name }.map { ($0, features[$0].content) }
    }

    func absence(of feature: String) -> String {
        "feature \"\(feature)\" is not in reference \(id)"
    }
}

extension FeatureProfile {
    var missing: UInt64 {
        switch self {
        case .numeric(let numeric): numeric.missing
        case .categorical(let categorical): categorical.missing
        }
    }

    /// Rows, missing ones included.
    var rowCount: UInt64 {
        switch self {
        case .numeric(let numeric): numeric.count + numeric.missing
        case .categorical(let categorical): categorical.count + categorical.missing
        }
    }
}
