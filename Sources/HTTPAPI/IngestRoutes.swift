import ByteCoding
import Foundation
import HTTPTypes
import Hummingbird
import MonitorCore
import MonitorService
import MonitoringDomain
import NIOCore
import RecordCoding

/// This is the way in: bodies become columns, columns become log entries, and the answer is given when
/// they are durable and counted.
struct IngestRoutes {
    let runner: MonitorRunner
    /// The event times that are taken now.
    let times: @Sendable () -> ClosedRange<Int64>
    /// The clock's reading, by which old records are refused; nil where time comes from the records.
    let clock: @Sendable () -> EventTime?
    private let decoding = BodyDecoding()
    private let running = RunningKeys()

    init(_ service: MonitorService.Service) {
        runner = service.runner
        times = { service.acceptedTimes }
        let isWall = service.configuration.clock == .wall
        clock = { isWall ? WallClock.now() : nil }
    }

    func add(to router: Router<BasicRequestContext>) {
        router.post("/v1/predictions") { request, _ in try await predictions(request) }
        router.post("/v1/ground-truth") { request, _ in try await groundTruth(request) }
        router.post("/v1/models/:model/references") { request, context in
            try await reference(request, model: try modelID(context.parameters.require("model")))
        }
    }

    /// What a body may hold now.
    private var limits: DecodingLimits {
        var limits = DecodingLimits()
        limits.times = times()
        limits.independentScores = runner.independentScores
        return limits
    }

    private func predictions(_ request: Request) async throws -> Response {
        let model = try queryModel(request)
        let isPartial = try isPartial(request)
        let body = try await RequestBody.records(of: request)
        return try await once(request, body) { seed in
            let kinds = runner.kindLookup()
            let decode = {
                @Sendable (
                    decoder: inout RecordDecoder, bytes: [UInt8]
                )
                    throws(RecordDecodingError) -> [PredictionBatch] in
                try decoder.decodePredictions(
                    bytes, kind: .predictions, defaultModel: model, arrival: WallClock.now(),
                    kindOf: { kinds[$0]?[ExactText($1)] })
            }
            let typeErrors = { (mistyped: [UInt8]) -> [Input] in
                decoding.typeErrors(mistyped, limits: limits) {
                    decoder, bytes throws(RecordDecodingError) in
                    try decoder.decodeTypeErrors(
                        bytes, defaultModel: model, arrival: WallClock.now(),
                        kindOf: { kinds[$0]?[ExactText($1)] })
                }.map { .typeErrors($0.batch, features: $0.features) }
            }
            return try await accept(
                body, isPartial: isPartial, model, seed, decode, typeErrors: typeErrors
            ) { .predictions($0) }
        }
    }

    private func groundTruth(_ request: Request) async throws -> Response {
        let model = try queryModel(request)
        let isPartial = try isPartial(request)
        let body = try await RequestBody.records(of: request)
        return try await once(request, body) { seed in
            let decode = {
                @Sendable (
                    decoder: inout RecordDecoder, bytes: [UInt8]
                )
                    throws(RecordDecodingError) -> [GroundTruthBatch] in
                try decoder.decodeGroundTruth(bytes, defaultModel: model, arrival: WallClock.now())
            }
            return try await accept(body, isPartial: isPartial, model, seed, decode) {
                .groundTruth($0)
            }
        }
    }

    private func reference(_ request: Request, model: ModelID) async throws -> Response {
        let body = try await RequestBody.records(
            of: request, decodedLimitBytes: RequestBody.referenceSizeBytesMax)
        let now = WallClock.now()
        if let answer = try await chosenReference(body.bytes, model: model, now: now) {
            return answer
        }
        let kinds = runner.kindLookup()
        var limits = limits
        limits.times = .min ... .max
        limits.rowCountMax = .max
        // References are older and larger than batches: the body's size is their bound.
        let found = try decoding.decode(
            body, isPartial: false, limits: limits
        ) { decoder, bytes throws(RecordDecodingError) in
            try decoder.decodePredictions(
                bytes, kind: .reference, defaultModel: model, arrival: now,
                kindOf: { kinds[$0]?[ExactText($1)] })
        }
        guard found.batches.count == 1, let batch = found.batches.first, batch.model == model
        else {
            throw Problem(
                .unprocessableContent, "batch-invalid", "A reference is of one model",
                detail: "records of other models than \"\(model)\" found", outcome: "not_stored")
        }
        _ = try await submit([.pinReference(batch, pinnedAt: now)])
        return .json(try await newestReference(of: model), status: .created)
    }

    /// The reference that was asked for last, active or on its way.
    private func newestReference(of model: ModelID) async throws -> JSONValue {
        try await runner.read { monitor in
            guard let state = monitor.collector.models[model],
                let entry = state.references.entries.last
            else { return .null }
            return state.isActive(entry.id)
                ? state.referenceJSON : state.referenceJSON(id: entry.id, progress: nil) ?? .null
        }
    }

    /// Nil when the body holds records.
    private func chosenReference(
        _ body: [UInt8], model: ModelID, now: EventTime
    ) async throws -> Response? {
        let source: ReferenceSource
        do {
            guard let found = try ReferenceBody.decode(body) else { return nil }
            source = found
        } catch {
            throw Problem(error, "Invalid reference")
        }
        guard try await runner.read({ $0.collector.models[model] != nil }) else {
            throw Problem.notFound("model \"\(model)\" is not known")
        }
        _ = try await submit([.chooseReference(model, source, at: now)])
        return .json(try await newestReference(of: model), status: .created)
    }

