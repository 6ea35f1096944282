public import MonitoringDomain

/// This is what a body's records are.
public enum RecordKind: Sendable {
    case predictions
    case groundTruth
    /// Predictions with the ground truth inline, as `label` or `value` at top level.
    case reference
}

/// This is how much a body may hold before it is refused.
public struct DecodingLimits: Sendable {
    /// Records in one body.
    public var rowCountMax: Int
    /// Open arrays and objects at any place.
    public var depthMax: Int
    /// Of ids, and of the names of features.
    public var idSizeBytesMax: Int
    /// Of categories, labels, versions, segment values and error texts, after unescaping.
    public var textSizeBytesMax: Int
    /// Of the values of features that are free text, after unescaping.
    public var freeTextSizeBytesMax = 65_536
    /// Distinct features of one model in one body; an object may have twice as many members.
    public var featureCountMax: Int
    /// Of the text of one number.
    public var numberSizeBytesMax: Int
    /// True where records may follow one another (NDJSON), false where a body is one JSON text.
    public var isSequence = true
    /// The event times that are taken, in milliseconds since the epoch.
    public var times: ClosedRange<Int64> = .min ... .max
    /// Models whose scores of classes may have any sum; those of others add up to one.
    public var independentScores: Set<ModelID> = []

    /// Makes the limits of HTTP bodies, unless told otherwise.
    public init(
        rowCountMax: Int = 10_000, depthMax: Int = 64, idSizeBytesMax: Int = 256,
        textSizeBytesMax: Int = 1_024, featureCountMax: Int = 2_000, numberSizeBytesMax: Int = 1_024
    ) {
        self.rowCountMax = rowCountMax
        self.depthMax = depthMax
        self.idSizeBytesMax = idSizeBytesMax
        self.textSizeBytesMax = textSizeBytesMax
        self.featureCountMax = featureCountMax
        self.numberSizeBytesMax = numberSizeBytesMax
    }
}

/// This is why one record was refused: it is JSON, but not a record.
public struct ItemError: Error, Equatable, Sendable {
    /// Of NDJSON the line on which the record begins, of an array the record's number; from 1.
    public var line: Int
    /// The place within the record, as a JSON pointer (RFC 6901).
    public var pointer: String
    /// `invalid-field`, `malformed-json`, `feature-type-conflict`, `cardinality-limit`,
    /// `event-too-old` or `event-in-future`; of a stored record `prediction-conflict`.
    public var code: String
    /// A sentence for people, with at most 60 bytes of the input.
    public var detail: String

    /// Makes the error of one record.
    public init(line: Int, pointer: String, code: String, detail: String) {
        self.line = line
        self.pointer = pointer
        self.code = code
        self.detail = detail
    }

    static let invalidField = "invalid-field"
    static let typeConflict = "feature-type-conflict"
    static let cardinalityLimit = "cardinality-limit"
    static let malformedJSON = "malformed-json"
    static let tooOld = "event-too-old"
    static let inFuture = "event-in-future"
    /// The code of a record that repeats an id with other content, and so counts nowhere.
    public static let predictionConflict = "prediction-conflict"
    /// Errors that one answer names.
    ///
    /// More would help nobody, and would let a bad body cost more than a good one.
    public static let countMax = 100
}

/// This is why a body was refused as a whole.
public enum RecordDecodingError: Error, Equatable, CustomStringConvertible {
    /// The body is not JSON (RFC 8259) in UTF-8; `line` from 1, `offset` in bytes from 0.
    case malformed(line: Int, offset: Int, reason: String)
    /// One to 100 records break the contract.
    case items([ItemError])
    case batchTooLarge(limit: Int)

    /// This is the stable name of what is wrong with the JSON, more exact where a bound is the reason.
    public static func code(ofMalformed reason: String) -> String {
        if reason.hasPrefix(tooDeep) { return "too-deep" }
        return reason.hasPrefix(tooManyMembers) ? "too-many-members" : ItemError.malformedJSON
    }

    static let tooDeep = "too deep"
    static let tooManyMembers = "too many members"

    /// This is the error as a text for people.
    public var description: String {
        switch self {
        case .malformed(let line, let offset, let reason):
            "line \(line), byte \(offset): \(reason)"
        case .items(let items):
            items.map {
                "line \($0.line)\($0.pointer.isEmpty ? "" : ", ")\($0.pointer): \($0.detail)"
            }.joined(separator: "; ")
        case .batchTooLarge(let limit): "over \(limit) records in one body"
        }
    }
}
