public import ByteCoding
public import MonitoringDomain

/// This is the value of a feature of one foreign row.
public enum WireScalar: Equatable, Sendable {
    case missing
    /// Every bit counts where it is an id or names a class; as a feature it is a number.
    case integer(Int64)
    /// Never not-a-number; an infinite one counts in `non_finite_rate`.
    case number(Double)
    case text(String)
    /// Finite numbers, at least one: no scalar, and yet one value of a feature.
    case vector([Double])
}

extension WireScalar {
    /// This is a JSON value as a feature's value: a scalar, or an array of numbers; nil for others.
    init?(feature value: WireValue) {
        guard case .array(let elements) = value else {
            self.init(value)
            return
        }
        self.init(vector: elements.compactMap { WireScalar($0) }, count: elements.count)
    }

    /// This is `count` numbers as one value; nil where `cells` holds what is none.
    init?(vector cells: [WireScalar], count: Int) {
        let numbers = cells.compactMap { $0.wireValue.double }
        guard numbers.count == count, numbers.allSatisfy(\.isFinite),
            (1...FeatureKind.vectorDimensionMax).contains(count)
        else {
            return nil
        }
        self = .vector(numbers)
    }

    /// This is a JSON scalar as a feature's value; nil for arrays, objects and bytes.
    init?(_ value: WireValue) {
        switch value {
        case .null: self = .missing
        case .bool(let flag): self = .text(flag ? "true" : "false")
        case .integer(let number): self = .integer(number)
        case .number(let number): self = .number(number)
        case .string(let text): self = .text(text)
        case .bytes, .array, .object: return nil
        }
    }

    /// True for the numbers that JSON has no word for.
    public var isInfinite: Bool {
        if case .number(let number) = self { return number.isInfinite }
        return false
    }

    /// This is the scalar as a value.
    var wireValue: WireValue {
        switch self {
        case .missing: .null
        case .integer(let number): .integer(number)
        case .number(let number): .number(number)
        case .text(let text): .string(text)
        case .vector(let numbers): .array(numbers.map { .number($0) })
        }
    }
}

/// This is one record of a foreign format, before it is checked and becomes part of columns.
public struct WireRow: Equatable, Sendable {
    /// Whose record it is.
    public var model: ModelID
    /// The prediction's id, by which ground truth is joined.
    public var id: String?
    /// When it was predicted; the arrival where absent.
    public var time: EventTime?
    /// The model's version; `default` where absent.
    public var version: String?
    /// In the order of the source.
    public var features: [Feature] = []
    /// The predicted class.
    public var label: String?
    /// A probability, in 0...1.
    public var score: Double?
    /// The predicted value of a regression.
    public var value: Double?
    /// The true class.
    public var truthLabel: String?
    /// The true value.
    public var truthValue: Double?
    /// When the truth was known; the row's time where absent.
    public var truthTime: EventTime?
    /// Of the ground truth: the highest wins.
    public var revision: Int64 = 0
    /// Milliseconds that serving took, at least 0.
    public var latency: Double?
    /// How many calls the row stands for, at least 1; 1 where absent.
    public var weight: Double?
    /// What went wrong in serving.
    public var error: String?
    /// The slices that the row belongs to, with distinct keys.
    public var segments: [Segment] = []

    /// This is a feature's name and value.
    public struct Feature: Equatable, Sendable {
        /// Distinct in its row.
        public var name: String
        /// What stands there.
        public var value: WireScalar

        /// Makes a feature.
        public init(_ name: String, _ value: WireScalar) {
            self.name = name
            self.value = value
        }
    }

    /// Makes a row that says nothing yet.
    public init(model: ModelID) { self.model = model }

    /// True when the row says what was predicted, or from what.
    public var hasPrediction: Bool {
        !features.isEmpty || label != nil || score != nil || value != nil || error != nil
    }
    /// True when the row says what was true.
    public var hasTruth: Bool { truthLabel != nil || truthValue != nil }

    /// This is the row as native records, so that it can be sent to a server: a prediction, ground
    /// truth, or both.
    public var records: (prediction: JSONValue?, groundTruth: JSONValue?) {
        var common: [(String, JSONValue)] = [("model", .string(model.rawValue))]
        if let id { common.append(("id", .string(id))) }
        var prediction = common
        if let time { prediction.append(("ts", .string("\(time)"))) }
        if let version { prediction.append(("version", .string(version))) }
        prediction.append(
            (
                "features",
                .object(
                    features.map { feature in
                        switch feature.value {
                        case .missing: (feature.name, .null)
                        case .integer(let number): (feature.name, .int(number))
                        case .number(let number): (feature.name, .double(number))
                        case .text(let text): (feature.name, .string(text))
                        case .vector(let numbers):
                            (feature.name, .array(numbers.map { .double($0) }))
                        }
                    })
            ))
        var output: [(String, JSONValue)] = []
        if let label { output.append(("label", .string(label))) }
        if let score { output.append(("score", .double(score))) }
        if let value { output.append(("value", .double(value))) }
        if !output.isEmpty { prediction.append(("prediction", .object(output))) }
        if !segments.isEmpty {
            prediction.append(
                ("segments", .object(segments.map { ($0.key, .string($0.value)) })))
        }
        if let latency { prediction.append(("latency_ms", .double(latency))) }
        if let weight { prediction.append(("weight", .double(weight))) }
        if let error { prediction.append(("error", .string(error))) }
        var truth = common
        if let time = truthTime ?? time { truth.append(("ts", .string("\(time)"))) }
        if let truthLabel { truth.append(("label", .string(truthLabel))) }
        if let truthValue { truth.append(("value", .double(truthValue))) }
        if revision != 0 { truth.append(("revision", .int(revision))) }
        return (hasPrediction ? .object(prediction) : nil, hasTruth ? .object(truth) : nil)
    }
}
