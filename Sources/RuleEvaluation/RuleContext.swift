public import MonitoringDomain

/// This is what an evaluation may ask of one model. The closures are pure.
public struct RuleContext {
    public var model: ModelID
    public var features: [String]
    /// The newest version; performance and drift without a version are of it.
    public var version: String?
    public var reference: String?
    public var measure: (MeasurementQuery, TimeWindow) -> Measurement
    public var baseline: (Statistic, String?) -> Reading

    public init(
        model: ModelID, features: [String], version: String?, reference: String?,
        measure: @escaping (MeasurementQuery, TimeWindow) -> Measurement,
        baseline: @escaping (Statistic, String?) -> Reading
    ) {
        self.model = model
        self.features = features
        self.version = version
        self.reference = reference
        self.measure = measure
        self.baseline = baseline
    }
}
