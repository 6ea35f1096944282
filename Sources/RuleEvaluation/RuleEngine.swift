public import MonitoringDomain
public import RuleLanguage

/// This is the state machines of all rules: alerts by rule, model and subject; requests by model.
///
/// It guarantees: no clock and no I/O; the same calls give the same effects; each (group, model, slot) is
/// evaluated once. Its limit: `alertCountMax` alerts a rule and model, and as many requests as were filed.
public struct RuleEngine: Sendable, Equatable {
    /// Subjects of one rule and model that may be in alert; more would be one fault of the rule.
    public static let alertCountMax = 1_000
    /// Resolved alerts that are kept to be shown.
    public static let resolvedCountMax = 1_000

    /// These are the rules in force.
    public internal(set) var rules: RuleSet
    var active: [String: Alert] = [:]
    var resolved: [Alert] = []
    /// The newest slot that was evaluated, by group and model.
    var slots: [String: Int64] = [:]
    /// When a firing alert's breach was last seen, by fingerprint.
    var lastBreach: [String: EventTime] = [:]
    /// These are all requests that were filed, in order.
    public internal(set) var requests: [RetrainingRequest] = []
    /// Factors on a rule's cooldown, by model and rule: retrainings that did not help double it.
    var cooldownFactors: [String: Int64] = [:]

    /// Makes an engine in which no rule was evaluated.
    public init(rules: RuleSet) { self.rules = rules }

    /// Pending, firing and lately resolved alerts, by fingerprint.
    public var alerts: [Alert] {
        (Array(active.values) + resolved).sorted {
            ($0.fingerprint, $0.since) < ($1.fingerprint, $1.since)
        }
    }

    // MARK: - Rules

    /// Replaces the rules; the state of a rule whose name, expression and hold are the same is kept.
    public mutating func replaceRules(_ rules: RuleSet, at now: EventTime) -> [Effect] {
        var kept: Set<String> = []
        for group in rules.groups {
            for rule in group.rules {
                kept.insert("\(group.name)/\(rule.name)/\(rule.hold)/\(rule.expressionText)")
            }
        }
        var effects: [Effect] = []
        for group in self.rules.groups {
            for rule in group.rules
            where !kept.contains("\(group.name)/\(rule.name)/\(rule.hold)/\(rule.expressionText)") {
                let gone = active.values.filter { $0.group == group.name && $0.rule == rule.name }
                for alert in gone.sorted(by: { $0.fingerprint < $1.fingerprint }) {
                    effects += resolve(alert, at: now)
                }
            }
        }
        self.rules = rules
        return effects
    }

    // MARK: - Evaluation

    /// Evaluates the groups that are due for a model.
    public mutating func evaluate(at now: EventTime, in context: RuleContext) -> [Effect] {
        var effects: [Effect] = []
        for group in rules.groups where group.matches(context.model) {
            let slot = Self.slot(of: now, interval: group.evaluationInterval)
            let key = "\(group.name)/\(context.model)"
            if let last = slots[key], last >= slot { continue }
            slots[key] = slot
            for rule in group.rules {
                let subjects: [String?] =
                    rule.expression.isOfEachFeature ? context.features : [nil]
                for subject in subjects.prefix(Self.alertCountMax) {
                    let evaluation = ExpressionEvaluator.evaluate(
                        rule.expression, in: context, subject: subject, at: now)
                    effects += observe(
                        evaluation,
                        Occasion(
                            group: group, rule: rule, subject: subject, now: now, context: context))
                }
            }
        }
        return effects
    }

    private static func slot(of now: EventTime, interval: Int64) -> Int64 {
        let time = now.milliseconds
        return time >= 0 ? time / interval : -((-time + interval - 1) / interval)
    }

    /// A rule, its subject and the moment.
    struct Occasion {
        let group: RuleGroup
        let rule: Rule
        let subject: String?
        let now: EventTime
        let context: RuleContext

        var fingerprint: String {
            "\(context.model)/\(group.name)/\(rule.name)" + (subject.map { "/\($0)" } ?? "")
        }
    }

