public import MonitoringDomain

/// This is a prediction joined to its ground truth.
public struct Outcome: Sendable, Equatable {
    public var version: String
    /// The prediction's event time: the outcome counts in its pane.
    public var time: EventTime
    public var predictedLabel: String?
    public var score: Double?
    public var predictedValue: Double?
    public var truthLabel: String?
    public var truthValue: Double?

    public init(
        version: String, time: EventTime, predictedLabel: String?, score: Double?,
        predictedValue: Double?, truthLabel: String?, truthValue: Double?
    ) {
        self.version = version
        self.time = time
        self.predictedLabel = predictedLabel
        self.score = score
        self.predictedValue = predictedValue
        self.truthLabel = truthLabel
        self.truthValue = truthValue
    }
}

/// This is the totals of a version's outcomes in a window, for the verification of a retraining.
public struct OutcomeSummary: Sendable, Equatable {
    public var count: UInt64 = 0
    public var correct: UInt64 = 0
    public var absoluteErrorSum = 0.0
    public var absoluteErrorSquareSum = 0.0
    public init() {}
}
