import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// NM-11: names, categories and ids of one Unicode form or another, and of either case.
    struct LookAlikeTests {
        private struct Model: Decodable {
            struct Feature: Decodable { let name: String }
            let features: [Feature]
            let segments: [String]
            let look_alike_features: Int
        }

        private struct Alerts: Decodable {
            struct Alert: Decodable { let rule: String }
            let alerts: [Alert]
        }

        private static let (one, two) = ("\u{e9}", "e\u{301}")

        private static let rules = """
            group: forms
            model: forms
            rules:
              - alert: One
                expr: mean(\(one), window: 1d) < 1.5
              - alert: OneIsTwo
                expr: mean(\(one), window: 1d) > 1.5
              - alert: Two
                expr: mean(\(two), window: 1d) > 1.5 and mean(\(two), window: 1d) < 2.5
              - alert: Lower
                expr: mean(age, window: 1d) > 3.5

            """

        private static func record(
            _ id: String, _ category: String, at time: Int64 = 0, rest: String = ""
        ) -> String {
            #"{"id":"\#(id)","ts":\#(monday + time),"model":"forms","#
                + #""features":{"\#(one)":1,"\#(two)":2,"Age":3,"age":4,"c":"\#(category)"},"#
                + #""segments":{"s":"\#(category)"},"prediction":{"label":1,"score":0.5}\#(rest)}"#
        }

        @Test(.timeLimit(.minutes(3)))
        func `what differs in its bytes is different, in every question and rule`() throws {
            let (one, two) = (Self.one, Self.two)
            let site = try Site("forms", ruleFile: Self.rules)
            let declared = try site.client.send(
                "PUT", "/v1/models/forms", headers: ["Content-Type": "application/json"],
                body: Array(#"{"segments":["s"]}"#.utf8))
            #expect(declared.status == 200, "\(declared.text)")
            try site.client.pinReference(
                of: "forms",
                (0..<400).map {
                    Self.record("", $0 % 4 == 0 ? one : two, at: -86_400_000, rest: #","label":1"#)
                        .replacing(#""id":"","#, with: "")
                })
            let rows = (0..<300).map { Self.record("\($0)", $0 % 3 == 0 ? one : two) }
            let answer = try site.client.ingest(
                rows + [Self.record(one, one), Self.record(two, one), Self.record(two, one)])
            #expect(answer.accepted == 302 && answer.duplicates == 1)

            let model = try site.client.get("/v1/models/forms").decoded(as: Model.self)
            #expect(model.features.count == 5 && model.look_alike_features == 2)
            #expect(
                model.segments.filter { $0.hasPrefix("s:") }.count { $0.utf8.count > 3 } >= 2)
            func measure(_ query: String) throws -> [Double?] {
                try site.client.measurements(of: "forms", "window=1d&\(query)").map(\.value)
            }
            let (first, second) = ("%C3%A9", "e%CC%81")
            for (feature, value) in [(first, 1.0), (second, 2), ("Age", 3), ("age", 4)] {
                #expect(try measure("statistic=mean&feature=\(feature)") == [value], "\(feature)")
            }
            #expect(
                try measure("statistic=mean&feature=\(second),age,\(first),Age") == [2, 4, 1, 3])
            #expect(try measure("statistic=distinct&feature=c") == [2])
            // A share of one in three where the reference has one in four: seen only where they are two.
            let distance = try measure("statistic=total_variation&feature=c").first ?? nil
            #expect((distance ?? 0) > 0.05, "\(String(describing: distance))")
            #expect(try measure("statistic=volume&segment=s:\(first)") == [102])
            #expect(try measure("statistic=volume&segment=s:\(second)") == [200])

            try site.client.ingest([Self.record("later", one, at: 2 * 86_400_000)])
            let alerts = try site.client.get("/v1/alerts?phase=firing").decoded(as: Alerts.self)
            #expect(Set(alerts.alerts.map(\.rule)) == ["One", "Two", "Lower"])
            site.server.stop()
            let verified = try CommandRun(CommandRun.leeway, ["verify", "--data", site.data.path])
            #expect(verified.status == 0, "\(verified.errors)")
        }

        @Test(.timeLimit(.minutes(3)))
        func `the names of foreign formats keep their bytes too`() throws {
            let site = try Site("foreign-forms")
            let (one, two) = (Self.one, Self.two)
            let fields = ["prediction", one, two].map {
                #"{"key":"\#($0)","value":{"doubleValue":\#($0.utf8.count)}}"#
            }
            let logs =
                #"{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":"#
                + #"{"stringValue":"logs"}}]},"scopeLogs":[{"logRecords":[{"body":{"kvlistValue":"#
                + #"{"values":[\#(fields.joined(separator: ","))]}}}]}]}]}"#

            let answer = try site.client.post(
                "/v1/logs", Array(logs.utf8), headers: ["Content-Type": "application/json"])

            #expect(answer.status == 200 && answer.text == "{}", "\(answer.text)")
            let model = try site.client.get("/v1/models/logs").decoded(as: Model.self)
            #expect(model.features.count == 2 && model.look_alike_features == 1)
        }
    }
}
