import Foundation
import HTTPTypes
import MonitoringDomain
import RecordCoding

/// This is what is wrong with a small body: where, and a sentence.
struct BodyError: Error, CustomStringConvertible {
    /// A JSON pointer, as of a record.
    let pointer: String
    let words: String

    init(_ pointer: String, _ words: String) {
        self.pointer = pointer
        self.words = words
    }

    var description: String { pointer.isEmpty ? words : "\(pointer.dropFirst()): \(words)" }
}

extension Problem {
    init(_ error: BodyError, _ title: String) {
        self.init(
            .unprocessableContent, "invalid-field", title, detail: error.description,
            errors: [
                ItemError(
                    line: 1, pointer: error.pointer, code: "invalid-field", detail: error.words)
            ], outcome: "not_stored")
    }
}

/// This is the reading of `PUT /v1/models/{model}`.
enum SchemaBody {
    private struct Wire: Decodable {
        struct Feature: Decodable {
            let name: String
            let kind: String
            let precision: String?
            let dimension: Int?
        }
        let task: String?
        let positive_label: Label?
        let pane: String?
        let identity: String?
        let horizon: String?
        let features: [Feature]?
        let segments: [String]?
        let scores: String?
    }

    /// What the body may hold: a word that is taken for another would be silently without effect.
    private static let keys: Set = [
        "task", "positive_label", "pane", "identity", "horizon", "features", "segments",
        "scores",
    ]
    private static let featureKeys: Set = ["name", "kind", "precision", "dimension"]

