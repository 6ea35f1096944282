/// This is what is taken to hold of a model's rows while nothing has drifted.
public enum DriftNull: String, Hashable, Sendable, CaseIterable {
    /// Rows are independent: the sharper one, and wrong where days differ by more than chance.
    case rows
    /// Windows of one season are exchangeable; rows inside may depend on each other.
    case windows
}

/// This is how often the same kind of window comes again, for the null of windows.
public enum DriftSeason: String, Hashable, Sendable, CaseIterable {
    case none, day, week

    /// Classes of a season; narrower windows share one, so that each is filled in some weeks.
    public static let classCountMax = 168

    /// This is the season's length in milliseconds; nil for none.
    public var period: Int64? {
        switch self {
        case .none: nil
        case .day: WindowSpan.day
        case .week: WindowSpan.week
        }
    }

    /// This is the number of classes that windows of `span` milliseconds fall into, at least 1.
    public func classCount(span: Int64) -> Int {
        guard let period, span > 0 else { return 1 }
        return max(1, min(Self.classCountMax, Int(clamping: period / span)))
    }

    /// This is the class of the window of `span` milliseconds that starts at `start`; weeks start on Monday.
    public func classIndex(of start: EventTime, span: Int64) -> Int {
        guard let period else { return 0 }
        // 1970-01-05 was the first Monday.
        let phase = (start.milliseconds % period - 4 * WindowSpan.day % period) % period
        let offset = phase < 0 ? phase + period : phase
        let count = Int64(classCount(span: span))
        return Int(clamping: min(count - 1, offset * count / period))
    }
}

/// This is how many false drift alarms a model's owner accepts, and which changes do not matter.
///
/// It is what a rule group's `budget` says; the statistics make levels of it.
public struct DriftBudget: Hashable, Sendable {
    /// The expected number accepted per period, positive and finite.
    public var falseAlarmCount: Double
    /// The period in milliseconds, positive.
    public var periodMilliseconds: Int64
    /// Changes up to this many nats of the population stability index are no drift; nil where not given.
    public var psiTolerance: Double?
    /// Changes up to this distance of the distribution functions (or of a category's share) are no drift.
    public var ksTolerance: Double?
    /// What is taken to hold while nothing has drifted.
    public var null: DriftNull
    /// How often the same kind of window comes again.
    public var season: DriftSeason

    /// Makes a budget from its parts, which its reader has checked.
    public init(
        falseAlarmCount: Double, periodMilliseconds: Int64, psiTolerance: Double? = nil,
        ksTolerance: Double? = nil, null: DriftNull = .rows, season: DriftSeason = .none
    ) {
        self.falseAlarmCount = falseAlarmCount
        self.periodMilliseconds = periodMilliseconds
        self.psiTolerance = psiTolerance
        self.ksTolerance = ksTolerance
        self.null = null
        self.season = season
    }
}

/// This is what a drift rule watches.
public enum DriftSubject: Hashable, Sendable {
    /// All features together: one alert for the model.
    case features
    /// A feature, or the prediction by the name `prediction`.
    case one(String)
    /// Each feature in turn, with an alert of its own.
    case each

    /// Compares the bytes of names.
    public static func == (left: Self, right: Self) -> Bool { left.key == right.key }
    /// Hashes the bytes of a name.
    public func hash(into hasher: inout Hasher) { hasher.combine(key) }

    private var key: [ExactText?] {
        switch self {
        case .features: []
        case .each: [nil]
        case .one(let name): [ExactText(name)]
        }
    }
}

/// This is what is watched of one slicing of the traffic.
public struct DriftSlicing: Hashable, Sendable {
    /// The segment key of which each value is watched apart; nil: the whole traffic.
    public var segmentKey: String?
    /// True when every feature is watched.
    public var watchesFeatures: Bool
    /// What is watched by name, sorted.
    public var names: [String]

    /// Makes a slicing from its parts.
    public init(segmentKey: String?, watchesFeatures: Bool, names: [String]) {
        self.segmentKey = segmentKey
        self.watchesFeatures = watchesFeatures
        self.names = names
    }
}

/// This is one kind of windows that a rule group's budget is spent on, with all that is watched in them.
public struct DriftPlan: Hashable, Sendable {
    /// The name of the rule group.
    public var group: String
    /// The budget of the group.
    public var budget: DriftBudget
    /// The windows' length in milliseconds; they follow each other, aligned to UTC.
    public var span: Int64
    /// How many kinds of windows share the budget, this one included.
    public var sharerCount: Int
    /// What is watched: of the whole traffic first, then by segment keys, sorted.
    public var slicings: [DriftSlicing]

    /// Makes a plan from its parts.
    public init(
        group: String, budget: DriftBudget, span: Int64, sharerCount: Int,
        slicings: [DriftSlicing]
    ) {
        self.group = group
        self.budget = budget
        self.span = span
        self.sharerCount = sharerCount
        self.slicings = slicings
    }
}

/// This is a rule's question about drift.
public struct DriftQuery: Hashable, Sendable {
    /// The name of the rule group whose budget counts; nil for the first that judges such windows.
    public var group: String?
    /// Nil: all that is watched.
    public var feature: String?
    /// The windows' length in milliseconds.
    public var span: Int64
    /// The start of the wanted window; nil for the newest one that was judged.
    public var start: EventTime?
    /// The wanted slice; nil for the whole traffic.
    public var segment: Segment?

    /// Makes a question from its parts.
    public init(
        group: String?, feature: String?, span: Int64, start: EventTime? = nil,
        segment: Segment? = nil
    ) {
        self.group = group
        self.feature = feature
        self.span = span
        self.start = start
        self.segment = segment
    }
}
