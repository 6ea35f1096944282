import MonitoringDomain
import StreamingStatistics

/// This is what a statistic of a feature, the prediction or the ground truth is computed on.
struct Subject {
    enum Place {
        case feature(Int)
        case prediction
        case label
        case truth
    }

    let place: Place
    let content: FeatureReference.Content

    func profile(of pane: PaneProfile) -> FeatureProfile? {
        switch place {
        case .feature(let index): pane.features[index]
        case .prediction: .numeric(pane.prediction)
        case .label: .categorical(pane.label)
        case .truth: pane.truth.profile(content: content)
        }
    }
}

extension ModelReference {
    /// This is what a query names: a feature, `prediction` with its parts, or `ground_truth`.
    ///
    /// `prediction` is the score or the value, and the label of a model without scores;
    /// `prediction.score`, `prediction.value` and `prediction.label` name them apart. A feature with one of
    /// these names cannot be asked for.
    func subject(named name: String) -> Subject? {
        let hasOnlyLabels = prediction.profile.count == 0 && label.profile.count > 0
        switch name {
        case "prediction" where hasOnlyLabels, "prediction.label":
            return Subject(place: .label, content: .categorical(label))
        case "prediction", "prediction.score", "prediction.value":
            return Subject(place: .prediction, content: .numeric(prediction))
        case "ground_truth": return Subject(place: .truth, content: truth)
        default:
            return features.firstIndex { $0.name.isExactly(name) }.map {
                Subject(place: .feature($0), content: features[$0].content)
            }
        }
    }

    /// The profile of the reference's own rows.
    func profile(of subject: Subject) -> FeatureProfile {
        if case .truth = subject.place {
            return truthCounts.profile(content: truth) ?? truth.emptyProfile
        }
        return subject.content.profile
    }

