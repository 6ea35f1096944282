import Foundation
import Glibc

/// This is a plain connection to the server: bytes go out as a test wrote them, and what comes back is
/// read answer by answer.
public final class RawConnection {
    private let descriptor: Int32
    private var received: [UInt8] = []
    /// True when the server has ended the connection.
    public private(set) var isClosed = false

    /// Connects to a port of the loopback interface.
    ///
    /// - Parameters:
    ///   - port: The port.
    ///   - timeout: Seconds that one read or write may take.
    ///   - receiveSizeBytes: How much the system takes in that nobody has read; nil as it likes.
    /// - Throws: `HTTPFailure` when nobody listens.
    public init(port: UInt16, timeout: Int = 20, receiveSizeBytes: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw HTTPFailure(reason: "socket: errno \(errno)") }
        var limit = timeval(tv_sec: timeout, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        if var bytes = receiveSizeBytes {
            setsockopt(
                descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<Int32>.size))
        }
        var noDelay: Int32 = 1
        setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay,
            socklen_t(MemoryLayout<Int32>.size))
        guard withLoopback(port: port, { connect(descriptor, $0, $1) }) == 0 else {
            throw HTTPFailure(reason: "connect to port \(port): errno \(errno)")
        }
    }

    deinit { close(descriptor) }

    /// Sends bytes; false where the server did not take all of them.
    @discardableResult
    public func send(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var sent = 0
            while sent < buffer.count {
                let count = Glibc.send(
                    descriptor, buffer.baseAddress?.advanced(by: sent), buffer.count - sent,
                    Int32(MSG_NOSIGNAL))
                if count <= 0 { return false }
                sent += count
            }
            return true
        }
    }

    /// Sends a text; false where the server did not take all of it.
    @discardableResult
    public func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    /// Ends our side of the connection.
    public func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Makes the kernel reset the connection when it is closed.
    public func resetAtClose() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    /// This is the next complete answer, nil where the connection ended before its first byte.
    ///
    /// - Parameter toHead: True for the answer to HEAD, which has no body.
    /// - Returns: The answer with its body.
    /// - Throws: `HTTPFailure` at a timeout, and where an answer is incomplete.
    public func answer(toHead: Bool = false) throws -> HTTPAnswer? {
        while true {
            if let head = AnswerHead(received) {
                let hasBody = !toHead && head.status != 204 && head.status >= 200
                let length = hasBody ? head.contentLength ?? 0 : 0
                if received.count >= head.size + length {
                    let body = Array(received[head.size..<head.size + length])
                    received.removeFirst(head.size + length)
                    return HTTPAnswer(status: head.status, headers: head.fields, body: body)
                }
            }
            guard try receiveMore() else {
                if received.isEmpty { return nil }
                throw HTTPFailure(reason: "an answer ended after \(received.count) bytes")
            }
        }
    }

    /// True where the server ends the connection within the timeout, and sends nothing before.
    public func endsNow() -> Bool {
        if isClosed { return received.isEmpty }
        return (try? receiveMore()) == false && received.isEmpty
    }

    /// Takes in what has arrived, without waiting.
    ///
    /// - Returns: False where the server has ended the connection.
    public func poll() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 12)
        while !isClosed {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 {
                received.append(contentsOf: buffer[..<count])
            } else if count == 0 || (errno != EAGAIN && errno != EINTR) {
                isClosed = true
            } else {
                break
            }
        }
        return !isClosed
    }

    /// This is what has arrived and is not read as an answer.
    public var receivedText: String { String(decoding: received, as: UTF8.self) }

    private func receiveMore() throws -> Bool {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count < 0 {
            if errno == ECONNRESET {
                isClosed = true
                return false
            }
            throw HTTPFailure(reason: "receive: errno \(errno)")
        }
        if count == 0 { isClosed = true }
        received.append(contentsOf: buffer[..<count])
        return count > 0
    }
}