    /// Decodes and stores a body of records; where the runner refuses some, they are named one by one, and
    /// in the partial mode the others are stored.
    private func accept<Batch>(
        _ body: RecordBody, isPartial: Bool, _ defaultModel: ModelID?, _ key: IdempotencyKey?,
        _ decode: @Sendable (inout RecordDecoder, [UInt8]) throws(RecordDecodingError) -> [Batch],
        typeErrors: ([UInt8]) -> [Input] = { _ in [] }, _ input: (Batch) -> Input
    ) async throws -> Response {
        let found = try decoding.decode(body, isPartial: isPartial, limits: limits, decode)
        let mistyped = typeErrors(found.refusal?.mistyped ?? [])
        if let refusal = found.refusal, found.batches.isEmpty {
            // Only what was wrong is counted.
            if !mistyped.isEmpty { _ = try await submit(mistyped) }
            throw Problem(RecordDecodingError.items(refusal.errors))
        }
        func answer(_ inputs: [Input], _ refused: BodyDecoding.Refusal?) -> BatchAnswer {
            BatchAnswer(
                body: body, isPartial: isPartial, defaultModel: defaultModel,
                models: inputs.compactMap(\.model), refused: refused)
        }
        do throws(SubmissionError) {
            let inputs = found.batches.map(input)
            return try await accept(inputs + mistyped, answer(inputs, found.refusal), key)
        } catch .items(let errors) {
            var admission = runner.admission(at: clock())
            let rest = try decoding.examine(
                body, isPartial: isPartial, limits: limits,
                admit: { admission.errors(of: input($0)) }, decode)
            // What was known has changed meanwhile: the sender tries again.
            guard rest.refusal != nil else { throw Problem(SubmissionError.items(errors)) }
            do throws(SubmissionError) {
                let inputs = rest.batches.map(input)
                return try await accept(inputs + mistyped, answer(inputs, rest.refusal), key)
            } catch {
                throw Problem(error)
            }
        } catch {
            throw Problem(error)
        }
    }

    /// Stores what was decoded, and answers what became of it.
    private func accept(
        _ inputs: [Input], _ answer: BatchAnswer, _ key: IdempotencyKey?
    ) async throws(SubmissionError) -> Response {
        let receipt: Receipt
        if inputs.isEmpty {
            // An array without records: nothing is stored, and there is nothing to repeat.
            receipt = try await runner.read { .nothing(at: $0.position) }
        } else {
            let claim = key.map { key in
                IdempotencyClaim(
                    scope: key.scope, key: key.text, fingerprint: key.fingerprint,
                    answer: answer.answer)
            }
            receipt = try await runner.submit(inputs, claim: claim)
        }
        let (status, rest) = answer.answer(to: receipt)
        return .json(
            receipt.json(rest),
            status: status == 207 ? .init(code: 207, reasonPhrase: "Multi-Status") : .accepted)
    }

    /// Answers a request with a key once, and its repeats with the same answer.
    private func once(
        _ request: Request, _ body: RecordBody,
        _ answer: (IdempotencyKey?) async throws -> Response
    ) async throws -> Response {
        guard let key = try IdempotencyKey(of: request, body.bytes) else {
            return try await answer(nil)
        }
        guard running.begin(key) else {
            throw Problem(
                .conflict, "idempotency-in-progress", "The first request with this key still runs",
                detail: "try again for its answer", outcome: "unknown",
                headers: [.retryAfter: "1"])
        }
        defer { running.end(key) }
        let stored: IdempotencyClaim.Answer?
        do {
            stored = try await runner.answer(scope: key.scope, key: key.text)
        } catch {
            throw Problem(error)
        }
        guard let stored else { return try await answer(key) }
        guard stored.fingerprint == key.fingerprint else {
            throw Problem(
                .unprocessableContent, "idempotency-key-reused", "The key belongs to another body",
                detail: "a key is for one batch and its repeats", outcome: "not_stored")
        }
        var headers: HTTPFields = [
            .contentType: "application/json", .cacheControl: "no-store",
        ]
        if let name = HTTPField.Name("Idempotency-Replayed") { headers[name] = "true" }
        return Response(
            status: .init(code: stored.status), headers: headers,
            body: ResponseBody(byteBuffer: ByteBuffer(string: stored.body)))
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
        case .storageFull: self = .storageFull
        case .tooManyKeys:
            self.init(
                .tooManyRequests, "rate-limited", "Too many idempotency keys",
                detail: "the project's keys of the last 24 h are as many as are kept",
                outcome: "not_stored", headers: [.retryAfter: "600"])
        case .storageFailed:
            // The reason may hold paths; it is in the log.
            self.init(
                .serviceUnavailable, "storage-failed", "Storage failed",
                detail: "the log could not be written", outcome: "unknown",
                headers: [.retryAfter: "5"])
        }
    }

    /// What is wrong has no pointer where its line is no JSON.
    private static func sentence(_ error: ItemError) -> String {
        let place = error.pointer.isEmpty ? "" : "\(error.pointer): "
        return "line \(error.line): \(place)\(error.detail)"
    }

    init(_ error: RecordDecodingError) {
        switch error {
        case .malformed(let line, let offset, let reason):
            self.init(
                .badRequest, "malformed-json", "Malformed JSON",
                detail: "line \(line), byte \(offset): \(reason)",
                errors: [
                    ItemError(
                        line: line, pointer: "",
                        code: RecordDecodingError.code(ofMalformed: reason),
                        detail: "byte \(offset): \(reason)")
                ], outcome: "not_stored")
        case .items(let errors):
            self.init(
                .unprocessableContent, "batch-invalid", "The batch is invalid",
                detail: errors.first.map(Self.sentence) ?? "",
                errors: errors, outcome: "not_stored")
        case .batchTooLarge(let limit):
            self.init(
                .contentTooLarge, "batch-too-large", "The batch is too large",
                detail: "over \(limit) records; send smaller batches", outcome: "not_stored")
        }
    }
}
