import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// A group's alert budget, from the rule file to the answer.
    struct DriftTests {
        private struct Alerts: Decodable { let alerts: [Alert] }

        private struct Alert: Decodable {
            struct Evidence: Decodable {
                let null: String
                let level: Double?
                let topFeatures: [Feature]

                enum CodingKeys: String, CodingKey {
                    case null, level
                    case topFeatures = "top_features"
                }
            }
            struct Feature: Decodable {
                let feature: String
                let evidence: Double
                let distance: Double?
                let lower: Double?
                let named: Bool
            }
            let rule: String
            let evidence: Evidence
        }

        private struct Measurements: Decodable { let measurements: [Measurement] }

        private struct Measurement: Decodable {
            let statistic: String
            let feature: String?
            let value: Double?
            let lower: Double?
            let status: String
            let null: String?
            let named: Bool?
            let tolerance: Double?
            let state: String?
            let outcomes: Int?
        }

        private static let rules = """
            group: budget
            model: budget
            every: 5m
            budget: { false_alarms: 1 per 30d, tolerance: { ks: 0.03 } }
            rules:
              - alert: Moved
                expr: drift(features, window: 1h) or drift(prediction, window: 1h)
                keep_firing_for: 30d
              - alert: Errors
                expr: ddm(error, window: 7d) > 0

            """

        private func measurements(_ site: Site, _ query: String) throws -> [Measurement] {
            try site.client.get("/v1/models/budget/measurements?\(query)")
                .decoded(as: Measurements.self).measurements
        }

        @Test(.timeLimit(.minutes(2)))
        func `a budget's alarm names the feature, the null and the level`() throws {
            let site = try Site("budget", ruleFile: Self.rules)
            var stream = RecordStream(model: "budget", startingAt: monday, seed: 21)
            stream.stepMilliseconds = 5_000
            try site.client.pinReference(of: "budget", stream.next(5_000).map(\.reference))
            for batch in stream.next(3_000).chunks(of: 500) {
                try site.client.ingest(batch.map(\.prediction))
                try site.client.ingest(batch.map(\.groundTruth), as: "ground-truth")
            }
            let quiet = try site.client.get("/v1/alerts?phase=firing").decoded(as: Alerts.self)
            #expect(!quiet.alerts.contains { $0.rule == "Moved" })

            stream.shift = 1
            for batch in stream.next(3_000).chunks(of: 500) {
                try site.client.ingest(batch.map(\.prediction))
            }

            let firing = try site.client.get("/v1/alerts?phase=firing").decoded(as: Alerts.self)
            let alert = try #require(firing.alerts.first { $0.rule == "Moved" })
            #expect(alert.evidence.null == "rows")
            let level = try #require(alert.evidence.level)
            #expect(abs(level - 1.0 / 720) < 1e-12)
            let top = try #require(alert.evidence.topFeatures.first)
            #expect(top.feature == "amount")
            #expect(top.named)
            #expect(try #require(top.lower) > 0.03)
            #expect(
                alert.evidence.topFeatures.map(\.feature).sorted() == [
                    "amount", "colour", "prediction",
                ])

            let drift = try measurements(site, "statistic=drift&window=1h")
            let named = drift.filter { $0.named == true }
            #expect(!named.isEmpty)
            #expect(named.allSatisfy { $0.feature == "amount" && $0.null == "rows" })
            #expect(named.allSatisfy { $0.tolerance == 0.03 && ($0.lower ?? 0) <= ($0.value ?? 0) })
            #expect(drift.contains { $0.named == false && $0.status == "ok" })
            let days = try measurements(site, "statistic=drift&window=1d")
            #expect(days.allSatisfy { $0.status == "undefined" })
            let ddm = try measurements(site, "statistic=ddm&window=1d")
            #expect(ddm.map(\.feature) == ["error"])
            #expect(ddm.map(\.outcomes) == [3_000])
            #expect(ddm.allSatisfy { $0.state != nil })
            // Detectors are not among what is given unasked.
            let all = try measurements(site, "window=1d")
            #expect(!all.contains { ["drift", "ddm"].contains($0.statistic) })
        }
    }
}
