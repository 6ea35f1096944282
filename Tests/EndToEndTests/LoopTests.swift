import Foundation
import MonitorStore
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// The loop that the product is for: decay, request, retraining, verdict.
    struct LoopTests {
        private struct Comparison: Decodable {
            struct Run: Decodable { let accuracy: Double }
            let withLoop: Run
            let withoutLoop: Run
            let requests: Int
            let verdicts: [String]

            enum CodingKeys: String, CodingKey {
                case requests, verdicts
                case withLoop = "with_loop"
                case withoutLoop = "without_loop"
            }
        }

        @Test(.timeLimit(.minutes(4)))
        func `the demo's loop over PostgreSQL keeps the model better than no loop`() throws {
            let run = try CommandRun(
                CommandRun.leeway, ["demo", "--json", "--seconds", "110"], deadline: 200)

            try #require(run.status == 0, "\(run.errors.suffix(2_000))")
            let last = try #require(run.text.split(separator: "\n").last)
            let result = try JSONDecoder().decode(Comparison.self, from: Data(last.utf8))
            print("demo: \(last)")
            #expect(result.requests >= 1)
            #expect(result.verdicts.contains("helped"))
            #expect(result.withLoop.accuracy > result.withoutLoop.accuracy)
        }

        @Test(.timeLimit(.minutes(2)))
        func `a report over the API reaches PostgreSQL, and its verdict after it`() throws {
            let postgres = try TemporaryPostgres()
            defer { postgres.stop() }
            let loop = try Loop(arguments: ["--postgres", postgres.dsn])
            try loop.run()

            let connection = try PostgresConnection(dsn: postgres.dsn)
            defer { connection.close() }
            let sql = """
                SELECT state, result->>'new_version', verification->>'verdict'
                  FROM leeway.retraining_requests
                """
            var rows: [[String?]] = []
            _ = wait(upTo: 30) {
                rows = (try? connection.query(sql).rows) ?? []
                return rows == [["succeeded", "2", "helped"]]
            }
            #expect(rows == [["succeeded", "2", "helped"]])
            let status = try loop.site.client.get("/v1/status").text
            #expect(status.contains(#""deliveries":{"pending":0,"given_up":0,"reasons":[]}"#))
        }

        @Test(.timeLimit(.minutes(2)))
        func `a report over the API gets its verdict, and the page shows it`() throws {
            let loop = try Loop()
            try loop.run()
            let request = try #require(try loop.requests().first)

            #expect(try loop.requests().count == 1)
            #expect(request.model == "loop")
            #expect(request.modelVersion == "1")
            #expect(request.reason == "AccuracyDecay")
            #expect(request.state == "succeeded")
            #expect(request.verification?.verdict == "helped")
            #expect((request.verification?.before ?? 1) < (request.verification?.after ?? 0))
            guard let page = try Page.dumped(loop.site.client.port, of: "loop") else { return }
            #expect(page.contains("helped"))
        }
    }
}

/// This is a model that decays, is reported as retrained, and recovers, all over the API.
struct Loop {
    struct Request: Decodable {
        struct Verification: Decodable {
            let verdict: String
            let before: Double
            let after: Double
        }
        let id: String
        let model: String
        let modelVersion: String
        let reason: String
        let state: String
        let verification: Verification?

        enum CodingKeys: String, CodingKey {
            case id, model, reason, state, verification
            case modelVersion = "model_version"
        }
    }

    private struct Requests: Decodable { let requests: [Request] }

    let site: Site

    init(arguments: [String] = []) throws {
        site = try Site(
            "loop",
            ruleFile: """
                group: loop
                model: loop
                every: 5m
                rules:
                  - retrain: AccuracyDecay
                    expr: accuracy(window: 1h) < reference(accuracy) - 0.1
                    cooldown: 3d
                    request: { queue: default, training_window: 1d }

                """, arguments: arguments)
    }

    func requests() throws -> [Request] {
        try site.client.get("/v1/retraining-requests").decoded(as: Requests.self).requests
    }

    func run() throws {
        var stream = RecordStream(model: "loop", startingAt: monday, seed: 11)
        stream.stepMilliseconds = 5_000
        stream.accuracy = 0.95
        try site.client.pinReference(of: "loop", stream.next(2_000).map(\.reference))
        try send(2_000, of: &stream)
        #expect(try requests().isEmpty)

        stream.accuracy = 0.6
        stream.shift = 1
        try send(2_000, of: &stream)
        let request = try #require(try requests().first)
        let id =
            request.id.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? request.id
        let answer = try site.client.post(
            "/v1/retraining-requests/\(id)/report",
            Array(#"{"state":"succeeded","new_version":"2"}"#.utf8),
            headers: ["Content-Type": "application/json"])
        try #require((200..<300).contains(answer.status), "\(answer.text)")

        stream.accuracy = 0.95
        stream.version = "2"
        try send(4_000, of: &stream)
    }

    /// Ground truth comes right after each batch of predictions: the rules see both.
    private func send(_ count: Int, of stream: inout RecordStream) throws {
        for batch in stream.next(count).chunks(of: 250) {
            try site.client.ingest(batch.map(\.prediction))
            try site.client.ingest(batch.map(\.groundTruth), as: "ground-truth")
        }
    }
}
