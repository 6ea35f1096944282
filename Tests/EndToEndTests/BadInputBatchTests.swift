import Foundation
import MonitoringTestSupport
import Testing

private func line(_ id: String, _ value: String = "1", model: String = "batch") -> String {
    #"{"id":"\#(id)","ts":"2026-11-23T00:00:00Z","model":"\#(model)","features":{"a":\#(value)}}"#
}

private func lines(_ range: Range<Int>) -> [String] { range.map { line("p\($0)") } }

/// These are `bytes` with every bit of a range changed.
private func changed(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8] {
    bytes.indices.map { range.contains($0) ? ~bytes[$0] : bytes[$0] }
}

/// The places that an answer names.
private struct PartialErrors: Decodable {
    struct Item: Decodable {
        let line: Int
        let code: String
    }
    let errors: [Item]?
}

/// What a partial batch is answered.
private struct PartialAnswer: Decodable {
    let accepted: Int
    let rejected: Int?
    let errors: [Problem.Item]?
}

extension EndToEndTests {
    /// Compression, batches, keys of batches and cardinality: catalogue ZP, BI and CB.
    struct BadInputBatchTests {
        private static let gzip = ["Content-Encoding: gzip"]
        private static let record = line("1", model: "bad")

        /// A frame of zstd, five spaces in a raw block, that asks for a window of 2^`windowLog` bytes.
        private static func frame(windowLog: UInt8) -> [UInt8] {
            [0x28, 0xB5, 0x2F, 0xFD, 0, (windowLog - 10) << 3, 5 << 3 | 1, 0, 0]
                + Array("     ".utf8)
        }

        private static func encoding(_ id: String, _ value: String) -> BadInput {
            .post(
                id, "encoding \(value)", [415], ["unsupported-encoding"],
                fields: ["Content-Encoding: \(value)"], record)
        }

        @Test(.timeLimit(.minutes(3)))
        func `bad compression is refused, and nothing of it is stored`() throws {
            let packed = try compressed(Array(Self.record.utf8), by: "gzip")
            let many = ndjson((0..<5_000).map { line("\($0)", model: "bad") })
            let packedMany = try compressed(many, by: "gzip")
            let broken = changed(packedMany, (packedMany.count - 200)..<(packedMany.count - 100))
            let bomb = try compressed([UInt8](repeating: 0x20, count: 48 << 20), by: "gzip")
            let small = try compressed([UInt8](repeating: 0x20, count: 10 << 20), by: "gzip")
            let twice = try compressed(packed, by: "gzip")
            let checksum = changed(packed, (packed.count - 6)..<(packed.count - 5))
            let size = changed(packed, (packed.count - 1)..<packed.count)
            var rows: [BadInput] = [
                .post("ZP-1", "a bomb", [413], ["decompression-limit"], fields: Self.gzip, bomb)
                    .needing(16 << 20),
                .post(
                    "ZP-7", "a small bomb", [413], ["decompression-limit"], fields: Self.gzip, small
                ).needing(16 << 20),
                .post(
                    "ZP-2", "gzip inside gzip", [400], ["malformed-json"], fields: Self.gzip, twice),
                .post(
                    "ZP-3b", "a bad checksum", [400], ["malformed-request"], fields: Self.gzip,
                    checksum),
                .post("ZP-3c", "a bad size", [400], ["malformed-request"], fields: Self.gzip, size),
                .post(
                    "ZP-3d", "bytes behind the end", [400], ["malformed-request"],
                    fields: Self.gzip, packed + [1, 2, 3]),
                .post(
                    "ZP-6a", "plain under gzip", [400], ["malformed-request"], fields: Self.gzip,
                    Self.record),
                .post("ZP-6b", "gzip without its name", [400], ["malformed-json"], packed),
                .post(
                    "ZP-8", "an empty body under gzip", [400],
                    ["malformed-request", "malformed-json"],
                    fields: Self.gzip, ""),
                .post(
                    "ZP-9", "raw zlib under gzip", [400], ["malformed-request"],
                    fields: Self.gzip, [0x78, 0x9C, 3, 0, 0, 0, 0, 1]),
                .post(
                    "ZP-9b", "zstd that is none", [400], ["malformed-request"],
                    fields: ["Content-Encoding: zstd"], Self.record),
                .post(
                    "ZP-12", "a window of 16 MiB", [413], ["decompression-limit"],
                    fields: ["Content-Encoding: zstd"], Self.frame(windowLog: 24)),
                .post(
                    "ZP-12b", "a window of 2 GiB", [413], ["decompression-limit"],
                    fields: ["Content-Encoding: zstd"], Self.frame(windowLog: 31)),
                .post(
                    "ZP-12c", "a window of 3.75 TiB", [413], ["decompression-limit"],
                    fields: ["Content-Encoding: zstd"], [0x28, 0xB5, 0x2F, 0xFD, 0, 0xFF, 1, 0, 0]),
                .post(
                    "ZP-11a", "a corrupt block after good lines", [400], ["malformed-request"],
                    fields: Self.gzip, broken),
                .post(
                    "ZP-11b", "an end after good lines", [400], ["malformed-request"],
                    fields: Self.gzip, Array(packedMany.dropLast(300))),
            ]
            rows += [
                "br", "deflate", "compress", "gzip, gzip", "gzip, zstd", "aws-chunked", "*",
                "gzip;q=1",
            ]
            .enumerated().map { Self.encoding("ZP-5.\($0)", $1) }
            rows += (1..<packed.count).filter { $0 % 7 == 0 }.map { count in
                .post(
                    "ZP-3a", "cut after \(count) bytes", [400], ["malformed-request"],
                    fields: Self.gzip, Array(packed[..<count]))
            }

            try BadInputSite("compression").check(rows)
        }

