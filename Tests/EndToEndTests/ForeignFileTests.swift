import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// Recorded files of other systems, folded into a data directory or sent to a server.
    struct ForeignFileTests {
        private static let sageMaker = #"""
            {"captureData":{"endpointInput":{"observedContentType":"application/json","mode":"INPUT","data":"{\"instances\": [{\"features\": [28, 2, 133937, 9, 13, 2, 0, 0, 4, 1, 15024, 0, 55, 37]}]}","encoding":"JSON"},"endpointOutput":{"observedContentType":"application/json","mode":"OUTPUT","data":"{\"predictions\": [{\"score\": 0.9899773597717285, \"predicted_label\": 1}]}","encoding":"JSON"}},"eventMetadata":{"eventId":"7ddb2d7c-4d6a-4e67-a68e-23870399829d","inferenceTime":"2024-01-19T19:27:57Z"},"eventVersion":"0"}
            {"groundTruthData":{"data":"1","encoding":"CSV"},"eventMetadata":{"eventId":"7ddb2d7c-4d6a-4e67-a68e-23870399829d"},"eventVersion":"0"}

            """#
        private static let azure = [
            #"{"specversion":"1.0","id":"1","source":"/subscriptions/S/onlineEndpoints/E/deployments/D","type":"azureml.inference.model_inputs","datacontenttype":"application/json","time":"2024-03-05T18:16:25Z","data":[{"LIMIT_BAL":502970,"AGE":54},{"LIMIT_BAL":293458,"AGE":35}],"correlationid":"test"}"#,
            #"{"specversion":"1.0","id":"2","source":"/subscriptions/S/onlineEndpoints/E/deployments/D","type":"azureml.inference.model_outputs","datacontenttype":"application/json","time":"2024-03-05T18:16:25Z","data":[{"label":1},{"label":0}],"correlationid":"test"}"#,
        ].joined(separator: "\n")
        private static let databricks =
            #"{"databricks_request_id":"d-1","client_request_id":"c-1","timestamp_ms":1772366400000,"status_code":200,"request":"{\"dataframe_records\":[{\"age\":41},{\"age\":35}]}","response":"{\"predictions\":[1,0]}"}"#
        private static let csv =
            "loan_id,timestamp,age,plan,prediction,defaulted\n"
            + (0..<30).map {
                "L\($0),2026-11-23 10:00:\(10 + $0),\(20 + $0),\"a, \($0 % 2)\",\($0 % 2),\($0 % 2)\n"
            }
            .joined()
        private static let csvOptions = ["--column", "id=loan_id", "--column", "truth=defaulted"]

        @Test(
            .timeLimit(.minutes(3)),
            arguments: [
                ("sagemaker", sageMaker, [], "m", 1, 2), ("azure", azure, [], "E", 2, 4),
                ("databricks", databricks, [], "m", 2, 2), ("csv", csv, csvOptions, "m", 30, 60),
            ] as [(String, String, [String], String, Int, Int)])
        func `a foreign file is folded, again for nothing, and sent alike`(
            name: String, text: String, options: [String], model: String, count: Int, accepted: Int
        ) throws {
            let site = try Site("foreign-" + name)
            let file = site.folder.appendingPathComponent("file")
            try Data(text.utf8).write(to: file)
            let named = model == "m" ? ["--model", "m"] : []

            let sent = try CommandRun(
                CommandRun.leeway,
                ["replay", file.path, "--to", "http://127.0.0.1:\(site.server.port)"] + named
                    + options)
            #expect(sent.status == 0, "\(sent.errors)")
            #expect(try site.client.model(model).records == count)
            #expect(site.server.stop() == 0)
            let again = try CommandRun(
                CommandRun.leeway,
                ["replay", file.path, "--data", site.data.path] + named + options)
            #expect(
                again.text.contains("0 records, \(accepted) duplicates"),
                "\(again.text)\(again.errors)")

            let zipped = try CommandRun(
                CommandRun.leeway,
                [
                    "replay", "-", "--data", site.folder.appendingPathComponent("new").path,
                    "--progress",
                ]
                    + named + options, input: try compressed(Array(text.utf8), by: "gzip"))
            #expect(zipped.status == 0, "\(zipped.errors)")
            #expect(zipped.text.contains("-: \(accepted) records, 0 duplicates") || name == "azure")
        }

        /// Each format that `replay` reads, and how many records each file holds.
        private static let files: [(String, String, [String], Int)] = [
            ("sagemaker", sageMaker, ["--model", "m"], 2),
            ("azure", azure, [], 4),
            ("databricks", databricks, ["--model", "m"], 2),
            ("csv", csv, ["--model", "m"] + csvOptions, 60),
            (
                "ndjson",
                (0..<30).map {
                    #"{"id":"\#($0)","ts":"2026-11-23T10:00:00Z","features":{"x":\#($0)}}"# + "\n"
                }.joined(), ["--model", "m"], 30
            ),
        ]

        @Test(.timeLimit(.minutes(3)))
        func `every format is read plain, gzip and zstd, from a file and from standard input`()
            throws
        {
            let folder = try Repository.temporaryFolder("formats")
            defer { try? FileManager.default.removeItem(at: folder) }
            for (name, text, options, count) in Self.files {
                for encoder in [nil, "gzip", "zstd"] {
                    let bytes = try encoder.map { try compressed(Array(text.utf8), by: $0) }
                    let content = bytes ?? Array(text.utf8)
                    // Nothing of the name tells the format or the compression.
                    let file = folder.appendingPathComponent("recorded")
                    try Data(content).write(to: file)
                    for source in [file.path, "-"] {
                        let what =
                            "\(name), \(encoder ?? "plain"), \(source == "-" ? "standard input" : "file")"
                        let data = folder.appendingPathComponent("data").path
                        try? FileManager.default.removeItem(atPath: data)
                        let run = try CommandRun(
                            CommandRun.leeway, ["replay", source, "--data", data] + options,
                            input: source == "-" ? content : nil)
                        #expect(run.status == 0, "\(what): \(run.errors)")
                        let verified = try CommandRun(
                            CommandRun.leeway, ["verify", "--data", data])
                        #expect(verified.status == 0, "\(what): \(verified.errors)")
                        #expect(
                            verified.text.contains("\(count) records, 1 models; no difference"),
                            "\(what): \(verified.text)")
                    }
                }
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `a cut or changed file ends the replay with its reason, after what was good`() throws {
            let folder = try Repository.temporaryFolder("cut")
            defer { try? FileManager.default.removeItem(at: folder) }
            let text = Self.files[4].1
            for encoder in ["gzip", "zstd"] {
                let packed = try compressed(Array(text.utf8), by: encoder)
                var flipped = packed
                flipped[packed.count / 2] ^= 0x5A
                for (index, bytes) in [Array(packed.dropLast(3)), flipped, packed + [0, 1]]
                    .enumerated()
                {
                    let file = folder.appendingPathComponent("\(encoder)-\(index)")
                    try Data(bytes).write(to: file)
                    let run = try CommandRun(
                        CommandRun.leeway,
                        [
                            "replay", file.path, "--model", "m", "--data",
                            folder.appendingPathComponent("data").path,
                        ])
                    #expect(run.status == 1, "\(encoder) \(index): \(run.text)")
                    #expect(run.errors.contains(file.path), "\(run.errors)")
                }
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `requests without responses wait, or count alone where that is asked for`() throws {
            let site = try Site("unpaired")
            #expect(site.server.stop() == 0)
            let file = site.folder.appendingPathComponent("inputs")
            try Data((Self.azure.split(separator: "\n").first ?? "").utf8).write(to: file)
            let base = ["replay", file.path, "--data", site.data.path]

            let waiting = try CommandRun(CommandRun.leeway, base)
            let alone = try CommandRun(CommandRun.leeway, base + ["--unpaired"])

            #expect(waiting.text.contains("1 requests or responses wait"), "\(waiting.text)")
            #expect(alone.text.contains("1 requests or responses without"), "\(alone.text)")
            let verified = try CommandRun(CommandRun.leeway, ["verify", "--data", site.data.path])
            #expect(verified.status == 0, "\(verified.text)\(verified.errors)")
            try site.restart()
            let model = try site.client.model("E")
            #expect(model.records == 2 && model.inference?.waiting == 0)
            #expect(model.features.map(\.name).sorted() == ["AGE", "LIMIT_BAL"])
        }

        @Test(.timeLimit(.minutes(3)))
        func `a bad line, a bad option and an unknown content end with their reason`() throws {
            let folder = try Repository.temporaryFolder("foreign-bad")
            defer { try? FileManager.default.removeItem(at: folder) }
            let file = folder.appendingPathComponent("file")
            try Data("id,score\n1,0.5\n2,high\n".utf8).write(to: file)
            let base = ["replay", file.path, "--data", folder.appendingPathComponent("data").path]
            let cases: [([String], Int32, String)] = [
                (["--model", "m"], 1, "line 3"), ([], 1, "model"),
                (["--model", "m", "--column", "x"], 2, "ROLE=COLUMN"),
                (["--model", "m", "--format", "xml"], 2, "xml"),
                (["--model", "m", "--column", "id=nothing"], 1, "nothing"),
                (["--model", "m", "--to", "http://127.0.0.1:1"], 2, "either"),
                (["--model", "m", "--format", "sagemaker"], 1, "line 1"),
            ]
            for (options, code, text) in cases {
                let run = try CommandRun(CommandRun.leeway, base + options, deadline: 20)
                #expect(run.status == code, "\(options): \(run.errors)")
                #expect(run.errors.contains(text), "\(options): \(run.errors)")
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `TrustyAI's upload pins a reference, adds rows and ground truth`() throws {
            let site = try Site("trusty")
            func upload(_ tag: String, truth: Bool, id: String, label: Int) throws -> HTTPAnswer {
                let body =
                    #"{"model_name":"m","data_tag":"\#(tag)","is_ground_truth":\#(truth),"#
                    + #""request":{"id":"\#(id)","inputs":[{"name":"x","shape":[2,2],"datatype":"FP64","data":[[1,2],[3,4]]}]},"#
                    + #""response":{"outputs":[{"name":"y","shape":[2],"datatype":"INT64","data":[\#(label),0]}]}}"#
                return try site.client.post(
                    "/data/upload", Array(body.utf8), headers: ["Content-Type": "application/json"])
            }

            let training = try upload("TRAINING", truth: false, id: "t", label: 1)
            let live = try upload("", truth: false, id: "p", label: 1)
            let truth = try upload("", truth: true, id: "p", label: 0)

            for answer in [training, live, truth] {
                #expect(answer.status == 200)
                #expect(
                    answer.text
                        == #"{"status":"success","message":"2 datapoints successfully added to m data."}"#
                )
            }
            #expect(try site.client.model("m").records == 2)
            let again = try site.client.ingest(
                [#"{"model":"m","id":"p/0","label":"0"}"#], as: "ground-truth")
            #expect(again.duplicates == 1)
            let bad = try site.client.post(
                "/data/upload", Array("{}".utf8), headers: ["Content-Type": "application/json"])
            #expect(bad.status == 400)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a pass-through sends on the request as it came, without its secrets`() throws {
            let receiver = try Site("receiver")
            let folder = try Repository.temporaryFolder("pass")
            defer { try? FileManager.default.removeItem(at: folder) }
            let server = try LeewayServer(
                data: folder.appendingPathComponent("data"),
                arguments: [
                    "--forward-events", "http://127.0.0.1:\(receiver.server.port)/v1/events",
                ])

            try server.client.log("request", id: "a", #"{"instances":[[1,2]]}"#)
            let headers = kserveHeaders("response", id: "a").merging(
                ["Content-Encoding": "gzip", "Authorization": "Bearer secret"]) { $1 }
            let answer = try server.client.post(
                "/", try compressed(Array(#"{"predictions":[1]}"#.utf8), by: "gzip"),
                headers: headers)

            #expect(answer.status == 202)
            let hasArrived = wait(upTo: 20) {
                (try? receiver.client.model("sklearn-iris").records) == 1
            }
            #expect(hasArrived, "\(server.logTail)")
            #expect(try server.client.model("sklearn-iris").records == 1)
            #expect(!server.logTail.contains("secret"))
        }
    }
}
