import Foundation
import Glibc

/// This is a complete answer of the server.
public struct HTTPAnswer: Sendable {
    /// This is the status code.
    public let status: Int
    /// Names in lower case.
    public let headers: [String: String]
    /// This is the body, of the length that the server declared.
    public let body: [UInt8]

    /// This is the body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }

    /// Makes an answer from its parts.
    public init(status: Int, headers: [String: String], body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// This is the body as JSON of `type`'s shape.
    public func decoded<Value: Decodable>(as type: Value.Type = Value.self) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(body))
        } catch {
            throw HTTPFailure(reason: "\(status), \(error): \(text.prefix(300))")
        }
    }
}

/// This is why there is no complete answer: then nobody knows what the server did.
public struct HTTPFailure: Error, CustomStringConvertible {
    /// This is what happened, a sentence.
    public let reason: String
    /// Makes a failure of a sentence.
    public init(reason: String) { self.reason = reason }
    /// This is the reason.
    public var description: String { reason }
}

/// This sends one request per connection over a plain socket: bodies go out byte for byte as the
/// test gives them, and a cut connection is an error, never retried in silence as URLSession would.
public struct HTTPClient: Sendable {
    /// This is the server's port on 127.0.0.1.
    public let port: UInt16
    /// This is how long a silent server is waited for.
    public var timeoutSeconds = 120

    /// Makes a client of a server on 127.0.0.1.
    public init(port: UInt16) { self.port = port }

    /// Sends a request without a body.
    public func get(_ target: String, headers: [String: String] = [:]) throws -> HTTPAnswer {
        try send("GET", target, headers: headers, body: nil)
    }

    /// Sends a body, as NDJSON where the headers do not say otherwise.
    public func post(
        _ target: String, _ body: [UInt8], headers: [String: String] = [:]
    ) throws -> HTTPAnswer {
        let defaults = ["Content-Type": "application/x-ndjson"]
        return try send("POST", target, headers: defaults.merging(headers) { $1 }, body: body)
    }

    /// Sends one request on a connection of its own.
    public func send(
        _ method: String, _ target: String, headers: [String: String] = [:], body: [UInt8]?
    ) throws -> HTTPAnswer {
        var fields = headers
        if let body, fields["Content-Length"] == nil { fields["Content-Length"] = "\(body.count)" }
        fields["Host"] = "127.0.0.1:\(port)"
        fields["Connection"] = "close"
        var request = Array("\(method) \(target) HTTP/1.1\r\n".utf8)
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
            request.append(contentsOf: "\(name): \(value)\r\n".utf8)
        }
        request.append(contentsOf: "\r\n".utf8)
        request.append(contentsOf: body ?? [])
        let socket = try connected()
        defer { close(socket) }
        // A server may answer before it has read everything; the answer is what counts then.
        write(request, to: socket)
        return try readAnswer(from: socket)
    }

    private func connected() throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw HTTPFailure(reason: "socket: errno \(errno)") }
        var timeout = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, size)
        guard withLoopback(port: port, { connect(descriptor, $0, $1) }) == 0 else {
            let code = errno
            close(descriptor)
            throw HTTPFailure(reason: "connect to port \(port): errno \(code)")
        }
        return descriptor
    }

    private func write(_ bytes: [UInt8], to descriptor: Int32) {
        bytes.withUnsafeBytes { buffer in
            var sent = 0
            while sent < buffer.count {
                let count = Glibc.send(
                    descriptor, buffer.baseAddress?.advanced(by: sent), buffer.count - sent,
                    Int32(MSG_NOSIGNAL))
                if count <= 0 { return }
                sent += count
            }
        }
    }

    private func readAnswer(from descriptor: Int32) throws -> HTTPAnswer {
        var received: [UInt8] = []
        var head: AnswerHead?
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0 { throw HTTPFailure(reason: "receive: errno \(errno)") }
            received.append(contentsOf: buffer[..<count])
            if head == nil { head = AnswerHead(received) }
            if let head, head.status == 100 {
                received.removeFirst(head.size)
                continue
            }
            if let head, let length = head.contentLength, received.count >= head.size + length {
                let body = Array(received[head.size..<head.size + length])
                return HTTPAnswer(status: head.status, headers: head.fields, body: body)
            }
            guard count == 0 else { continue }
            guard let head, head.contentLength == nil else {
                throw HTTPFailure(reason: "the connection ended after \(received.count) bytes")
            }
            let body = Array(received[head.size...])
            let isChunked = head.fields["transfer-encoding"] == "chunked"
            return HTTPAnswer(
                status: head.status, headers: head.fields,
                body: isChunked ? try joinedChunks(of: body) : body)
        }
    }
}

/// This is the first line and the header fields.
struct AnswerHead {
    let status: Int
    let fields: [String: String]
    let size: Int

    /// Nil until `bytes` hold the empty line after the fields.
    init?(_ bytes: [UInt8]) {
        let end = Array("\r\n\r\n".utf8)
        let limit = min(bytes.count, 1 << 16) - end.count
        guard limit >= 0,
            let position = (0...limit).first(where: {
                bytes[$0] == 13 && bytes[$0...].starts(with: end)
            })
        else { return nil }
        let lines = String(decoding: bytes[..<position], as: UTF8.self).components(
            separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        guard words.count >= 2, let status = Int(words[1]) else { return nil }
        self.status = status
        size = position + end.count
        fields = lines.dropFirst().reduce(into: [:]) { fields, line in
            guard let colon = line.firstIndex(of: ":") else { return }
            let value = line[line.index(after: colon)...]
            fields[line[..<colon].lowercased()] = value.trimmingCharacters(in: .whitespaces)
        }
    }

    var contentLength: Int? { fields["content-length"].flatMap { Int($0) } }
}

private func joinedChunks(of bytes: [UInt8]) throws -> [UInt8] {
    var body: [UInt8] = []
    var offset = 0
    while let lineEnd = bytes[offset...].firstIndex(of: 13) {
        let digits = String(decoding: bytes[offset..<lineEnd], as: UTF8.self)
        guard let size = Int(digits, radix: 16) else { break }
        if size == 0 { return body }
        let start = lineEnd + 2
        guard start + size + 2 <= bytes.count else { break }
        body.append(contentsOf: bytes[start..<start + size])
        offset = start + size + 2
    }
    throw HTTPFailure(reason: "the chunked body ended early, after \(body.count) bytes")
}

/// This is a port of the loopback interface that was free a moment ago.
public func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withLoopback(port: 0) { bind(descriptor, $0, $1) } == 0
    let isNamed =
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &size)
            }
        } == 0
    guard isBound, isNamed else { throw HTTPFailure(reason: "no free port: errno \(errno)") }
    return UInt16(bigEndian: address.sin_port)
}

func withLoopback<Result>(
    port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
) -> Result {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
