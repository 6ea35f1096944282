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

        private struct Evidence: Decodable {
            let readings: [Reading]
            let segments: [Part]
        }

        private struct Part: Decodable {
            let segment: String
            let statistic: String
            let feature: String?
            let value: Double?
            let share: Double
            let mix: Double?
        }

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
            // Of an alert of a segment its siblings; the reference names no channel.
            let parts = try #require(busy.first).evidence.segments
            #expect(parts.map(\.segment) == ["channel:web", "channel:app"])
            #expect(parts.map(\.value) == [100, 80])
            #expect(parts.map(\.share) == [100 / 180.0, 80 / 180.0])
            #expect(parts.allSatisfy { $0.mix == nil })
        }

        @Test(.timeLimit(.minutes(2)))
        func `drift by a key spends one budget, and names the segment that moved`() throws {
            let site = try Site(
                "drifting",
                ruleFile: """
                    group: drifting
                    model: drifting
                    budget: { false_alarms: 1 per 30d, tolerance: { ks: 0.03 } }
                    rules:
                      - alert: Moved
                        expr: drift(features, window: 1h)
                        by: channel
                        keep_firing_for: 30d

                    """)
            _ = try site.client.send(
                "PUT", "/v1/models/drifting", headers: ["Content-Type": "application/json"],
                body: Array(#"{"segments":["channel"]}"#.utf8))
            var stream = RecordStream(model: "drifting", startingAt: monday, seed: 52)
            stream.stepMilliseconds = 5_000
            func rows(_ count: Int, line: KeyPath<RecordStream.Row, String>) -> [String] {
                (0..<count).map { index in
                    // The app's rows differ from the web's, and do so in the reference too.
                    let isApp = index % 2 == 0
                    let shift = stream.shift
                    stream.shift = isApp ? 10 + shift : 0
                    defer { stream.shift = shift }
                    return stream.next(1)[0][keyPath: line].dropLast()
                        + #","segments":{"channel":"\#(isApp ? "app" : "web")"}}"#
                }
            }
            try site.client.pinReference(of: "drifting", rows(4_000, line: \.reference))
            for _ in 0..<4 { try site.client.ingest(rows(500, line: \.prediction)) }
            #expect(
                try site.client.get("/v1/alerts?phase=firing").decoded(as: Alerts.self).alerts
                    .isEmpty)

            stream.shift = 1
            for _ in 0..<6 { try site.client.ingest(rows(500, line: \.prediction)) }

            let alerts = try site.client.get("/v1/alerts?phase=firing").decoded(as: Alerts.self)
                .alerts
            #expect(alerts.map(\.segment) == ["channel:app"])
            let part = try #require(alerts.first?.evidence.segments.first)
            #expect(part.segment == "channel:app" && part.statistic == "psi")
            #expect(part.feature == "amount")
            let answer = try site.client.get(
                "/v1/models/drifting/measurements?statistic=drift&window=1h&segment=channel:app&feature=amount"
            )
            #expect(answer.text.contains(#""named":true"#))
            #expect(answer.text.contains(#""segment":"channel:app""#))
        }
    }
}
