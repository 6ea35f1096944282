import NIOCore
import NIOHTTP1
import RecordCoding

/// This is one request on a connection and its answer, in the order of arrival.
struct Exchange {
    /// Body bytes that have arrived.
    var bodySize = 0
    /// What the budget holds for it: what has arrived, and for a while what is announced.
    var heldSize = 0
    var isBodyComplete = false
    /// True where the client waits for `100 Continue` before it sends the body.
    var awaitsContinue = false
    /// True where the connection ends with this answer.
    var closes: Bool
    var hasAnswerBegun = false
    /// The answer of a request that was refused at its head; its body is read and dropped.
    var refusal: Problem?
    let isHead: Bool
    /// True where the body ends with an empty line, and not with its last byte.
    let isChunked: Bool
    /// How a refusal is written for a sender of logs; nil for all others.
    let telemetry: TelemetryEncoding?

    init(_ head: HTTPRequestHead) {
        closes = !head.isKeepAlive
        isHead = head.method == .HEAD
        isChunked = head.headers.contains(name: "Transfer-Encoding")
        telemetry = TelemetryRoutes.encoding(of: head)
    }
}

extension HTTPRequestHead {
    /// True where dropping the body costs less than a new connection.
    var hasSmallBody: Bool {
        if headers.contains(name: "Transfer-Encoding") { return false }
        guard let length = headers.first(name: "Content-Length") else { return true }
        return Int(length).map { $0 <= 1 << 16 } ?? false
    }
}

/// This is the measure of what stands around the chunks of a body: extensions are read and dropped, and
/// would otherwise cost without end.
struct ChunkOverhead {
    /// Bytes that any body may have around its chunks, and for each of its own so many more: one in a chunk
    /// of its own has five.
    private static let (sizeMax, sizeMaxPerByte) = (16 << 10, 16)

    private var size = 0
    /// The body's size before the bytes that are being parsed; nil where they began elsewhere.
    private var before: Int?

    /// Bytes have arrived, and this is the exchange whose body they may belong to.
    mutating func begin(_ exchange: Exchange?) {
        guard let exchange, exchange.isChunked, !exchange.isBodyComplete else {
            return before = nil
        }
        before = exchange.bodySize
    }

    /// False where a body has too much around it, after bytes that were parsed.
    mutating func isSound(after count: Int, _ exchange: Exchange?) -> Bool {
        guard let before, let exchange, !exchange.isBodyComplete else { return true }
        size += max(0, count - (exchange.bodySize - before))
        return size <= Self.sizeMax + Self.sizeMaxPerByte * exchange.bodySize
    }
}

/// This is what a connection is reading.
enum Reading {
    /// Nothing, since a moment.
    case idle(since: NIODeadline)
    /// A head that is not complete.
    case head(since: NIODeadline)
    case body(BodyPace)
    /// The rest of what will never be looked at; the connection ends at the latest at `until`.
    case nothing(until: NIODeadline?)
}

/// This is the measure of a body that comes in.
struct BodyPace {
    let start: NIODeadline
    private var windowStart: NIODeadline
    private var windowSize = 0

    init(at now: NIODeadline) {
        start = now
        windowStart = now
    }

    mutating func arrived(_ size: Int) { windowSize += size }

    /// Starts the window again: we did not read, so that the sender cannot be blamed.
    mutating func pardon(at now: NIODeadline) {
        windowStart = now
        windowSize = 0
    }

    /// This is why the body takes too long, nil where it does not.
    mutating func fault(at now: NIODeadline) -> String? {
        if now - start > ConnectionLimits.bodyTime { return "a body has 120 s" }
        guard now - windowStart >= ConnectionLimits.bodyWindow else { return nil }
        if windowSize < ConnectionLimits.bodyWindowSizeBytesMin {
            return "a body brings 16 KiB/s or more, over 10 s"
        }
        pardon(at: now)
        return nil
    }
}
