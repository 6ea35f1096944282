/// This is where an alert stands.
public enum AlertPhase: String, Sendable { case inactive, pending, firing, resolved }

/// This is a rule × subject that has left the inactive phase, with its evidence.
public struct Alert: Equatable, Sendable {
    /// This is the rule's name.
    public var rule: String
    /// This is the name of the rule's group.
    public var group: String
    /// This is the model that the alert is about.
    public var model: ModelID
    /// This is the feature that `*` stood for; nil for a rule without `*`.
    public var feature: String?
    /// This is the slice that the alert is about; nil for a rule over the whole traffic.
    public var segment: Segment?
    /// This is where the alert stands.
    public var phase: AlertPhase
    /// These are the rule's labels, by which receivers are chosen.
    public var labels: [String: String]
    /// These are the rule's texts with their placeholders filled.
    public var annotations: [String: String]
    /// When the breach began.
    public var since: EventTime
    /// When it last began to fire; nil while pending.
    public var firedAt: EventTime?
    /// This is when it was resolved; nil while it is active.
    public var resolvedAt: EventTime?
    /// This is the first statistic's newest value; nil while it is unknown.
    public var value: Double?
    /// This is the rule's expression, as its file has it.
    public var expression: String
    /// The readings that justified the newest transition.
    public var evidence: [Measurement]
    /// The segments that contribute most to the first of them, as of the newest transition.
    public var segments: [SegmentPart] = []

    /// Makes an alert from its parts.
    public init(
        rule: String, group: String, model: ModelID, feature: String?,
        segment: Segment? = nil, phase: AlertPhase,
        labels: [String: String], annotations: [String: String], since: EventTime,
        firedAt: EventTime? = nil, resolvedAt: EventTime? = nil, value: Double? = nil,
        expression: String, evidence: [Measurement] = []
    ) {
        self.rule = rule
        self.group = group
        self.model = model
        self.feature = feature
        self.segment = segment
        self.phase = phase
        self.labels = labels
        self.annotations = annotations
        self.since = since
        self.firedAt = firedAt
        self.resolvedAt = resolvedAt
        self.value = value
        self.expression = expression
        self.evidence = evidence
    }

    /// This is the alert's identity over its episodes: rule, model, feature and segment.
    public var fingerprint: String {
        Self.fingerprint(
            model: model, group: group, rule: rule, feature: feature, segment: segment)
    }

    /// This is the identity of the alert that these parts would have.
    public static func fingerprint(
        model: ModelID, group: String, rule: String, feature: String?, segment: Segment?
    ) -> String {
        var text = "\(model)/\(group)/\(rule)"
        if let feature { text += "/\(feature)" }
        if let segment {
            // Without a slash of its own, so that the last part is the segment whatever the feature is.
            text += "/"
            for character in segment.description {
                switch character {
                case "/": text += "%2F"
                case "%": text += "%25"
                default: text.append(character)
                }
            }
        }
        return text
    }
}

/// This is a request's life, with the names of the PostgreSQL contract, plus `filing`: decided here,
/// not yet confirmed by PostgreSQL.
public enum RetrainingState: String, Sendable, CaseIterable {
    case filing
    case awaitingApproval = "awaiting_approval"
    case pending, claimed, running, succeeded, failed, cancelled, expired, superseded

    /// This is true for a state that no report can change.
    public var isFinal: Bool {
        switch self {
        case .filing, .awaitingApproval, .pending, .claimed, .running: false
        case .succeeded, .failed, .cancelled, .expired, .superseded: true
        }
    }
}

/// This is what the verification of a retraining found.
public enum Verdict: String, Sendable {
    case watching
    case helped
    case didNotHelp = "did_not_help"
    case madeItWorse = "made_it_worse"
}

/// This is the comparison of the old version with the new one on matured ground truth.
public struct Verification: Equatable, Sendable {
    /// This is the conclusion.
    public var verdict: Verdict
    /// This is what was compared: accuracy, or the mean absolute error of a regression.
    public var statistic: Statistic
    /// This is the version that the request was filed for.
    public var oldVersion: String
    /// This is the version that the trainer reported.
    public var newVersion: String
    /// This is the old version's value, in the statistic's unit.
    public var before: Double
    /// This is the new version's value, in the statistic's unit.
    public var after: Double
    /// This is how many outcomes the old version's value rests on.
    public var beforeCount: Int
    /// This is how many outcomes the new version's value rests on.
    public var afterCount: Int
    /// The improvement, positive when the new version is better, with its interval.
    public var effect: Double
    /// This is the lower end of the effect's interval.
    public var effectLower: Double
    /// This is the upper end of the effect's interval.
    public var effectUpper: Double
    /// This is the clock's reading at the comparison.
    public var decidedAt: EventTime
    /// The name of the interval's method and what it assumes, a sentence.
    public var method: String

