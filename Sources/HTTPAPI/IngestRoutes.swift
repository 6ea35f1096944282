import ByteCoding
import Foundation
import HTTPTypes
import Hummingbird
import MonitorCore
import MonitorService
import MonitoringDomain
import RecordCoding
import Synchronization

/// This is the way in: bodies become columns, columns become log entries, and the answer is given when
/// they are durable and counted.
struct IngestRoutes {
    let runner: MonitorRunner
    /// Decoders keep the layout of earlier bodies; one is taken for a body and given back.
    private let decoders = DecoderPool()

    init(runner: MonitorRunner) { self.runner = runner }

    func add(to router: Router<BasicRequestContext>) {
        router.post("/v1/predictions") { request, _ in try await predictions(request) }
        router.post("/v1/ground-truth") { request, _ in try await groundTruth(request) }
        router.post("/v1/models/:model/references") { request, context in
            try await reference(request, model: try modelID(context.parameters.require("model")))
        }
    }

    private func predictions(_ request: Request) async throws -> Response {
        let model = try queryModel(request)
        let body = try await RequestBody.records(of: request)
        let kinds = runner.kindLookup()
        let batches = try decoding { () throws(RecordDecodingError) in
            try decoders.with { decoder throws(RecordDecodingError) in
                try decoder.decodePredictions(
                    body, kind: .predictions, defaultModel: model, arrival: WallClock.now(),
                    kindOf: { kinds[$0]?[$1] })
            }
        }
        return try await accept(batches.map { .predictions($0) })
    }

    private func groundTruth(_ request: Request) async throws -> Response {
        let model = try queryModel(request)
        let body = try await RequestBody.records(of: request)
        let batches = try decoding { () throws(RecordDecodingError) in
            try decoders.with { decoder throws(RecordDecodingError) in
                try decoder.decodeGroundTruth(
                    body, defaultModel: model, arrival: WallClock.now())
            }
        }
        return try await accept(batches.map { .groundTruth($0) })
    }

    private func reference(_ request: Request, model: ModelID) async throws -> Response {
        let body = try await RequestBody.records(of: request)
        let kinds = runner.kindLookup()
        let now = WallClock.now()
        let batches = try decoding { () throws(RecordDecodingError) in
            // References are larger than batches: the body's size is their bound.
            var decoder = RecordDecoder(limits: DecodingLimits(rowCountMax: .max))
            return try decoder.decodePredictions(
                body, kind: .reference, defaultModel: model, arrival: now,
                kindOf: { kinds[$0]?[$1] })
        }
        guard batches.count == 1, let batch = batches.first, batch.model == model else {
            throw Problem(
                .unprocessableContent, "batch-invalid", "A reference is of one model",
                detail: "records of other models than \"\(model)\" found", outcome: "not_stored")
        }
        _ = try await submit([.pinReference(batch, pinnedAt: now)])
        let answer = try await runner.read { $0.collector.models[model]?.referenceJSON ?? .null }
        return .json(answer, status: .created)
    }

    private func accept(_ inputs: [Input]) async throws -> Response {
        let receipt = try await submit(inputs)
        return .json(
            .object([
                ("accepted", .int(Int64(receipt.accepted))),
                ("duplicates", .int(Int64(receipt.duplicates))),
                ("position", .int(receipt.position)),
            ]), status: .accepted)
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

    private func decoding<Batches>(
        _ body: () throws(RecordDecodingError) -> Batches
    ) throws -> Batches {
        do {
            return try body()
        } catch {
            throw Problem(error)
        }
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

/// This is a stack of decoders that nobody uses at the moment.
private final class DecoderPool: Sendable {
    private let idle = Mutex<[RecordDecoder]>([])

    func with<Result>(
        _ body: (inout RecordDecoder) throws(RecordDecodingError) -> Result
    ) throws(RecordDecodingError) -> Result {
        var decoder = idle.withLock { $0.popLast() } ?? RecordDecoder(limits: DecodingLimits())
        let result = try body(&decoder)
        // A decoder that threw is not given back: its layout may be half learned.
        idle.withLock { [decoder] in $0.append(decoder) }
        return result
    }
}
