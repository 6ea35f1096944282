import NIOCore
import NIOHTTP1

/// This is one request on a connection and its answer, in the order of arrival.
struct Exchange {
    /// Body bytes that have arrived and are held by the budget.
    var bodySize = 0
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

    init(_ head: HTTPRequestHead) {
        closes = !head.isKeepAlive
        isHead = head.method == .HEAD
        isChunked = head.headers.contains(name: "Transfer-Encoding")
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