    private mutating func observe(_ evaluation: Evaluation, _ occasion: Occasion) -> [Effect] {
        let isBreached: Bool
        switch (evaluation.isBreached, occasion.rule.noData) {
        case (let known?, _): isBreached = known
        case (nil, .keep): return []
        case (nil, .ok): isBreached = false
        case (nil, .alert): isBreached = true
        }
        let fingerprint = occasion.fingerprint
        let now = occasion.now
        guard var alert = active[fingerprint] else {
            guard isBreached else { return [] }
            var alert = newAlert(evaluation, occasion)
            if occasion.rule.hold == 0 { return fire(&alert, occasion) }
            active[fingerprint] = alert
            return [.alertChanged(alert)]
        }
        if isBreached {
            lastBreach[fingerprint] = now
            alert.value = evaluation.value
            if alert.phase == .pending {
                alert.evidence = evaluation.evidence
                alert.annotations = annotations(evaluation, occasion)
                let held = now.milliseconds - alert.since.milliseconds
                if held >= occasion.rule.hold { return fire(&alert, occasion) }
                active[fingerprint] = alert
                return []
            }
            active[fingerprint] = alert
            return refile(alert, evaluation, occasion)
        }
        if alert.phase == .pending {
            active[fingerprint] = nil
            return []
        }
        let last = lastBreach[fingerprint] ?? alert.firedAt ?? alert.since
        guard now.milliseconds - last.milliseconds >= occasion.rule.keepFiring else { return [] }
        return resolve(alert, at: now)
    }

    private func newAlert(_ evaluation: Evaluation, _ occasion: Occasion) -> Alert {
        Alert(
            rule: occasion.rule.name, group: occasion.group.name, model: occasion.context.model,
            feature: occasion.subject, phase: .pending, labels: occasion.rule.labels,
            annotations: annotations(evaluation, occasion), since: occasion.now,
            value: evaluation.value, expression: occasion.rule.expressionText,
            evidence: evaluation.evidence)
    }

    private mutating func fire(_ alert: inout Alert, _ occasion: Occasion) -> [Effect] {
        alert.phase = .firing
        alert.firedAt = occasion.now
        active[alert.fingerprint] = alert
        lastBreach[alert.fingerprint] = occasion.now
        return [.alertChanged(alert)] + file(alert, occasion)
    }

    private mutating func resolve(_ alert: Alert, at now: EventTime) -> [Effect] {
        active[alert.fingerprint] = nil
        lastBreach[alert.fingerprint] = nil
        guard alert.phase == .firing else { return [] }
        var ended = alert
        ended.phase = .resolved
        ended.resolvedAt = now
        resolved.append(ended)
        if resolved.count > Self.resolvedCountMax { resolved.removeFirst() }
        return [.alertChanged(ended)]
    }

    // MARK: - Words

    private func annotations(_ evaluation: Evaluation, _ occasion: Occasion) -> [String: String] {
        let window = evaluation.evidence.first?.window
        let span = window.map {
            WindowSpan.milliseconds($0.end.milliseconds - $0.start.milliseconds).text
        }
        let values = [
            "feature": occasion.subject ?? evaluation.evidence.first?.feature ?? "",
            "value": evaluation.value.map { Self.short($0) } ?? "unknown",
            "window": span ?? "", "model": occasion.context.model.rawValue,
            "version": occasion.context.version ?? "",
        ]
        return occasion.rule.annotations.mapValues { template in
            values.reduce(template) { text, entry in
                Self.replacing("{{ \(entry.key) }}", in: text, with: entry.value)
            }
        }
    }

    /// Four significant digits.
    static func short(_ value: Double) -> String {
        guard value != 0, value.isFinite else { return value == 0 ? "0" : "\(value)" }
        var scale = 1.0
        var magnitude = value.magnitude
        while magnitude < 1_000, scale < 1e12 {
            magnitude *= 10
            scale *= 10
        }
        let rounded = (value * scale).rounded() / scale
        return rounded == rounded.rounded() && rounded.magnitude < 1e15
            ? "\(Int64(rounded))" : "\(rounded)"
    }

    private static func replacing(_ pattern: String, in text: String, with value: String) -> String
    {
        let wanted = Array(pattern)
        let characters = Array(text)
        var result = ""
        var index = 0
        while index < characters.count {
            if characters[index] == "{", index + wanted.count <= characters.count,
                Array(characters[index..<index + wanted.count]) == wanted
            {
                result += value
                index += wanted.count
            } else {
                result.append(characters[index])
                index += 1
            }
        }
        return result
    }
}
