/// This is the name of a deployed predictor: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`, no reserved word.
public struct ModelID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// This is the name as the records have it.
    public let rawValue: String

    /// Nil unless `rawValue` has the form above.
    public init?(_ rawValue: String) {
        guard (1...128).contains(rawValue.utf8.count), !Self.reserved.contains(rawValue) else {
            return nil
        }
        for (index, byte) in rawValue.utf8.enumerated() {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                continue
            case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                if index == 0 { return nil }
            default: return nil
            }
        }
        self.rawValue = rawValue
    }

    private static let reserved: Set<String> = ["all", "other", "__total__"]
    /// Orders by name.
    public static func < (left: ModelID, right: ModelID) -> Bool { left.rawValue < right.rawValue }
    /// This is the name.
    public var description: String { rawValue }
}

/// This is what a model predicts.
public enum TaskKind: String, Sendable, CaseIterable { case binary, multiclass, regression }

/// This is what the probabilities of a model's classes are to each other.
public enum ClassScores: String, Sendable, CaseIterable {
    /// Of one of them: they add up to one.
    case distribution
    /// Of each for itself, as in a model of several labels, or of the first few of many: any sum.
    case independent
}

/// This is one input column of a model.
public struct FeatureSchema: Hashable, Sendable {
    /// This is the feature's name in the records.
    public let name: String
    /// This is how the feature is profiled.
    public let kind: FeatureKind
    /// Makes a feature's schema from its parts.
    public init(name: String, kind: FeatureKind) {
        self.name = name
        self.kind = kind
    }
}

/// This is what is known of a model's records: declared, or learned from its first records.
public struct ModelSchema: Hashable, Sendable {
    /// This is the model that the schema is of.
    public let model: ModelID
    /// Nil until a prediction with a known shape has come.
    public var task: TaskKind?
    /// These are the features, in the order in which they were declared or first seen.
    public var features: [FeatureSchema]
    /// The text of the label whose probability a binary score is; nil until learned or declared.
    public var positiveLabel: String?
    /// The span of a pane, in milliseconds, a divisor of one day.
    public var paneMilliseconds: Int64
    /// Which field of a foreign body is a prediction's id; nil until declared, and then automatic.
    public var identity: JoinKey?
    /// What the scores of classes add up to; nil until declared, and then they are a distribution.
    public var scores: ClassScores?
    /// How long ids are known after their event time; nil is `defaultHorizonMilliseconds`.
    public var horizonMilliseconds: Int64?
    /// Ninety days: how far behind the clock a record may be where no horizon is declared.
    public static let defaultRetentionMilliseconds = 90 * WindowSpan.day
    /// Ten years: a stream of the past may be sent whole, all predictions before all ground truth.
    ///
    /// What bounds memory is that older hours are sealed; what an owner saves with less is disk.
    public static let defaultHorizonMilliseconds = 3_650 * WindowSpan.day
    /// These are the keys by whose values every statistic is kept apart; at most `Segment.keyCountMax`.
    ///
    /// `version` is always one and is not named here.
    public var segments: [String]

    /// Makes a schema; without further words, that of a model of which nothing is known yet.
    public init(
        model: ModelID, task: TaskKind? = nil, features: [FeatureSchema] = [],
        positiveLabel: String? = nil, paneMilliseconds: Int64 = WindowSpan.minute,
        identity: JoinKey? = nil, horizonMilliseconds: Int64? = nil, segments: [String] = [],
        scores: ClassScores? = nil
    ) {
        self.model = model
        self.task = task
        self.features = features
        self.positiveLabel = positiveLabel
        self.paneMilliseconds = paneMilliseconds
        self.identity = identity
        self.horizonMilliseconds = horizonMilliseconds
        self.segments = segments
        self.scores = scores
    }

    /// These are the features as they are measured: texts and vectors through numbers of their own.
    public var measuredFeatures: [FeatureSchema] { features.flatMap(\.measured) }

    /// These are the names that a question may have: of every feature, and behind a text or a vector those
    /// of the numbers that stand for it.
    public var featureNames: [String] {
        features.flatMap { feature in
            let measured = feature.measured.map(\.name)
            return feature.kind.measures.isEmpty ? measured : [feature.name] + measured
        }
    }

    /// This is how many features have a name that another one has too but for upper and lower case, or for the
    /// form in which Unicode writes it: they are different features, and seldom meant to be.
    public var lookAlikeCount: Int {
        // `String` takes the forms of Unicode for equal.
        features.count - Set(features.map { $0.name.lowercased() }).count
    }

    /// This is how `feature` is profiled; nil for an unknown one.
    public func kind(of feature: String) -> FeatureKind? {
        features.first { $0.name.isExactly(feature) }?.kind
    }
}
