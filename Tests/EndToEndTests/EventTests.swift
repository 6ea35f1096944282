import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// What model servers log as CloudEvents, and what brokers expect of a receiver.
    struct EventTests {
        @Test(.timeLimit(.minutes(3)))
        func `halves pair across a crash, in any order, and repeats count nothing`() throws {
            let site = try Site("events")
            let request = #"{"instances":[[6.8,2.8,4.8,1.4],[6.0,3.4,4.5,1.6]]}"#
            let response = #"{"predictions":[1,1]}"#

            try site.client.log("response", id: "a", response)
            try site.client.log("request", id: "b", request)
            site.server.kill()
            try site.restart()
            for _ in 0..<2 {
                try site.client.log("request", id: "a", request, to: "/v1/events")
                try site.client.log("response", id: "b", response)
            }
            site.server.kill()
            try site.restart()
            try site.client.log("response", id: "a", response)
            try site.client.log("request", id: "lonely", request)

            let model = try site.client.model("sklearn-iris")
            #expect(model.records == 4)
            #expect(model.inference?.paired == 2)
            #expect(model.inference?.repeated == 3)
            #expect(model.inference?.waiting == 1)
            #expect(model.features.map(\.name).sorted() == (0..<4).map { "feature-\($0)" })
        }

        @Test(.timeLimit(.minutes(3)))
        func `structured and batched events mean the same, and feedback is ground truth`() throws {
            let site = try Site("structured")
            func event(_ side: String, _ data: String, id: String) -> String {
                #"{"specversion":"1.0","id":"\#(id)","source":"/svc","#
                    + #""type":"io.seldon.serving.\#(side)","time":"2026-11-23T10:00:00Z","#
                    + #""requestid":"puid","inferenceservicename":"churn","#
                    + #""datacontenttype":"application/json","data":\#(data)}"#
            }
            let structured = ["Content-Type": "application/cloudevents+json; charset=utf-8"]
            let one = event(
                "inference.request", #"{"data":{"names":["a"],"ndarray":[[1.0]]}}"#, id: "e1")
            let rest = [
                event("inference.response", #"{"data":{"ndarray":["yes"]}}"#, id: "e2"),
                event("feedback", #"{"truth":{"data":{"ndarray":["yes"]}}}"#, id: "e3"),
                event("other", "1", id: "e4"),
            ]

            let first = try site.client.post("/v1/events", Array(one.utf8), headers: structured)
            let batch = try site.client.post(
                "/", Array("[\(rest.joined(separator: ","))]".utf8),
                headers: ["Content-Type": "application/cloudevents-batch+json"])

            #expect(first.status == 202 && first.body.isEmpty)
            #expect(batch.status == 202 && batch.body.isEmpty)
            let model = try site.client.model("churn")
            #expect(model.records == 1 && model.inference?.paired == 1)
            let again = try site.client.ingest(
                [#"{"model":"churn","id":"puid","label":"yes"}"#], as: "ground-truth")
            #expect(again.duplicates == 1)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a schema names the columns, the task and the id`() throws {
            let site = try Site("event-schema")
            let schema = #"""
                {"task":"binary","positive_label":"1","identity":"header:X-Order",
                 "features":[{"name":"age","kind":"numeric"},{"name":"plan","kind":"categorical"}]}
                """#
            let put = try site.client.send(
                "PUT", "/v1/models/orders", headers: ["Content-Type": "application/json"],
                body: Array(schema.utf8))
            #expect(put.status < 300, "\(put.text)")
            let metadata = #"{"X-Order":["order-1"]}"#
            let target = "/v1/events?model=orders"

            try site.client.log(
                "request", id: "x", #"{"instances":[[41,2]]}"#, metadata: metadata, to: target)
            try site.client.log(
                "response", id: "x", #"{"predictions":[0.25]}"#, metadata: metadata, to: target)

            let model = try site.client.model("orders")
            #expect(model.features.map(\.name) == ["age", "plan"])
            let truth = try site.client.ingest(
                [#"{"model":"orders","id":"order-1","label":"1"}"#], as: "ground-truth")
            #expect(truth.accepted == 1)
            #expect(model.identity == "header:X-Order")
        }

        @Test(.timeLimit(.minutes(3)))
        func `raw tensors follow the JSON in one body`() throws {
            let site = try Site("tensors")
            let json =
                #"{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}"#
            let raw: [UInt8] = [0, 0, 0xC0, 0x3F, 0, 0, 0, 0xC0]

            try site.client.log("request", id: "t", body: Array(json.utf8) + raw)
            try site.client.log(
                "response", id: "t",
                #"{"model_name":"m","model_version":"3","outputs":[{"name":"y","shape":[2],"datatype":"INT64","data":[1,0]}]}"#
            )

            let model = try site.client.model("sklearn-iris")
            #expect(model.records == 2 && model.features.map(\.name) == ["x"])
        }

        @Test(.timeLimit(.minutes(3)))
        func `a call's slices, duration and failure are measured`() throws {
            let site = try Site("event-facts")
            let schema = #"{"segments":["team","region"],"task":"multiclass"}"#
            let put = try site.client.send(
                "PUT", "/v1/models/sklearn-iris", headers: ["Content-Type": "application/json"],
                body: Array(schema.utf8))
            #expect(put.status < 300, "\(put.text)")
            try site.client.pinReference(
                of: "sklearn-iris",
                (0..<200).map {
                    #"{"features":{"x":\#($0 % 10)},"prediction":{"label":"a"},"label":"a"}"#
                })
            let body =
                #"{"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2]},{"name":"region","shape":[2],"datatype":"BYTES","data":["eu","us"]}]}"#
            func log(_ side: String, _ id: String, at time: String, _ body: String) throws {
                var headers = kserveHeaders(side, id: id)
                headers["ce-annotations"] = #"{"team":"risk"}"#
                headers["ce-time"] = time
                headers["ce-recordedtime"] = time
                // One of five calls like b is logged.
                if id == "b" { headers["ce-sampledrate"] = "5" }
                let answer = try site.client.post("/", Array(body.utf8), headers: headers)
                #expect(answer.status == 202, "\(answer.text)")
            }
            try log("request", "a", at: "2026-11-23T10:00:00.0000005Z", body)
            try log(
                "response", "a", at: "2026-11-23T10:00:00.040Z",
                #"{"model_name":"m","outputs":[{"name":"y","shape":[2],"datatype":"BYTES","data":["a","b"]}]}"#
            )
            try log("request", "b", at: "2026-11-23T10:00:01Z", body)
            try log("response", "b", at: "2026-11-23T10:00:01.1Z", #"{"error":"out of memory"}"#)

            func value(_ statistic: String, _ segment: String? = nil) throws -> Double? {
                let answer = try site.client.get(
                    "/v1/models/sklearn-iris/measurements?window=1d&statistic=\(statistic)"
                        + "&from=2026-11-23T00:00:00Z&to=2026-11-24T00:00:00Z"
                        + (segment.map { "&segment=\($0)" } ?? ""))
                return try answer.decoded(as: MeasurementsAnswer.self).measurements.first?.value
            }
            #expect(try value("volume") == 12)
            #expect(try value("error_rate") == 0.5)
            let slow = try #require(try value("latency_p99"))
            #expect(abs(slow - 100) < 5)
            #expect(try value("volume", "team:risk") == 12)
            #expect(try value("volume", "region:eu") == 6)
        }

        @Test(.timeLimit(.minutes(3)))
        func `what is refused is counted and kept, what is not meant for us is counted`() throws {
            let site = try Site("rejects")
            var explainer = kserveHeaders("request", id: "x")
            explainer["ce-component"] = "explainer"
            let refused: [(String, String, [String: String])] = [
                ("/", "{", kserveHeaders("request", id: "1")),
                ("/v1/events", #"{"x":1}"#, kserveHeaders("request", id: "2")),
                ("/data/upload", "{}", ["Content-Type": "application/json"]),
                ("/v1/logs", "[]", ["Content-Type": "application/json"]),
                ("/v1/predictions", "{", ["Content-Type": "application/json"]),
            ]
            for (path, body, headers) in refused {
                #expect(
                    try site.client.post(path, Array(body.utf8), headers: headers).status == 400)
            }
            #expect(
                try site.client.post("/", Array("{}".utf8), headers: explainer).status == 202)

            let status = try site.client.get("/v1/status").text
            for part in [
                #"{"route":"/","code":"malformed-json","count":1}"#,
                #"{"route":"/v1/events","code":"batch-invalid","count":1}"#,
                #"{"route":"/data/upload","code":"batch-invalid","count":1}"#,
                #"{"route":"/v1/logs","code":"batch-invalid","count":1}"#,
                #"{"route":"/v1/predictions","code":"malformed-json","count":1}"#,
                #"{"route":"/","reason":"component","count":1}"#,
            ] { #expect(status.contains(part), "\(part): \(status)") }
            let rejects = try site.client.get("/v1/rejects").text
            // The newest first; a client of our own has read its answer.
            #expect(rejects.hasPrefix(#"{"rejects":[{"at":"#))
            #expect(rejects.contains(#""body":"{\"x\":1}""#), "\(rejects)")
            #expect(!rejects.contains("/v1/predictions"))
            #expect(site.server.stop() == 0)
            try site.restart()
            #expect(try site.client.get("/v1/rejects").text == rejects)
            #expect(try site.client.get("/readyz").status == 200)
        }

        @Test(.timeLimit(.minutes(3)))
        func `answers are those that senders understand`() throws {
            let site = try Site("event-answers")
            let good = kserveHeaders("request", id: "g")
            var unnamed = good
            unnamed["ce-inferenceservicename"] = nil
            var noID = good
            noID["ce-id"] = nil
            let cases: [(String, [String: String], String, Int)] = [
                ("{", good, "cut JSON", 400), (#"{"x":1}"#, good, "no request", 400),
                (#"{"instances":[1]}"#, unnamed, "no service", 400),
                (#"{"instances":[1]}"#, noID, "no id", 400),
                ("{}", ["Content-Type": "application/json"], "no event", 400),
                ("[1]", ["Content-Type": "application/cloudevents-batch+json"], "no object", 400),
            ]
            for (body, headers, what, status) in cases {
                let answer = try site.client.post("/", Array(body.utf8), headers: headers)
                #expect(answer.status == status, "\(what): \(answer.text)")
                #expect(answer.headers["content-type"] == "application/problem+json", "\(what)")
            }
            let options = try site.client.send("OPTIONS", "/", body: nil)
            #expect(options.status == 200 && options.headers["allow"]?.contains("POST") == true)
            #expect(options.headers["webhook-allowed-origin"] == "*")
            let explainer = good.merging(["ce-component": "explainer"]) { $1 }
            #expect(try site.client.post("/", Array("x".utf8), headers: explainer).status == 202)
        }
    }
}

/// The headers of KServe's agent.
func kserveHeaders(_ side: String, id: String, metadata: String = "{}") -> [String: String] {
    [
        "ce-specversion": "1.0", "ce-id": id,
        "ce-type": "org.kubeflow.serving.inference.\(side)",
        "ce-source": "http://localhost:9081/", "ce-time": "2026-11-23T10:00:00.078952900Z",
        "ce-inferenceservicename": "sklearn-iris", "ce-namespace": "default",
        "ce-component": "predictor", "ce-endpoint": "", "ce-metadata": metadata,
        "Content-Type": "application/json",
    ]
}

/// What `/v1/models/{model}` says that tests of foreign formats look at.
struct LoggedModel: Decodable {
    struct Feature: Decodable { let name: String }
    struct Inference: Decodable {
        let paired: Int
        let waiting: Int
        let repeated: Int
    }
    let records: Int
    let identity: String?
    let features: [Feature]
    let inference: Inference?
}

extension HTTPClient {
    /// Logs one half as KServe's agent does; it must be taken.
    func log(
        _ side: String, id: String, _ text: String = "", body: [UInt8]? = nil,
        metadata: String = "{}", to target: String = "/"
    ) throws {
        let answer = try post(
            target, body ?? Array(text.utf8),
            headers: kserveHeaders(side, id: id, metadata: metadata))
        guard answer.status == 202, answer.body.isEmpty else {
            throw HTTPFailure(reason: "\(side): \(answer.status) \(answer.text.prefix(500))")
        }
    }

    func model(_ name: String) throws -> LoggedModel {
        let answer = try get("/v1/models/\(name)")
        guard answer.status == 200 else {
            throw HTTPFailure(reason: "model: \(answer.status) \(answer.text.prefix(500))")
        }
        return try answer.decoded()
    }
}
