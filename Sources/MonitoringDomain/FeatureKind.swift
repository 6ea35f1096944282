/// This is how exactly a number is kept and counted.
public enum NumberPrecision: String, Sendable, CaseIterable {
    /// IEEE 754 binary32: some seven digits, magnitudes below 3.4 · 10³⁸.
    case float32
    /// IEEE 754 binary64.
    case float64
}

/// This is what the values of a feature are, and so how it is profiled.
///
/// Booleans are categorical, by their text.
public enum FeatureKind: Hashable, Sendable {
    /// Numbers in double precision.
    case numeric
    /// Numbers in single precision: half the bytes in the log, and counted faster.
    case single
    case categorical
    /// Free text, watched through its measures.
    case text
    /// As many numbers for each row (an embedding), watched through its norm and its places along fixed
    /// random directions.
    case vector(dimension: Int, precision: NumberPrecision)

    /// Numbers in one vector; a longer one is refused.
    public static let vectorDimensionMax = 4_096
    /// The numbers that stand for a text, in this order.
    public static let textMeasures = [
        "length", "tokens", "letters", "uppercase", "digits", "whitespace", "punctuation",
        "non_ascii",
    ]
    /// Random directions along which a vector is watched.
    public static let vectorDirectionCount = 8
    /// The numbers that stand for a vector, in this order.
    public static let vectorMeasures =
        ["norm"] + (1...vectorDirectionCount).map { "projection_\($0)" }

    /// This is the kind's name in a schema.
    public var name: String {
        switch self {
        case .numeric, .single: "numeric"
        case .categorical: "categorical"
        case .text: "text"
        case .vector: "vector"
        }
    }

    /// The names of the numbers that stand for a value; empty where the value is counted itself.
    public var measures: [String] {
        switch self {
        case .numeric, .single, .categorical: []
        case .text: Self.textMeasures
        case .vector: Self.vectorMeasures
        }
    }
}

extension FeatureKind: CustomStringConvertible {
    /// This is the kind in words.
    public var description: String {
        switch self {
        case .numeric, .categorical, .text: name
        case .single: "numeric in float32"
        case .vector(let dimension, .float64): "a vector of \(dimension) numbers"
        case .vector(let dimension, .float32): "a vector of \(dimension) numbers in float32"
        }
    }
}

extension FeatureKind {
    /// This is the stored form, from which `init(code:)` makes the kind again.
    public var code: String {
        switch self {
        case .numeric, .categorical, .text: name
        case .single: NumberPrecision.float32.rawValue
        case .vector(let dimension, let precision): "vector/\(dimension)/\(precision.rawValue)"
        }
    }

    /// Nil unless `code` is the stored form of a kind.
    public init?(code: String) {
        switch code {
        case "numeric": self = .numeric
        case "float32": self = .single
        case "categorical": self = .categorical
        case "text": self = .text
        default:
            let parts = code.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 3, parts[0] == "vector", let dimension = Int(parts[1]),
                (1...Self.vectorDimensionMax).contains(dimension),
                let precision = NumberPrecision(rawValue: String(parts[2]))
            else { return nil }
            self = .vector(dimension: dimension, precision: precision)
        }
    }
}

extension FeatureSchema {
    /// These are the quantities through which the feature is measured: itself, or the numbers that stand
    /// for it, each under the feature's name, a dot, and its own.
    public var measured: [FeatureSchema] {
        let measures = kind.measures
        guard !measures.isEmpty else { return [self] }
        return measures.map { FeatureSchema(name: "\(name).\($0)", kind: .numeric) }
    }

    /// The name under which absence is counted: the feature's own, or that of its first measure, which is
    /// missing exactly where the value is.
    public var firstMeasuredName: String {
        kind.measures.first.map { "\(name).\($0)" } ?? name
    }
}
