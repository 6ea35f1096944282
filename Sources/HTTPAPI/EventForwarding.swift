import HTTPTypes
import Hummingbird
public import NIOCore

/// This is a request of a logger as it came: what a pass-through sends on.
public struct LoggedRequest: Sendable {
    /// Names as on the wire and values, without those that are between the sender and us.
    public let headers: [(name: String, value: String)]
    /// The bytes as they came, compressed or not.
    public let body: ByteBuffer
}

/// This passes a request on; it never waits and never fails.
public typealias EventForwarder = @Sendable (LoggedRequest) -> Void

extension LoggedRequest {
    /// Headers of one connection, and what proves who the sender is to us and to nobody else.
    private static let kept: Set<String> = [
        "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host",
        "content-length", "expect", "authorization", "proxy-authorization", "cookie",
    ]

    init(_ request: Request, body: ByteBuffer) {
        headers = request.headers.compactMap {
            Self.kept.contains($0.name.canonicalName) ? nil : ($0.name.rawName, $0.value)
        }
        self.body = body
    }
}
