import HTTPTypes
import Hummingbird
import MonitorService
import MonitoringDomain
import NIOCore
import RecordCoding

/// This is the way in for what model servers log: CloudEvents, one or many, at `/v1/events` and `/`.
///
/// Its statuses suit senders that retry: 202 only when the event is durable, and without a body,
/// because a broker would take a body for a reply; 400 for what will never be taken; 503 for what may
/// be taken later. What is no business of the monitor's is accepted and dropped.
struct EventRoutes {
    let bodies: ForeignBodies
    /// Where requests are passed on to, when they have been taken or refused for good.
    var forward: EventForwarder?

    func add(to router: Router<BasicRequestContext>) {
        router.post("/v1/events") { request, _ in try await events(request) }
        // Loggers and exporters are often given a URL without a path.
        router.post("/") { request, _ in
            TelemetryRoutes.isExport(request)
                ? try await TelemetryRoutes(bodies: bodies).logs(request)
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
        let type = request.headers[.contentType] ?? ""
        guard !CloudEventMode.isForeignFormat(contentType: type) else {
            throw Problem(
                .unsupportedMediaType, "unsupported-media-type", "Unsupported media type",
                detail: "events in JSON, or in ce- headers, expected")
        }
        let (body, logged) = try await read(request)
        do {
            try await take(body, of: request, options)
        } catch let problem as Problem {
            // Who is asked to come again will be passed on then.
            if problem.status.code < 429 { logged.map { forward?($0) } }
            bodies.keep(body, of: request.uri.path, refusedWith: problem)
            throw problem
        }
        logged.map { forward?($0) }
        return Response(status: .accepted)
    }

    private func take(
        _ body: [UInt8], of request: Request, _ options: EventOptions
    ) async throws {
        let arrival = WallClock.now()
        let limits = bodies.limits
        let schemas = bodies.runner.schemaLookup()
        var ignored: [String: Int] = [:]
        let decoder = EventDecoder(limits: limits, options: options)
        var inputs: [Input] = []
        let events = try ForeignBodies.decoding { () throws(RecordDecodingError) in
            try Self.events(in: request, body)
        }
        for (index, event) in events.enumerated() {
            let content = try ForeignBodies.decoding { () throws(RecordDecodingError) in
                try decoder.decode(
                    event, number: index + 1, arrival: arrival, schemaOf: { schemas[$0] })
            }
            switch content {
            case .half(let half): inputs.append(.inference(half))
            case .records(let records): inputs += records.inputs
            case .ignored(let reason): ignored[reason, default: 0] += 1
            case .mistyped(let errors, let error):
                // Who logs does not look at the answer, and never sends it again.
                try await bodies.submit(
                    errors.map { .typeErrors($0.batch, features: $0.features) })
                throw ForeignBodies.final(Problem(error.behind(lines: index)))
            }
        }
        try await bodies.submit(inputs)
        for (reason, count) in ignored {
            bodies.rejects.ignore(count, route: request.uri.path, reason: reason)
        }
    }

    /// The decoded body, and where requests are passed on, the request as it came.
    private func read(
        _ request: Request
    ) async throws -> (body: [UInt8], logged: LoggedRequest?) {
        try RequestBody.checkCharset(request)
        guard forward != nil else { return (try await RequestBody.bytes(of: request), nil) }
        var request = request
        let limit = RequestBody.wireSizeBytesMax
        let raw: ByteBuffer
        do {
            raw = try await request.collectBody(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw Problem.bodyTooLarge(limit)
        }
        return (
            try await RequestBody.bytes(of: request), LoggedRequest(request, body: raw)
        )
    }

    /// The parameters that the senders' URL may have.
    static let parameters = ["component", "model"]

    private static func options(of request: Request) throws -> EventOptions {
        try request.checkQuery(knowing: parameters)
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
}
