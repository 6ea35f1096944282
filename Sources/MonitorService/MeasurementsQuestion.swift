public import ByteCoding
public import MonitorCore
public import MonitoringDomain
import WindowAggregation

/// This is what a reader of measurements asks for.
public struct MeasurementsQuestion: Sendable, Equatable {
    /// This is the model in question.
    public var model: ModelID
    /// These are the wanted quantities.
    public var statistics: [Statistic]
    /// Empty: every feature where the statistic is of a feature.
    public var features: [String]
    /// This is the wanted version; nil for all together.
    public var version: String?
    /// This is the wanted slice; nil for the whole traffic.
    public var segment: Segment?
    /// This is the fraction of `quantile`, in 0...1.
    public var fraction: Double?
    /// This is the span of each window.
    public var span: WindowSpan
    /// This lies in the first window; nil for the first row's.
    public var from: EventTime?
    /// This ends the last window; nil for the last row's.
    public var to: EventTime?
    /// This is the distance from one window's start to the next, in milliseconds, up to the window that
    /// reaches `to`; nil: windows follow each other.
    public var step: Int64?
    /// This is what stands for an empty bin in `psi`.
    public var smoothing: Smoothing

    /// Windows × statistics × features that one answer may hold; beyond, it is refused.
    public static let measurementCountMax = 200_000

    /// Makes a question from its parts.
    public init(
        model: ModelID, statistics: [Statistic], features: [String], version: String?,
        span: WindowSpan, from: EventTime?, to: EventTime?, step: Int64? = nil,
        smoothing: Smoothing = .half, segment: Segment? = nil, fraction: Double? = nil
    ) {
        self.model = model
        self.statistics = statistics
        self.features = features
        self.version = version
        self.span = span
        self.from = from
        self.to = to
        self.step = step
        self.smoothing = smoothing
        self.segment = segment
        self.fraction = fraction
    }

    /// The names of what is measured beside features.
    static let subjects: Set<String> = [
        "prediction", "prediction.label", "prediction.score", "prediction.value", "ground_truth",
    ]

    /// These are the features that a statistic of features is told of: those that were asked for, else all
    /// that have it.
    ///
    /// A text or a vector is measured through others, and yet is missing, or of another type,
    /// itself.
    func subjects(of statistic: Statistic, _ schema: ModelSchema) -> [String] {
        guard features.isEmpty else { return features }
        switch statistic {
        case .typeErrorRate: return schema.features.map(\.name)
        case .missingRate: return schema.featureNames
        default: return schema.measuredFeatures.map(\.name)
        }
    }

    /// This is the question for one measurement of it.
    func query(_ statistic: Statistic, feature: String?) -> MeasurementQuery {
        MeasurementQuery(
            model: model, statistic: statistic, feature: feature, version: version,
            smoothing: smoothing, segment: segment, fraction: fraction)
    }

    /// These are the windows of the question, in order; nil when there are too many.
    func windows(over extent: TimeWindow?) -> [TimeWindow]? {
        guard let from = from ?? extent?.start, let to = to ?? extent?.end, from < to else {
            return []
        }
        var windows: [TimeWindow] = []
        var window = span.window(containing: from)
        while window.start < to {
            windows.append(window)
            guard windows.count <= Self.measurementCountMax else { return nil }
            if let step {
                // The first window that reaches the end is the last: later ones would be mostly empty.
                guard window.end < to else { break }
                let start = window.start.advanced(byMilliseconds: step)
                window = TimeWindow(
                    start: start,
                    end: start.advanced(
                        byMilliseconds: window.end.milliseconds - window.start.milliseconds))
            } else {
                window = span.window(containing: window.end)
            }
        }
        return windows
    }
}

/// This is why a reader's question has no answer.
public enum QuestionError: Error, Equatable, CustomStringConvertible {
    case unknownModel(ModelID)
    case unknownFeature(String)
    case unknownSegmentKey(String, declared: [String])
    case tooLarge(Int)
    /// A step that is not a multiple of the model's pane.
    case unalignedStep(pane: String)

    /// This is what was not found, or what limit was passed.
    public var description: String {
        switch self {
        case .unknownModel(let model): "model \"\(model)\" is not known"
        case .unknownFeature(let feature): "feature \"\(feature)\" is not known"
        case .unknownSegmentKey(let key, let declared):
            "\"\(key)\" is not a segment key; \((declared + ["version"]).joined(separator: ", ")) are"
        case .tooLarge(let count):
            "\(count) measurements asked for, at most \(MeasurementsQuestion.measurementCountMax)"
        case .unalignedStep(let pane): "step: a multiple of the model's pane, \(pane), expected"
        }
    }
}

