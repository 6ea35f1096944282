public import ByteCoding
import MonitorCore
public import MonitoringDomain
import RuleEvaluation
import WindowAggregation

// The shapes of the API's answers, as in the outer contract. They are also what goes into requests and
// notifications as evidence, so that everybody sees the same words.

extension TimeWindow {
    /// These are the window's ends in RFC 3339.
    public var json: JSONValue {
        .object([("from", .string("\(start)")), ("to", .string("\(end)"))])
    }
}

extension Measurement {
    /// This is the measurement as the API shows it.
    public var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("statistic", .string(statistic.rawValue)), ("feature", .optional(feature)),
            ("version", .optional(version)), ("segment", .optional(segment?.description)),
            ("window", window.json),
            ("value", .optional(reading.estimate?.value)),
            ("lower", .optional(reading.estimate?.lower)),
            ("upper", .optional(reading.estimate?.upper)),
            ("certified", .bool(reading.estimate?.isCertified ?? false)),
            ("p_value", .optional(reading.estimate?.pValue)),
            (
                "null",
                .optional(
                    finding?.null?.rawValue ?? (reading.estimate?.pValue == nil ? nil : "rows"))
            ),
            ("count", .int(Int64(count))), ("missing", .int(Int64(missing))),
            ("reference_count", .optional(referenceCount)),
            ("status", .string(reading.status)), ("revised", .bool(isRevised)),
        ]
        if let reason = reading.reason { members.append(("reason", .string(reason))) }
        members += finding?.members ?? []
        return .object(members)
    }
}

extension Alert {
    /// This is the alert as the API shows it.
    public var json: JSONValue {
        .object([
            ("rule", .string(rule)), ("group", .string(group)), ("model", .string(model.rawValue)),
            ("feature", .optional(feature)),
            ("segment", .optional(segment?.description)), ("phase", .string(phase.rawValue)),
            (
                "labels",
                .object(labels.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
            ),
            (
                "annotations",
                .object(annotations.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
            ),
            ("since", .string("\(since)")), ("fired_at", .optional(firedAt.map { "\($0)" })),
            ("resolved_at", .optional(resolvedAt.map { "\($0)" })), ("value", .optional(value)),
            ("evidence", evidenceJSON),
            ("fingerprint", .string(fingerprint)),
        ])
    }
}

extension Verification {
    /// This is the verification as the API shows it.
    public var json: JSONValue {
        .object([
            ("verdict", .string(verdict.rawValue)), ("statistic", .string(statistic.rawValue)),
            ("old_version", .string(oldVersion)), ("new_version", .string(newVersion)),
            ("before", .double(before)), ("after", .double(after)),
            ("before_count", .int(Int64(beforeCount))), ("after_count", .int(Int64(afterCount))),
            (
                "effect",
                .object([
                    ("value", .double(effect)), ("lower", .double(effectLower)),
                    ("upper", .double(effectUpper)),
                ])
            ), ("decided_at", .string("\(decidedAt)")), ("method", .string(method)),
        ])
    }
}

extension RetrainingRequest {
    /// This is what a trainer gets: the alert, its evidence, and which records to train on.
    public var payloadJSON: JSONValue {
        .object([
            ("schema_version", .int(1)),
            (
                "alert",
                .object([
                    ("rule", .string(alert.rule)), ("fingerprint", .string(alert.fingerprint)),
                    ("fired_at", .optional((alert.firedAt ?? createdAt).description)),
                    ("expression", .string(alert.expression)),
                ])
            ), ("evidence", .array(alert.evidence.map(\.json))),
            ("window", (alert.evidence.first?.window ?? trainingWindow).json),
            ("reference", .optional(reference)),
            (
                "data",
                .object([
                    ("training_from", .string("\(trainingWindow.start)")),
                    ("training_to", .string("\(trainingWindow.end)")),
                ])
            ),
            (
                "parameters",
                .object(parameters.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) })
            ),
        ])
    }

    /// This is the request as the API shows it.
    public var json: JSONValue {
        .object([
            ("id", .string(id)), ("model", .string(model.rawValue)),
            ("model_version", .string(modelVersion)), ("queue", .string(queue)),
            // Decided here and not yet confirmed by PostgreSQL is, to a reader, a pending request.
            ("state", .string(state == .filing ? "pending" : state.rawValue)),
            ("filed", .bool(state != .filing)), ("reason", .string(rule)),
            ("trigger_count", .int(Int64(triggerCount))), ("created_at", .string("\(createdAt)")),
            ("finished_at", .optional(finishedAt.map { "\($0)" })),
            ("new_version", .optional(newVersion)), ("detail", .optional(detail)),
            ("payload", payloadJSON),
            ("verification", verification?.json ?? .null),
        ])
    }
}
