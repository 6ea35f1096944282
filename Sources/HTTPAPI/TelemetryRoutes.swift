import HTTPTypes
import Hummingbird
import MonitorService
import MonitoringDomain
import NIOCore
import NIOHTTP1
import RecordCoding

/// This is the receiver of OTLP over HTTP, for logs: `/v1/logs`, in protobuf or JSON.
///
/// It answers in the encoding of the request: 200 with nothing when everything was taken, or with the
/// number of rejected records, which a client must not send again; errors are a `google.rpc.Status`.
struct TelemetryRoutes {
    let bodies: ForeignBodies

    func add(to router: Router<BasicRequestContext>) {
        router.post("/v1/logs") { request, _ in try await logs(request) }
    }

    /// True for a request that exporters send to a URL without a path.
    static func isExport(_ request: Request) -> Bool {
        request.uri.path == "/" && encoding(of: request) != nil
    }

    /// This is the encoding in which a sender of logs is answered, also by whoever refuses it before the
    /// route is asked; nil where the request is no export.
    static func encoding(of request: Request) -> TelemetryEncoding? {
        guard request.method == .post else { return nil }
        return encoding(
            path: request.uri.path, contentType: request.headers[.contentType],
            isEvent: request.headers.contains { $0.name.canonicalName.hasPrefix("ce-") })
    }

    /// The same of a head that no route has seen yet.
    static func encoding(of head: HTTPRequestHead) -> TelemetryEncoding? {
        guard head.method == .POST else { return nil }
        return encoding(
            path: String(head.uri.prefix { $0 != "?" }),
            contentType: head.headers.first(name: "Content-Type"),
            isEvent: head.headers.contains { $0.name.lowercased().hasPrefix("ce-") })
    }

    private static func encoding(
        path: String, contentType: String?, isEvent: Bool
    ) -> TelemetryEncoding? {
        guard path == "/" || path == "/v1/logs" else { return nil }
        let encoding = TelemetryEncoding(contentType: contentType ?? "")
        if path == "/v1/logs" { return encoding ?? .json }
        return encoding == .protobuf && !isEvent ? .protobuf : nil
    }

    func logs(_ request: Request) async throws -> Response {
        guard let encoding = TelemetryEncoding(contentType: request.headers[.contentType] ?? "")
        else {
            return Self.failure(
                Problem(
                    .unsupportedMediaType, "unsupported-media-type", "Unsupported media type",
                    detail: "application/x-protobuf or application/json expected"), .json)
        }
        var body: [UInt8] = []
        do {
            try request.checkQuery(knowing: ["model"])
            let model = try request.uri.queryParameters["model"].map { try modelID(String($0)) }
            try RequestBody.checkCharset(request)
            body = try await RequestBody.bytes(of: request)
            let limits = bodies.limits
            let schemas = bodies.runner.schemaLookup()
            let export = try ForeignBodies.decoding { () throws(RecordDecodingError) in
                try TelemetryDecoder(limits: limits, model: model).decode(
                    body, encoding: encoding, arrival: WallClock.now(), schemaOf: { schemas[$0] })
            }
            try await bodies.submit(
                export.records.inputs
                    + export.typeErrors.map { Input.typeErrors($0.batch, features: $0.features) })
            if export.rejectedCount > 0 {
                bodies.rejects.count(
                    export.rejectedCount, route: request.uri.path, code: "log-record-rejected")
                bodies.rejects.keep(
                    RejectLog.Copy(
                        time: WallClock.now(), route: request.uri.path, code: "log-record-rejected",
                        detail: "\(export.rejectedCount) records, the first: "
                            + (export.rejection ?? ""),
                        body: body))
            }
            return Self.response(
                .ok,
                TelemetryAnswer.success(
                    rejectedCount: export.rejectedCount, reason: export.rejection, encoding),
                encoding)
        } catch var problem as Problem {
            if encoding == .protobuf, problem.type == "malformed-json" {
                problem = Problem(
                    .badRequest, "malformed-request", "Malformed protobuf", detail: problem.detail,
                    outcome: problem.outcome)
            }
            if (400..<429).contains(problem.status.code) {
                bodies.rejects.count(route: request.uri.path, code: problem.type)
                bodies.keep(body, of: request.uri.path, refusedWith: problem)
            }
            return Self.failure(problem, encoding)
        }
    }

    static func failure(_ problem: Problem, _ encoding: TelemetryEncoding) -> Response {
        let problem = problem.forExporters
        var response = response(problem.status, problem.telemetry(encoding), encoding)
        for field in problem.headers { response.headers[field.name] = field.value }
        return response
    }

    private static func response(
        _ status: HTTPResponse.Status, _ body: [UInt8], _ encoding: TelemetryEncoding
    ) -> Response {
        Response(
            status: status,
            headers: [.contentType: encoding.contentType, .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
    }
}

extension Problem {
    /// The problem as exporters understand it: they drop what is answered with 507, and come again after
    /// 503.
    var forExporters: Problem {
        guard status.code == 507 else { return self }
        return Problem(
            .serviceUnavailable, type, title, detail: detail, outcome: outcome, headers: headers)
    }

    /// This is the problem as a `google.rpc.Status`.
    func telemetry(_ encoding: TelemetryEncoding) -> [UInt8] {
        // The codes of gRPC: INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, DEADLINE_EXCEEDED,
        // RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, and UNKNOWN for the rest.
        let code: UInt8 =
            switch status.code {
            case 400, 411, 414, 415, 417, 421, 422, 431: 3
            case 401: 16
            case 403: 7
            case 408: 4
            case 413, 429: 8
            case 500: 13
            case 503: 14
            default: 2
            }
        return TelemetryAnswer.failure(code: code, reason: "\(title): \(detail)", encoding)
    }
}
