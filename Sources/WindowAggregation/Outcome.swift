public import MonitoringDomain

/// This is a prediction joined to its ground truth.
public struct Outcome: Sendable, Equatable {
    /// The version that made the prediction.
    public var version: String
    /// The prediction's values of the declared segment keys, in their order.
    public var segments: [String] = []
    /// The prediction's event time: the outcome counts in its pane.
    public var time: EventTime
    /// The model's own label, not a threshold on the score.
    public var predictedLabel: String?
    /// P(positive label), or the largest class's probability.
    public var score: Double?
    /// Of a regression.
    public var predictedValue: Double?
    /// What turned out to be true, of a classification.
    public var truthLabel: String?
    /// What turned out to be true, of a regression.
    public var truthValue: Double?

    /// Joins the two sides; nil where a side says nothing.
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
    /// Outcomes with both sides.
    public var count: UInt64 = 0
    /// Outcomes whose labels agree.
    public var correct: UInt64 = 0
    /// Σ |prediction − truth|.
    public var absoluteErrorSum = 0.0
    /// Σ (prediction − truth)².
    public var absoluteErrorSquareSum = 0.0
    /// Makes the summary of nothing.
    public init() {}
}
