public import ByteCoding
public import MonitorCore
public import MonitoringDomain
public import RuleEvaluation

// The shapes of what a detector knows beside a number.

extension Finding {
    /// These are the members that a measurement shows beside its value.
    var members: [(String, JSONValue)] {
        switch self {
        case .drift(let finding):
            [
                ("named", .bool(finding.isAlarm)), ("level", .double(finding.level)),
                ("tolerance", .double(finding.tolerance)),
                ("evidence", .optional(finding.streams.first?.evidence)),
                ("alarm_at", .double(finding.alarmAt)),
            ]
                + (finding.calibrationCount.map {
                    [("calibration_windows", .int(Int64(clamping: $0)))]
                } ?? [])
        case .detector(let finding):
            [
                ("state", .string(finding.state.rawValue)),
                ("last_change", .optional(finding.lastChange.map { "\($0)" })),
                ("outcomes", .int(Int64(clamping: finding.outcomeCount))),
                ("corrected", .int(Int64(clamping: finding.correctedCount))),
            ]
        }
    }

    /// This is the null that a drift alarm rests on; nil for others.
    var null: DriftNull? {
        switch self {
        case .drift(let finding): finding.null
        case .detector: nil
        }
    }
}

extension DriftFinding.Stream {
    /// This is a feature among those that moved most, as the API shows it.
    var json: JSONValue {
        .object([
            ("feature", .string(feature)), ("segment", .optional(segment?.description)),
            ("evidence", .double(evidence)),
            ("distance", .optional(distance)), ("lower", .optional(distanceLowerBound)),
            ("named", .bool(isNamed)),
        ])
    }
}

extension Alert {
    /// This is why the alert was raised: its readings, and for drift the null, the level and the features.
    var evidenceJSON: JSONValue {
        let findings = evidence.compactMap { measurement -> DriftFinding? in
            if case .drift(let finding)? = measurement.finding { finding } else { nil }
        }
        let drift = findings.first { $0.isAlarm } ?? findings.first
        return .object([
            ("expression", .string(expression)), ("readings", .array(evidence.map(\.json))),
            ("null", .string((drift?.null ?? .rows).rawValue)),
            ("level", .optional(drift?.level)),
            ("top_features", .array((drift?.streams ?? []).map(\.json))),
            ("segments", .array(segments.map(\.json))),
        ])
    }
}

extension SegmentPart {
    /// This is a segment among those that contribute most, as the API shows it.
    var json: JSONValue {
        .object([
            ("segment", .string(segment.description)), ("statistic", .string(statistic.rawValue)),
            ("feature", .optional(feature)), ("value", .optional(value)),
            ("reference", .optional(baseline)), ("share", .double(share)),
            ("reference_share", .optional(baselineShare)), ("mix", .optional(mix)),
            ("rate", .optional(rate)),
        ])
    }
}

extension Restatement {
    /// This is the restatement as the API shows it: one value before and after late rows.
    public var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("statistic", .string(query.statistic.rawValue)), ("feature", .optional(query.feature)),
            ("version", .optional(query.version)),
            ("segment", .optional(query.segment?.description)),
            ("window", window.json), ("old", old.restatedJSON), ("new", new.restatedJSON),
            ("restated_at", .string("\(restatedAt)")),
        ]
        if let fraction = query.fraction { members.append(("q", .double(fraction))) }
        return .object(members)
    }
}

extension Reading {
    fileprivate var restatedJSON: JSONValue {
        .object([
            ("value", .optional(estimate?.value)), ("lower", .optional(estimate?.lower)),
            ("upper", .optional(estimate?.upper)), ("status", .string(status)),
        ])
    }
}

extension MonitorCore.Monitor {
    /// These are a model's restatements as the API shows them, newest first; nil for an unknown model.
    public func restatementsJSON(of model: ModelID) -> JSONValue? {
        guard collector.models[model] != nil else { return nil }
        return .object([
            ("model", .string(model.rawValue)),
            ("restatements", .array(judge.restatements(of: model).reversed().map(\.json))),
        ])
    }
}
