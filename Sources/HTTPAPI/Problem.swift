import ByteCoding
import HTTPTypes
import Hummingbird
import NIOCore
import RecordCoding

/// This is an error answer (RFC 9457), with the stable type names of the outer contract.
struct Problem: Error, HTTPResponseError {
    /// Characters of somebody's input that an answer may repeat.
    static let echoCountMax = 200

    let status: HTTPResponse.Status
    let type: String
    let title: String
    var detail: String
    var errors: [ItemError] = []
    /// What is known of the batch: "not_stored" or "unknown"; nil where nothing was to be stored.
    var outcome: String?
    var headers: HTTPFields = [:]
    /// What a report of the problem and the log's line have in common.
    let instance = String(UInt64.random(in: .min ... .max), radix: 36)

    init(
        _ status: HTTPResponse.Status, _ type: String, _ title: String, detail: String,
        errors: [ItemError] = [], outcome: String? = nil, headers: HTTPFields = [:]
    ) {
        self.status = status
        self.type = type
        self.title = title
        self.detail = String(detail.prefix(Self.echoCountMax))
        self.errors = errors
        self.outcome = outcome
        self.headers = headers
    }

    var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("type", .string("https://leeway.invalid/problems/\(type)")), ("title", .string(title)),
            ("status", .int(Int64(status.code))), ("detail", .string(detail)),
            ("instance", .string("urn:leeway:problem:\(instance)")),
        ]
        if let seconds = headers[.retryAfter].flatMap({ Int64($0) }) {
            members.append(("retry_after", .int(seconds)))
        }
        if let outcome { members.append(("outcome", .string(outcome))) }
        if !errors.isEmpty {
            members.append(("errors", .array(errors.map { Self.json(of: $0) })))
        }
        return .object(members)
    }

    static func json(of error: ItemError) -> JSONValue {
        .object([
            ("line", .int(Int64(error.line))), ("pointer", .string(error.pointer)),
            ("code", .string(error.code)),
            ("detail", .string(String(error.detail.prefix(echoCountMax)))),
        ])
    }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        if let encoding = TelemetryRoutes.encoding(of: request) {
            return TelemetryRoutes.failure(self, encoding)
        }
        var fields = headers
        fields[.contentType] = "application/problem+json"
        fields[.cacheControl] = "no-store"
        return Response(
            status: status, headers: fields,
            body: ResponseBody(byteBuffer: ByteBuffer(string: json.text)))
    }

    static func notFound(_ what: String) -> Problem {
        Problem(.notFound, "not-found", "Not found", detail: what)
    }

    static func invalidParameter(_ name: String, _ detail: String) -> Problem {
        Problem(.badRequest, "malformed-request", "Malformed request", detail: "\(name): \(detail)")
    }
}

extension Response {
    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: value.text)))
    }
}
