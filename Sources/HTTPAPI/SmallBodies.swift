import Foundation
import MonitoringDomain

/// This is what is wrong with a small body, as a sentence.
struct BodyError: Error, CustomStringConvertible { let description: String }

/// This is the reading of `PUT /v1/models/{model}`.
enum SchemaBody {
    private struct Wire: Decodable {
        struct Feature: Decodable {
            let name: String
            let kind: String
        }
        let task: String?
        let positive_label: Label?
        let pane: String?
        let identity: String?
        let features: [Feature]?
    }

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
        let wire: Wire = try decodeBody(body)
        var schema = ModelSchema(model: model)
        if let task = wire.task {
            guard let kind = TaskKind(rawValue: task) else {
                throw BodyError(
                    description:
                        "task: \"\(task)\" found, binary, multiclass or regression expected")
            }
            schema.task = kind
        }
        schema.positiveLabel = wire.positive_label?.text
        if let identity = wire.identity {
            guard let key = JoinKey(identity) else {
                throw BodyError(
                    description: "identity: \"\(identity)\" found, auto, body, event, header:NAME, "
                        + "attribute:NAME or feature:NAME expected")
            }
            schema.identity = key
        }
        if let pane = wire.pane {
            guard case .milliseconds(let span)? = WindowSpan(pane), WindowSpan.day % span == 0
            else {
                throw BodyError(
                    description: "pane: \"\(pane)\" found, a divisor of one day expected")
            }
            schema.paneMilliseconds = span
        }
        var names: Set<String> = []
        for feature in wire.features ?? [] {
            guard let kind = FeatureKind(rawValue: feature.kind) else {
                throw BodyError(
                    description: "features: kind \"\(feature.kind)\" of \"\(feature.name)\" found, "
                        + "numeric or categorical expected")
            }
            guard names.insert(feature.name).inserted else {
                throw BodyError(description: "features: \"\(feature.name)\" stands twice")
            }
            schema.features.append(FeatureSchema(name: feature.name, kind: kind))
        }
        return schema
    }
}

/// This is the reading of `POST /v1/retraining-requests/{id}/report`.
enum ReportBody {
    private struct Wire: Decodable {
        let state: String
        let new_version: String?
        let detail: String?
    }

    static func decode(_ body: [UInt8], requestID: String) throws(BodyError) -> TrainerReport {
        let wire: Wire = try decodeBody(body)
        guard let state = RetrainingState(rawValue: wire.state),
            [.claimed, .running, .succeeded, .failed, .cancelled].contains(state)
        else {
            throw BodyError(
                description: "state: \"\(wire.state)\" found; claimed, running, succeeded, failed "
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
            throw BodyError(description: "\(key.stringValue): missing")
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            let path = context.codingPath.map(\.stringValue).joined(separator: "/")
            throw BodyError(description: "\(path): another type was expected")
        case .dataCorrupted: throw BodyError(description: "the body is not JSON")
        @unknown default: throw BodyError(description: "the body is not as expected")
        }
    } catch {
        throw BodyError(description: "the body is not as expected")
    }
}
