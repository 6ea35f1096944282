import MonitoringTestSupport
import Testing

private let malformed = ["malformed-request"]
private let body =
    #"{"id":"1","ts":"2026-11-23T00:00:00Z","model":"bad","features":{"a":1}}"#

private func get(_ target: String, host: String = "Host: localhost") -> String {
    "GET \(target) HTTP/1.1\r\n\(host)\r\n\r\n"
}

private func line(_ version: String) -> String {
    "GET /readyz \(version)\r\nHost: localhost\r\n\r\n"
}

private func method(_ method: String) -> String {
    "\(method) /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"
}

/// A post to the ingest route with one more field.
private func post(_ field: String, _ more: String = "", content: String) -> String {
    "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        + "\(field)\r\n\(more)\r\n\r\n\(content)"
}

extension EndToEndTests {
    /// The request line, the query and the host: catalogue HF.
    struct BadInputTargetTests {
        static let targets: [BadInput] = [
            .raw(
                "HF-38a", "BREW", [501, 405], ["not-implemented", "method-not-allowed"],
                "BREW /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            .raw(
                "HF-38b", "TRACE", [501, 405], ["not-implemented", "method-not-allowed"],
                "TRACE /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            .raw(
                "HF-38c", "CONNECT", [501, 405, 400],
                malformed + ["not-implemented", "method-not-allowed"],
                "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n"),
            .raw(
                "HF-38d", "PROPFIND", [501, 405], ["not-implemented", "method-not-allowed"],
                "PROPFIND / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            .raw(
                "HF-38e", "a method in lower case", [501, 405, 400], [],
                "get /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            .raw("HF-39", "another server's target", [400], malformed, get("http://other/readyz")),
            .raw("HF-39b", "GET of *", [400], malformed, get("*")),
            .raw("HF-39c", "a target without a slash", [400], malformed, get("readyz")),
            .raw(
                "HF-40", "a target of 9,000 bytes", [414, 431], ["uri-too-long"],
                get("/" + String(repeating: "a", count: 9_000))),
            .raw(
                "HF-39d", "our own server's target", [400], malformed,
                get("http://localhost/readyz")),
            .raw(
                "HF-39e", "OPTIONS of *", [400], malformed, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
            .raw(
                "HF-39f", "a target of another scheme", [400], malformed, get("file:///etc/passwd")),
            .raw("HF-39g", "an empty target", [400], malformed, get("")),
            .raw("HF-39h", "only a query", [400], malformed, get("?a=1")),
            .raw(
                "HF-35e", "HTTP/1.2", [505, 400], malformed + ["version-not-supported"],
                line("HTTP/1.2")),
            .raw(
                "HF-35f", "HTTP/1.10", [505, 400], malformed + ["version-not-supported"],
                line("HTTP/1.10")),
            .raw("HF-35g", "a version in lower case", [505, 400], malformed, line("http/1.1")),
            .raw("HF-35h", "another protocol", [505, 400], malformed, line("ICE/1.1")),
            .raw("HF-35i", "words behind the version", [505, 400], malformed, line("HTTP/1.1 x")),
            .raw("HF-35j", "RTSP/1.0", [400], malformed, line("RTSP/1.0")),
            .raw("HF-35k", "RTSP/1.1", [400], malformed, line("RTSP/1.1")),
            .raw("HF-35l", "two spaces before the version", [400], malformed, line(" HTTP/1.1")),
            .raw("HF-35m", "two spaces before the target", [400], malformed, get(" /readyz")),
            .raw("HF-35n", "a space behind the version", [400], malformed, line("HTTP/1.1 ")),
            .raw(
                "HF-35o", "two spaces, and one behind", [400], malformed,
                "GET  /readyz HTTP/1.1\r\nHost: localhost\r\nX: GET /readyz HTTP/1.1\r\n\r\n"),
            .raw(
                "HF-38f", "a method of 70,000 bytes", [501, 400, 431], [],
                method(String(repeating: "A", count: 70_000))),
            .raw("HF-38g", "a method with a tab", [501, 400], [], method("GET\t")),
            .raw("HF-38h", "a space before the method", [501, 400], [], method(" GET")),
            .raw("HF-38i", "NUL before the method", [501, 400], [], method("\0GET")),
            .raw(
                "HF-41", "another expectation", [417], ["expectation-failed"],
                post("Content-Length: \(body.utf8.count)", "Expect: 200-maybe", content: body)),
            .raw("HF-49a", "%00", [400, 404], malformed, get("/v1/models/%00")),
            .raw("HF-49b", "%zz", [400, 404], malformed, get("/v1/models/%zz")),
            .raw("HF-49c", "%c0%af", [400, 404], malformed, get("/v1/models/%c0%af")),
            .raw("HF-49d", "%ff", [400, 404], malformed, get("/v1/models/%ff")),
            .raw("HF-49e", "a cut percent sign", [400, 404], malformed, get("/v1/models/%4")),
            .raw("HF-49f", "a raw byte over 127", [400], malformed, get("/v1/models/\u{e9}")),
            .raw("HF-49g", "a fragment", [400], malformed, get("/v1/models#a")),
            .raw("HF-49h", "%0d%0a", [400], malformed, get("/v1/models/%0d%0aX:y")),
            .raw("HF-49i", "an encoded surrogate", [400], malformed, get("/v1/models/%ed%a0%80")),
            .raw("HF-49j", "beyond U+10FFFF", [400], malformed, get("/v1/models/%f4%90%80%80")),
            .raw("HF-49k", "%7f", [400], malformed, get("/v1/models/%7f")),
            .raw("HF-49l", "a raw NUL", [400], malformed, get("/v1/models/\0")),
            .raw("HF-49m", "a tab", [400], malformed, get("/v1/models/\t")),
            .raw("HF-49n", "%00 of a file", [400], malformed, get("/assets/app.js%00")),
            .raw(
                "HF-51a", "100 parameters", [400], malformed,
                get("/v1/models?" + (0..<100).map { "a\($0)=1" }.joined(separator: "&"))),
            .raw(
                "HF-51d", "a repeated parameter in disguise", [400], malformed,
                get("/v1/models?a=1&%61=2")),
            .raw("HF-51b", "a repeated parameter", [400], malformed, get("/v1/models?a=1&a=2")),
            .raw(
                "HF-51c", "100,000 parameters", [414, 431], ["uri-too-long", "headers-too-large"],
                get("/v1/models?" + (0..<100_000).map { "a\($0)=1" }.joined(separator: "&"))),
        ]

        /// Paths that are sound and lead nowhere, and parameters that nobody knows: the connection stays.
        static let questions: [BadInput] =
            [
                ("/v1/models/..", [422], "invalid-field"),
                ("/v1/models/%2e%2e", [422], "invalid-field"),
                ("/v1/models/a%2Fb", [422], "invalid-field"),
                ("/v1/models/a%252Fb", [422], "invalid-field"),
                ("/v1/models/a+b", [422], "invalid-field"),
                ("/v1/models/%e2%80%ae", [422], "invalid-field"),
                ("/v1/models/all", [422], "invalid-field"),
                ("/v1/models/" + String(repeating: "m", count: 129), [422], "invalid-field"),
                ("/v1/models/" + String(repeating: "m", count: 8_000), [422], "invalid-field"),
                ("/v1/models/bad", [404], "not-found"), ("/../readyz", [404], "not-found"),
                ("/%2e%2e/readyz", [404], "not-found"), ("/readyz/.", [404], "not-found"),
                ("/%72eadyz", [404], "not-found"), ("/readyz;a", [404], "not-found"),
                ("/READYZ", [404], "not-found"), ("/readyz%20", [404], "not-found"),
                ("/assets/..%2fapp.js", [404], "not-found"),
                ("/assets/%5capp.js", [404], "not-found"),
                ("/assets/.git", [404], "not-found"), ("/assets/", [404], "not-found"),
                ("/.git/config", [404], "not-found"), ("/etc/passwd", [404], "not-found"),
                ("/\(String(repeating: "a/", count: 4_000))", [404], "not-found"),
                ("/v1/retraining-requests/%2e%2e%2f", [404], "not-found"),
                ("/v1/models?a=1", [400], "malformed-request"),
                ("/v1/models??", [400], "malformed-request"),
                ("/v1/models?=1", [400], "malformed-request"),
                ("/v1/status?key=secret", [400], "malformed-request"),
                ("/livez?verbose", [400], "malformed-request"),
                ("/?mdel=bad", [400], "malformed-request"),
                ("/v1/alerts?phase=some", [400], "malformed-request"),
                ("/v1/alerts?Phase=firing", [400], "malformed-request"),
            ].map { target, statuses, type in
                .raw(
                    "HF-51", String(target.prefix(60)), Set(statuses), [type], closes: false,
                    get(target))
            }
            + [
                "mod=partial", "mode=some", "mode", "mode=", "MODE=partial", "%6dode=partial",
                "mode=partial%00x", "model=bad&a", "=partial", "mode=partial;model=bad",
            ].map { query in
                .post(
                    "BI-4", query, [400], ["malformed-request"], to: "/v1/predictions?\(query)",
                    "{}")
            }
            + ["mode=partial&mode=all", "mode=all&%6dode=partial", "model=bad&model=bad"].map {
                query in
                .post(
                    "BI-4b", query, [400], ["malformed-request"], to: "/v1/predictions?\(query)",
                    "{}")
            }
            + [
                "/v1/events?mod=a", "/?mod=a", "/data/upload?model=bad",
                "/v1/models/bad/references?mode=all",
            ]
            .map {
                .post(
                    "BI-4c", $0, [400], ["malformed-request"], to: $0, type: "application/json",
                    "{}")
            }

        static let hosts: [BadInput] = [
            "", "a b", "localhost:65536", "localhost:99999", ":80", "localhost:a", "localhost/x",
            "user@localhost", "localhost,localhost", "localhost?x", "localhost#x", "[::1", "::1",
            "[]",
            "[::1]x", "[::1]:x", "[g]", ".", "..", "-", "%6c", "*", "\u{e9}", "local\0host",
            String(repeating: "a", count: 256),
        ].map {
            .raw(
                "HF-30", "the host \($0.prefix(40))", [400], malformed,
                get("/readyz", host: "Host: \($0)"))
        }

        private static let tables = ["targets": targets, "questions": questions, "hosts": hosts]

        @Test(.timeLimit(.minutes(3)), arguments: tables.keys.sorted())
        func `a target that says nothing, or too much, is refused`(table: String) throws {
            try BadInputSite(table).check(Self.tables[table] ?? [])
        }

        @Test(.timeLimit(.minutes(3)))
        func `another method of a path is named with those that it has`() throws {
            let site = try Site("methods")
            let rows: [(String, String, String)] = [
                ("DELETE", "/v1/models/m/references/r-1", "GET, HEAD"),
                ("GET", "/v1/predictions", "POST"),
                ("PUT", "/v1/events", "OPTIONS, POST"), ("PATCH", "/", "GET, HEAD, OPTIONS, POST"),
                ("POST", "/v1/models/m/measurements", "GET, HEAD"),
                ("DELETE", "/livez", "GET, HEAD"),
                ("GET", "/v1/rules/reload", "POST"), ("GET", "/data/upload", "POST"),
                ("POST", "/assets/app.js", "GET, HEAD"),
                ("DELETE", "/v1/models/m", "GET, HEAD, PUT"),
            ]
            for (method, path, allowed) in rows {
                let answer = try site.client.send(method, path, body: method == "GET" ? nil : [])
                #expect(
                    answer.status == 405 && answer.headers["allow"] == allowed, "\(method) \(path)")
                #expect(try answer.decoded(as: Problem.self).type.hasSuffix("method-not-allowed"))
            }
            #expect(try site.client.get("/assets/none.js").status == 404)
        }
    }
}
