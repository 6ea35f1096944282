import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// The forms in which measurements are read: sliding windows, tables, and what is refused.
    struct MeasurementFormTests {
        private static func filled(_ name: String) throws -> Site {
            let site = try Site(name)
            var stream = RecordStream(model: "forms", startingAt: monday, seed: 21)
            stream.stepMilliseconds = 60_000
            try site.client.pinReference(of: "forms", stream.next(500).map(\.reference))
            stream = RecordStream(model: "forms", startingAt: monday, seed: 22)
            stream.stepMilliseconds = 60_000
            try site.client.ingest(stream.next(240).map(\.prediction))
            return site
        }

        @Test(.timeLimit(.minutes(3)))
        func `sliding windows overlap, and the first that reaches the end is the last`() throws {
            let site = try Self.filled("sliding")

            let found = try site.client.measurements(
                of: "forms",
                "window=2h&step=30m&statistic=volume&from=2026-11-23T00:00:00Z&to=2026-11-23T04:00:00Z"
            )

            #expect(
                found.map(\.window.from)
                    == ["00:00", "00:30", "01:00", "01:30", "02:00"].map {
                        "2026-11-23T\($0):00Z"
                    })
            #expect(found.map(\.value) == [Double?](repeating: 120, count: 5))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a table and columns hold what the objects hold`() throws {
            let site = try Self.filled("tables")
            let target = "/v1/models/forms/measurements?window=1h&statistic=psi,ks,accuracy"
            let objects = try site.client.get(target).decoded(as: MeasurementsAnswer.self)

            let csv = try site.client.get(target, headers: ["Accept": "text/csv"])
            let columnar = try site.client.get(
                target, headers: ["Accept": "application/vnd.leeway.columnar+json, */*;q=0.1"])

            #expect(csv.headers["content-type"] == "text/csv; charset=utf-8")
            let lines = csv.text.components(separatedBy: "\r\n")
            #expect(lines.first?.hasPrefix("from,to,statistic,feature,version,segment,") == true)
            #expect(lines.count == objects.measurements.count + 2)
            struct Columns: Decodable {
                let from: [String]
                let statistic: [String]
                let value: [Double?]
                let status: [String]
            }
            let columns = try columnar.decoded(as: Columns.self)
            #expect(columns.from == objects.measurements.map(\.window.from))
            #expect(columns.statistic == objects.measurements.map(\.statistic))
            #expect(columns.value == objects.measurements.map(\.value))
            #expect(columns.status == objects.measurements.map(\.status))
        }

        @Test(.timeLimit(.minutes(3)))
        func `a question that has no answer says what was expected`() throws {
            let site = try Self.filled("questions")
            let rows: [(String, Int)] = [
                ("window=7", 400), ("window=1h&step=7s", 400), ("window=1mo&step=1d", 400),
                ("smoothing=none", 400), ("from=-9223372036854775808", 400),
                ("to=9223372036854775807", 400), ("from=soon", 400), ("statistic=psl", 400),
                ("window=1d&window=2d", 400), ("color=red", 400), ("feature=nobody", 404),
                // Each is answered for each, so that repeats would cost by their square.
                ("statistic=" + Array(repeating: "psi", count: 1_500).joined(separator: ","), 400),
                ("statistic=psi,psi", 400), ("statistic=", 400), ("statistic=psi,,ks", 400),
                ("feature=", 400), ("feature=age,age", 400), ("q=0x1p-1", 400), ("q=nan", 400),
                ("window=1m&from=0000-01-01T00:00:00Z&to=9999-12-31T23:59:59Z", 400),
            ]

            for (query, status) in rows {
                let answer = try site.client.get("/v1/models/forms/measurements?\(query)")
                #expect(answer.status == status, "\(query): \(answer.text)")
            }
            let picture = try site.client.get(
                "/v1/models/forms/measurements", headers: ["Accept": "image/png"])
            #expect(picture.status == 406)
            #expect(site.server.isRunning)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a model that learns its reference says so instead of nothing`() throws {
            let site = try Site("learning")
            var stream = RecordStream(model: "forms", startingAt: monday, seed: 23)
            try site.client.ingest(stream.next(7).map(\.prediction))

            let found = try site.client.measurements(of: "forms", "window=1d&statistic=psi")

            #expect(!found.isEmpty)
            #expect(found.allSatisfy { $0.status == "insufficient_samples" && $0.value == nil })
            #expect(found.first?.reason == "7 rows found, 5000 required")
            #expect(try site.client.volume(of: "forms") == 7, "what needs no reference is told")
        }
    }
}
