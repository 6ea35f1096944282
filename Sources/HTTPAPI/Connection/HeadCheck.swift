import HTTPTypes
import NIOHTTP1

/// This is the check of a request's head that the parser leaves open: what is ambiguous, what we do
/// not speak, and what is too large is refused before a byte of the body is read.
struct HeadCheck: Sendable {
    let hosts: HostList

    /// Fields of which a request has at most one, and whose value is ASCII.
    private static let singles = [
        "Host", "Authorization", "Idempotency-Key", "Content-Type", "Content-Length", "Expect",
    ]

    /// This is why the request cannot be served, nil where nothing speaks against it.
    func problem(of head: HTTPRequestHead) -> Problem? {
        guard head.version == .http1_1 || head.version == .http1_0 else {
            return Problem(
                HTTPResponse.Status(code: 505), "version-not-supported", "Version not supported",
                detail: "HTTP/1.1 expected")
        }
        guard head.uri.utf8.count <= ConnectionLimits.targetSizeBytesMax else {
            return Problem(
                HTTPResponse.Status(code: 414), "uri-too-long", "The target is too long",
                detail: "over \(ConnectionLimits.targetSizeBytesMax) bytes")
        }
        return methodProblem(head) ?? framingProblem(head) ?? hostProblem(head)
            ?? fieldProblem(head)
            ?? RequestTarget.fault(of: head.uri).map { Self.malformed("target: \($0)") }
    }

    private func methodProblem(_ head: HTTPRequestHead) -> Problem? {
        switch head.method {
        case .GET, .HEAD, .POST, .PUT, .DELETE, .PATCH, .OPTIONS: nil
        default: .notImplemented("method \(head.method.rawValue.prefix(32))")
        }
    }

    private func framingProblem(_ head: HTTPRequestHead) -> Problem? {
        let codings = head.headers["Transfer-Encoding"]
        let lengths = head.headers["Content-Length"]
        if !codings.isEmpty {
            guard head.version == .http1_1 else {
                return Self.malformed("Transfer-Encoding in HTTP/1.0")
            }
            guard lengths.isEmpty else {
                return Self.malformed("Content-Length and Transfer-Encoding")
            }
            guard codings.count == 1, codings[0].lowercased() == "chunked" else {
                return .notImplemented("Transfer-Encoding other than chunked")
            }
        }
        guard let text = lengths.first else { return nil }
        guard lengths.count == 1, !text.isEmpty, text.utf8.count <= 19,
            text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let length = Int(text)
        else { return Self.malformed("Content-Length is not a size") }
        guard length <= ConnectionLimits.bodySizeBytesMax else {
            return .bodyTooLarge(ConnectionLimits.bodySizeBytesMax)
        }
        return nil
    }

    private func hostProblem(_ head: HTTPRequestHead) -> Problem? {
        let values = head.headers["Host"]
        guard values.count == 1 || (values.isEmpty && head.version == .http1_0) else {
            return Self.malformed("\(values.count) Host fields, one expected")
        }
        guard let host = values.first else { return nil }
        guard HostList.isHost(host) else { return Self.malformed("Host is not a name") }
        let isPage = head.uri == "/" || head.uri.hasPrefix("/assets/")
        // Only a browser can be led here by a name that somebody else controls.
        let isBrowser =
            head.headers.contains(name: "Origin") || head.headers.contains(name: "Sec-Fetch-Site")
            || head.headers.first(name: "User-Agent")?.hasPrefix("Mozilla/") ?? false
        guard hosts.isStrict || (isPage && head.method != .POST) || isBrowser else { return nil }
        guard hosts.contains(host) else {
            return Problem(
                HTTPResponse.Status(code: 421), "misdirected-request", "Misdirected request",
                detail: "this server is not known as \"\(host)\"; --allowed-hosts names it")
        }
        return nil
    }

