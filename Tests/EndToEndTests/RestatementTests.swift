import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// Windows that late rows changed, over HTTP.
    struct RestatementTests {
        private struct Answer: Decodable { let restatements: [Restatement] }

        private struct Restatement: Decodable, Equatable {
            struct Value: Decodable, Equatable {
                let value: Double?
                let status: String
            }
            let statistic: String
            let feature: String?
            let window: MeasurementsAnswer.Window
            let old: Value
            let new: Value
            let restatedAt: String

            enum CodingKeys: String, CodingKey {
                case statistic, feature, window, old, new
                case restatedAt = "restated_at"
            }
        }

        private static let rules = """
            group: late
            model: late
            every: 5m
            rules:
              - alert: Quiet
                expr: volume(window: 1h) < 5

            """

        private func restatements(_ site: Site) throws -> [Restatement] {
            try site.client.get("/v1/models/late/restatements").decoded(as: Answer.self)
                .restatements
        }

        @Test func `late rows restate a judged window, and a restart keeps the log`() throws {
            let site = try Site("restatements", ruleFile: Self.rules)
            #expect(try site.client.get("/v1/models/late/restatements").status == 404)
            var stream = RecordStream(model: "late", startingAt: monday, seed: 31)
            try site.client.pinReference(of: "late", stream.next(500).map(\.reference))
            let early = stream.next(6)
            stream.time += 20 * 60_000
            try site.client.ingest(stream.next(1).map(\.prediction))
            #expect(try restatements(site).isEmpty)

            try site.client.ingest(early.map(\.prediction))

            let log = try restatements(site)
            try #require(log.count == 1)
            #expect(log[0].statistic == "volume")
            #expect(log[0].feature == nil)
            #expect(log[0].old == Restatement.Value(value: 1, status: "ok"))
            #expect(log[0].new == Restatement.Value(value: 7, status: "ok"))
            #expect(log[0].window.from < log[0].restatedAt)
            site.server.kill()
            try site.restart()
            #expect(try restatements(site) == log)
        }
    }
}
