public import ByteCoding
public import MonitorCore
public import MonitoringDomain
import RuleEvaluation
import WindowAggregation

extension ModelCollector {
    /// This is the span whose windows show some 30 points over what has come, for a first look.
    public var suggestedWindow: WindowSpan {
        guard let extent = aggregator.extent else { return .milliseconds(WindowSpan.hour) }
        let length = extent.end.milliseconds - extent.start.milliseconds
        let choices: [Int64] = [
            WindowSpan.minute, 5 * WindowSpan.minute, WindowSpan.hour, WindowSpan.day,
            WindowSpan.week,
        ]
        return .milliseconds(choices.first { length / $0 <= 90 } ?? 4 * WindowSpan.week)
    }

    /// This is the active reference as the API shows it; null while it is being learned.
    public var referenceJSON: JSONValue {
        guard let reference = aggregator.reference else { return .null }
        return .object([
            ("reference", .string(reference.id)), ("rows", .int(Int64(reference.rowCount))),
            ("state", .string("active")), ("origin", .string(reference.origin.rawValue)),
            ("pinned_at", .string("\(reference.pinnedAt)")),
            (
                "bins",
                .object(reference.binCounts.map { ($0.feature, .int(Int64($0.bins))) })
            ),
        ])
    }
}

extension Monitor {
    /// This is a model as the API shows it; nil when it is unknown.
    public func modelJSON(_ model: ModelID) -> JSONValue? {
        guard let state = collector.models[model] else { return nil }
        let schema = state.schema
        let status = self.status(of: model)
        return .object([
            ("model", .string(model.rawValue)), ("task", .optional(schema.task?.rawValue)),
            ("positive_label", .optional(schema.positiveLabel)),
            ("version", .optional(state.aggregator.versions.last)),
            ("versions", .array(state.aggregator.versions.map { .string($0) })),
            ("state", .string(state.isLearning ? "learning" : "active")),
            (
                "status",
                .object([("level", .string(status.level)), ("text", .string(status.text))])
            ),
            ("reference", state.referenceJSON),
            ("records", .int(Int64(clamping: state.recordCount))),
            ("learned", .int(Int64(state.learnedRowCount))),
            ("learning_target", .int(Int64(ModelCollector.learningRowCount))),
            (
                "features",
                .array(
                    schema.features.map {
                        .object([("name", .string($0.name)), ("kind", .string($0.kind.rawValue))])
                    })
            ),
            (
                "pane",
                .string(WindowSpan.milliseconds(schema.paneMilliseconds).text)
            ), ("extent", state.aggregator.extent?.json ?? .null),
            ("window_suggestion", .string(state.suggestedWindow.text)),
        ])
    }

    /// This is a model's state in words, worst first: what a person wants to know before any chart.
    private func status(of model: ModelID) -> (level: String, text: String) {
        guard let state = collector.models[model] else { return ("ok", "Unknown") }
        if state.isLearning {
            return (
                "watch",
                "Learning its reference: \(state.learnedRowCount) of "
                    + "\(ModelCollector.learningRowCount) records"
            )
        }
        let firing = judge.engine.alerts.filter { $0.model == model && $0.phase == .firing }
        let open = judge.engine.requests.last { $0.model == model && !$0.state.isFinal }
        if let open {
            let words =
                switch open.state {
                case .running: "Retraining is running"
                case .claimed: "Retraining was claimed by a trainer"
                case .awaitingApproval: "Retraining awaits approval"
                default: "Retraining requested"
                }
            return ("alert", "\(words): \(open.rule)")
        }
        if let alert = firing.first {
            let subject = alert.feature.map { " on \($0)" } ?? ""
            let more = firing.count > 1 ? ", and \(firing.count - 1) more" : ""
            return ("alert", "Alert: \(alert.rule)\(subject)\(more)")
        }
        if judge.engine.alerts.contains(where: { $0.model == model && $0.phase == .pending }) {
            return ("watch", "A rule is breached, and not yet long enough to alert")
        }
        if let last = judge.engine.requests.last(where: { $0.model == model })?.verification {
            switch last.verdict {
            case .watching: return ("watch", "Retrained; watching whether it helped")
            case .helped: return ("ok", "Healthy; the last retraining helped")
            case .didNotHelp: return ("watch", "The last retraining did not help")
            case .madeItWorse: return ("alert", "The last retraining made it worse")
            }
        }
        return ("ok", "Healthy")
    }