    private func fieldProblem(_ head: HTTPRequestHead) -> Problem? {
        for name in Self.singles {
            let values = head.headers[name]
            guard let value = values.first else { continue }
            let isPlain =
                values.count == 1 && value.utf8.allSatisfy { ($0 >= 0x20 && $0 < 0x7F) || $0 == 9 }
            if isPlain { continue }
            switch name {
            // What is wrong with a credential is answered as no credential.
            case "Authorization": continue
            case "Idempotency-Key": return .idempotencyKeyInvalid
            default: return Self.malformed("\(name) repeated or not in ASCII")
            }
        }
        if let expectation = head.headers.first(name: "Expect"),
            expectation.lowercased() != "100-continue"
        {
            return Problem(
                HTTPResponse.Status(code: 417), "expectation-failed", "Expectation failed",
                detail: "100-continue is the only one")
        }
        return nil
    }

    static func malformed(_ detail: String) -> Problem {
        Problem(.badRequest, "malformed-request", "Malformed request", detail: detail)
    }

    /// This is the answer to a first line that the parser has read more kindly than it should.
    static let malformedLine = malformed(
        "the request line: a method, a path and HTTP/1.1 with one space between them expected")

    /// This is the answer to what the parser refused.
    static func problem(of error: HTTPParserError) -> Problem {
        switch error {
        case .headerOverflow:
            Problem(
                HTTPResponse.Status(code: 431), "headers-too-large", "The header is too large",
                detail: "over \(ConnectionLimits.fieldCountMax) fields, a field over "
                    + "\(ConnectionLimits.fieldSizeBytesMax) bytes, or all over "
                    + "\(ConnectionLimits.fieldListSizeBytesMax)")
        case .invalidMethod: .notImplemented("this method")
        case .invalidVersion: malformed("the request line: HTTP/1.1 expected at its end")
        case .invalidURL, .invalidHost, .invalidPort, .invalidPath, .invalidQueryString,
            .invalidFragment:
            malformed("the request line: a path is expected behind the method")
        case .invalidContentLength:
            malformed("Content-Length: one number in decimal digits expected")
        case .unexpectedContentLength:
            malformed("Content-Length: there is one already, or a Transfer-Encoding")
        case .invalidHeaderToken, .invalidCharactersUsed:
            malformed("a field: a name, a colon, and a value on one line expected")
        case .invalidChunkSize:
            malformed("a chunk: its size in hexadecimal digits, then CR and LF expected")
        case .lfExpected: malformed("a line: CR and LF expected at its end")
        default: malformed("not a request of HTTP/1.1: \(error)")
        }
    }
}

extension Problem {
    static func notImplemented(_ what: String) -> Problem {
        Problem(.notImplemented, "not-implemented", "Not implemented", detail: what)
    }

    static func bodyTooLarge(_ limit: Int) -> Problem {
        Problem(
            .contentTooLarge, "body-too-large", "The body is too large",
            detail: "over \(limit) bytes; send smaller batches", outcome: "not_stored",
            headers: [.connection: "close"])
    }

    static func requestTimeout(_ detail: String) -> Problem {
        Problem(
            .requestTimeout, "request-timeout", "The request took too long", detail: detail,
            outcome: "not_stored")
    }

    static func overloaded(_ detail: String) -> Problem {
        Problem(
            .serviceUnavailable, "overloaded", "Overloaded", detail: detail,
            outcome: "not_stored", headers: [.retryAfter: "\(Int.random(in: 1...3))"])
    }

    static var storageFull: Problem {
        Problem(
            .init(code: 507, reasonPhrase: "Insufficient Storage"), "storage-full", "Storage full",
            detail: "the disk has no room for records", outcome: "not_stored",
            headers: [.retryAfter: "\(Int.random(in: 8...12))"])
    }

    static let idempotencyKeyInvalid = Problem(
        .badRequest, "idempotency-key-invalid", "Invalid idempotency key",
        detail: "one Idempotency-Key of 1 to 255 printable ASCII characters expected",
        outcome: "not_stored")
}
