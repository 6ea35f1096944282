import HTTPTypes
import Hummingbird
import MonitorService
import MonitoringDomain
import NIOCore
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
        TelemetryEncoding(contentType: request.headers[.contentType] ?? "") == .protobuf
            && !request.headers.contains { $0.name.canonicalName.hasPrefix("ce-") }
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

    private static func failure(_ problem: Problem, _ encoding: TelemetryEncoding) -> Response {
        // An exporter drops what is answered with 507, and comes again after 503.
        let status = problem.status.code == 507 ? .serviceUnavailable : problem.status
        // INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAVAILABLE, and UNKNOWN for the rest.
        let code: UInt8 =
            switch status.code {
            case 400, 415, 422: 3
            case 413, 429: 8
            case 503: 14
            default: 2
            }
        var response = response(
            status,
            TelemetryAnswer.failure(
                code: code, reason: "\(problem.title): \(problem.detail)", encoding), encoding)
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
