import HTTPTypes
import Hummingbird
import MonitorService
import MonitoringDomain
import RecordCoding

/// This is the way in for what model servers log: CloudEvents, one or many, at `/v1/events` and `/`.
///
/// Its statuses suit senders that retry: 202 only when the event is durable, and without a body,
/// because a broker would take a body for a reply; 400 for what will never be taken; 503 for what may
/// be taken later. What is no business of the monitor's is accepted and dropped.
struct EventRoutes {
    let runner: MonitorRunner

    func add(to router: Router<BasicRequestContext>) {
        router.post("/v1/events") { request, _ in try await events(request) }
        // Loggers and exporters are often given a URL without a path.
        router.post("/") { request, _ in
            TelemetryRoutes.isExport(request)
                ? try await TelemetryRoutes(runner: runner).logs(request)
                : try await events(request)
        }
        for path in ["/v1/events", "/"] {
            router.on(RouterPath(path), method: .options) { _, _ in handshake() }
        }
    }

    /// The webhook specification's way to ask whether deliveries are welcome.
    private func handshake() -> Response {
        var headers: HTTPFields = [.allow: "POST, OPTIONS"]
        for name in ["WebHook-Allowed-Origin", "WebHook-Allowed-Rate"] {
            if let field = HTTPField.Name(name) { headers[field] = "*" }
        }
        return Response(status: .ok, headers: headers)
    }

    private func events(_ request: Request) async throws -> Response {
        let options = try Self.options(of: request)
        let body = try await RequestBody.bytes(of: request)
        let arrival = WallClock.now()
        let schemas = runner.schemaLookup()
        let inputs = try Self.decoding { () throws(RecordDecodingError) in
            let decoder = EventDecoder(options: options)
            var inputs: [Input] = []
            for event in try Self.events(in: request, body) {
                switch try decoder.decode(event, arrival: arrival, schemaOf: { schemas[$0] }) {
                case .half(let half): inputs.append(.inference(half))
                case .records(let records): inputs += records.inputs
                case .ignored: continue
                }
            }
            return inputs
        }
        try await Self.submit(inputs, to: runner)
        return Response(status: .accepted)
    }

    private static func options(of request: Request) throws -> EventOptions {
        var options = EventOptions()
        options.model = try request.uri.queryParameters["model"].map { try modelID(String($0)) }
        if let component = request.uri.queryParameters["component"] {
            options.component = String(component)
        }
        return options
    }

    private static func events(
        in request: Request, _ body: [UInt8]
    ) throws(RecordDecodingError) -> [CloudEvent] {
        let mode = CloudEventMode(contentType: request.headers[.contentType] ?? "")
        guard mode == .binary else { return try CloudEvent.decode(body, mode: mode) }
        let headers = request.headers.map { (name: $0.name.canonicalName, value: $0.value) }
        guard let event = try CloudEvent.binary(headers: headers, body: body) else {
            throw .items([
                ItemError(
                    line: 1, pointer: "/specversion", code: "invalid-field",
                    detail: "no CloudEvent: neither ce- headers nor application/cloudevents+json")
            ])
        }
        return [event]
    }

    /// Waits until the inputs are durable; none are durable at once.
    static func submit(_ inputs: [Input], to runner: MonitorRunner) async throws {
        if inputs.isEmpty { return }
        do {
            _ = try await runner.submit(inputs)
        } catch {
            var problem = Problem(error)
            // 422 is nothing that senders of events know; to all of them 400 means the same.
            if problem.status == .unprocessableContent { problem = problem.with(.badRequest) }
            throw problem
        }
    }

    /// Refuses with 400 what no repetition will make right.
    static func decoding<Value>(
        _ body: () throws(RecordDecodingError) -> Value
    ) throws -> Value {
        do {
            return try body()
        } catch {
            let problem = Problem(error)
            throw problem.status == .unprocessableContent ? problem.with(.badRequest) : problem
        }
    }
}

extension DecodedRecords {
    /// These are the batches as inputs, predictions first.
    var inputs: [Input] {
        predictions.map { .predictions($0) } + groundTruth.map { .groundTruth($0) }
    }
}

extension Problem {
    /// This is the same problem under another status.
    func with(_ status: HTTPResponse.Status) -> Problem {
        Problem(
            status, type, title, detail: detail, errors: errors, outcome: outcome, headers: headers)
    }
}
