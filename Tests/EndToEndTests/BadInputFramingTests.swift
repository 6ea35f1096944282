import MonitoringTestSupport
import Testing

private let body =
    #"{"id":"1","ts":"2026-11-23T00:00:00Z","model":"bad","features":{"a":1}}"#
private let length = "Content-Length: \(body.utf8.count)"
private let malformed = ["malformed-request"]

private let chunked = RequestText.chunked

extension EndToEndTests {
    /// The framing of HTTP/1.1: catalogue HF.
    struct BadInputFramingTests {
        static let lengths: [BadInput] = [
            .raw(
                "HF-1", "length and chunks", [400], malformed,
                RequestText.post(length, chunked, content: "0\r\n\r\n")),
            .raw(
                "HF-1b", "chunks and length", [400], malformed,
                RequestText.post(chunked, length, content: "0\r\n\r\n")),
            .raw(
                "HF-2", "the same length twice", [400], malformed,
                RequestText.post(length, length, content: body)),
            .raw(
                "HF-3", "two lengths", [400], malformed,
                RequestText.post(length, "Content-Length: 5", content: body)),
            .raw(
                "HF-4", "two lengths in one field", [400], malformed,
                RequestText.post("Content-Length: 5, 5", content: body)),
            .raw(
                "HF-5a", "a length with a plus", [400], malformed,
                RequestText.post("Content-Length: +5", content: body)),
            .raw(
                "HF-5b", "a negative length", [400], malformed,
                RequestText.post("Content-Length: -1", content: body)),
            .raw(
                "HF-5c", "a hexadecimal length", [400], malformed,
                RequestText.post("Content-Length: 0x5", content: body)),
            .raw(
                "HF-5d", "a length with NUL", [400], malformed,
                RequestText.post("Content-Length: 5\0", content: body)),
            .raw(
                "HF-5e", "an empty length", [400], malformed,
                RequestText.post("Content-Length: ", content: body)),
            .raw(
                "HF-5f", "a length of 20 digits", [400], malformed,
                RequestText.post("Content-Length: 00000000000000000005", content: "hello")),
            .raw(
                "HF-5g", "a length with a space inside", [400], malformed,
                RequestText.post("Content-Length: 5 5", content: "hello")),
            .raw(
                "HF-5h", "a length with a fraction", [400], malformed,
                RequestText.post("Content-Length: 5.0", content: "hello")),
            .raw(
                "HF-54", "no length", [411], ["length-required"], closes: false,
                RequestText.post(content: "")),
            .raw(
                "HF-54b", "a schema without a length", [411], ["length-required"], closes: false,
                "PUT /v1/models/bad HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            .raw(
                "HF-6", "a length of 2^64", [400], malformed,
                RequestText.post("Content-Length: 18446744073709551616")),
            .raw(
                "HF-7", "a length of 2^63", [400, 413], ["malformed-request", "body-too-large"],
                RequestText.post("Content-Length: 9223372036854775808")),
            .raw(
                "HF-8", "a length over the limit", [413], ["body-too-large"],
                RequestText.post("Content-Length: 10000000000")),
            .raw(
                "HF-8b", "a length of one byte over the limit", [413], ["body-too-large"],
                RequestText.post("Content-Length: \((8 << 20) + 1)")),
        ]

        private static func chunk(_ id: String, _ what: String, _ content: String) -> BadInput {
            .raw(id, what, [400], malformed, RequestText.post(chunked, content: content))
        }