extension Monitor {
    /// These are the measurements, by window, statistic and feature.
    public func measurements(
        _ question: MeasurementsQuestion
    ) -> Result<[Measurement], QuestionError> {
        guard let state = collector.models[question.model] else {
            return .failure(.unknownModel(question.model))
        }
        let schema = state.schema
        let names = schema.measuredFeatures.map(\.name)
        let known = schema.featureNames.exactSet
        for feature in question.features
        where !MeasurementsQuestion.subjects.contains(feature)
            && !known.contains(ExactText(feature))
        {
            return .failure(.unknownFeature(feature))
        }
        if let key = question.segment?.key, key != "version",
            !state.schema.segments.containsExactly(key)
        {
            return .failure(.unknownSegmentKey(key, declared: state.schema.segments))
        }
        if let step = question.step {
            let pane = state.schema.paneMilliseconds
            guard step > 0, step % pane == 0 else {
                return .failure(.unalignedStep(pane: WindowSpan.milliseconds(pane).text))
            }
        }
        guard let windows = question.windows(over: state.extent) else {
            return .failure(.tooLarge(MeasurementsQuestion.measurementCountMax + 1))
        }
        let subjects = question.statistics.map { statistic -> (Statistic, [String?]) in
            switch statistic.group {
            case .volume, .performance: (statistic, [nil])
            case .drift, .quality: (statistic, question.subjects(of: statistic, schema))
            case .detector:
                statistic == .drift
                    ? (
                        statistic,
                        question.features.isEmpty ? names + ["prediction"] : question.features
                    ) : (statistic, ["error"])
            }
        }
        let count = windows.count * subjects.reduce(0) { $0 + $1.1.count }
        guard count <= MeasurementsQuestion.measurementCountMax else {
            return .failure(.tooLarge(count))
        }
        var measurements: [Measurement] = []
        measurements.reserveCapacity(count)
        let ofModel = question.statistics.filter(\.isOfModel)
        let ofFeature = question.statistics.filter { $0.group == .quality || $0.group == .drift }
        let features = question.features.isEmpty ? schema.featureNames : question.features
        let subjectsOf = Dictionary(
            ofFeature.map { ($0, question.subjects(of: $0, schema).exactSet) },
            uniquingKeysWith: { first, _ in first })
        let asked: [(name: String?, statistics: [Statistic])] =
            [(nil, ofModel)]
            + features.map { feature in
                (
                    feature,
                    ofFeature.filter { subjectsOf[$0]?.contains(ExactText(feature)) ?? false }
                )
            }
        for window in windows {
            // Each subject's panes are merged once; the answer is in the order of the statistics.
            var found: [Statistic: [Measurement]] = [:]
            for (name, statistics) in asked where !statistics.isEmpty {
                let query = question.query(statistics[0], feature: name)
                for measurement in state.measure(statistics, as: query, window: window) {
                    found[measurement.statistic, default: []].append(measurement)
                }
            }
            for (statistic, names) in subjects {
                if statistic.group == .detector {
                    measurements += names.map {
                        measure(
                            question.query(statistic, feature: $0), window: window, of: state)
                    }
                } else {
                    measurements += found[statistic] ?? []
                }
            }
        }
        return .success(measurements)
    }

    /// What the budgeted detectors say belongs to the judge, all else to the collector.
    private func measure(
        _ query: MeasurementQuery, window: TimeWindow, of state: ModelCollector
    ) -> Measurement {
        guard query.statistic == .drift else { return state.measure(query, window: window) }
        var measurement = judge.measure(
            DriftQuery(
                group: nil, feature: query.feature,
                span: window.end.milliseconds(since: window.start), start: window.start,
                segment: query.segment),
            of: state)
        // The detectors watch the newest version alone.
        if let version = query.version, measurement.version != version {
            measurement.reading = .undefined(reason: "drift watches the newest version alone")
            measurement.finding = nil
            measurement.version = version
        }
        return measurement
    }

    /// These are the measurements as the API shows them.
    public func measurementsJSON(
        _ question: MeasurementsQuestion
    ) -> Result<JSONValue, QuestionError> {
        measurements(question).map { measurements in
            .object([
                ("model", .string(question.model.rawValue)),
                (
                    "reference",
                    .optional(collector.models[question.model]?.aggregator.reference?.id)
                ), ("measurements", .array(measurements.map(\.json))),
            ])
        }
    }
}
