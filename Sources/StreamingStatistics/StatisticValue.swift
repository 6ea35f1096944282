/// This is a statistic with the bounds between which it lies.
public struct StatisticValue: Equatable, Sendable {
    /// Finite, in the statistic's own unit.
    public var value: Double
    /// The ends of the interval, finite: `lower <= value <= upper`.
    public var lower: Double
    /// The upper end.
    public var upper: Double
    /// What the interval holds, and how surely.
    public var method: IntervalMethod
    /// The chance of a value at least as large without drift; nil where no null distribution is defined.
    public var pValue: Double?
    /// Of the chi-square null distribution; nil where there is none.
    public var degreesOfFreedom: Int?

    /// Makes a value with its interval.
    public init(
        value: Double, lower: Double, upper: Double, method: IntervalMethod, pValue: Double? = nil,
        degreesOfFreedom: Int? = nil
    ) {
        self.value = value
        self.lower = lower
        self.upper = upper
        self.method = method
        self.pValue = pValue
        self.degreesOfFreedom = degreesOfFreedom
    }

    /// This is the same in another unit.
    ///
    /// - Precondition: `unit` is positive.
    func divided(by unit: Double) -> Self {
        precondition(unit > 0, "unit \(unit)")
        var result = self
        result.value /= unit
        result.lower /= unit
        result.upper /= unit
        return result
    }

    var isFinite: Bool { value.isFinite && lower.isFinite && upper.isFinite }
}

/// This is what an interval holds, and how surely.
public enum IntervalMethod: Sendable {
    /// The statistic is exact for the values: both ends are the value.
    case exact
    /// The statistic of the values themselves, with certainty: what bins hide is bounded.
    case bins
    /// What the values are a sample of, with 95 % at least at every number of rows, by a proof.
    case concentration
    /// What the values are a sample of, with 95 % as the number of rows grows.
    case normal

    /// True unless the interval is an approximation.
    public var isCertified: Bool { self != .normal }
}

/// This is why a statistic has no value.
public enum UndefinedStatistic: Error, Hashable, Sendable, CustomStringConvertible {
    /// No row fell into the window.
    case windowEmpty
    /// The reference has no row.
    case referenceEmpty
    /// Every value of the window is missing.
    case windowAllMissing
    /// Every value of the reference is missing.
    case referenceAllMissing
    /// Fewer rows than asked for.
    case insufficient(found: UInt64, required: UInt64)
    /// An infinite value in the window leaves means, quantiles and Wasserstein without a value.
    case windowInfinite
    /// The same in the reference.
    case referenceInfinite
    /// The reference's values are all equal: there is no deviation to measure in.
    case referenceConstant
    /// All rows of both sides lie in one bin: there is no degree of freedom.
    case oneBin
    /// The result is beyond a double's range.
    case overflow

    /// A sentence for a reader of measurements.
    public var description: String {
        switch self {
        case .windowEmpty: "the window holds no rows"
        case .referenceEmpty: "the reference holds no rows of this feature"
        case .windowAllMissing: "all values are missing"
        case .referenceAllMissing: "the reference holds no values of this feature"
        case .insufficient(let found, let required): "\(found) rows, \(required) are required"
        case .windowInfinite: "the window holds an infinite value"
        case .referenceInfinite: "the reference holds an infinite value"
        case .referenceConstant: "the reference's values are all equal"
        case .oneBin: "all rows lie in one bin"
        case .overflow: "overflow: the result is beyond a double's range"
        }
    }
}
