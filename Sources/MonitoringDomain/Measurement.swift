/// This is a named quantity, the single list of them: rules, API, page and dashboards use the raw value.
public enum Statistic: String, Sendable, CaseIterable {
    case volume, rate, freshness
    case duplicateRate = "duplicate_rate"
    case errorRate = "error_rate"
    case latencyP50 = "latency_p50"
    case latencyP95 = "latency_p95"
    case latencyP99 = "latency_p99"
    case missingRate = "missing_rate"
    case nonFiniteRate = "non_finite_rate"
    case outOfRangeRate = "out_of_range_rate"
    case typeErrorRate = "type_error_rate"
    case unseenRate = "unseen_rate"
    case distinct, min, max, mean, stddev, quantile
    case psi, ks, wasserstein
    case wassersteinNormalized = "wasserstein_normalized"
    case jensenShannon = "jensen_shannon"
    case hellinger
    case totalVariation = "total_variation"
    case chiSquare = "chi_square"
    case kl
    case meanShift = "mean_shift"
    case coverage, accuracy
    case rocAUC = "roc_auc"
    case logLoss = "log_loss"
    case brier, mae, rmse
    case drift
    case adwin
    case pageHinkley = "page_hinkley"
    case cusum, ddm, eddm, kswin

    /// This is what the statistic is computed on.
    public var group: Group {
        switch self {
        case .volume, .rate, .freshness, .duplicateRate, .errorRate, .latencyP50, .latencyP95,
            .latencyP99:
            .volume
        case .missingRate, .nonFiniteRate, .outOfRangeRate, .typeErrorRate, .unseenRate, .distinct,
            .min, .max, .mean, .stddev, .quantile:
            .quality
        case .psi, .ks, .wasserstein, .wassersteinNormalized, .jensenShannon, .hellinger,
            .totalVariation, .chiSquare, .kl, .meanShift:
            .drift
        case .coverage, .accuracy, .rocAUC, .logLoss, .brier, .mae, .rmse: .performance
        case .drift, .adwin, .pageHinkley, .cusum, .ddm, .eddm, .kswin: .detector
        }
    }

    /// This is true for what takes no feature: it is of the model as a whole.
    public var isOfModel: Bool { group == .volume || group == .performance }

    /// This is a family of statistics, as in the API's table.
    public enum Group: String, Sendable {
        case volume, quality, drift, performance
        /// State that is carried from window to window, or from outcome to outcome.
        case detector
    }

    /// These are the statistics that any window has: all but the detectors', which rules switch on.
    public static let windowCases = allCases.filter { $0.group != .detector }

    /// True when a higher value is better; nil where neither is.
    public var isHigherBetter: Bool? {
        switch self {
        case .coverage, .accuracy, .rocAUC: true
        case .logLoss, .brier, .mae, .rmse: false
        case .errorRate, .latencyP50, .latencyP95, .latencyP99: false
        case .volume, .rate, .freshness, .duplicateRate, .missingRate, .nonFiniteRate,
            .outOfRangeRate, .typeErrorRate, .unseenRate, .distinct, .min, .max, .mean, .stddev,
            .quantile, .psi, .ks, .wasserstein, .wassersteinNormalized, .jensenShannon, .hellinger,
            .totalVariation, .chiSquare, .kl, .meanShift, .drift, .adwin,
            .pageHinkley, .cusum, .ddm, .eddm, .kswin:
            nil
        }
    }
}

/// This is a number with its bound, or the reason why there is none.
public enum Reading: Equatable, Sendable {
    case value(Estimate)
    case insufficientSamples(found: Int, required: Int)
    /// No row fell into the window.
    case noData
    /// The definition has no value here; the reason is a sentence.
    case undefined(reason: String)

    /// This is the value with its bound; nil where there is none.
    public var estimate: Estimate? {
        if case .value(let estimate) = self { return estimate }
        return nil
    }

    /// This is the wire name of the status.
    public var status: String {
        switch self {
        case .value: "ok"
        case .insufficientSamples: "insufficient_samples"
        case .noData: "no_data"
        case .undefined: "undefined"
        }
    }
}

