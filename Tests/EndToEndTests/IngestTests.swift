import Foundation
import MonitoringDomain
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// What the ingest routes take, and what they answer to what they do not take.
    struct IngestTests {
        @Test(.timeLimit(.minutes(3)))
        func `a repeat is counted once, in and across batches and encodings`() throws {
            let site = try Site("repeat")
            var stream = RecordStream(model: "repeat", startingAt: monday, seed: 1)
            try site.client.pinReference(of: "repeat", stream.next(500).map(\.reference))
            let lines = stream.next(100).map(\.prediction)
            let encoders = ["gzip", "zstd"].filter { CommandRun.installed($0) != nil }

            #expect(try site.client.ingest(lines).duplicates == 0)
            #expect(try site.client.ingest(lines).duplicates == 100)
            #expect(
                try site.client.ingest(lines.reversed() + stream.next(7).map(\.prediction))
                    .duplicates == 100)
            let twice = stream.next(5).map(\.prediction)
            #expect(try site.client.ingest(twice + twice).duplicates == 5)
            for encoder in encoders {
                let new = stream.next(10).map(\.prediction)
                let body = try compressed(ndjson(lines + new), by: encoder)
                let answer = try site.client.ingest([], encoding: encoder, body: body)
                #expect(answer.duplicates == 100, "\(encoder)")
            }

            #expect(try site.client.volume(of: "repeat") == Double(112 + 10 * encoders.count))
            #expect(encoders.contains("gzip"))
        }

        @Test(.timeLimit(.minutes(3)))
        func `ground truth joins before and after its prediction, and a repeat changes nothing`()
            throws
        {
            let site = try Site("truth")
            var stream = RecordStream(model: "truth", startingAt: monday, seed: 2)
            stream.accuracy = 1
            try site.client.pinReference(of: "truth", stream.next(500).map(\.reference))
            let early = stream.next(50)
            let late = stream.next(50)

            try site.client.ingest(early.map(\.groundTruth), as: "ground-truth")
            try site.client.ingest((early + late).map(\.prediction))
            try site.client.ingest(late.dropLast(10).map(\.groundTruth), as: "ground-truth")
            try site.client.ingest(late.dropLast(10).map(\.groundTruth), as: "ground-truth")

            let found = try site.client.measurements(
                of: "truth", "window=1d&statistic=coverage,accuracy")
            #expect(found.first { $0.statistic == "coverage" }?.value == 0.9)
            #expect(found.first { $0.statistic == "accuracy" }?.value == 1)
        }

        private struct Declared: Decodable { let horizon: String }

        private struct Counted: Decodable {
            let conflicts: Int?
            let too_old: Int?
        }

        @Test(.timeLimit(.minutes(3)))
        func `a horizon is declared and shown, and what is beyond it is counted`() throws {
            let site = try Site("horizon")
            func put(_ body: String) throws -> HTTPAnswer {
                try site.client.send(
                    "PUT", "/v1/models/horizon", headers: ["Content-Type": "application/json"],
                    body: Array(body.utf8))
            }
            for (horizon, shown) in [("10y", "3650d"), ("2y", "730d"), ("90d", "90d")] {
                let answer = try put(#"{"horizon":"\#(horizon)"}"#)
                #expect(answer.status == 200, "\(answer.text)")
                #expect(try answer.decoded(as: Declared.self).horizon == shown)
            }
            for horizon in ["0d", "11y", "-1d", "90", "1mo", "1s"] {
                let answer = try put(#"{"horizon":"\#(horizon)"}"#)
                #expect(answer.status == 422 && answer.text.contains("horizon"), "\(horizon)")
            }
            for body in [
                #"{"horizont":"90d"}"#, #"{"features":[{"name":"a","kind":"numeric","unit":"m"}]}"#,
            ] {
                let answer = try put(body)
                #expect(answer.status == 422 && answer.text.contains("unknown"), "\(body)")
            }
            func post(_ records: (id: String, day: Int, label: Int)...) throws -> Counted {
                let lines = records.map {
                    let time = EventTime(milliseconds: monday + Int64($0.day) * WindowSpan.day)
                    return
                        #"{"model":"horizon","id":"\#($0.id)","ts":"\#(time)","prediction":{"label":\#($0.label)}}"#
                }
                return try site.client.post("/v1/predictions", ndjson(lines)).decoded()
            }
            let first = try post(("a", 0, 1), ("b", 0, 1))
            #expect(first.conflicts == nil && first.too_old == nil)
            #expect(try post(("a", 0, 0)).conflicts == 1)
            #expect(try post(("c", 1, 1), ("d", -100, 1)).too_old == 1)
        }

        /// One request that is not taken.
        struct BadRequest: CustomStringConvertible, Sendable {
            let what: String
            var method = "POST"
            var path = "/v1/predictions"
            var headers: [String: String] = [:]
            var body: String? = "{}"
            let status: Int
            let types: [String]
            var line: Int?
            var description: String { what }
        }

        private static let good =
            #"{"id":"1","ts":"2026-11-23T00:00:00Z","model":"bad","features":{"a":1},"#
            + #""prediction":{"label":1,"score":0.5}}"#
        private static let ndjsonType = ["Content-Type": "application/x-ndjson"]

        static let badRequests: [BadRequest] = [
            BadRequest(what: "cut JSON", body: #"{"id":"#, status: 400, types: ["malformed-json"]),
            BadRequest(what: "no JSON", body: "hello", status: 400, types: ["malformed-json"]),
            BadRequest(
                what: "empty body", body: "", status: 400,
                types: ["malformed-json", "malformed-request"]),
            BadRequest(
                what: "NaN", body: good.replacingOccurrences(of: "0.5", with: "NaN"), status: 400,
                types: ["malformed-json"]),
            BadRequest(
                what: "deep nesting", body: String(repeating: "[", count: 100_000), status: 400,
                types: ["malformed-json"]),
            BadRequest(
                what: "a bad row in line 3", headers: ndjsonType,
                body: [good, good, good.replacingOccurrences(of: "0.5", with: "1.5"), good]
                    .joined(separator: "\n"), status: 422, types: ["batch-invalid"], line: 3),
            BadRequest(
                what: "a number as id", headers: ndjsonType,
                body: good.replacingOccurrences(of: #""1""#, with: "1"), status: 422,
                types: ["batch-invalid", "invalid-field"], line: 1),
            BadRequest(
                what: "a bad model name", headers: ndjsonType,
                body: good.replacingOccurrences(of: #""bad""#, with: #""../x""#), status: 422,
                types: ["batch-invalid", "invalid-field"], line: 1),
            BadRequest(
                what: "30 February", headers: ndjsonType,
                body: good.replacingOccurrences(of: "11-23", with: "02-30"), status: 422,
                types: ["batch-invalid", "invalid-field"], line: 1),
            BadRequest(
                what: "too many rows", headers: ndjsonType,
                body: String(repeating: good + "\n", count: 10_001), status: 413,
                types: ["batch-too-large"]),
            BadRequest(
                what: "brotli", headers: ["Content-Encoding": "br"], status: 415,
                types: ["unsupported-encoding"]),
            BadRequest(
                what: "gzip that is none", headers: ["Content-Encoding": "gzip"], status: 400,
                types: ["malformed-request"]),
            BadRequest(
                what: "XML", headers: ["Content-Type": "application/xml"], status: 415,
                types: ["unsupported-media-type"]),
            BadRequest(
                what: "a length over the limit", headers: ["Content-Length": "10000000000"],
                body: "",
                status: 413, types: ["body-too-large"]),
            BadRequest(
                what: "no such route", path: "/v1/nothing", status: 404, types: ["not-found"]),
            BadRequest(
                what: "no such model", method: "GET", path: "/v1/models/nobody", body: nil,
                status: 404,
                types: ["not-found"]),
            BadRequest(
                what: "a method that is none here", method: "DELETE", body: nil, status: 405,
                types: ["method-not-allowed"]),
            BadRequest(
                what: "an unknown statistic", method: "GET",
                path: "/v1/models/known/measurements?window=1d&statistic=beauty", body: nil,
                status: 400, types: ["malformed-request"]),
            BadRequest(
                what: "an impossible window", method: "GET",
                path: "/v1/models/known/measurements?window=0d&statistic=psi", body: nil,
                status: 400, types: ["malformed-request"]),
        ]

        @Test(.timeLimit(.minutes(3)))
        func `what is not taken is answered with its problem, and nothing of it is stored`() throws
        {
            let site = try Site("bad")
            var stream = RecordStream(model: "known", startingAt: monday, seed: 4)
            try site.client.pinReference(of: "known", stream.next(500).map(\.reference))
            var client = site.client
            client.timeoutSeconds = 10
            let identifier = site.server.processIdentifier

            for request in Self.badRequests {
                let sent = try? client.send(
                    request.method, request.path,
                    headers: ["Content-Type": "application/json"].merging(request.headers) { $1 },
                    body: request.body.map { Array($0.utf8) })
                guard let answer = sent else {
                    Issue.record("\(request): no answer")
                    continue
                }

                #expect(answer.status == request.status, "\(request): \(answer.text.prefix(300))")
                let type = answer.headers["content-type"] ?? ""
                #expect(type.hasPrefix("application/problem+json"), "\(request): \(type)")
                guard let problem = try? answer.decoded(as: Problem.self) else { continue }
                #expect(problem.status == answer.status, "\(request)")
                #expect(
                    request.types.contains { problem.type.hasSuffix($0) },
                    "\(request): \(problem.type)")
                #expect(
                    request.line == nil || problem.errors?.first?.line == request.line, "\(request)"
                )
                #expect(try client.get("/readyz").status == 200, "\(request)")
            }

            #expect(site.server.isRunning && site.server.processIdentifier == identifier)
            #expect(try client.get("/v1/models/bad").status == 404, "a bad batch was stored")
            #expect(try client.ingest(stream.next(3).map(\.prediction)).duplicates == 0)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a cut body is nobody's batch`() throws {
            let site = try Site("cut")
            var client = site.client
            client.timeoutSeconds = 1
            let body = ndjson([Self.good])

            let answer = try? client.post(
                "/v1/predictions", body, headers: ["Content-Length": "\(body.count + 100)"])

            #expect(answer == nil || (answer?.status ?? 0) >= 400)
            #expect(try site.client.get("/v1/models/bad").status == 404)
            #expect(site.server.isRunning)
        }
    }
}
