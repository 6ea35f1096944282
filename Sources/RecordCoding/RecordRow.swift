/// This is a field that a record may have at top level; the raw value is its bit in
/// `RecordRow.fields`.
enum RecordField: Int, CaseIterable {
    case id, ts, model, version, features, prediction, segments, latency, error
    case weight
    case label, value, revision

    var name: String { self == .latency ? "latency_ms" : "\(self)" }
    /// What the field's value is in the shape of a record; nil where it is an object.
    var role: RecordShape.Role? {
        switch self {
        case .id: .id
        case .ts: .time
        case .model: .model
        case .version: .version
        case .latency: .latency
        case .error: .error
        case .weight: .weight
        case .label: .label
        case .value: .value
        case .revision: .revision
        case .features, .prediction, .segments: nil
        }
    }
    var bit: UInt32 { 1 << UInt32(rawValue) }

    /// These are the fields of a kind of record, as bits.
    static func fields(of kind: RecordKind) -> UInt32 {
        let predicted: [RecordField] = [
            .id, .ts, .model, .version, .features, .prediction, .segments, .latency, .error,
            .weight,
        ]
        let fields: [RecordField] =
            switch kind {
            case .predictions: predicted
            case .reference: predicted + [.label, .value]
            case .groundTruth: [.id, .ts, .model, .label, .value, .revision]
            }
        return fields.reduce(0) { $0 | $1.bit }
    }
}

/// This is a field of `prediction`; the raw value is its number in the table of keys.
enum PredictionField: Int, CaseIterable {
    case label, score, scores, value

    /// What the field's value is in the shape of a record; nil where it is an object.
    var role: RecordShape.Role? {
        switch self {
        case .label: .predictedLabel
        case .score: .predictedScore
        case .value: .predictedValue
        case .scores: nil
        }
    }
}

/// This is the value of a feature of one row.
enum FeatureValue {
    case missing
    case number(Double)
    /// A string, or the literal of a boolean.
    case text(ByteText)
    /// Where in the cursor's `numbers` they stand.
    case vector(start: Int, count: Int)
    /// What is no value of any feature, where such are counted and not refused.
    case other
}

/// This is one decoded record, before it is known to which model's columns it goes.
///
/// The model may be the record's last key, so nothing is appended to columns while a record is
/// read.
struct RecordRow {
    /// The fields that the record has, null or not.
    var fields: UInt32 = 0
    var id: ByteText?
    var time: Int64?
    var model: ByteText?
    var version: ByteText?
    var label: ByteText?
    /// NaN where absent, like the next ones.
    var score = Double.nan
    var value = Double.nan
    var truthLabel: ByteText?
    var truthValue = Double.nan
    var revision: Int64 = 0
    /// NaN where absent.
    var latency = Double.nan
    /// The sum of the probabilities of the classes; NaN where absent.
    var scoresSum = Double.nan
    /// NaN where absent.
    var weight = Double.nan
    var error: ByteText?
    /// In the order of the record.
    var features: [Feature] = []
    /// In the order of the record; values that are null are left out.
    var segments: [(key: ByteText, value: ByteText)] = []

    struct Feature {
        /// The number in the table of feature names.
        let name: Int
        /// Where the name stands in the body.
        let key: UnsafePointer<UInt8>
        let value: FeatureValue
    }

    mutating func removeAll() {
        removeFields()
        segments.removeAll(keepingCapacity: true)
        features.removeAll(keepingCapacity: true)
    }

    /// Removes what is no list.
    mutating func removeFields() {
        fields = 0
        id = nil
        time = nil
        model = nil
        version = nil
        label = nil
        score = .nan
        value = .nan
        truthLabel = nil
        truthValue = .nan
        revision = 0
        latency = .nan
        scoresSum = .nan
        weight = .nan
        error = nil
    }
}
