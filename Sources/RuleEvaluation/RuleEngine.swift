public import MonitoringDomain
public import RuleLanguage

/// This is the state machines of all rules: alerts by rule, model and subject; requests by model.
///
/// It guarantees: no clock and no I/O; the same calls give the same effects; each (group, model, slot) is
/// evaluated once. Its limits: an alert a rule, model and feature, and as many requests as were filed.
public struct RuleEngine: Sendable, Equatable {
    /// Resolved alerts that are kept to be shown.
    public static let resolvedCountMax = 1_000

    /// These are the rules in force.
    public internal(set) var rules: RuleSet
    var active: [String: Alert] = [:]
    var resolved: [Alert] = []
    /// The start of the newest slot that was evaluated, by group and model.
    var slots: [String: Int64] = [:]
    /// When an active alert's breach was last seen, by fingerprint.
    var lastBreach: [String: EventTime] = [:]
    /// These are all requests that were filed, in order.
    public internal(set) var requests: [RetrainingRequest] = []
    /// Factors on a rule's cooldown, by model, group and rule: what did not help doubles it.
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
        func identity(_ group: RuleGroup, _ rule: Rule) -> String {
            "\(group.name)/\(rule.name)/\(rule.hold)/\(rule.segmentKey ?? "")/\(rule.expressionText)"
        }
        let old = Dictionary(
            self.rules.groups.flatMap { group in
                group.rules.map { ("\(group.name)/\($0.name)", identity(group, $0)) }
            }, uniquingKeysWith: { first, _ in first })
        var groups: [String: RuleGroup] = [:]
        var kept: Set<String> = []
        for group in rules.groups {
            groups[group.name] = group
            for rule in group.rules { kept.insert(identity(group, rule)) }
        }
        var effects: [Effect] = []
        for (_, alert) in active.sorted(by: { $0.key < $1.key }) {
            let isKept =
                groups[alert.group]?.matches(alert.model) == true
                && old["\(alert.group)/\(alert.rule)"].map { kept.contains($0) } == true
            if !isKept { effects += resolve(alert, at: now) }
        }
        // A name holds no slash, so the group's is what stands before the first.
        slots = slots.filter { key, _ in groups[String(key.prefix { $0 != "/" })] != nil }
        self.rules = rules
        return effects
    }

    // MARK: - Evaluation

    /// Evaluates the groups that are due for a model.
    ///
    /// - Parameters:
    ///   - now: The rules' time.
    ///   - context: What the rules may ask of the model.
    ///   - restated: The names of groups that are due at once, because late rows changed what they read.
    /// - Returns: The effects, and what was read of windows.
    public mutating func judge(
        at now: EventTime, in context: RuleContext, restated: Set<String> = []
    ) -> (effects: [Effect], judged: [JudgedWindow]) {
        var effects: [Effect] = []
        var judged: [JudgedWindow] = []
        for group in rules.groups where group.matches(context.model) {
            let slot = Self.slot(of: now, interval: group.evaluationInterval)
            let key = "\(group.name)/\(context.model)"
            if let last = slots[key], last >= slot, !restated.contains(group.name) { continue }
            slots[key] = max(slots[key] ?? slot, slot)
            for rule in group.rules {
                let subjects: [String?] =
                    rule.expression.isOfEachFeature ? context.features : [nil]
                let segments: [Segment?] =
                    rule.segmentKey.map { key in
                        context.segments(key).map { Segment(key: key, value: $0) }
                    } ?? [nil]
                for (subject, segment) in subjects.flatMap({ subject in
                    segments.map { (subject, $0) }
                }) {
                    let evaluation = ExpressionEvaluator.evaluate(
                        rule.expression, in: context, group: group.name, subject: subject,
                        segment: segment, at: now)
                    judged += evaluation.judged
                    effects += observe(
                        evaluation,
                        Occasion(
                            group: group, rule: rule, subject: subject, segment: segment, now: now,
                            context: context))
                }
            }
        }
        return (effects, judged)
    }

    /// Evaluates the groups that are due for a model: `judge` without what was read.
    public mutating func evaluate(at now: EventTime, in context: RuleContext) -> [Effect] {
        judge(at: now, in: context).effects
    }

    /// The start of the slot, because a slot's number would mean another time after a change of `every`.
    private static func slot(of now: EventTime, interval: Int64) -> Int64 {
        let time = now.milliseconds
        let rest = time % interval
        return time &- (rest < 0 ? rest &+ interval : rest)
    }

    /// A rule, its subject and the moment.
    struct Occasion {
        let group: RuleGroup
        let rule: Rule
        let subject: String?
        let segment: Segment?
        let now: EventTime
        let context: RuleContext

        var fingerprint: String {
            Alert.fingerprint(
                model: context.model, group: group.name, rule: rule.name, feature: subject,
                segment: segment)
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
                alert.segments = evaluation.segments(in: occasion.context)
                alert.annotations = AnnotationText.annotations(evaluation, occasion)
                if now.milliseconds(since: alert.since) >= occasion.rule.hold {
                    return fire(&alert, occasion)
                }
                active[fingerprint] = alert
                return []
            }
            active[fingerprint] = alert
            return refile(alert, evaluation, occasion)
        }
        if alert.phase == .pending {
            active[fingerprint] = nil
            lastBreach[fingerprint] = nil
            return []
        }
        let last = lastBreach[fingerprint] ?? alert.firedAt ?? alert.since
        guard now.milliseconds(since: last) >= occasion.rule.keepFiring else { return [] }
        return resolve(alert, at: now)
    }

    private func newAlert(_ evaluation: Evaluation, _ occasion: Occasion) -> Alert {
        var labels = occasion.rule.labels
        if let segment = occasion.segment { labels["segment"] = segment.description }
        var alert = Alert(
            rule: occasion.rule.name, group: occasion.group.name, model: occasion.context.model,
            feature: occasion.subject, segment: occasion.segment, phase: .pending, labels: labels,
            annotations: AnnotationText.annotations(evaluation, occasion), since: occasion.now,
            value: evaluation.value, expression: occasion.rule.expressionText,
            evidence: evaluation.evidence)
        alert.segments = evaluation.segments(in: occasion.context)
        return alert
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
}
