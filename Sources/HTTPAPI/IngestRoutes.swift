import ByteCoding
import Foundation
import HTTPTypes
import Hummingbird
import MonitorCore
import MonitorService
import MonitoringDomain
import RecordCoding

/// This is the way in: bodies become columns, columns become log entries, and the answer is given when
/// they are durable and counted.
struct IngestRoutes {
    let runner: MonitorRunner
    /// The event times that are taken now.
    let times: @Sendable () -> ClosedRange<Int64>
    private let decoding = BodyDecoding()

    init(runner: MonitorRunner, times: @escaping @Sendable () -> ClosedRange<Int64>) {
        self.runner = runner
        self.times = times
    }

    func add(to router: Router<BasicRequestContext>) {
        router.post("/v1/predictions") { request, _ in try await predictions(request) }
        router.post("/v1/ground-truth") { request, _ in try await groundTruth(request) }
        router.post("/v1/models/:model/references") { request, context in
            try await reference(request, model: try modelID(context.parameters.require("model")))
        }
    }

    private func predictions(_ request: Request) async throws -> Response {
        let model = try queryModel(request)
        let isPartial = try isPartial(request)
        let body = try await RequestBody.records(of: request)
        let kinds = runner.kindLookup()
        let found = try decoding.decode(body, isPartial: isPartial, times: times()) {
            decoder, bytes throws(RecordDecodingError) in
            try decoder.decodePredictions(
                bytes, kind: .predictions, defaultModel: model, arrival: WallClock.now(),
                kindOf: { kinds[$0]?[$1] })
        }
        return try await accept(found.batches.map { .predictions($0) }, refused: found.refusal)
    }

    private func groundTruth(_ request: Request) async throws -> Response {
        let model = try queryModel(request)
        let isPartial = try isPartial(request)
        let body = try await RequestBody.records(of: request)
        let found = try decoding.decode(body, isPartial: isPartial, times: times()) {
            decoder, bytes throws(RecordDecodingError) in
            try decoder.decodeGroundTruth(bytes, defaultModel: model, arrival: WallClock.now())
        }
        return try await accept(found.batches.map { .groundTruth($0) }, refused: found.refusal)
    }

    private func reference(_ request: Request, model: ModelID) async throws -> Response {
        let body = try await RequestBody.records(of: request)
        let kinds = runner.kindLookup()
        let now = WallClock.now()
        // References are older and larger than batches: the body's size is their bound.
        let found = try decoding.decode(
            body, isPartial: false, times: .min ... .max, rowCountMax: .max
        ) { decoder, bytes throws(RecordDecodingError) in
            try decoder.decodePredictions(
                bytes, kind: .reference, defaultModel: model, arrival: now,
                kindOf: { kinds[$0]?[$1] })
        }
        guard found.batches.count == 1, let batch = found.batches.first, batch.model == model
        else {
            throw Problem(
                .unprocessableContent, "batch-invalid", "A reference is of one model",
                detail: "records of other models than \"\(model)\" found", outcome: "not_stored")
        }
        _ = try await submit([.pinReference(batch, pinnedAt: now)])
        let answer = try await runner.read { $0.collector.models[model]?.referenceJSON ?? .null }
        return .json(answer, status: .created)
    }

    /// Stores what was decoded, and answers what was refused with it.
    private func accept(_ inputs: [Input], refused: BodyDecoding.Refusal?) async throws -> Response
    {
        let receipt = inputs.isEmpty ? nil : try await submit(inputs)
        let position: Int64
        if let receipt {
            position = receipt.position
        } else {
            position = try await runner.read { $0.position }
        }
        var members: [(String, JSONValue)] = [
            ("accepted", .int(Int64(receipt?.accepted ?? 0))),
            ("duplicates", .int(Int64(receipt?.duplicates ?? 0))), ("position", .int(position)),
        ]
        guard let refused else { return .json(.object(members), status: .accepted) }
        members.append(("rejected", .int(Int64(refused.count))))
        members.append(("errors", .array(refused.errors.map { Problem.json(of: $0) })))
        return .json(.object(members), status: .init(code: 207, reasonPhrase: "Multi-Status"))
    }

    /// True for `?mode=partial`: good records are stored although others are bad.
    private func isPartial(_ request: Request) throws -> Bool {
        switch request.uri.queryParameters["mode"] {
        case nil, "all": false
        case "partial": true
        case let other?:
            throw Problem.invalidParameter("mode", "\"\(other)\" found, all or partial expected")
        }
    }

    private func submit(_ inputs: [Input]) async throws -> Receipt {
        do {
            return try await runner.submit(inputs)
        } catch {
            throw Problem(error)
        }
    }

    private func queryModel(_ request: Request) throws -> ModelID? {
        try request.uri.queryParameters["model"].map { try modelID(String($0)) }
    }
}

/// Checks a model's name as it stands in a path or a query.
func modelID(_ name: String) throws -> ModelID {
    guard let model = ModelID(name.removingPercentEncoding ?? name) else {
        throw Problem(
            .unprocessableContent, "invalid-field", "Invalid model name",
            detail: "\"\(name)\" found; [A-Za-z0-9][A-Za-z0-9._-]{0,127} expected",
            errors: [
                ItemError(
                    line: 1, pointer: "/model", code: "invalid-field", detail: "invalid model name")
            ])
    }
    return model
}

extension Problem {
    init(_ error: SubmissionError) {
        switch error {
        case .items(let errors):
            self.init(
                .unprocessableContent, "batch-invalid", "The batch is invalid",
                detail: errors.first?.detail ?? "", errors: errors, outcome: "not_stored")
        case .overloaded:
            self.init(
                .serviceUnavailable, "overloaded", "Overloaded",
                detail: "too many bytes wait for the disk", outcome: "not_stored",
                headers: [.retryAfter: "1"])
        case .shuttingDown:
            self.init(
                .serviceUnavailable, "shutting-down", "Shutting down", detail: "try another node",
                outcome: "not_stored", headers: [.retryAfter: "5"])
        case .storageFailed:
            // The reason may hold paths; it is in the log.
            self.init(
                .serviceUnavailable, "storage-failed", "Storage failed",
                detail: "the log could not be written", outcome: "unknown",
                headers: [.retryAfter: "5"])
        }
    }

    init(_ error: RecordDecodingError) {
        switch error {
        case .malformed(let line, let offset, let reason):
            self.init(
                .badRequest, "malformed-json", "Malformed JSON",
                detail: "line \(line), byte \(offset): \(reason)", outcome: "not_stored")
        case .items(let errors):
            self.init(
                .unprocessableContent, "batch-invalid", "The batch is invalid",
                detail: errors.first.map { "line \($0.line): \($0.pointer): \($0.detail)" } ?? "",
                errors: errors, outcome: "not_stored")
        case .batchTooLarge(let limit):
            self.init(
                .contentTooLarge, "batch-too-large", "The batch is too large",
                detail: "over \(limit) records; send smaller batches", outcome: "not_stored")
        }
    }
}
