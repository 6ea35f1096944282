public import ByteCoding
public import MonitorCore
public import MonitoringDomain
import RecordCoding
import RuleEvaluation
import WindowAggregation

extension ModelCollector {
    /// This is the span whose windows show some 30 points over what has come, for a first look.
    public var suggestedWindow: WindowSpan {
        guard let extent else { return .milliseconds(WindowSpan.hour) }
        let length = extent.end.milliseconds - extent.start.milliseconds
        let choices: [Int64] = [
            WindowSpan.minute, 5 * WindowSpan.minute, WindowSpan.hour, WindowSpan.day,
            WindowSpan.week,
        ]
        return .milliseconds(choices.first { length / $0 <= 90 } ?? 4 * WindowSpan.week)
    }
}

extension FeatureSchema {
    /// This is the feature as its owner may declare it, and the numbers that stand for it.
    var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("name", .string(name)), ("kind", .string(kind.name)),
        ]
        switch kind {
        case .numeric, .categorical, .text: break
        case .single: members.append(("precision", .string(NumberPrecision.float32.rawValue)))
        case .vector(let dimension, let precision):
            members.append(("dimension", .int(Int64(dimension))))
            members.append(("precision", .string(precision.rawValue)))
        }
        if !kind.measures.isEmpty {
            members.append(("measured", .array(measured.map { .string($0.name) })))
        }
        return .object(members)
    }
}

extension InferencePairing {
    /// This is what became of logged requests and responses; null where none came.
    var json: JSONValue {
        if isEmpty, counts == Counts() { return .null }
        func count(_ value: UInt64) -> JSONValue { .int(Int64(clamping: value)) }
        return .object([
            ("paired", count(counts.paired)), ("waiting", .int(Int64(waitingCount))),
            ("repeated", count(counts.repeated)), ("request_only", count(counts.requestOnly)),
            ("response_only", count(counts.responseOnly)), ("evicted", count(counts.evicted)),
            ("mismatched", count(counts.mismatched)),
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
            ("version", .optional(state.aggregator.newestVersion)),
            ("versions", .array(state.aggregator.servedVersions.map { .string($0) })),
            ("state", .string(state.isLearning ? "learning" : "active")),
            (
                "status",
                .object([("level", .string(status.level)), ("text", .string(status.text))])
            ),
            ("reference", state.referenceJSON),
            ("segment_keys", .array(state.schema.segments.map { .string($0) })),
            (
                "segments",
                .array(state.aggregator.knownSegments.map { .string($0.description) })
            ),
            ("records", .int(Int64(clamping: state.recordCount))),
            ("learned", .int(Int64(state.learnedRowCount))),
            ("inference", state.pairing.json), ("identity", .optional(schema.identity?.text)),
            ("scores", .string((schema.scores ?? .distribution).rawValue)),
            ("learning_target", .int(Int64(state.learningTarget))),
            (
                "features",
                .array(schema.features.map(\.json))
            ), ("look_alike_features", .int(Int64(schema.lookAlikeCount))),
            (
                "ground_truth",
                .object([
                    ("waiting", .int(Int64(clamping: state.join.tally.unmatchedTruths))),
                    ("older_than_prediction", .int(Int64(clamping: state.join.tally.olderTruths))),
                ])
            ),
            (
                "pane",
                .string(WindowSpan.milliseconds(schema.paneMilliseconds).text)
            ),
            (
                "horizon",
                .string(
                    WindowSpan.milliseconds(
                        schema.horizonMilliseconds ?? ModelSchema.defaultHorizonMilliseconds
                    ).text)
            ), ("extent", state.extent?.json ?? .null),
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
                    + "\(state.learningTarget) records"
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