    /// Makes a verification from its parts.
    public init(
        verdict: Verdict, statistic: Statistic, oldVersion: String, newVersion: String,
        before: Double, after: Double, beforeCount: Int, afterCount: Int, effect: Double,
        effectLower: Double, effectUpper: Double, decidedAt: EventTime, method: String
    ) {
        self.verdict = verdict
        self.statistic = statistic
        self.oldVersion = oldVersion
        self.newVersion = newVersion
        self.before = before
        self.after = after
        self.beforeCount = beforeCount
        self.afterCount = afterCount
        self.effect = effect
        self.effectLower = effectLower
        self.effectUpper = effectUpper
        self.decidedAt = decidedAt
        self.method = method
    }
}

/// This is the durable ask to retrain a model.
public struct RetrainingRequest: Equatable, Sendable {
    /// Also the key under which PostgreSQL files it once: group, rule, model and when it was asked.
    public var id: String
    /// This is the name of the rule that asked.
    public var rule: String
    /// This is the model to retrain.
    public var model: ModelID
    /// This is the version whose readings breached the rule.
    public var modelVersion: String
    /// This is the queue that trainers claim from; a model has one open request in it.
    public var queue: String
    /// This orders a queue: lower numbers are claimed first.
    public var priority: Int
    /// This is true when a person must approve before a trainer may claim.
    public var needsApproval: Bool
    /// This is where the request stands.
    public var state: RetrainingState
    /// This is how often rules asked while the request was open, from 1.
    public var triggerCount: Int
    /// This is when the rule asked, by the monitor's clock.
    public var createdAt: EventTime
    /// This is when a final state was reached; nil while open.
    public var finishedAt: EventTime?
    /// The event-time interval whose records the trainer should use.
    public var trainingWindow: TimeWindow
    /// This is the version that the trainer made; nil until reported.
    public var newVersion: String?
    /// This is what the trainer, or PostgreSQL, last said of it in words, such as the reason of a failure.
    public var detail: String?
    /// This is the alert that asked, with its evidence.
    public var alert: Alert
    /// This is the id of the reference that the evidence rests on; nil without one.
    public var reference: String?
    /// These are the rule's own words to the trainer.
    public var parameters: [String: String]
    /// This is what the retraining did; nil until both versions have ground truth.
    public var verification: Verification?

    /// Makes an open request from its parts.
    public init(
        id: String, rule: String, model: ModelID, modelVersion: String, queue: String,
        priority: Int, needsApproval: Bool, state: RetrainingState, triggerCount: Int = 1,
        createdAt: EventTime, trainingWindow: TimeWindow, alert: Alert, reference: String?,
        parameters: [String: String]
    ) {
        self.id = id
        self.rule = rule
        self.model = model
        self.modelVersion = modelVersion
        self.queue = queue
        self.priority = priority
        self.needsApproval = needsApproval
        self.state = state
        self.triggerCount = triggerCount
        self.createdAt = createdAt
        self.trainingWindow = trainingWindow
        self.alert = alert
        self.reference = reference
        self.parameters = parameters
    }
}

/// This is what a trainer says of a request, through SQL or the API.
public struct TrainerReport: Hashable, Sendable {
    /// This is the `id` of the request.
    public var requestID: String
    /// This is the state that the trainer, or PostgreSQL, puts it in.
    public var state: RetrainingState
    /// This is the version that the training made; nil where the state has none.
    public var newVersion: String?
    /// This is a sentence for people, such as the reason of a failure.
    public var detail: String?
    /// Makes a report from its parts.
    public init(
        requestID: String, state: RetrainingState, newVersion: String? = nil, detail: String? = nil
    ) {
        self.requestID = requestID
        self.state = state
        self.newVersion = newVersion
        self.detail = detail
    }
}