/// This is a value and how far it is known.
public struct Estimate: Equatable, Sendable {
    /// This is the statistic, in its own unit; finite.
    public var value: Double
    /// The ends of the interval; nil where none is computed, and then `value` is exact for the window.
    public var lower: Double?
    /// This is the upper end of the interval.
    public var upper: Double?
    /// True when [lower, upper] is proven, not an approximation: it holds the exact value with certainty, or for
    /// distances of shares what the rows are drawn from, with 95 % at least at every number of rows.
    public var isCertified: Bool
    /// This is the chance of a reading at least as extreme when nothing changed, 0...1; nil without a test.
    public var pValue: Double?

    /// Makes an estimate; without bounds, of an exact value.
    public init(
        value: Double, lower: Double? = nil, upper: Double? = nil, isCertified: Bool = false,
        pValue: Double? = nil
    ) {
        self.value = value
        self.lower = lower
        self.upper = upper
        self.isCertified = isCertified
        self.pValue = pValue
    }
}

/// This is a statistic × subject × window and its reading.
public struct Measurement: Equatable, Sendable {
    /// This is the measured model.
    public var model: ModelID
    /// This is the measured quantity.
    public var statistic: Statistic
    /// A feature's name, `prediction`, `ground_truth`, or nil for the model as a whole.
    public var feature: String?
    /// Nil: all versions together.
    public var version: String?
    /// Nil: the whole traffic.
    public var segment: Segment?
    /// This is the event-time interval whose rows count.
    public var window: TimeWindow
    /// This is the value, or the reason why there is none.
    public var reading: Reading
    /// Rows of the window that the reading rests on.
    public var count: Int
    /// This is how many rows of the window lack the feature.
    public var missing: Int
    /// Rows of the reference; nil for statistics that need none.
    public var referenceCount: Int?
    /// This is the id of the reference that the reading rests on; nil where it needs none.
    public var reference: String?
    /// This is true when late rows changed a window that had been judged.
    public var isRevised: Bool
    /// This is what a detector knows beside the reading; nil for other statistics.
    public var finding: Finding?

    /// Makes a measurement from its parts.
    public init(
        model: ModelID, statistic: Statistic, feature: String?, version: String?,
        segment: Segment? = nil, window: TimeWindow, reading: Reading, count: Int,
        missing: Int = 0, referenceCount: Int? = nil, reference: String? = nil,
        isRevised: Bool = false
    ) {
        self.model = model
        self.statistic = statistic
        self.feature = feature
        self.version = version
        self.segment = segment
        self.window = window
        self.reading = reading
        self.count = count
        self.missing = missing
        self.referenceCount = referenceCount
        self.reference = reference
        self.isRevised = isRevised
    }
}

/// This is what stands for an empty bin in the population stability index.
public enum Smoothing: String, Hashable, Sendable, CaseIterable {
    /// Half a count is added to every bin: the calibrated form, with interval and p-value.
    case half
    /// Shares below 1e-4 are raised to it: the customary form, a value alone.
    case floor
}

/// This is a question that a rule or a reader asks: which statistic, of what, over which window.
public struct MeasurementQuery: Hashable, Sendable {
    /// This is the model in question.
    public var model: ModelID
    /// This is the wanted quantity.
    public var statistic: Statistic
    /// This is a feature's name, `prediction`, `ground_truth`, or nil for the model as a whole.
    public var feature: String?
    /// This is the wanted version; nil for all together.
    public var version: String?
    /// This is what stands for an empty bin in `psi`; other statistics do not look at it.
    public var smoothing: Smoothing
    /// This is the wanted slice; nil for the whole traffic.
    public var segment: Segment?
    /// This is the wanted fraction of `quantile`, in 0...1; the median where nil.
    public var fraction: Double?

    /// Makes a question from its parts.
    public init(
        model: ModelID, statistic: Statistic, feature: String? = nil, version: String? = nil,
        smoothing: Smoothing = .half, segment: Segment? = nil, fraction: Double? = nil
    ) {
        self.model = model
        self.statistic = statistic
        self.feature = feature
        self.version = version
        self.smoothing = smoothing
        self.segment = segment
        self.fraction = fraction
    }
}
