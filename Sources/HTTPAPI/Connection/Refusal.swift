import ByteCoding
import HTTPTypes
import NIOCore
import NIOHTTP1
import RecordCoding

/// This is the answer of the gate to a request that it refuses.
enum Refusal {
    /// This is the answer's head and body: a problem, or for a sender of logs a status in its encoding.
    static func parts(
        of found: Problem, _ encoding: TelemetryEncoding?, closes: Bool
    ) -> (head: HTTPResponseHead, body: ByteBuffer) {
        let problem = encoding == nil ? found : found.forExporters
        let body =
            encoding.map { ByteBuffer(bytes: problem.telemetry($0)) }
            ?? ByteBuffer(string: problem.json.text)
        var headers = HTTPHeaders()
        for field in problem.headers {
            headers.replaceOrAdd(name: "\(field.name)", value: field.value)
        }
        headers.replaceOrAdd(
            name: "Content-Type", value: encoding?.contentType ?? "application/problem+json")
        headers.replaceOrAdd(name: "Cache-Control", value: "no-store")
        headers.replaceOrAdd(name: "Content-Length", value: "\(body.readableBytes)")
        if closes { headers.replaceOrAdd(name: "Connection", value: "close") }
        let head = HTTPResponseHead(
            version: .http1_1,
            status: HTTPResponseStatus(
                statusCode: problem.status.code, reasonPhrase: problem.status.reasonPhrase),
            headers: headers)
        return (head, body)
    }
}