        @Test(.timeLimit(.minutes(3)))
        func `gzip is known by every spelling, and again and again on one connection`() throws {
            let site = try Site("gzip")
            for (index, name) in ["gzip", "GZIP", "x-gzip", "identity, gzip", "identity"]
                .enumerated()
            {
                let plain = ndjson([line("s\(index)")])
                let body = name == "identity" ? plain : try compressed(plain, by: "gzip")
                #expect(
                    try site.client.ingest([], encoding: name, body: body).accepted == 1, "\(name)")
            }
            let connection = try RawConnection(port: site.server.port)
            let body = try compressed(
                ndjson(lines(0..<2)) + [UInt8](repeating: 0x20, count: 7 << 20), by: "gzip")
            for index in 0..<20 {
                connection.send(
                    "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n"
                        + "Content-Type: application/x-ndjson\r\nContent-Length: \(body.count)\r\n\r\n"
                )
                connection.send(body)
                #expect(try connection.answer()?.status == 202, "ZP-10, request \(index)")
            }
        }

        /// I-6: what only the store can see is refused record by record too.
        @Test(.timeLimit(.minutes(3)))
        func `records that do not fit what is stored are refused alone in the partial mode`() throws
        {
            let folder = try Repository.temporaryFolder("fit")
            defer { try? FileManager.default.removeItem(at: folder) }
            let server = try LeewayServer(
                data: folder.appendingPathComponent("data"), clock: "wall")
            let declared = try server.client.send(
                "PUT", "/v1/models/short", headers: ["Content-Type": "application/json"],
                body: Array(#"{"horizon":"1h"}"#.utf8))
            #expect(declared.status < 300, "\(declared.text)")
            func row(_ id: String, _ model: String, _ hours: Double, _ features: String) -> String {
                #"{"id":"\#(id)","ts":"\#(rfc3339(hours * 3_600))","model":"\#(model)","#
                    + #""features":{\#(features)}}"#
            }
            let wide = (0..<1_999).map { #""f\#($0)":1"# }.joined(separator: ",")
            try server.client.ingest([row("w", "wide", 0, wide)])
            // Of two models, with an empty line in between: places are the body's, not the batches'.
            let body = [
                row("1", "short", -0.5, "\"a\":1"), "", row("2", "wide", 0, "\"new\":1"),
                row("3", "short", -2, "\"a\":1"), row("4", "wide", 0, "\"newer\":1"),
                row("5", "short", 0, "\"a\":1"),
            ]
            for (query, status) in [("", 422), ("?mode=partial", 207)] {
                let answer = try server.client.post("/v1/predictions\(query)", ndjson(body))
                #expect(answer.status == status, "\(answer.text)")
                let items = try #require(
                    try answer.decoded(as: PartialErrors.self).errors, "\(answer.text)")
                #expect(items.map(\.line) == [4, 5], "\(answer.text)")
                #expect(items.map(\.code) == ["event-too-old", "cardinality-limit"])
                guard status == 207 else { continue }
                let known = try answer.decoded(as: PartialAnswer.self)
                #expect(known.accepted == 3 && known.rejected == 2)
            }
            let none = try server.client.post(
                "/v1/predictions?mode=partial", ndjson([body[3], body[4]]))
            #expect(none.status == 422 && none.text.contains("cardinality-limit"))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a bad record refuses its batch, or itself in the partial mode`() throws {
            let site = try Site("partial")
            let client = site.client
            try pinReference(client)
            let good = lines(0..<2_000)
            func post(
                _ bodyLines: [String], _ query: String, array: Bool = false
            ) throws -> HTTPAnswer {
                let text =
                    array
                    ? "[" + bodyLines.joined(separator: ",\n") + "]"
                    : bodyLines.joined(separator: "\n")
                return try client.post(
                    "/v1/predictions\(query)", Array(text.utf8),
                    headers: ["Content-Type": array ? "application/json" : "application/x-ndjson"])
            }
            let faults = [#"{"id":7,"model":"batch"}"#, #"{"id":"#, line("x", #""text""#)]

            for (index, fault) in faults.enumerated() {
                let answer = try post(Array(good[..<1_000]) + [fault] + Array(good[1_000...]), "")
                #expect(answer.status == 422, "BI-1.\(index): \(answer.text.prefix(200))")
                let problem = try answer.decoded(as: Problem.self)
                #expect(problem.errors?.first?.line == 1_001, "BI-1.\(index)")
            }
            for (index, isArray) in [false, true].enumerated() {
                let part = Array(good[(index * 1_000)..<(index * 1_000 + 1_000)])
                let bad = isArray ? [faults[0], faults[2]] : faults
                let answer = try post(part + bad, "?mode=partial", array: isArray)
                #expect(answer.status == 207, "BI-2: \(answer.text.prefix(200))")
                let body = try answer.decoded(as: PartialAnswer.self)
                #expect(
                    body.accepted == 1_000 && body.rejected == bad.count, "BI-2: \(answer.text)")
                #expect(body.errors?.map(\.line) == bad.indices.map { 1_001 + $0 }, "BI-2")
            }
            let bad = try post([faults[0], faults[0]], "?mode=partial")
            #expect(bad.status == 422, "BI-3: \(bad.text)")
            #expect(try post([line("z")], "?mode=partial").status == 202)
            #expect(try post([line("z")], "?mode=some").status == 400)
            for query in ["", "?mode=partial"] {
                #expect(try post(lines(0..<10_001), query).status == 413, "BI-5")
            }
            #expect(try client.volume(of: "batch") == 2_001)
        }

        /// With a reference the kinds of the features are known.
        private func pinReference(_ client: HTTPClient) throws {
            var stream = RecordStream(model: "batch", startingAt: monday, seed: 3)
            try client.pinReference(of: "batch", stream.next(200).map(\.reference))
        }

        private static func keyed(_ key: String) -> [String: String] { ["Idempotency-Key": key] }

        @Test(.timeLimit(.minutes(3)))
        func `a batch with a key is stored once, and its repeats are answered alike`() throws {
            let site = try Site("keys")
            try pinReference(site.client)
            func post(_ body: [UInt8], _ headers: [String: String]) throws -> HTTPAnswer {
                try site.client.post("/v1/predictions", body, headers: headers)
            }
            // Without ids, nothing but the key can tell a repeat.
            let body = ndjson([#"{"model":"batch","ts":"2026-11-23T00:00:00Z","features":{"a":1}}"#]
            )
            let other = ndjson(lines(0..<3))

            let first = try post(body, Self.keyed("k-1"))
            let again = try post(body, Self.keyed("\"k-1\""))
            let quoted = try post(body, Self.keyed(#""k\"1\\""#))
            let packed = try post(
                try compressed(body, by: "gzip"),
                Self.keyed("k-1").merging(["Content-Encoding": "gzip"]) { $1 })
            let reused = try post(other, Self.keyed("k-1"))
            let elsewhere = try site.client.post(
                "/v1/predictions?model=batch", body, headers: Self.keyed("k-1"))
            #expect(first.status == 202 && first.headers["idempotency-replayed"] == nil)
            for repeated in [again, packed] {
                #expect(repeated.status == 202 && repeated.text == first.text, "BI-7, BI-15")
                #expect(repeated.headers["idempotency-replayed"] == "true")
            }
            #expect(quoted.status == 202 && quoted.headers["idempotency-replayed"] == nil)
            #expect(reused.status == 422 && reused.text.contains("idempotency-key-reused"))
            #expect(elsewhere.status == 202 && elsewhere.headers["idempotency-replayed"] == nil)
            for key in [
                "", "\"\"", "   ", "\"open", "open\"", "\"a\"b\"", "\"a\",\"b\"", "a\"b",
                "\"a\\b\"",
                "\"a\"; p=1", "\"", "caf\u{e9}", String(repeating: "k", count: 256),
                String(repeating: "k", count: 300),
            ] {
                let answer = try post(body, Self.keyed(key))
                #expect(answer.status == 400, "BI-10, \(key.prefix(9)): \(answer.status)")
                #expect(answer.text.contains("idempotency-key-invalid"), "BI-10")
            }
            // A request that failed has not used its key.
            #expect(try post(Array("{".utf8), Self.keyed("k-2")).status == 400, "BI-14")
            #expect(try post(other, Self.keyed("k-2")).status == 202, "BI-14")

            site.server.kill()
            try site.restart()
            let later = try post(body, Self.keyed("k-1"))
            #expect(later.text == first.text && later.headers["idempotency-replayed"] == "true")
            #expect(try site.client.volume(of: "batch") == 6)
        }

        @Test(.timeLimit(.minutes(3)))
        func `the same key many times at once is counted once`() throws {
            let site = try Site("at-once")
            try pinReference(site.client)
            let body = ndjson(
                (0..<200).map { _ in
                    #"{"model":"batch","ts":"2026-11-23T00:00:00Z","features":{"a":1}}"#
                })
            let head =
                "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n"
                + "Content-Type: application/x-ndjson\r\nContent-Length: \(body.count)\r\n\r\n"
            let connections = try (0..<50).map { _ in try RawConnection(port: site.server.port) }

            for connection in connections { connection.send(Array(head.utf8) + body) }
            let answers = try connections.compactMap { try $0.answer() }

            let statuses = Set(answers.map(\.status))
            #expect(answers.count == 50 && statuses.isSubset(of: [202, 409]), "BI-9: \(statuses)")
            #expect(Set(answers.filter { $0.status == 202 }.map(\.text)).count == 1)
            #expect(try site.client.volume(of: "batch") == 200)
        }

        @Test(.timeLimit(.minutes(3)))
        func `cardinality is bounded, and what was there before stays`() throws {
            let site = try BadInputSite("cardinality")
            let client = site.site.client
            // A model with more features than one may have, in one record and over several.
            let names = (0..<2_100).map { "\"f\($0)\":1" }
            try site.check(
                .post(
                    "CB-2a", "2,100 features at once", [422], ["cardinality-limit"],
                    #"{"id":"1","model":"bad","features":{"# + names.joined(separator: ",") + "}}"))
            var statuses: [Int] = []
            for part in names.chunks(of: 500) {
                let record = #"{"model":"wide","features":{"# + part.joined(separator: ",") + "}}"
                statuses.append(try client.post("/v1/predictions", Array(record.utf8)).status)
            }
            #expect(statuses == [202, 202, 202, 202, 422], "CB-2b: \(statuses)")
            let few = #"{"model":"wide","features":{"f1":2}}"#
            #expect(try client.post("/v1/predictions", Array(few.utf8)).status == 202)
            // Models: the last of many is refused with its own code.
            let models = (0..<1_001).map { #"{"model":"m\#($0)","features":{"a":1}}"# }
            var codes: [String] = []
            for part in models.chunks(of: 250) {
                codes.append(try client.post("/v1/predictions", ndjson(part)).text)
            }
            let isBounded = codes.contains { $0.contains("cardinality-limit") }
            #expect(isBounded, "CB-3: \(codes.last ?? "")")
            // Categories: all are taken.
            for part in (0..<6_000).map({ line("c\($0)", "\"v\($0)\"", model: "wide-values") })
                .chunks(of: 3_000)
            {
                _ = try client.ingest(part)
            }
            try site.check([])
        }
    }
}