        static let codings: [BadInput] = [
            .raw(
                "HF-9", "an unknown coding", [400, 501],
                malformed + ["not-implemented"],
                RequestText.post("Transfer-Encoding: xchunked", content: "0\r\n\r\n")),
            .raw(
                "HF-10", "chunked and identity", [400, 501],
                malformed + ["not-implemented"],
                RequestText.post("Transfer-Encoding: chunked, identity", content: "0\r\n\r\n")),
            .raw(
                "HF-11", "gzip and chunked", [501], ["not-implemented"],
                RequestText.post("Transfer-Encoding: gzip, chunked", content: "0\r\n\r\n")),
            .raw(
                "HF-11b", "chunked twice", [400, 501],
                malformed + ["not-implemented"],
                RequestText.post(chunked, chunked, content: "0\r\n\r\n")),
            .raw(
                "HF-12", "chunks in HTTP/1.0", [400], malformed,
                "POST /v1/predictions HTTP/1.0\r\nHost: localhost\r\n\(chunked)\r\n\r\n0\r\n\r\n"),
            .raw(
                "HF-13", "a space before the colon", [400], malformed,
                RequestText.post("Transfer-Encoding : chunked", content: "0\r\n\r\n")),
            .raw(
                "HF-14", "a folded field", [400], malformed,
                RequestText.post(length, "X-A: 1\r\n 2", content: body)),
            .raw(
                "HF-15", "a chunk of 17 hexadecimal digits", [400], malformed,
                RequestText.post(chunked, content: "FFFFFFFFFFFFFFFFF\r\n\(body)\r\n0\r\n\r\n")),
            .raw(
                "HF-16", "a chunk size that is none", [400], malformed,
                RequestText.post(chunked, content: "xyz\r\n\(body)\r\n0\r\n\r\n")),
            .raw(
                "HF-16b", "a negative chunk size", [400], malformed,
                RequestText.post(chunked, content: "-1\r\n\(body)\r\n0\r\n\r\n")),
            .raw(
                "HF-17", "chunk lines that end with LF", [400], malformed,
                RequestText.post(chunked, content: "1\n{\n0\n\n")),
            .raw(
                "HF-18", "a chunk extension that ends with LF", [400], malformed,
                RequestText.post(chunked, content: "1;a\n{\r\n0\r\n\r\n")),
            .raw(
                "HF-19", "no CRLF after a chunk", [400], malformed,
                RequestText.post(chunked, content: "1\r\n{0\r\n\r\n")),
            chunk("HF-16c", "a space behind a chunk's size", "1 \r\n{\r\n0\r\n\r\n"),
            chunk("HF-16d", "a space before a chunk's size", " 1\r\n{\r\n0\r\n\r\n"),
            chunk("HF-16e", "a tab behind a chunk's size", "1\t\r\n{\r\n0\r\n\r\n"),
            chunk("HF-16f", "a chunk size with 0x", "0x1\r\n{\r\n0\r\n\r\n"),
            chunk("HF-16g", "a chunk size with a plus", "+1\r\n{\r\n0\r\n\r\n"),
            chunk("HF-16h", "an empty chunk size", "\r\n{\r\n0\r\n\r\n"),
            chunk("HF-18b", "NUL in an extension", "1;a\0\r\n{\r\n0\r\n\r\n"),
            chunk(
                "HF-18c", "a line end in an extension's quotes", "1;a=\"\r\n\"\r\n{\r\n0\r\n\r\n"),
            chunk("HF-19b", "a chunk that is longer than it says", "1\r\n{}\r\n0\r\n\r\n"),
            chunk("HF-19c", "a chunk that is shorter than it says", "3\r\n{\r\n0\r\n\r\n"),
            chunk(
                "HF-24", "an extension of 1 MB",
                "1;\(String(repeating: "a", count: 1 << 20))\r\n{\r\n0\r\n\r\n"),
            chunk(
                "HF-24b", "100 bytes around every byte",
                String(repeating: "1;\(String(repeating: "a", count: 100))\r\n \r\n", count: 5_000)
                    + "0\r\n\r\n"),
            chunk("HF-22b", "a length behind the body", "0\r\nContent-Length: 5\r\n\r\n"),
            chunk("HF-22c", "a coding behind the body", "0\r\nTransfer-Encoding: chunked\r\n\r\n"),
            chunk("HF-22d", "a trailer without a colon", "0\r\nabc\r\n\r\n"),
            chunk("HF-22e", "a folded trailer", "0\r\nA: b\r\n c\r\n\r\n"),
            .raw(
                "HF-22f", "a trailer of 40 KiB", [431], ["headers-too-large"],
                RequestText.post(
                    chunked,
                    content: "0\r\nA: \(String(repeating: "a", count: 40 << 10))\r\n\r\n")),
            .raw(
                "HF-9b", "a coding in quotes", [400, 501], malformed + ["not-implemented"],
                RequestText.post("Transfer-Encoding: \"chunked\"", content: "0\r\n\r\n")),
            .raw(
                "HF-9c", "a coding with a parameter", [400, 501], malformed + ["not-implemented"],
                RequestText.post("Transfer-Encoding: chunked;a=b", content: "0\r\n\r\n")),
            .raw(
                "HF-9d", "an empty coding", [400, 501], malformed + ["not-implemented"],
                RequestText.post("Transfer-Encoding: ", content: "0\r\n\r\n")),
            .raw(
                "HF-9e", "a coding behind a vertical tab", [400], malformed,
                RequestText.post("Transfer-Encoding: \u{B}chunked", content: "0\r\n\r\n")),
            .raw(
                "HF-9f", "a coding on the next line", [400], malformed,
                RequestText.post("Transfer-Encoding:\r\n chunked", content: "0\r\n\r\n")),
            .raw(
                "HF-9g", "a coding behind CR", [400], malformed,
                RequestText.post("X: y\rTransfer-Encoding: chunked", content: "0\r\n\r\n")),
            .raw(
                "HF-20", "chunks over the limit", [413], ["body-too-large"],
                RequestText.post(
                    chunked,
                    content: String(
                        repeating: "100000\r\n\(String(repeating: " ", count: 1 << 20))\r\n",
                        count: 9))),
            .raw(
                "HF-22", "2,000 trailer fields", [400, 431], malformed + ["headers-too-large"],
                RequestText.post(
                    chunked, content: "0\r\n" + String(repeating: "A: b\r\n", count: 2_000) + "\r\n"
                )),
        ]