    /// A label: a text, a whole number or a boolean, compared by its text.
    private struct Label: Decodable {
        let text: String
        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let value = try? container.decode(Bool.self) {
                text = value ? "true" : "false"
            } else if let value = try? container.decode(Int64.self) {
                text = String(value)
            } else {
                text = try container.decode(String.self)
            }
        }
    }

    static func decode(_ body: [UInt8], model: ModelID) throws(BodyError) -> ModelSchema {
        try refuseUnknownKeys(body)
        let wire: Wire = try decodeBody(body)
        var schema = ModelSchema(model: model)
        if let task = wire.task {
            guard let kind = TaskKind(rawValue: task) else {
                throw BodyError(
                    "/task", "\"\(task)\" found, binary, multiclass or regression expected")
            }
            schema.task = kind
        }
        schema.positiveLabel = wire.positive_label?.text
        if let label = schema.positiveLabel, !isName(label, sizeMax: textSizeMax) {
            throw BodyError("/positive_label", "a text of 1 to \(textSizeMax) bytes expected")
        }
        if let identity = wire.identity {
            guard let key = JoinKey(identity) else {
                throw BodyError(
                    "/identity",
                    "\"\(identity)\" found, auto, body, event, header:NAME, "
                        + "attribute:NAME or feature:NAME expected")
            }
            schema.identity = key
        }
        schema.scores = try wire.scores.map { text throws(BodyError) in
            guard let scores = ClassScores(rawValue: text) else {
                throw BodyError(
                    "/scores", "\"\(text)\" found, distribution or independent expected")
            }
            return scores
        }
        schema.horizonMilliseconds = try wire.horizon.map { text throws(BodyError) in
            guard let horizon = horizonMilliseconds(text) else {
                throw BodyError("/horizon", "\"\(text)\" found, a span from 1m to 10y expected")
            }
            return horizon
        }
        if let pane = wire.pane {
            guard case .milliseconds(let span)? = WindowSpan(pane), WindowSpan.day % span == 0
            else {
                throw BodyError("/pane", "\"\(pane)\" found, a divisor of one day expected")
            }
            schema.paneMilliseconds = span
        }
        let keys = wire.segments ?? []
        guard keys.count <= Segment.keyCountMax, keys.exactSet.count == keys.count,
            keys.allSatisfy({
                isName($0, sizeMax: nameSizeMax) && $0 != "version" && !$0.contains(":")
            })
        else {
            throw BodyError(
                "/segments",
                "at most \(Segment.keyCountMax) different keys without a "
                    + "colon expected; version is always one")
        }
        schema.segments = keys
        var names: Set<ExactText> = []
        for feature in wire.features ?? [] {
            guard isName(feature.name, sizeMax: nameSizeMax) else {
                throw BodyError("/features", "a name of 1 to \(nameSizeMax) bytes expected")
            }
            let kind = try kind(of: feature)
            guard names.insert(ExactText(feature.name)).inserted else {
                throw BodyError("/features", "\"\(feature.name)\" stands twice")
            }
            schema.features.append(FeatureSchema(name: feature.name, kind: kind))
        }
        return schema
    }

    private static func kind(of feature: Wire.Feature) throws(BodyError) -> FeatureKind {
        func refusal(_ words: String) -> BodyError {
            BodyError("/features", "\"\(feature.name)\": \(words)")
        }
        let precision = try feature.precision.map { text throws(BodyError) in
            guard let precision = NumberPrecision(rawValue: text) else {
                throw refusal("precision \"\(text)\" found, float32 or float64 expected")
            }
            return precision
        }
        if feature.kind != "vector", feature.dimension != nil {
            throw refusal("a dimension found, which only a vector has")
        }
        switch feature.kind {
        case "numeric": return precision == .float32 ? .single : .numeric
        case "vector":
            guard let dimension = feature.dimension,
                (1...FeatureKind.vectorDimensionMax).contains(dimension)
            else {
                let found = feature.dimension.map { String($0) } ?? "none"
                throw refusal(
                    "dimension \(found) found, 1 to \(FeatureKind.vectorDimensionMax) expected")
            }
            return .vector(dimension: dimension, precision: precision ?? .float64)
        case "categorical", "text":
            guard precision == nil else {
                throw refusal("a precision found, which only numbers have")
            }
            return feature.kind == "text" ? .text : .categorical
        case let other:
            throw refusal(
                "kind \"\(other)\" found, numeric, categorical, text or vector expected")
        }
    }

    /// A span as windows have it, and years of 365 days.
    private static func horizonMilliseconds(_ text: String) -> Int64? {
        var text = text
        if text.hasSuffix("y"), let years = Int64(text.dropLast()), (1...10).contains(years) {
            text = "\(years * 365)d"
        }
        guard case .milliseconds(let span)? = WindowSpan(text), span >= WindowSpan.minute else {
            return nil
        }
        return span
    }

    /// The bounds are those of records.
    private static let nameSizeMax = DecodingLimits().idSizeBytesMax
    private static let textSizeMax = DecodingLimits().textSizeBytesMax

    private static func isName(_ text: String, sizeMax: Int) -> Bool {
        (1...sizeMax).contains(text.utf8.count)
    }

    private static func refuseUnknownKeys(_ body: [UInt8]) throws(BodyError) {
        let object = (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any]
        // Another shape is refused by the decoder, with its own words.
        guard let object else { return }
        let features = (object["features"] as? [[String: Any]]) ?? []
        let unknown =
            Set(object.keys).subtracting(keys).map { $0 }
            + features.flatMap { Set($0.keys).subtracting(featureKeys).map { "features/\($0)" } }
        if let key = unknown.min() { throw BodyError("/\(key)", "unknown") }
    }
}

/// This is the reading of `POST /v1/retraining-requests/{id}/report`.
enum ReportBody {
    private struct Wire: Decodable {
        let state: String
        let new_version: String?
        let detail: String?
    }

    private static let keys: Set = ["state", "new_version", "detail"]
    /// Of the trainer's words, which are kept with the request.
    private static let detailSizeMax = 16 << 10

