import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1

/// This is the demo's view of a running Leeway: the same HTTP API as everybody's.
struct LeewayClient: Sendable {
    /// A longer wait means that the service hangs; the demo says so instead of waiting.
    private static let answerTimeout = TimeAmount.seconds(60)
    private static let answerSizeBytesMax = 32 << 20

    let base: String
    let http: HTTPClient

    /// Sends one body of records and returns the log position of its last record, where the answer has
    /// one.
    @discardableResult
    func send(_ body: [UInt8], to path: String) async throws -> Int64 {
        let answer = try await exchange(.POST, path, body, type: "application/x-ndjson")
        return (try? JSONDecoder().decode(Acceptance.self, from: answer))?.position ?? 0
    }

    /// Declares the model.
    func declare(_ schema: [UInt8], model: String) async throws {
        _ = try await exchange(.PUT, "/v1/models/\(model)", schema, type: "application/json")
    }

    /// Reports a trainer's progress, for teams without PostgreSQL.
    func report(_ state: String, newVersion: String? = nil, on request: String) async throws {
        let report = TrainerReportBody(state: state, newVersion: newVersion)
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-._~")
        let id = request.addingPercentEncoding(withAllowedCharacters: allowed) ?? request
        _ = try await exchange(
            .POST, "/v1/retraining-requests/\(id)/report", Array(JSONEncoder().encode(report)),
            type: "application/json")
    }

    func requests() async throws -> [RequestView] {
        let answer = try await exchange(.GET, "/v1/retraining-requests")
        return try decoded(RequestList.self, from: answer).requests
    }

    func firingAlerts() async throws -> [AlertView] {
        try decoded(AlertList.self, from: await exchange(.GET, "/v1/alerts?phase=firing")).alerts
    }

    func isReady() async -> Bool {
        (try? await exchange(.GET, "/readyz")) != nil
    }

    private func decoded<Answer: Decodable>(_ type: Answer.Type, from data: Data) throws -> Answer {
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch {
            throw DemoError("Leeway's answer is not as the contract says: \(error)")
        }
    }

    private func exchange(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8] = [], type: String? = nil
    ) async throws -> Data {
        var request = HTTPClientRequest(url: base + path)
        request.method = method
        if let type {
            request.headers.add(name: "content-type", value: type)
            request.body = .bytes(body)
        }
        let answer = try await http.execute(request, timeout: Self.answerTimeout)
        let buffer = try await answer.body.collect(upTo: Self.answerSizeBytesMax)
        let data = Data(buffer.readableBytesView)
        guard (200..<300).contains(Int(answer.status.code)) else {
            throw DemoError(
                "\(method.rawValue) \(path) was answered \(answer.status.code): "
                    + String(decoding: data, as: UTF8.self))
        }
        return data
    }
}

private struct Acceptance: Decodable { var position: Int64? }
private struct RequestList: Decodable { var requests: [RequestView] }
private struct AlertList: Decodable { var alerts: [AlertView] }

private struct TrainerReportBody: Encodable {
    var state: String
    var newVersion: String?

    enum CodingKeys: String, CodingKey {
        case state
        case newVersion = "new_version"
    }
}

/// This is what the demo reads of an alert.
struct AlertView: Decodable, Sendable {
    var rule: String
    var feature: String?
    var value: Double?
    var fingerprint: String
}

/// This is what the demo reads of a retraining request, in the API and in the payload of PostgreSQL.
struct RequestView: Decodable, Sendable {
    var id: String
    var modelVersion: String
    var state: String
    var reason: String
    var payload: RequestPayload
    var verification: VerificationView?

    enum CodingKeys: String, CodingKey {
        case id, state, reason, payload, verification
        case modelVersion = "model_version"
    }
}

/// This is the evidence and the training window of a request.
struct RequestPayload: Decodable, Sendable {
    struct Evidence: Decodable, Sendable {
        var statistic: String
        var value: Double?
        var lower: Double?
        var upper: Double?
        var count: Int?
    }

    struct Span: Decodable, Sendable {
        var from: String
        var to: String

        enum CodingKeys: String, CodingKey {
            case from = "training_from"
            case to = "training_to"
        }
    }

    var evidence: [Evidence]
    var data: Span
}

/// This is Leeway's judgement of a retraining.
struct VerificationView: Decodable, Sendable {
    struct Effect: Decodable, Sendable {
        var value: Double
        var lower: Double
        var upper: Double
    }

    var verdict: String
    var statistic: String
    var before: Double
    var after: Double
    var effect: Effect
}