        static let heads: [BadInput] = [
            .raw(
                "HF-23a", "lines that end with LF", [400], malformed,
                "GET /readyz HTTP/1.1\nHost: localhost\n\n"),
            .raw(
                "HF-23b", "lines that end with CR", [400, 0], [],
                closes: false, finishes: true, "GET /readyz HTTP/1.1\rHost: localhost\r\r"),
            .raw(
                "HF-25", "a field of 90 KiB", [431], ["headers-too-large"],
                RequestText.get("/readyz", "X-A: \(String(repeating: "a", count: 90 << 10))")),
            .raw(
                "HF-25b", "fields of 40 KiB together", [431], ["headers-too-large"],
                RequestText.get(
                    "/readyz",
                    (0..<10).map {
                        "X-\($0): \(String(repeating: "a", count: 4 << 10))"
                    }.joined(separator: "\r\n"))),
            .raw(
                "HF-26", "990 fields", [431], ["headers-too-large"],
                RequestText.get("/readyz", (0..<990).map { "X-\($0): a" }.joined(separator: "\r\n"))
            ),
            .raw(
                "HF-27", "70,000 fields", [431], ["headers-too-large"],
                RequestText.get("/readyz", String(repeating: "a:\r\n", count: 69_999) + "a:")),
            .raw("HF-29", "no Host", [400], malformed, RequestText.get("/readyz", host: "")),
            .raw(
                "HF-30", "two Hosts", [400], malformed,
                RequestText.get("/readyz", "Host: localhost")),
            .raw(
                "HF-30b", "a Host that is none", [400], malformed,
                RequestText.get("/readyz", host: "Host: a b")
            ),
            .raw(
                "HF-30d", "a port that is none", [400], malformed,
                RequestText.get("/readyz", host: "Host: localhost:99999")),
            .raw(
                "HF-30e", "only a port", [400], malformed,
                RequestText.get("/readyz", host: "Host: :80")),
            .raw(
                "HF-30c", "an empty Host", [400], malformed,
                RequestText.get("/readyz", host: "Host: ")),
            .raw(
                "HF-31", "the page under another name", [421, 403], ["misdirected-request"],
                RequestText.get("/", host: "Host: evil.example")),
            .raw(
                "HF-31b", "a browser under another name", [421, 403], ["misdirected-request"],
                RequestText.get(
                    "/v1/models", "User-Agent: Mozilla/5.0", host: "Host: evil.example:8585")),
            .raw(
                "HF-33a", "a name with a space", [400], malformed,
                RequestText.get("/readyz", "a b: c")),
            .raw(
                "HF-33b", "a line without a colon", [400], malformed,
                RequestText.get("/readyz", "abc")),
            .raw("HF-33c", "an empty name", [400], malformed, RequestText.get("/readyz", ": c")),
            .raw(
                "HF-33d", "a NUL in a value", [400], malformed,
                RequestText.get("/readyz", "a: b\0c")),
            .raw(
                "HF-34", "a key that is not ASCII", [400], ["idempotency-key-invalid"],
                RequestText.post(length, "Idempotency-Key: caf\u{e9}", content: body)),
            .raw(
                "HF-34b", "a type that is not ASCII", [400, 415],
                malformed + ["unsupported-media-type"],
                RequestText.post(length, "Content-Type: a\u{e9}", content: body)),
            .raw(
                "HF-35a", "HTTP/2.0", [505, 400], malformed + ["version-not-supported"],
                "GET /readyz HTTP/2.0\r\nHost: localhost\r\n\r\n"),
            .raw(
                "HF-35b", "HTTP/9.9", [505, 400], malformed + ["version-not-supported"],
                "GET /readyz HTTP/9.9\r\nHost: localhost\r\n\r\n"),
            .raw(
                "HF-35c", "HTTP/0.9", [505, 400], malformed + ["version-not-supported"],
                "GET /readyz\r\n\r\n"),
            .raw(
                "HF-35d", "the preface of HTTP/2", [505, 400, 501],
                malformed + ["version-not-supported", "not-implemented"],
                "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
            BadInput(
                id: "HF-37", what: "a ClientHello",
                bytes: {
                    [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3] + [UInt8](repeating: 7, count: 500)
                },
                statuses: [400, 501, 0], types: [], closes: true),
        ]

        private static let tables = [
            "lengths": lengths, "codings": codings, "heads": heads,
        ]

        @Test(.timeLimit(.minutes(3)), arguments: tables.keys.sorted())
        func `bad framing is refused with its problem and ends the connection`(
            table: String
        ) throws {
            try BadInputSite(table).check(Self.tables[table] ?? [])
        }

        @Test(.timeLimit(.minutes(3)))
        func `what is allowed is served`() throws {
            let site = try BadInputSite("framing")
            let allowed: [BadInput] = [
                .raw(
                    "HF-42a", "an upgrade to websocket", [200], closes: false,
                    RequestText.get("/readyz", "Connection: Upgrade", "Upgrade: websocket")),
                .raw(
                    "HF-42b", "an upgrade to HTTP/2", [200], closes: false,
                    RequestText.get(
                        "/readyz", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
                        "HTTP2-Settings: AAMAAABkAAQAAP__")),
                .raw(
                    "HF-43", "GET with a body", [200, 400], closes: false,
                    RequestText.get("/readyz", "Content-Length: 5") + "hello"),
                .raw(
                    "HF-47", "an end of our side", [200], closes: false, finishes: true,
                    RequestText.get("/readyz")),
                .raw(
                    "HF-10", "HTTP/1.0 without Host", [200], closes: true,
                    "GET /readyz HTTP/1.0\r\n\r\n"),
                .raw(
                    "HF-52", "an end that is asked for", [200], closes: true,
                    RequestText.get("/readyz", "Connection: Close")),
                .raw(
                    "HF-53", "empty lines before the request", [200, 400], closes: false,
                    "\r\n\r\n" + RequestText.get("/readyz")),
            ]
            try site.check(allowed)
        }

        @Test(.timeLimit(.minutes(3)))
        func `chunks are taken in every form that they may have, and a million of them in time`()
            throws
        {
            let site = try BadInputSite("chunks")
            let text = body.replacing("\"bad\"", with: "\"chunked\"")
            let size = String(text.utf8.count, radix: 16)
            @Sendable func whole(_ size: String, _ trailer: String = "") -> String {
                "\(size)\r\n\(text)\r\n0\r\n\(trailer)\r\n"
            }
            let forms = [
                size, size.uppercased(), "000\(size)", String(repeating: "0", count: 100) + size,
                "\(size);a", "\(size);a=b", "\(size);a=\"b;c\"",
                "\(size);\(String(repeating: "a", count: 10_000))",
            ]
            let allowed =
                forms.map {
                    BadInput.raw(
                        "HF-21", $0, [202], closes: false,
                        RequestText.post(chunked, content: whole($0)))
                }
                + ["X-A: b\r\n", "Authorization: b\r\n", "Idempotency-Key: b\r\n"].map {
                    BadInput.raw(
                        "HF-22", $0, [202], closes: false,
                        RequestText.post(chunked, content: whole(size, $0)))
                } + [
                    .raw(
                        "HF-21", "1,000,000 chunks of a byte", [202], closes: false,
                        RequestText.post(
                            chunked,
                            content: String(repeating: "1\r\n \r\n", count: 1_000_000) + whole(size)
                        ))
                ]
            let start = ContinuousClock.now
            try site.check(allowed)
            #expect(ContinuousClock.now - start < .seconds(60))
        }

        @Test(.timeLimit(.minutes(3)))
        func `the body is asked for when it is expected, and not when it is refused`() throws {
            let site = try Site("expect")
            let taken = try RawConnection(port: site.server.port)
            let refused = try RawConnection(port: site.server.port)

            taken.send(RequestText.post(length, "Expect: 100-continue"))
            let permission = try taken.answer()
            taken.send(body)
            let answer = try taken.answer()
            refused.send(RequestText.post("Content-Length: 10000000000", "Expect: 100-continue"))

            #expect(permission?.status == 100 && answer?.status == 202)
            #expect(try refused.answer()?.status == 413)
        }

        /// HF-45: who goes away is answered by nothing, and leaves nothing in the log.
        @Test(.timeLimit(.minutes(3)))
        func `a body that is cut is not a body, also when a whole record has arrived`() throws {
            let site = try BadInputSite("cut")
            for lines in [["Content-Length: \(body.utf8.count + 1)"], [chunked]] {
                let connection = try RawConnection(port: site.site.server.port)
                let size = String(body.utf8.count, radix: 16)
                connection.send(
                    RequestText.post(
                        lines[0], content: lines[0] == chunked ? "\(size)\r\n\(body)\r\n" : body))
                connection.finishSending()
                #expect(try connection.answer()?.status != 202)
            }
            try site.check([])
        }
    }
}
