import Foundation
import MonitoringTestSupport
import Testing

/// A prediction of `model`; times are milliseconds after the Monday.
private func record(
    _ id: String, model: String, at time: Int64 = 0, features: String, label: Int? = nil
) -> String {
    let prediction = label.map { #","prediction":{"label":\#($0),"score":0.\#($0 * 5 + 2)}"# } ?? ""
    return #"{"id":"\#(id)","ts":\#(monday + time),"model":"\#(model)","#
        + #""features":{\#(features)}\#(prediction)}"#
}

private func reference(_ features: String, model: String, label: Int = 1) -> String {
    #"{"ts":\#(monday - 86_400_000),"model":"\#(model)","features":{\#(features)},"#
        + #""prediction":{"label":\#(label),"score":0.7},"label":1}"#
}

private struct Older: Decodable {
    let accepted: Int
    let older_than_prediction: Int?
}

extension EndToEndTests {
    /// What odd input counts as, where it is taken: catalogue TY, TS, NM, CB, BI and JS.
    struct BadInputMeaningTests {
        @Test(.timeLimit(.minutes(3)))
        func `values at the ends of the range make no statistic that is no number`() throws {
            let site = try Site("extremes")
            let values = ["1.797e308", "-1.797e308", "5e-324", "-5e-324", "0", "-0.0"]
            try site.client.pinReference(
                of: "ends",
                (0..<60).map {
                    reference(#""a":\#(values[$0 % 6]),"b":\#($0)"#, model: "ends", label: $0 % 2)
                })
            try site.client.ingest(
                (0..<600).map {
                    record(
                        "\($0)", model: "ends", at: Int64($0), features: #""a":\#(values[$0 % 6])"#,
                        label: $0 % 2)
                })

            for text in ["psi,ks,mean,stddev,min,max,quantile", "wasserstein,mean_shift", "kl"] {
                let found = try site.client.measurements(of: "ends", "window=1d&statistic=\(text)")
                #expect(!found.isEmpty)
                for entry in found {
                    let isSaid = entry.value == nil && entry.status != "ok"
                    #expect(entry.value?.isFinite ?? isSaid, "TY-5: \(entry)")
                }
            }
            let all = try site.client.get("/v1/models/ends/measurements?window=1d").text
                .lowercased()
            #expect(!all.contains("nan") && !all.contains("inf,") && !all.contains("infinity"))
            let mean = try site.client.measurements(of: "ends", "window=1d&statistic=max&feature=a")
            #expect(mean.first?.value == 1.797e308, "TY-14")
        }

        /// TY-13 and TY-6: two models, one with the other's zeros turned around.
        @Test(.timeLimit(.minutes(3)))
        func `a zero has no sign, and what is missing is no zero`() throws {
            let site = try Site("zeros")
            for (model, zero) in [("plus", "0.0"), ("minus", "-0.0")] {
                try site.client.pinReference(
                    of: model,
                    (0..<40).map { reference(#""a":\#($0 % 2 == 0 ? "-0.0" : "0")"#, model: model) }
                        + (0..<40).map { reference(#""a":\#($0)"#, model: model) })
                try site.client.ingest(
                    (0..<90).map { index in
                        let value = ["\"a\":\(zero)", "\"a\":1", "\"a\":null", ""][index % 4]
                        return record("\(index)", model: model, features: value)
                    })
            }
            let query = "window=1d&feature=a&statistic=psi,ks,min,max,mean,missing_rate"
            let (plus, minus) = (
                try site.client.measurements(of: "plus", query),
                try site.client.measurements(of: "minus", query)
            )
            #expect(plus == minus && plus.count == 6)
            let missing = plus.first { $0.statistic == "missing_rate" }
            #expect(missing?.value == 44.0 / 90, "TY-6")
            #expect(plus.first { $0.statistic == "mean" }?.value == 0.5, "TY-6")
        }

        @Test(.timeLimit(.minutes(3)))
        func `the order of a batch over ninety days changes nothing`() throws {
            let site = try Site("order")
            var random = SeededGenerator(seed: 18)
            let rows = (0..<10_000).map { index in
                (index, Int64(index) * 86_400_000 * 90 / 10_000)
            }
            for (model, order) in [("sorted", rows), ("mixed", rows.shuffled(using: &random))] {
                try site.client.pinReference(
                    of: model, (0..<50).map { reference(#""a":\#($0 % 13)"#, model: model) })
                let answer = try site.client.ingest(
                    order.map {
                        record("\($0)", model: model, at: $1, features: #""a":\#($0 % 17)"#)
                    })
                #expect(answer.accepted == rows.count, "TS-18")
            }
            for query in [
                "window=1d&statistic=psi,ks,mean,stddev,volume",
                "window=1w&statistic=psi,ks,mean,volume", "window=1mo&statistic=psi,volume",
            ] {
                let sorted = try site.client.measurements(of: "sorted", query)
                #expect(sorted == (try site.client.measurements(of: "mixed", query)), "TS-18")
                #expect(sorted.count >= 4)
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `ground truth older than its prediction is joined, before it and after it`() throws {
            let site = try Site("older-truth")
            try site.client.pinReference(
                of: "truth",
                (0..<50).map { reference(#""a":\#($0)"#, model: "truth", label: $0 % 2) })
            let truths = (0..<20).map {
                #"{"id":"\#($0)","ts":\#(monday - 3_600_000),"model":"truth","label":1}"#
            }
            func post(_ lines: [String], _ path: String) throws -> Older {
                try site.client.post("/v1/\(path)", ndjson(lines)).decoded(as: Older.self)
            }
            let early = try post(Array(truths.prefix(10)), "ground-truth")
            let predictions = try post(
                (0..<20).map { record("\($0)", model: "truth", features: #""a":1"#, label: 1) },
                "predictions")
            let late = try post(Array(truths.suffix(10)), "ground-truth")

            #expect([early, predictions, late].map(\.accepted) == [10, 20, 10], "TS-19")
            #expect(
                [early, predictions, late].map(\.older_than_prediction) == [nil, 10, 10], "TS-19")
            let model = try site.client.get("/v1/models/truth").text
            #expect(model.contains(#""ground_truth":{"waiting":0,"older_than_prediction":20}"#))
            let coverage = try site.client.measurements(
                of: "truth", "window=1d&statistic=coverage,accuracy")
            #expect(coverage.map(\.value) == [1, 1], "TS-19: \(coverage)")
        }

        @Test(.timeLimit(.minutes(3)))
        func `names that look alike are different, and names that look like code are names`() throws
        {
            let site = try Site("names")
            let names = [
                "A", "a", "\u{e9}", "\u{c9}", "\u{430}", "__proto__", "constructor", "toString",
                "%s%n",
                "x'); DROP TABLE entry;--", "<script>alert(1)</script>", "{{constructor}}",
                "../../x",
                "a\\u0000b", "\\u202e", "*", "a,b", "a b", "other", "all",
            ]
            let members = names.enumerated().map { "\"\($1)\":\($0)" }.joined(separator: ",")
            try site.client.pinReference(
                of: "names", (0..<20).map { _ in reference(members, model: "names") })
            let ids = [
                "a", "A", "x'); DROP TABLE entry;--", "' OR '1'='1", "%", "_", "\\\\", "\\u0000x",
                "__proto__",
            ]
            let answer = try site.client.ingest(
                ids.map { record($0, model: "names", features: members) })

            #expect(answer.accepted == ids.count, "NM-3, NM-6")
            let again = try site.client.ingest(
                ids.map { record($0, model: "names", features: members) })
            #expect(again.duplicates == ids.count, "BI-13")
            #expect(try site.client.model("names").features.count == names.count, "NM-10, NM-11")
            let verified = try CommandRun(CommandRun.leeway, ["verify", "--data", site.data.path])
            #expect(verified.status == 0, "NM-6: \(verified.errors)")
        }

        @Test(.timeLimit(.minutes(3)))
        func `many categories and many segments stay bounded, and the rest is told`() throws {
            let site = try BadInputSite("many")
            let client = site.site.client
            let declared = try client.send(
                "PUT", "/v1/models/many", headers: ["Content-Type": "application/json"],
                body: Array(#"{"segments":["s0","s1","s2","s3","s4"]}"#.utf8))
            #expect(declared.status == 200, "\(declared.text)")
            try client.pinReference(
                of: "many", (0..<50).map { reference(#""c":"v\#($0)""#, model: "many") })
            let before = site.residentSizeBytes

            for part in 0..<5 {
                try client.ingest(
                    (0..<10_000).map { index in
                        let number = part * 10_000 + index
                        let segments = (0..<7).map { key in
                            "\"s\(key)\":\"\((number / (key + 1)) % 100)\""
                        }.joined(separator: ",")
                        return #"{"id":"\#(number)","ts":\#(monday),"model":"many","#
                            + #""features":{"c":"w\#(number)"},"segments":{\#(segments)}}"#
                    })
            }

            struct Model: Decodable { let segments: [String] }
            let segments = try client.get("/v1/models/many").decoded(as: Model.self).segments
            #expect(segments.count <= 1_000, "CB-5: \(segments.count)")
            #expect(!segments.contains { $0.hasPrefix("s5") || $0.hasPrefix("s6") }, "CB-5")
            let distinct = try client.measurements(
                of: "many", "window=1d&statistic=distinct&feature=c"
            ).first
            let bounds = (distinct?.lower ?? 0)...(distinct?.upper ?? 0)
            #expect(bounds.contains(50_000) && bounds.lowerBound < bounds.upperBound)
            #expect(site.residentSizeBytes - before < 96 << 20)
            #expect(try client.get("/readyz").status == 200)
        }

        /// The same kinds of faults in what model servers log: 400 says that no repetition will be taken.
        @Test(.timeLimit(.minutes(3)))
        func `events with a fault are refused for good`() throws {
            let site = try BadInputSite("events")
            let attributes = [
                "specversion": "1.0", "id": "1", "source": "s", "inferenceservicename": "bad",
                "type": "org.kubeflow.serving.inference.request",
            ]
            func event(
                _ what: String, _ changes: [String: String?], _ statuses: Set<Int> = [400],
                _ types: [String] = ["invalid-field"], type: String = "application/json",
                body: String = #"{"instances":[[1]]}"#
            ) -> BadInput {
                var found = attributes
                for (name, value) in changes { found[name] = value }
                let fields = found.sorted { $0.key < $1.key }.map { "ce-\($0.key): \($0.value)" }
                return .post(
                    "EV", what, statuses, types, to: "/v1/events", type: type, fields: fields, body)
            }
            func tensor(_ datatype: String, _ data: String, shape: String = "1") -> BadInput {
                event(
                    "\(datatype) of [\(data)] in [\(shape)]", [:],
                    body: #"{"inputs":[{"name":"x","shape":[\#(shape)],"datatype":"\#(datatype)","#
                        + #""data":[\#(data)]}]}"#)
            }
            let rows =
                ["", "%00", "%ff", String(repeating: "x", count: 10_000)].map {
                    (id: String) in event("the id \(id.prefix(9))", ["id": id])
                }
                + ["0", "-1", "1.5", "x", "2147483648"].map {
                    (rate: String) in event("the rate \(rate)", ["sampledrate": rate])
                }
                + ["2026-13-01T00:00:00Z", "2026-11-23T12:30:60Z", "now"].map {
                    (time: String) in event("the time \(time)", ["time": time])
                }
                + [
                    event("the year 0", ["time": "0000-01-01T00:00:00Z"], [400], ["event-too-old"]),
                    event(
                        "the year 9999", ["time": "9999-12-31T23:59:59Z"], [400],
                        ["event-in-future"]),
                    event("no source", ["source": nil]), event("no type", ["type": ""]),
                    event("another version", ["specversion": "2.0"]),
                    event("a path as model", ["inferenceservicename": "../x"]),
                    event(
                        "Latin-1", [:], [415], ["unsupported-media-type"],
                        type: "application/json; charset=latin1"),
                    event(
                        "too deep", [:], [400], ["too-deep"],
                        body: String(repeating: "[", count: 65)),
                    event(
                        "a repeated key", [:], [400], ["malformed-json"],
                        body: #"{"instances":[[1]],"instances":1}"#),
                    event("NaN", [:], [400], ["malformed-json"], body: #"{"instances":[[NaN]]}"#),
                    event("no rows' form", [:], body: #"{"instances":1}"#),
                    event(
                        "10,001 rows", [:], [413], ["batch-too-large"],
                        body: #"{"instances":["# + String(repeating: "[1],", count: 10_000)
                            + "[1]]}"),
                    tensor("INT8", "128"), tensor("INT8", "-129"), tensor("UINT8", "-1"),
                    tensor("UINT8", "256"), tensor("INT16", "32768"), tensor("UINT16", "65536"),
                    tensor("INT32", "2147483648"), tensor("UINT32", "4294967296"),
                    tensor("UINT64", "-1"),
                    tensor("INT32", "1.5"), tensor("INT8", "1e3"), tensor("BOOL", "2"),
                    tensor("FP32", "\"x\""), tensor("FP99", "1"), tensor("FP32", "1", shape: "-1"),
                    tensor("FP32", "1", shape: "2"),
                    tensor("FP32", "1", shape: "9223372036854775807,2"),
                ]
            try site.check(rows)
            let taken = [
                tensor("INT8", "127,-128,0", shape: "3"), tensor("UINT64", "9223372036854775807"),
                tensor("INT8", "1.0"),
            ]
            for row in taken {
                let connection = try RawConnection(port: site.site.server.port)
                connection.send(row.bytes())
                #expect(try connection.answer()?.status == 202, "\(row)")
            }
            let logs = try site.site.client.post(
                "/v1/logs", Array("{}".utf8),
                headers: ["Content-Type": "application/json; charset=utf-16"])
            #expect(logs.status == 415 && logs.text.contains(#""code":3"#))
        }

        /// Hashing has a secret, so that no names can be chosen to collide; what is bounded here is the work.
        @Test(.timeLimit(.minutes(3)))
        func `many names and much white space cost no more than their bytes`() throws {
            let site = try BadInputSite("work")
            let names = (0..<100_000).map { "\"\(String($0, radix: 36, uppercase: false))\":1" }
            let records = names.chunks(of: 2_000).map {
                #"{"id":"1","model":"bad","features":{"# + $0.joined(separator: ",") + "}}"
            }
            let start = ContinuousClock.now
            try site.check(
                .post(
                    "JS-27", "100,000 names", [422], ["cardinality-limit"],
                    records.joined(separator: "\n")))
            try site.check(
                .post(
                    "JS-9", "a number of 1,000,000 digits", [400], ["malformed-json"],
                    #"{"id":"1","model":"bad","features":{"a":"#
                        + String(repeating: "7", count: 1_000_000) + "}}"))
            #expect(ContinuousClock.now - start < .seconds(20))
            try site.check([])
        }

        /// JS-25: the limit is of the body, whatever it is made of, and its bytes are not kept.
        @Test(.timeLimit(.minutes(3)))
        func `a hundred MiB of white space in chunks ends at the limit`() throws {
            let site = try BadInputSite("space")
            let good = #"{"id":"1","model":"bad","features":{"a":1}}"#
            let space = [UInt8](repeating: 0x20, count: 1 << 20)
            func chunk(_ bytes: [UInt8]) -> [UInt8] {
                Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + Array("\r\n".utf8)
            }
            for parts in [("", good), (good, ""), (String(good.dropLast()), "}")] {
                let before = site.residentSizeBytes
                let connection = try RawConnection(port: site.site.server.port)
                connection.send(
                    "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\n"
                        + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
                if !parts.0.isEmpty { connection.send(chunk(Array(parts.0.utf8))) }
                // The server may end the connection before everything has been sent.
                let piece = chunk(space)
                var sentCount = 0
                while sentCount < 100, connection.send(piece) { sentCount += 1 }
                if !parts.1.isEmpty { connection.send(chunk(Array(parts.1.utf8))) }
                connection.send("0\r\n\r\n")
                let answer = try? connection.answer()
                #expect(answer?.status == 413, "JS-25: \(answer?.text ?? "no answer")")
                #expect(answer?.text.contains("body-too-large") == true, "JS-25")
                #expect(site.residentSizeBytes - before < 48 << 20, "JS-25")
            }
            try site.check([])
        }
    }
}
