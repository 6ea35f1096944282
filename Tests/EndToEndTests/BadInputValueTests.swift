import Foundation
import MonitoringTestSupport
import Testing

/// A record in which `field` has the value `value`, as JSON.
private func record(_ field: String, _ value: String) -> String {
    var fields = [
        "id": "\"1\"", "ts": "\"2026-11-23T00:00:00Z\"", "model": "\"bad\"",
        "features": "{\"a\":1}",
        "prediction": "{\"label\":1,\"score\":0.5}",
    ]
    fields[field] = value
    return "{"
        + fields.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }
        .joined(separator: ",") + "}"
}

private func field(_ id: String, _ what: String, _ field: String, _ value: String) -> BadInput {
    .post(id, what, [422], ["invalid-field"], record(field, value))
}

private func time(_ id: String, _ value: String, _ code: String = "invalid-field") -> BadInput {
    .post(id, value, [422], [code], record("ts", value.first == "\"" ? value : "\"\(value)\""))
}

func rfc3339(_ secondsFromNow: Double) -> String {
    ISO8601DateFormatter().string(from: Date(timeIntervalSinceNow: secondsFromNow))
}

extension EndToEndTests {
    /// Types, times and names: catalogue TY, TS and NM.
    struct BadInputValueTests {
        static let types: [BadInput] = [
            field("TY-1a", "a text as score", "prediction", #"{"score":"0.5"}"#),
            field("TY-1b", "a text as latency", "latency_ms", #""1""#),
            field("TY-1c", "a number as model", "model", "1"),
            field("TY-1d", "a number as error", "error", "1"),
            field("TY-2a", "a boolean as score", "prediction", #"{"score":true}"#),
            field("TY-2b", "a boolean as value", "prediction", #"{"value":false}"#),
            field("TY-2c", "a boolean as time", "ts", "true"),
            .post("TY-3", "no model", [422], ["invalid-field"], record("model", "null")),
            field("TY-4a", "features that are an array", "features", "[1]"),
            field("TY-4b", "features that are a text", "features", "\"a\""),
            field("TY-4c", "a prediction that is a number", "prediction", "1"),
            field("TY-4d", "segments that are an array", "segments", "[]"),
            field(
                "TY-7", "a feature of 5,000 numbers", "features",
                "{\"a\":[" + String(repeating: "1,", count: 4_999) + "1]}"),
            field("TY-8", "a feature that is an object", "features", #"{"a":{"b":1}}"#),
            field("TY-9a", "a probability over 1", "prediction", #"{"score":1.5}"#),
            field("TY-9b", "a probability below 0", "prediction", #"{"score":-0.1}"#),
            field("TY-9c", "a probability of a class over 1", "prediction", #"{"scores":{"a":2}}"#),
            field(
                "TY-9d", "scores that add up to 0.9", "prediction", #"{"scores":{"a":0.4,"b":0.5}}"#
            ),
            field(
                "TY-9e", "scores that add up to 1.000002", "prediction",
                #"{"scores":{"a":0.5,"b":0.500002}}"#),
            field(
                "TY-9f", "the score of one of several classes", "prediction",
                #"{"scores":{"a":0.7}}"#),
            field("TY-9g", "scores of no class", "prediction", #"{"scores":{}}"#),
            field("TY-9h", "a score that is null", "prediction", #"{"scores":{"a":1,"b":null}}"#),
            .post(
                "TY-9i", "a reference whose scores add up to 2", [422], ["invalid-field"],
                to: "/v1/models/bad/references", record("prediction", #"{"scores":{"a":1,"b":1}}"#)),
            field("TY-11a", "an unknown field", "extra", "1"),
            field("TY-11b", "an unknown field of the prediction", "prediction", #"{"lable":1}"#),
            field("TY-12", "a negative latency", "latency_ms", "-1"),
            field(
                "TY-15", "a text of 1 MiB", "features",
                "{\"a\":\"" + String(repeating: "x", count: 1 << 20) + "\"}"),
            field("TY-16", "a label of 2^63", "prediction", #"{"label":9223372036854775808}"#),
            .post(
                "TY-17", "a fraction as revision", [422], ["invalid-field"], to: "/v1/ground-truth",
                #"{"id":"1","model":"bad","label":1,"revision":1.5}"#),
            .post(
                "JS-7", "a revision of 2^63", [422], ["invalid-field"], to: "/v1/ground-truth",
                #"{"id":"1","model":"bad","label":1,"revision":9223372036854775808}"#),
            .post(
                "TY-20", "a weight below 1", [422], ["invalid-field"], record("weight", "0.5")),
            .post(
                "TY-21", "an empty segment key", [422], ["invalid-field"],
                record("segments", #"{"":"x"}"#)),
            .post(
                "TY-18", "no label", [422], ["invalid-field"], to: "/v1/ground-truth",
                #"{"id":"1","model":"bad"}"#),
            .post(
                "TY-19", "no id", [422], ["invalid-field"], to: "/v1/ground-truth",
                #"{"model":"bad","label":1}"#),
            .post(
                "TY-10", "a number and a text as one feature", [422], ["feature-type-conflict"],
                record("features", #"{"a":1}"#) + "\n" + record("features", #"{"a":"x"}"#)),
        ]

        static let times: [BadInput] = [
            time("TS-1a", "0000-01-01T00:00:00Z", "event-too-old"),
            time("TS-1b", "0001-01-01T00:00:00Z", "event-too-old"),
            time("TS-2", "9999-12-31T23:59:59Z", "event-in-future"),
            time("TS-3a", "10000-01-01T00:00:00Z"), time("TS-3b", "-0001-01-01T00:00:00Z"),
            time("TS-3c", "+12026-01-01T00:00:00Z"), time("TS-5a", "2026-13-01T00:00:00Z"),
            time("TS-5b", "2026-01-00T00:00:00Z"), time("TS-5c", "2026-11-23T00:60:00Z"),
            time("TS-5d", "2026-02-30T00:00:00Z"), time("TS-5e", "2026-02-29T00:00:00Z"),
            time("TS-6a", "2026-11-23T24:00:00Z"), time("TS-6b", "2026-11-23T25:00:00Z"),
            time("TS-7", "2026-11-23T12:30:60Z"),
            time("TS-7b", "2026-11-23T23:59:60Z"), time("TS-7c", "2016-12-31T23:59:61Z"),
            time("TS-7d", "2016-12-31T22:59:60Z"), time("TS-7e", "2016-12-31T23:59:60-01:00"),
            time("TS-9a", "2026-11-23T00:00:00+99:99"),
            time("TS-9b", "2026-11-23T00:00:00+24:00"), time("TS-9c", "2026-11-23T00:00:00+0100"),
            time("TS-10", "2026-11-23T00:00:00.123456789012345678901234567890Z"),
            time("TS-10b", "2026-11-23T00:00:00.Z"), time("TS-11", "2026-11-23 00:00:00Z"),
            time("TS-13a", " 2026-11-23T00:00:00Z"), time("TS-13b", "2026-11-23T00:00:00Z "),
            time("TS-13c", "２０２６-11-23T00:00:00Z"), time("TS-13d", "2026-11-23T00:00:00"),
            time("TS-13e", "2026-11-23"), time("TS-13f", "20261123T000000Z"),
            time("TS-14", "1795392000000"), time("TS-14b", "\"\""),
            field("TS-15a", "1e300", "ts", "1e300"), field("TS-15b", "-1e300", "ts", "-1e300"),
            field("TS-15c", "a fraction", "ts", "1795392000000.5"),
            field("TS-15d", "2^63", "ts", "9223372036854775808"),
            field("TS-15e", "an array", "ts", "[2026,11,23]"),
            .post(
                "TS-15f", "seconds for milliseconds", [422], ["event-too-old"],
                record("ts", "-1")),
        ]

        static let names: [BadInput] =
            [
                field("NM-1a", "an empty id", "id", "\"\""),
                field("NM-1b", "an id of spaces", "id", "\"   \""),
                field(
                    "NM-2", "an id of 10 KB", "id", "\"\(String(repeating: "x", count: 10_000))\""),
                field("NM-9", "a number as id", "id", "123"),
                field("NM-9b", "an object as id", "id", "{}"),
            ]
            + [
                "", "../x", "a/b", "a b", ".", "-a", "_a", "a\\u0000", "é", "CON:",
                "x'); DROP TABLE events;--",
                "\\\" OR 1=1", "%", "all", "other", "__total__", String(repeating: "m", count: 129),
            ].enumerated().map { index, name in
                field("NM-5.\(index)", "the model \(name.prefix(40))", "model", "\"\(name)\"")
            }

        private static let tables = ["types": types, "times": times, "names": names]

        @Test(.timeLimit(.minutes(3)), arguments: tables.keys.sorted())
        func `values that a record cannot have are refused with their place`(table: String) throws {
            try BadInputSite(table).check(Self.tables[table] ?? [])
        }

        /// TY-9: the setting is the model's, and is there after a restart.
        @Test(.timeLimit(.minutes(3)))
        func `scores of any sum are taken where the model's schema says so`() throws {
            let site = try Site("scores")
            func declare(_ schema: String) throws -> HTTPAnswer {
                try site.client.send(
                    "PUT", "/v1/models/bad", headers: ["Content-Type": "application/json"],
                    body: Array(schema.utf8))
            }
            func post(_ id: String, _ scores: String) throws -> HTTPAnswer {
                try site.client.post(
                    "/v1/predictions",
                    Array(
                        record("prediction", #"{"label":"a","scores":{\#(scores)}}"#)
                            .replacing(#""id":"1""#, with: #""id":"\#(id)""#).utf8))
            }
            #expect(try post("1", #""a":0.9,"b":0.8"#).status == 422)
            #expect(try declare(#"{"scores":"any"}"#).status == 422)
            #expect(
                try declare(#"{"scores":"independent"}"#).text.contains(#""scores":"independent""#))
            #expect(try post("2", #""a":0.9,"b":0.8"#).status == 202)
            site.server.kill()
            try site.restart()
            #expect(try post("3", #""a":0.9,"b":0.8"#).status == 202)
            #expect(try post("4", #""a":0.9,"b":1.8"#).status == 422)
            // What a later schema does not name stays.
            #expect(
                try declare(#"{"task":"multiclass"}"#).text.contains(#""scores":"independent""#))
            #expect(try declare(#"{"scores":"distribution"}"#).status == 200)
            let refused = try post("5", #""a":0.9,"b":0.8"#)
            #expect(refused.status == 422 && refused.text.contains("/prediction/scores"))
            #expect(try post("6", #""a":0.9,"b":0.1"#).status == 202)
            #expect(try site.client.volume(of: "bad") == 3)
        }

        /// TS-17: a second to each side.
        @Test(.timeLimit(.minutes(3)))
        func `the wall clock bounds the times of records, and not of references`() throws {
            let folder = try Repository.temporaryFolder("wall")
            defer { try? FileManager.default.removeItem(at: folder) }
            let server = try LeewayServer(
                data: folder.appendingPathComponent("data"), clock: "wall")
            let day = 86_400_000
            let rows: [(Int, Int, String)] = [
                (-90 * day + 1_000, 202, ""), (-90 * day - 1_000, 422, "event-too-old"),
                (600_000 - 1_000, 202, ""), (600_000 + 1_000, 422, "event-in-future"), (0, 202, ""),
            ]
            for (index, (milliseconds, status, code)) in rows.enumerated() {
                for path in ["predictions", "ground-truth"] {
                    let value = path == "predictions" ? #""prediction":{"label":1}"# : #""label":1"#
                    // On a busy machine a second may pass before the record is looked at.
                    var answer: HTTPAnswer?
                    for _ in 0..<20 {
                        let now = Date()
                        let time = Int(now.timeIntervalSince1970 * 1_000) + milliseconds
                        answer = try server.client.post(
                            "/v1/\(path)",
                            Array(
                                #"{"id":"\#(index)","ts":\#(time),"model":"wall",\#(value)}"#.utf8))
                        if Date().timeIntervalSince(now) < 0.9 { break }
                    }
                    let text = answer?.text ?? ""
                    #expect(answer?.status == status, "\(milliseconds) ms: \(text)")
                    #expect(code.isEmpty || text.contains(code), "\(text)")
                }
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `a stream of the past is taken where its reference was pinned, also after a restart`()
            throws
        {
            let folder = try Repository.temporaryFolder("past")
            defer { try? FileManager.default.removeItem(at: folder) }
            let data = folder.appendingPathComponent("data")
            var stream = RecordStream(model: "past", startingAt: monday - 900_000_000_000, seed: 4)
            let reference = stream.next(100).map(\.reference)
            let later = stream.next(20)
            var server = try LeewayServer(data: data, clock: "wall")
            let refused = try server.client.post("/v1/predictions", ndjson(later.map(\.prediction)))
            #expect(refused.status == 422 && refused.text.contains("event-too-old"))

            try server.client.pinReference(of: "past", reference)
            try server.client.ingest(later.prefix(10).map(\.prediction))
            #expect(server.stop() == 0)
            server = try LeewayServer(data: data, clock: "wall")
            try server.client.ingest(later.suffix(10).map(\.prediction))
            try server.client.ingest(later.map(\.groundTruth), as: "ground-truth")

            #expect(try server.client.volume(of: "past") == 20)
            server.kill()
        }

        /// Values that look bad and are good.
        static let goodRecords = [
            record("ts", "\"2016-12-31T23:59:60Z\""), record("ts", "\"2026-11-23T00:00:00-00:00\""),
            record("ts", "\"2016-12-31T18:59:60.5-05:00\""),
            record("ts", "\"2015-06-30T23:59:60Z\""),
            record("ts", "\"2026-11-23T00:00:00.123456789Z\""),
            record("ts", "\"2026-11-23t00:00:00z\""),
            record("ts", "1795392000000"), record("features", #"{"a":1.797e308,"b":-1.797e308}"#),
            record("features", #"{"a":-0.0,"b":5e-324}"#),
            record("features", #"{"__proto__":1,"constructor":2,"toString":3,"A":1,"Á":2}"#),
            record("id", #""x'); DROP TABLE entry;--""#), record("id", #""%_\\\u0000""#),
            record("id", "\"\(String(repeating: "x", count: 256))\""), record("ts", "null"),
            record("features", "null"), record("prediction", "null"), record("version", "7"),
        ]

        @Test(.timeLimit(.minutes(3)))
        func `values that look bad are taken`() throws {
            let site = try Site("good-values")
            for (index, line) in Self.goodRecords.enumerated() {
                let answer = try site.client.post(
                    "/v1/predictions",
                    Array(line.replacing(#""bad""#, with: "\"good\(index)\"").utf8))
                #expect(answer.status == 202, "\(line): \(answer.text)")
                let body = try answer.decoded(as: IngestAnswer.self)
                #expect(body.accepted == 1, "\(line)")
            }
            // NM-3: ids that differ only in case are different.
            let cases = ["a", "A"].map { record("id", "\"\($0)\"") }
            #expect(try site.client.ingest(cases).accepted == 2)
        }
    }
}
