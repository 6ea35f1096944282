import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// Texts, vectors and numbers of single precision, from the schema to the measurements.
    struct FeatureKindTests {
        private struct Model: Decodable {
            struct Feature: Decodable {
                let name: String
                let kind: String
                let precision: String?
                let dimension: Int?
                let measured: [String]?
            }
            let features: [Feature]
        }

        private static let schema = #"""
            {"task":"binary","positive_label":"1","features":[
              {"name":"note","kind":"text"},
              {"name":"face","kind":"vector","dimension":3,"precision":"float32"},
              {"name":"ratio","kind":"numeric","precision":"float32"},
              {"name":"age","kind":"numeric"}]}
            """#

        private func declare(
            _ site: Site, _ body: String, model: String = "kinds"
        ) throws
            -> HTTPAnswer
        {
            try site.client.send(
                "PUT", "/v1/models/\(model)", headers: ["Content-Type": "application/json"],
                body: Array(body.utf8))
        }

        /// A record whose text has `words` words, and whose vector is (x, 2x, 2x), of norm 3x.
        private func record(_ index: Int, words: Int, x: Int, isReference: Bool = false) -> String {
            let note = [String](repeating: "word", count: words).joined(separator: " ")
            let fields = [
                #""id":"k\#(index)""#, #""ts":\#(monday + Int64(index) * 1_000)"#,
                #""model":"kinds""#,
                #""features":{"note":"\#(note)","face":[\#(x),\#(2 * x),\#(2 * x)],"ratio":0.1,"age":\#(index % 50)}"#,
                #""prediction":{"label":\#(index % 2),"score":\#(index % 2 == 0 ? 0.2 : 0.9)}"#,
            ]
            return "{" + (isReference ? fields.dropFirst() : fields[...]).joined(separator: ",")
                + "}"
        }

        @Test(.timeLimit(.minutes(3)))
        func `a declared text, vector and single are measured, drift, and replay alike`() throws {
            let site = try Site("kinds")
            #expect(try declare(site, Self.schema).status == 200)
            let shown = try site.client.get("/v1/models/kinds").decoded(as: Model.self).features
            #expect(shown.map(\.kind) == ["text", "vector", "numeric", "numeric"])
            #expect(shown[1].dimension == 3 && shown[1].precision == "float32")
            #expect(shown[2].precision == "float32" && shown[3].precision == nil)
            #expect(shown[0].measured?.first == "note.length" && shown[1].measured?.count == 9)
            try site.client.pinReference(
                of: "kinds",
                (0..<200).map { record($0, words: 2 + $0 % 3, x: 1 + $0 % 4, isReference: true) })

            let lines = (0..<100).map { index in
                index % 4 == 0
                    ? #"{"id":"k\#(index)","ts":\#(monday + Int64(index) * 1_000),"model":"kinds","features":{"age":1}}"#
                    : record(index, words: 9, x: 10)
            }
            for batch in lines.chunks(of: 30) { try site.client.ingest(batch) }

            func value(_ statistic: String, _ feature: String) throws -> Double? {
                let found = try site.client.measurements(
                    of: "kinds", "window=1d&statistic=\(statistic)&feature=\(feature)")
                return found.first?.value
            }
            #expect(try value("mean", "note.tokens") == 9)
            #expect(try value("mean", "note.length") == 44)
            #expect(try value("max", "face.norm") == 30)
            #expect(try value("mean", "ratio") == Double(Float(0.1)))
            for feature in ["note", "face", "note.length", "face.projection_8", "ratio"] {
                #expect(try value("missing_rate", feature) == 0.25, "\(feature)")
            }
            #expect(try value("ks", "face.norm") == 1)
            #expect(try (value("psi", "note.tokens") ?? 0) > 1)
            let all = try site.client.measurements(of: "kinds", "window=1d&statistic=psi")
            #expect(all.count == 8 + 9 + 2)
            let rates = try site.client.measurements(
                of: "kinds", "window=1d&statistic=type_error_rate")
            #expect(rates.map(\.feature) == ["note", "face", "ratio", "age"])
            #expect(rates.allSatisfy { $0.value == 0 })

            let verified = try CommandRun(CommandRun.leeway, ["verify", "--data", site.data.path])
            #expect(verified.status == 0, "\(verified.errors)")
            site.server.kill()
            try site.restart()
            #expect(try value("max", "face.norm") == 30)
        }

        @Test(.timeLimit(.minutes(3)))
        func `wrong values are named, and in the partial mode counted`() throws {
            let site = try Site("wrong-kinds")
            #expect(try declare(site, Self.schema).status == 200)
            try site.client.pinReference(
                of: "kinds", (0..<50).map { record($0, words: 3, x: 1, isReference: true) })
            func line(_ index: Int, _ features: String) -> String {
                #"{"id":"w\#(index)","ts":\#(monday),"model":"kinds","features":{\#(features)}}"#
            }
            let faults = [
                (#""face":[1,2]"#, "/features/face", "feature-type-conflict"),
                (#""face":[1,"2",3]"#, "/features/face/1", "invalid-field"),
                (#""face":[1,2,1e39]"#, "/features/face/2", "invalid-field"),
                (#""face":[]"#, "/features/face", "invalid-field"),
                (#""note":7"#, "/features/note", "feature-type-conflict"),
                (#""ratio":"x""#, "/features/ratio", "feature-type-conflict"),
                (#""ratio":1e39"#, "/features/ratio", "invalid-field"),
            ]
            for (features, pointer, code) in faults {
                let answer = try site.client.post(
                    "/v1/predictions", Array(line(0, features).utf8))
                #expect(answer.status == 422)
                #expect(answer.text.contains(#""pointer":"\#(pointer)""#), "\(answer.text)")
                #expect(answer.text.contains(code), "\(answer.text)")
            }
            let body = [line(1, #""age":1"#), line(2, #""age":2"#)] + faults.map { line(3, $0.0) }
            let answer = try site.client.post(
                "/v1/predictions?mode=partial", Array(body.joined(separator: "\n").utf8))
            #expect(answer.status == 207)
            let alone = try site.client.post(
                "/v1/predictions?mode=partial", Array(line(4, #""age":"old""#).utf8))
            #expect(alone.status == 422)

            func rate(_ feature: String) throws -> Double? {
                try site.client.measurements(
                    of: "kinds", "window=1d&statistic=type_error_rate&feature=\(feature)"
                ).first?.value
            }
            // Two rows were stored; a number too large is of the right type.
            for feature in ["note", "ratio", "age"] {
                #expect(try rate(feature) == 1.0 / 3, "\(feature)")
            }
            #expect(try rate("face") == 3.0 / 5)
            #expect(try site.client.volume(of: "kinds") == 2)
            let verified = try CommandRun(CommandRun.leeway, ["verify", "--data", site.data.path])
            #expect(verified.status == 0, "\(verified.errors)")
        }

        /// Who logs and exports does not look at the answer: what is wrong is seen by its rate.
        @Test(.timeLimit(.minutes(3)))
        func `wrong values of events and of log records are counted without a mode`() throws {
            let site = try Site("wrong-foreign")
            #expect(try declare(site, Self.schema).status == 200)
            try site.client.pinReference(
                of: "kinds", (0..<50).map { record($0, words: 3, x: 1, isReference: true) })
            func event(_ id: Int, _ features: String) throws -> Int {
                let headers = [
                    "ce-specversion": "1.0", "ce-id": "\(id)", "ce-source": "s",
                    "ce-type": "org.kubeflow.serving.inference.request",
                    "ce-time": "2026-11-23T00:00:01Z", "ce-inferenceservicename": "kinds",
                    "Content-Type": "application/json",
                ]
                return try site.client.post(
                    "/v1/events", Array(#"{"instances":[{\#(features)}]}"#.utf8), headers: headers
                ).status
            }
            func log(_ feature: String, _ value: String) -> String {
                #"{"timeUnixNano":"\#(monday)000000","body":{"kvlistValue":{"values":[{"key":"prediction","value":{"intValue":"1"}},{"key":"features","value":{"kvlistValue":{"values":[{"key":"\#(feature)","value":{\#(value)}}]}}}]}}}"#
            }
            let logs = [
                log("age", #""doubleValue":4"#), log("age", #""stringValue":"old""#),
                log("face", #""doubleValue":1"#),
            ]

            #expect(try event(1, #""age":"old""#) == 400)
            #expect(try event(2, #""age":{"a":1}"#) == 400)
            let answer = try site.client.post(
                "/v1/logs?model=kinds",
                Array(
                    #"{"resourceLogs":[{"scopeLogs":[{"logRecords":[\#(logs.joined(separator: ","))]}]}]}"#
                        .utf8), headers: ["Content-Type": "application/json"])
            #expect(answer.status == 200 && answer.text.contains(#""rejectedLogRecords":"2""#))

            func rate(_ feature: String) throws -> Double? {
                try site.client.measurements(
                    of: "kinds", "window=1d&statistic=type_error_rate&feature=\(feature)"
                ).first?.value
            }
            // One row was stored; an object is no value of any feature.
            #expect(try rate("age") == 2.0 / 3)
            #expect(try rate("face") == 1.0 / 2)
            #expect(try rate("note") == 0)
            #expect(try site.client.volume(of: "kinds") == 1)
            let verified = try CommandRun(CommandRun.leeway, ["verify", "--data", site.data.path])
            #expect(verified.status == 0, "\(verified.errors)")
        }

        @Test(.timeLimit(.minutes(3)))
        func `a schema that cannot be is refused in words`() throws {
            let site = try Site("schemas")
            let rows = [
                (#"{"name":"a","kind":"image"}"#, "numeric, categorical, text or vector expected"),
                (#"{"name":"a","kind":"vector"}"#, "dimension none found"),
                (#"{"name":"a","kind":"vector","dimension":0}"#, "dimension 0 found"),
                (#"{"name":"a","kind":"vector","dimension":4097}"#, "1 to 4096 expected"),
                (#"{"name":"a","kind":"numeric","dimension":3}"#, "only a vector has"),
                (#"{"name":"a","kind":"numeric","precision":"half"}"#, "float32 or float64"),
                (#"{"name":"a","kind":"text","precision":"float32"}"#, "only numbers have"),
                (#"{"name":"a","kind":"text","size":3}"#, "features/size: unknown"),
            ]
            for (feature, words) in rows {
                let answer = try declare(site, #"{"features":[\#(feature)]}"#)
                #expect(answer.status == 422 && answer.text.contains(words), "\(answer.text)")
            }
            let clash = try declare(
                site,
                #"{"features":[{"name":"a","kind":"text"},{"name":"a.length","kind":"numeric"}]}"#)
            #expect(clash.status == 422 && clash.text.contains("is a measure of"), "\(clash.text)")
            let features = (0..<223).map { #"{"name":"v\#($0)","kind":"vector","dimension":2}"# }
            let many = try declare(site, #"{"features":[\#(features.joined(separator: ","))]}"#)
            #expect(many.status == 422 && many.text.contains("cardinality-limit"), "\(many.text)")
            #expect(site.server.isRunning)
        }
    }
}