    /// These are all models as the API shows them, by name.
    public var modelsJSON: JSONValue {
        .object([
            ("models", .array(collector.models.keys.sorted().compactMap { modelJSON($0) }))
        ])
    }

    /// These are the alerts in a phase, or in any, as the API shows them.
    public func alertsJSON(phase: AlertPhase?) -> JSONValue {
        .object([
            (
                "alerts",
                .array(
                    judge.engine.alerts.filter { phase == nil || $0.phase == phase }.map(\.json))
            )
        ])
    }

    /// This is a request as the API shows it; nil when it is unknown.
    public func requestJSON(_ id: String) -> JSONValue? {
        judge.engine.requests.last { $0.id == id }?.json
    }

    /// These are all requests as the API shows them, in the order in which they were filed.
    public var requestsJSON: JSONValue {
        .object([("requests", .array(judge.engine.requests.map(\.json)))])
    }
}

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
    /// This is the span of each window.
    public var span: WindowSpan
    /// This lies in the first window; nil for the first row's.
    public var from: EventTime?
    /// This ends the last window; nil for the last row's.
    public var to: EventTime?

    /// Windows × statistics × features that one answer may hold; beyond, it is refused.
    public static let measurementCountMax = 200_000

    /// Makes a question from its parts.
    public init(
        model: ModelID, statistics: [Statistic], features: [String], version: String?,
        span: WindowSpan, from: EventTime?, to: EventTime?
    ) {
        self.model = model
        self.statistics = statistics
        self.features = features
        self.version = version
        self.span = span
        self.from = from
        self.to = to
    }
}

/// This is why a reader's question has no answer.
public enum QuestionError: Error, Equatable, CustomStringConvertible {
    case unknownModel(ModelID)
    case unknownFeature(String)
    case tooLarge(Int)

    /// This is what was not found, or what limit was passed.
    public var description: String {
        switch self {
        case .unknownModel(let model): "model \"\(model)\" is not known"
        case .unknownFeature(let feature): "feature \"\(feature)\" is not known"
        case .tooLarge(let count):
            "\(count) measurements asked for, at most \(MeasurementsQuestion.measurementCountMax)"
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
        let names = state.schema.features.map(\.name)
        for feature in question.features
        where feature != "prediction" && !names.contains(feature) {
            return .failure(.unknownFeature(feature))
        }
        let extent = state.aggregator.extent
        guard let from = question.from ?? extent?.start, let to = question.to ?? extent?.end,
            from < to
        else { return .success([]) }
        var windows: [TimeWindow] = []
        var window = question.span.window(containing: from)
        while window.start < to {
            windows.append(window)
            guard windows.count <= MeasurementsQuestion.measurementCountMax else {
                return .failure(.tooLarge(windows.count))
            }
            window = question.span.window(containing: window.end)
        }
        let subjects = question.statistics.map { statistic -> (Statistic, [String?]) in
            switch statistic.group {
            case .volume, .performance: (statistic, [nil])
            case .drift, .quality:
                (statistic, question.features.isEmpty ? names : question.features)
            }
        }
        let count = windows.count * subjects.reduce(0) { $0 + $1.1.count }
        guard count <= MeasurementsQuestion.measurementCountMax else {
            return .failure(.tooLarge(count))
        }
        var measurements: [Measurement] = []
        measurements.reserveCapacity(count)
        for window in windows {
            for (statistic, features) in subjects {
                for feature in features {
                    measurements.append(
                        state.measure(
                            MeasurementQuery(
                                model: question.model, statistic: statistic, feature: feature,
                                version: question.version), window: window))
                }
            }
        }
        return .success(measurements)
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