    static func decode(_ body: [UInt8], requestID: String) throws(BodyError) -> TrainerReport {
        let object = (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any]
        if let key = object.map({ Set($0.keys).subtracting(keys) })?.min() {
            throw BodyError(
                "/\(key)", "unknown; \(keys.sorted().joined(separator: ", ")) are known")
        }
        let wire: Wire = try decodeBody(body)
        let sizeMax = DecodingLimits().textSizeBytesMax
        guard wire.new_version.map({ (1...sizeMax).contains($0.utf8.count) }) ?? true else {
            throw BodyError("/new_version", "a text of 1 to \(sizeMax) bytes expected")
        }
        guard (wire.detail ?? "").utf8.count <= detailSizeMax else {
            throw BodyError("/detail", "at most \(detailSizeMax) bytes expected")
        }
        guard let state = RetrainingState(rawValue: wire.state),
            [.claimed, .running, .succeeded, .failed, .cancelled].contains(state)
        else {
            throw BodyError(
                "/state",
                "\"\(wire.state)\" found; claimed, running, succeeded, failed "
                    + "or cancelled expected")
        }
        return TrainerReport(
            requestID: requestID, state: state, newVersion: wire.new_version, detail: wire.detail)
    }
}

private func decodeBody<Wire: Decodable>(_ body: [UInt8]) throws(BodyError) -> Wire {
    do {
        return try JSONDecoder().decode(Wire.self, from: Data(body))
    } catch let error as DecodingError {
        switch error {
        case .keyNotFound(let key, _):
            throw BodyError("/\(key.stringValue)", "missing")
        // JSON it is, which is known; a number is out of its type's range, or has a fraction.
        case .dataCorrupted(let context) where context.codingPath.isEmpty:
            throw BodyError(
                "", "a number has a fraction, or is out of range, where a whole one is expected")
        case .typeMismatch(_, let context), .valueNotFound(_, let context),
            .dataCorrupted(let context):
            let path = context.codingPath.map {
                "/" + ($0.intValue.map { "\($0)" } ?? $0.stringValue)
            }
            throw BodyError(path.joined(), "another type was expected")
        @unknown default: throw BodyError("", "the body is not as expected")
        }
    } catch {
        throw BodyError("", "the body is not as expected")
    }
}

/// This is the reading of a reference that is made of the model's own log: of `POST
/// /v1/models/{model}/references`, when the body is one object that names no record.
enum ReferenceBody {
    private struct Wire: Decodable {
        let from: String?
        let to: String?
        let learn: Int?
        let version: String?
        let moving: String?
    }

    /// Nil when the body holds records.
    static func decode(_ body: [UInt8]) throws(BodyError) -> ReferenceSource? {
        // Records are long or many; these objects are neither.
        guard body.count <= 1_024,
            let object = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any],
            object["features"] == nil, object["prediction"] == nil,
            !Set(object.keys).isDisjoint(with: ["from", "to", "learn", "moving"])
        else { return nil }
        let wire: Wire = try decodeBody(body)
        let known: Set<String> = ["from", "to", "learn", "version", "moving"]
        if let key = object.keys.sorted().first(where: { !known.contains($0) }) {
            throw BodyError(
                "/\(key)", "not a field; \(known.sorted().joined(separator: ", ")) are")
        }
        switch (wire.from, wire.to, wire.learn, wire.moving) {
        case (let from?, let to?, nil, nil):
            guard let start = EventTime(rfc3339: Array(from.utf8)),
                let end = EventTime(rfc3339: Array(to.utf8)), start < end
            else { throw BodyError("/from", "RFC 3339 times in order expected, from and to") }
            return .span(TimeWindow(start: start, end: end))
        case (nil, nil, let count?, nil):
            guard (1...1_000_000).contains(count) else {
                throw BodyError("/learn", "1 to 1000000 rows expected")
            }
            return .first(count: count, version: wire.version)
        case (nil, nil, nil, let name?):
            guard let moving = MovingReference(rawValue: name) else {
                throw BodyError(
                    "/moving",
                    "\"\(name)\" found; "
                        + MovingReference.allCases.map(\.rawValue).joined(separator: " or ")
                        + " expected")
            }
            return .moving(moving)
        default:
            throw BodyError("", "one of from and to, learn, or moving expected")
        }
    }
}
