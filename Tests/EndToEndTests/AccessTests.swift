import Foundation
import MonitoringTestSupport
import Testing

/// A data directory with keys, and what is said with them.
final class KeyedSite {
    let folder: URL
    let data: URL
    private(set) var server: LeewayServer?

    init(_ name: String) throws {
        folder = try Repository.temporaryFolder(name)
        data = folder.appendingPathComponent("data")
    }

    deinit {
        server?.kill()
        try? FileManager.default.removeItem(at: folder)
    }

    func start(_ arguments: String...) throws -> HTTPClient {
        let server = try LeewayServer(data: data, arguments: arguments)
        self.server = server
        return server.client
    }

    /// Makes a key and returns its token.
    func key(_ scope: String, _ arguments: String...) throws -> String {
        let run = try keys(["create", "--scope", scope] + arguments)
        #expect(run.status == 0, "\(run.errors)")
        return run.text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func keys(_ arguments: [String]) throws -> CommandRun {
        try CommandRun(CommandRun.leeway, ["keys"] + arguments + ["--data", data.path])
    }
}

func bearer(_ key: String) -> [String: String] { ["Authorization": "Bearer \(key)"] }
private func identifier(of token: String) -> String { String(token.split(separator: "_")[1]) }
private let record = Array(#"{"id":"1","model":"m","prediction":{"label":1}}"#.utf8)

extension EndToEndTests {
    /// Keys, scopes and secrets: catalogue SE.
    struct AccessTests {
        /// SE-2 and SE-15.
        @Test(.timeLimit(.minutes(3)))
        func `a key allows what its scope says, and nothing is open without one`() throws {
            let site = try KeyedSite("scopes")
            let keys = try ["ingest", "read", "admin"].map { try site.key($0) }
            let client = try site.start()
            // What each of nobody, ingest, read and admin is answered.
            let table: [(String, String, [Int])] = [
                ("GET", "/livez", [200, 200, 200, 200]), ("GET", "/readyz", [200, 200, 200, 200]),
                ("GET", "/", [200, 200, 200, 200]), ("GET", "/v1/status", [401, 403, 200, 200]),
                ("GET", "/v1/models", [401, 403, 200, 200]),
                ("GET", "/v1/openapi.yaml", [401, 403, 200, 200]),
                ("GET", "/nothing", [401, 403, 404, 404]),
                ("POST", "/v1/predictions", [401, 202, 403, 202]),
                ("POST", "/v1/rules/reload", [401, 403, 403, 200]),
                ("PUT", "/v1/models/m", [401, 403, 403, 200]),
                ("DELETE", "/v1/models/m", [401, 403, 403, 405]),
            ]

            for (method, path, statuses) in table {
                for (key, status) in zip([nil] + keys.map { Optional($0) }, statuses) {
                    let body = method == "PUT" ? Array("{}".utf8) : record
                    let answer = try client.send(
                        method, path,
                        headers: (key.map { bearer($0) } ?? [:])
                            .merging(["Content-Type": "application/json"]) { $1 },
                        body: method == "GET" ? nil : body)
                    let isSame =
                        answer.status == status
                        // What a route that is not here answers is not this test's.
                        || (status == 200 && method != "GET" && answer.status < 300)
                        || (status == 405 && answer.status != 401 && answer.status != 403)
                    #expect(isSame, "\(method) \(path) \(key ?? "no key"): \(answer.status)")
                    if answer.status == 401 {
                        #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
                    }
                }
            }
        }

        /// What an exporter cannot read it cannot log: also who is let in nowhere is told in its encoding.
        @Test(.timeLimit(.minutes(3)))
        func `exporters of logs are refused with a status in their encoding`() throws {
            let site = try KeyedSite("logs-access")
            let keys = try ["ingest", "read"].map { try site.key($0) }
            let client = try site.start("--rate-limit", "1000")
            let large = [UInt8](repeating: 0x20, count: 100_000)
            // The status, and the code of gRPC for it.
            for (key, status, code) in [(nil, 401, 16), (keys[1], 403, 7), (keys[0], 200, 0)] {
                for (target, type) in [
                    ("/v1/logs", "application/x-protobuf"), ("/", "application/x-protobuf"),
                    ("/v1/logs", "application/json"), ("/v1/logs?a=1", "application/json"),
                ] {
                    if status == 200, target.hasSuffix("a=1") { continue }
                    for body in [Array((type.hasSuffix("json") ? "{}" : "").utf8), large] {
                        if status == 200, body.count > 2 { continue }
                        let answer = try client.post(
                            target, body,
                            headers: (key.map { bearer($0) } ?? [:])
                                .merging(["Content-Type": type]) { $1 })
                        #expect(answer.status == status, "\(target) \(type): \(answer.text)")
                        #expect(answer.headers["content-type"] == type)
                        if status == 200 { continue }
                        if type.hasSuffix("json") {
                            #expect(answer.text.hasPrefix(#"{"code":\#(code),"message":"#))
                        } else {
                            #expect(answer.body.starts(with: [0x08, UInt8(code), 0x12]))
                        }
                    }
                }
            }
            let events = try client.post(
                "/", Array("{}".utf8), headers: ["Content-Type": "application/json"])
            #expect(events.headers["content-type"] == "application/problem+json")
        }

        /// The router passes over empty segments: rights must not depend on them.
        @Test(.timeLimit(.minutes(3)))
        func `no spelling of a path needs less than the path`() throws {
            let site = try KeyedSite("spellings")
            let keys = try ["ingest", "read"].map { try site.key($0) }
            let client = try site.start()
            let admin: [(String, String)] = [
                ("POST", "/v1/rules/reload"), ("GET", "/v1/rejects"), ("PUT", "/v1/models/m"),
                ("POST", "/data/upload"), ("POST", "/v1/models/m/references"),
            ]

            for (method, path) in admin {
                let tail = String(path.dropFirst())
                let spellings = [
                    path, "/" + path, "//" + path, path + "/", path + "//", path + "?", path + "/?",
                    "/" + tail.replacing("/", with: "//"), "/" + tail.replacing("/", with: "///"),
                ]
                for (key, spelling) in keys.flatMap({ key in spellings.map { (key, $0) } }) {
                    let body = method == "GET" ? nil : Array("{}".utf8)
                    let answer = try client.send(
                        method, spelling,
                        headers: bearer(key).merging(["Content-Type": "application/json"]) { $1 },
                        body: body)
                    #expect(answer.status == 403, "\(method) \(spelling): \(answer.status)")
                    let secret = try client.send(
                        method, "/in/\(key)/\(spelling)",
                        headers: ["Content-Type": "application/json"], body: body)
                    #expect(secret.status == 403, "\(method) /in/…/\(spelling): \(secret.status)")
                }
                for other in [
                    "/%76\(path.dropFirst(2))", "/./\(tail)", "/x/..\(path)", "/x/%2e%2e\(path)",
                    path.replacing("/", with: "%2F"), path.uppercased(),
                    path.replacing("/", with: "\\"),
                ] {
                    for key in keys {
                        let answer = try client.send(
                            method, other, headers: bearer(key),
                            body: method == "GET" ? nil : Array("{}".utf8))
                        #expect(
                            [400, 403, 404].contains(answer.status),
                            "\(method) \(other): \(answer.status)")
                    }
                }
            }
            // Who joins a base and a path carelessly is served all the same.
            let careless = try client.send(
                "POST", "/in/\(keys[0])//v1//predictions/",
                headers: ["Content-Type": "application/json"], body: record)
            #expect(careless.status == 202, "\(careless.text)")
        }

        /// SE-1, SE-3 and SE-11: whose a request is says its key and nothing else.
        @Test(.timeLimit(.minutes(3)))
        func `what is no key is 401, and a good key still works after many bad ones`() throws {
            let site = try KeyedSite("bad-keys")
            let key = try site.key("admin")
            let client = try site.start()
            let id = identifier(of: key)
            let wrong = "lwy_\(id)_" + String(repeating: "x", count: 43)
            let values = [
                "", "Bearer", "Bearer ", "Basic \(key)", key, "Bearer  \(key)", "Bearer \(key)x",
                "Bearer \(wrong)", "Bearer lwy_\(id)_",
                "Bearer \(String(repeating: "k", count: 10_000))",
                "Bearer \(key) \(key)", "Bearer caf\u{e9}",
            ]

            for value in values {
                let answer = try client.get("/v1/status", headers: ["Authorization": value])
                #expect(answer.status == 401, "\(value.prefix(60)): \(answer.status)")
                #expect(!answer.text.contains(key.suffix(20)))
            }
            for target in ["/v1/status?key=\(key)", "/v1/status?access_token=\(key)"] {
                #expect(try client.get(target).status == 401)
            }
            let twice = try RawConnection(port: client.port)
            twice.send(
                "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(key)\r\n"
                    + "Authorization: Bearer \(key)\r\n\r\n")
            #expect(try twice.answer()?.status == 401)
            let many = try (0..<30).map { _ in try client.get("/v1/status").status }
            #expect(many.last == 429)
            #expect(try client.get("/v1/status", headers: bearer(key)).status == 200)
            #expect(
                try client.get(
                    "/v1/status", headers: bearer(key).merging(["Leeway-Project": "x"]) { $1 }
                )
                .status == 200)
        }

        /// SE-6.
        @Test(.timeLimit(.minutes(3)))
        func `a revoked or expired key is refused from the next request on`() throws {
            let site = try KeyedSite("revoke")
            let key = try site.key("read")
            let soon = ISO8601DateFormatter().string(from: Date(timeIntervalSinceNow: 3))
            let expired = try site.key("read", "--expires", soon)
            let client = try site.start()
            let connection = try RawConnection(port: client.port)
            let request =
                "GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \(key)\r\n\r\n"

            connection.send(request)
            let before = try connection.answer()?.status
            let run = try site.keys(["revoke", identifier(of: key)])
            connection.send(request)

            #expect(before == 200 && run.status == 0)
            #expect(try connection.answer()?.status == 401)
            // It is good until then.
            var statuses: [Int] = []
            let deadline = Date(timeIntervalSinceNow: 20)
            while statuses.last != 401, Date() < deadline {
                statuses.append(try client.get("/v1/status", headers: bearer(expired)).status)
            }
            #expect(statuses.last == 401 && statuses.dropLast().allSatisfy { $0 == 200 })
            #expect(try site.keys(["revoke", "nobody"]).status == 2)
            let list = try site.keys(["list"]).text
            #expect(list.contains("revoked") && list.contains("expired"))
            #expect(!list.contains(key.suffix(43)))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a first key closes a running server, and a lost file does not open it`() throws {
            let site = try KeyedSite("first")
            let client = try site.start()

            #expect(try client.get("/v1/status").status == 200)
            let key = try site.key("read")
            #expect(try client.get("/v1/status").status == 401)
            #expect(try client.get("/v1/status", headers: bearer(key)).status == 200)
            try FileManager.default.removeItem(at: site.data.appendingPathComponent("keys.json"))
            #expect(try client.get("/v1/status").status == 401)
            #expect(try client.get("/v1/status", headers: bearer(key)).status == 401)
        }

        /// SE-7 and SE-14: a file that is no file of keys lets nobody in, and a loose one is spoken of.
        @Test(.timeLimit(.minutes(3)))
        func `a file of keys that is damaged or open to others is told, and opens nothing`() throws
        {
            let site = try KeyedSite("key-file")
            let key = try site.key("admin")
            let path = site.data.appendingPathComponent("keys.json")
            let good = try Data(contentsOf: path)
            // The damage of one byte, of all, and what JSON readers like to take.
            let text = String(decoding: good, as: UTF8.self)
            for damaged in ["", "\n", "{}", "[]", "null", String(text.dropLast(3)), text + text] {
                try Data(damaged.utf8).write(to: path)
                let client = try site.start()
                #expect(try client.get("/v1/status").status == 401, "\(damaged.prefix(9))")
                #expect(try client.get("/v1/status", headers: bearer(key)).status == 401)
                #expect(try client.get("/livez").status == 200)
                #expect(site.server?.logText.contains("cannot be read") == true)
                site.server?.kill()
            }
            try good.write(to: path)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o644], ofItemAtPath: path.path)
            let client = try site.start()
            #expect(site.server?.logText.contains("chmod 600") == true)
            #expect(try client.get("/v1/status", headers: bearer(key)).status == 200)
            // Parts of two tokens are no token, however they are joined.
            let other = try site.key("read")
            let secrets = [key, other].map { String($0.suffix(43)) }
            for (id, secret) in [
                (identifier(of: key), secrets[1]), (identifier(of: other), secrets[0]),
            ] {
                let mixed = try client.get("/v1/status", headers: bearer("lwy_\(id)_\(secret)"))
                #expect(mixed.status == 401, "SE-14")
            }
            for name in [
                "X-Client-Cert", "X-Forwarded-Client-Cert", "X-SSL-Client-Verify", "X-Api-Key",
            ] {
                #expect(try client.get("/v1/status", headers: [name: key]).status == 401, "SE-11")
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `a key in the path stands for the header, and no secret is stored or logged`() throws {
            let site = try KeyedSite("path")
            let key = try site.key("ingest", "--name", "agent")
            let client = try site.start()
            let json = ["Content-Type": "application/json"]

            let good = try client.post("/in/\(key)/v1/predictions", record, headers: json)
            let bad = try client.post("/in/\(key)x/v1/predictions", record, headers: json)
            let none = try client.post("/in/\(key)/nothing?a=1", record, headers: json)
            let read = try client.get("/in/\(key)/v1/status")

            #expect(good.status == 202 && bad.status == 401 && read.status == 403)
            #expect(none.status == 404 && !none.text.contains(key.suffix(20)))
            site.server?.stop()
            #expect(site.server?.logText.contains(key.suffix(43)) == false)
            let files = try FileManager.default.subpathsOfDirectory(atPath: site.data.path)
            for file in files {
                let path = site.data.appendingPathComponent(file).path
                let bytes = FileManager.default.contents(atPath: path) ?? Data()
                #expect(bytes.range(of: Data(key.suffix(43).utf8)) == nil, "\(file)")
            }
            let mode = try FileManager.default.attributesOfItem(
                atPath: site.data.appendingPathComponent("keys.json").path)[.posixPermissions]
            #expect(mode as? Int == 0o600)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a key has its rate`() throws {
            let site = try KeyedSite("rate")
            let slow = try site.key("read", "--rate-limit", "5")
            let other = try site.key("read")
            let client = try site.start("--rate-limit", "1000")

            let answers = try (0..<40).map { _ in
                try client.get("/v1/status", headers: bearer(slow))
            }
            let refused = answers.filter { $0.status == 429 }

            #expect(answers.prefix(5).allSatisfy { $0.status == 200 })
            #expect(
                !refused.isEmpty
                    && refused.allSatisfy { Int($0.headers["retry-after"] ?? "") != nil })
            #expect(try client.get("/v1/status", headers: bearer(other)).status == 200)
        }
    }
}
