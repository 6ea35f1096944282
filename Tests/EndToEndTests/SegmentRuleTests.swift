import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// A rule with `by`, from the file to the alerts.
    struct SegmentRuleTests {
        private struct Alerts: Decodable { let alerts: [Alert] }

        private struct Alert: Decodable {
            let rule: String
            let segment: String?
            let labels: [String: String]
            let value: Double?
            let fingerprint: String
            let evidence: Evidence
        }

        private struct Evidence: Decodable { let readings: [Reading] }

        private struct Reading: Decodable { let segment: String? }

        private static let rules = """
            group: slices
            model: slices
            rules:
              - alert: Busy
                expr: volume(window: 1h) > 50
                by: channel
                labels: { severity: ticket }
              - alert: Tail
                expr: quantile(amount, window: 1h, q: 0.99) > 1.5 and quantile(amount, window: 1h) < 1

            """

        @Test func `each value of a key has its own alert, with its own value and evidence`() throws
        {
            let site = try Site("slices", ruleFile: Self.rules)
            let declared = try site.client.send(
                "PUT", "/v1/models/slices", headers: ["Content-Type": "application/json"],
                body: Array(#"{"segments":["channel"]}"#.utf8))
            #expect(declared.status == 200, "\(declared.text)")
            var stream = RecordStream(model: "slices", startingAt: monday, seed: 51)
            try site.client.pinReference(of: "slices", stream.next(500).map(\.reference))
            for (channel, count) in [("web", 100), ("app", 80), ("shop", 20)] {
                let lines: [String] = stream.next(count).map { row in
                    row.prediction.dropLast() + #","segments":{"channel":"\#(channel)"}}"#
                }
                try site.client.ingest(lines)
            }
            // All lie in the last hour.
            let alerts = try site.client.get("/v1/alerts?phase=firing").decoded(as: Alerts.self)
                .alerts

            let busy = alerts.filter { $0.rule == "Busy" }
            #expect(busy.map(\.segment) == ["channel:app", "channel:web"])
            #expect(
                busy.map(\.labels)
                    == ["app", "web"].map {
                        ["severity": "ticket", "segment": "channel:\($0)"]
                    })
            #expect(
                busy.map(\.fingerprint) == [
                    "slices/slices/Busy/channel:app", "slices/slices/Busy/channel:web",
                ])
            #expect(busy.map { $0.evidence.readings.map(\.segment) } == busy.map { [$0.segment] })
            #expect(alerts.filter { $0.rule == "Tail" }.map(\.segment) == [nil])
        }
    }
}
