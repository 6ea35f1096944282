/// This is where an alert stands.
public enum AlertPhase: String, Sendable { case inactive, pending, firing, resolved }

/// This is a rule × subject that has left the inactive phase, with its evidence.
public struct Alert: Equatable, Sendable {
    public var rule: String
    public var group: String
    public var model: ModelID
    public var feature: String?
    public var phase: AlertPhase
    public var labels: [String: String]
    public var annotations: [String: String]
    /// When the breach began.
    public var since: EventTime
    /// When it last began to fire; nil while pending.
    public var firedAt: EventTime?
    public var resolvedAt: EventTime?
    public var value: Double?
    public var expression: String
    /// The readings that justified the newest transition.
    public var evidence: [Measurement]

    public init(
        rule: String, group: String, model: ModelID, feature: String?, phase: AlertPhase,
        labels: [String: String], annotations: [String: String], since: EventTime,
        firedAt: EventTime? = nil, resolvedAt: EventTime? = nil, value: Double? = nil,
        expression: String, evidence: [Measurement] = []
    ) {
        self.rule = rule
        self.group = group
        self.model = model
        self.feature = feature
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

    /// This is the alert's identity over its episodes: rule, model and subject.
    public var fingerprint: String {
        "\(model)/\(group)/\(rule)" + (feature.map { "/\($0)" } ?? "")
    }
}

/// This is a request's life, with the names of the PostgreSQL contract, plus `filing`: decided here,
/// not yet confirmed by PostgreSQL.
public enum RetrainingState: String, Sendable, CaseIterable {
    case filing
    case awaitingApproval = "awaiting_approval"
    case pending, claimed, running, succeeded, failed, cancelled, expired, superseded

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
    public var verdict: Verdict
    public var statistic: Statistic
    public var oldVersion: String
    public var newVersion: String
    public var before: Double
    public var after: Double
    public var beforeCount: Int
    public var afterCount: Int
    /// The improvement, positive when the new version is better, with its interval.
    public var effect: Double
    public var effectLower: Double
    public var effectUpper: Double
    public var decidedAt: EventTime
    /// The name of the interval's method and what it assumes, a sentence.
    public var method: String

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
    /// Also the key under which PostgreSQL files it once: rule, model and the episode's start.
    public var id: String
    public var rule: String
    public var model: ModelID
    public var modelVersion: String
    public var queue: String
    public var priority: Int
    public var needsApproval: Bool
    public var state: RetrainingState
    public var triggerCount: Int
    public var createdAt: EventTime
    public var finishedAt: EventTime?
    /// The event-time interval whose records the trainer should use.
    public var trainingWindow: TimeWindow
    public var newVersion: String?
    public var alert: Alert
    public var reference: String?
    public var parameters: [String: String]
    public var verification: Verification?

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
    public var requestID: String
    public var state: RetrainingState
    public var newVersion: String?
    public var detail: String?
    public init(
        requestID: String, state: RetrainingState, newVersion: String? = nil, detail: String? = nil
    ) {
        self.requestID = requestID
        self.state = state
        self.newVersion = newVersion
        self.detail = detail
    }
}