    func absence(of feature: String) -> String {
        "feature \"\(feature)\" is not in reference \(id)"
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

extension ModelAggregator {
    /// These are statistics of one subject in one window, whose panes are merged once.
    func measureSubject(
        _ statistics: [Statistic], _ query: MeasurementQuery, _ window: TimeWindow,
        _ reference: ModelReference
    ) -> [Measurement] {
        var blank = self.blank(query, window)
        func undefined(_ reason: (Statistic) -> String) -> [Measurement] {
            statistics.map { statistic in
                var measurement = blank
                measurement.statistic = statistic
                measurement.reading = .undefined(reason: reason(statistic))
                return measurement
            }
        }
        guard let name = query.feature else {
            return undefined { "\($0.rawValue) is of a feature; name one" }
        }
        let measures = schema.kind(of: name)?.measures ?? []
        guard let subject = subject(named: name, reference) else {
            return undefined { _ in reference.absence(of: name) }
        }
        var merged = subject.content.emptyProfile
        var revision = PaneRevision()
        var typeErrors: UInt64 = 0
        let coverage = merge(
            subject, selection(query, window), into: &merged, &revision, &typeErrors)
        if let reason = coverage.reason { return undefined { _ in reason } }
        blank.count = Int(clamping: merged.rowCount)
        blank.missing = Int(clamping: merged.missing)
        let isTruth = if case .truth = subject.place { true } else { false }
        let revisedAt = isTruth ? revision.outcomes : revision.rows
        blank.isRevised = revisedAt.map { $0 >= window.end.milliseconds } ?? false
        let comparison = comparison(subject, name, query, window, reference)
        return statistics.map { statistic in
            var measurement = blank
            measurement.statistic = statistic
            if statistic.group == .drift {
                measurement.referenceCount = Int(clamping: comparison.baseline.rowCount)
            }
            if statistic == .typeErrorRate {
                let whole = merged.rowCount + typeErrors
                measurement.count = Int(clamping: whole)
                measurement.reading = typeErrorRate(typeErrors, of: whole, name, subject)
                return measurement
            }
            if !measures.isEmpty, statistic != .missingRate {
                measurement.reading = .undefined(reason: Self.absence(of: name, measures))
                return measurement
            }
            guard merged.rowCount > 0 else { return measurement }
            if statistic.group == .drift, let absence = comparison.absence {
                measurement.reading = absence
            } else {
                measurement.reading = SubjectReading(
                    window: merged, reference: comparison.baseline, content: comparison.content,
                    query: query, isTruth: isTruth
                ).reading(statistic)
            }
            return measurement
        }
    }

    /// What a window's rows are compared with, in which bins, and why they cannot be.
    private struct Comparison {
        var content: FeatureReference.Content
        var baseline: FeatureProfile
        var absence: Reading?
    }

    /// A window that moves, or the rows of the reference that are of the query's segment.
    private func comparison(
        _ subject: Subject, _ name: String, _ query: MeasurementQuery, _ window: TimeWindow,
        _ reference: ModelReference
    ) -> Comparison {
        if let moving = reference.moving {
            let (baseline, absence) = moved(subject, query, moving.window(for: window))
            return Comparison(
                content: subject.content, baseline: baseline,
                absence: absence.map { .undefined(reason: $0) })
        }
        switch self.reference(of: query.segment, in: reference) {
        case .own(let own):
            let narrowed = own.subject(named: name) ?? subject
            return Comparison(content: narrowed.content, baseline: own.profile(of: narrowed))
        case .keyUnknown(let reading), .absent(let reading):
            return Comparison(
                content: subject.content, baseline: subject.content.emptyProfile, absence: reading)
        }
    }

    /// What the windows of a slice are compared with.
    func reference(of segment: Segment?, in reference: ModelReference) -> SliceReference {
        let key = segment.flatMap { segments.keys.firstIndex(of: $0.key) }
        return reference.reference(
            of: segment,
            isProductionFull: key.map { segments.values[$0].count >= Segment.valueCountMax }
                ?? false)
    }

    /// A text or a vector is found where its absence is counted.
    func subject(named name: String, _ reference: ModelReference) -> Subject? {
        let feature = schema.features.first { $0.name.isExactly(name) }
        return reference.subject(named: feature?.firstMeasuredName ?? name)
    }

    /// Why a feature that is measured through others has no statistic of its own.
    static func absence(of feature: String, _ measures: [String]) -> String {
        "\"\(feature)\" is measured through "
            + measures.map { "\(feature).\($0)" }.joined(separator: ", ")
    }

    func typeErrorRate(
        _ errors: UInt64, of whole: UInt64, _ name: String, _ subject: Subject
    ) -> Reading {
        guard case .feature = subject.place else {
            return .undefined(reason: "\(name) is no feature")
        }
        let owner = schema.features.first { feature in
            !feature.name.isExactly(name)
                && feature.measured.contains { $0.name.isExactly(name) }
        }
        if let owner {
            return .undefined(reason: "values of another type are counted of \"\(owner.name)\"")
        }
        return whole > 0 ? .proportion(errors, whole) : .noData
    }

    private func merge(
        _ subject: Subject, _ selection: PaneSelection, into merged: inout FeatureProfile,
        _ revision: inout PaneRevision, _ typeErrors: inout UInt64
    ) -> PaneCoverage {
        if case .truth = subject.place {
            // Ground truth is summed as counts: bounds of its range are only made at the end.
            var truth = TruthProfile(for: subject.content)
            let coverage = forEachPane(selection) { pane in
                revision.merge(pane.revision)
                truth.merge(pane.truth)
            }
            if let profile = truth.profile(content: subject.content) { merged = profile }
            return coverage
        }
        return forEachPane(selection) { pane in
            revision.merge(pane.revision)
            if let profile = subject.profile(of: pane) { merged.merge(profile) }
            if case .feature(let index) = subject.place, !pane.typeErrors.isEmpty {
                typeErrors += pane.typeErrors[index]
            }
        }
    }

    /// The window that stands in for the reference, and why it cannot.
    private func moved(
        _ subject: Subject, _ query: MeasurementQuery, _ window: TimeWindow
    ) -> (FeatureProfile, String?) {
        var merged = subject.content.emptyProfile
        var revision = PaneRevision()
        var typeErrors: UInt64 = 0
        let coverage = merge(
            subject, selection(query, window), into: &merged, &revision, &typeErrors)
        if let reason = coverage.reason { return (merged, "its reference: \(reason)") }
        let absence: String? =
            merged.rowCount > 0
            ? nil : "its reference, \(window.start) to \(window.end), holds no rows"
        return (merged, absence)
    }

    func selection(_ query: MeasurementQuery, _ window: TimeWindow) -> PaneSelection {
        PaneSelection(version: query.version, segment: query.segment, window: window)
    }

    /// A measurement of no rows.
    func blank(_ query: MeasurementQuery, _ window: TimeWindow) -> Measurement {
        Measurement(
            model: query.model, statistic: query.statistic, feature: query.feature,
            version: query.version, segment: query.segment, window: window, reading: .noData,
            count: 0, reference: reference?.id)
    }
}
