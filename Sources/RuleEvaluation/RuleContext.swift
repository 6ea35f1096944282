public import MonitoringDomain

/// This is what an evaluation may ask of one model.
///
/// The closures are pure.
public struct RuleContext {
    /// This is the model under judgement.
    public var model: ModelID
    /// These are what `*` stands for, in order.
    public var features: [String]
    /// The newest version; performance and drift without a version are of it.
    public var version: String?
    /// This is the id of the active reference; nil while it is being learned.
    public var reference: String?
    /// These are the known values of a segment key, in order.
    public var segments: (String) -> [String]
    /// This measures a question over a window.
    public var measure: (MeasurementQuery, TimeWindow) -> Measurement
    /// This is a statistic on the reference, of a feature or of the model as a whole, in a segment.
    public var baseline: (Statistic, String?, Segment?) -> Reading
    /// This is what a budgeted detector says of the newest window that has ended.
    public var drift: (DriftQuery) -> Measurement
    /// These are the segments' parts of an answer, the strongest first.
    public var split: (MeasurementQuery, TimeWindow) -> [SegmentPart]

    /// Makes a context from its parts.
    public init(
        model: ModelID, features: [String], version: String?, reference: String?,
        segments: @escaping (String) -> [String] = { _ in [] },
        measure: @escaping (MeasurementQuery, TimeWindow) -> Measurement,
        baseline: @escaping (Statistic, String?, Segment?) -> Reading,
        drift: @escaping (DriftQuery) -> Measurement,
        split: @escaping (MeasurementQuery, TimeWindow) -> [SegmentPart] = { _, _ in [] }
    ) {
        self.model = model
        self.features = features
        self.version = version
        self.reference = reference
        self.segments = segments
        self.measure = measure
        self.baseline = baseline
        self.drift = drift
        self.split = split
    }
}
