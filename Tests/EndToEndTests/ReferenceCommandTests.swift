import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// `leeway reference` against a running server, and `leeway measure` of a slice.
    struct ReferenceCommandTests {
        private struct References: Decodable {
            struct Entry: Decodable {
                let reference: String
                let rows: Int?
                let state: String
            }
            let references: [Entry]
        }

        private func reference(_ site: Site, _ arguments: [String]) throws -> CommandRun {
            try CommandRun(
                CommandRun.leeway,
                ["reference"] + arguments + ["--server", "http://127.0.0.1:\(site.server.port)"])
        }

        @Test func `a file is pinned, plain or compressed, and the list shows it`() throws {
            let site = try Site("reference-command")
            var stream = RecordStream(model: "ref", startingAt: monday, seed: 41)
            let lines = ndjson(stream.next(300).map(\.reference))
            let plain = site.folder.appendingPathComponent("rows.ndjson")
            let gzip = site.folder.appendingPathComponent("rows.ndjson.gz")
            try Data(lines).write(to: plain)
            try Data(try compressed(lines, by: "gzip")).write(to: gzip)

            for file in [plain, gzip] {
                let run = try reference(site, ["pin", "ref", file.path])
                #expect(run.status == 0, "\(run.errors)")
                #expect(run.text.contains(#""rows":300"#), "\(run.text)")
            }

            let list = try reference(site, ["list", "ref", "--json"])
            let entries = try JSONDecoder().decode(References.self, from: Data(list.output))
            #expect(entries.references.map(\.state) == ["active", "superseded"])
            #expect(entries.references.allSatisfy { $0.rows == 300 })
            let table = try reference(site, ["list", "ref"])
            #expect(table.text.split(separator: "\n").count == 3)
            #expect(table.text.hasPrefix("REFERENCE "))
        }

        @Test func `a span of production is pinned`() throws {
            let site = try Site("reference-span")
            var stream = RecordStream(model: "ref", startingAt: monday, seed: 42)
            try site.client.pinReference(of: "ref", stream.next(300).map(\.reference))
            try site.client.ingest(stream.next(300).map(\.prediction))

            let run = try reference(
                site,
                [
                    "pin", "ref", "--from", "2026-11-23T00:00:00Z", "--to",
                    "2026-11-24T00:00:00Z",
                ])

            #expect(run.status == 0, "\(run.errors)")
            #expect(run.text.contains(#""reference":"r-2""#), "\(run.text)")
        }

        @Test func `refusals are 1, usage is 2, and a server that is not there is 3`() throws {
            let site = try Site("reference-codes")
            let bad = site.folder.appendingPathComponent("bad.ndjson")
            try Data("{\"id\":1\n".utf8).write(to: bad)
            let time = "2026-11-23T00:00:00Z"

            #expect(try reference(site, ["pin", "ref", bad.path]).status == 1)
            #expect(try reference(site, ["list", "unknown"]).status == 1)
            #expect(try reference(site, ["pin", "ref", "--from", time, "--to", time]).status == 1)
            for usage in [
                ["pin", "ref"], ["pin", "ref", "/no/such/file"], ["pin", "ref", "--from", time],
                ["pin", "ref", bad.path, "--from", time, "--to", time], ["pin", "no model", "x"],
                ["pin", "ref", "--from", "yesterday", "--to", time], ["list"], ["unpin", "ref"],
            ] {
                #expect(try reference(site, usage).status == 2, "\(usage)")
            }
            let nowhere = try CommandRun(
                CommandRun.leeway,
                ["reference", "list", "ref", "--server", "http://127.0.0.1:\(try freePort())"])
            #expect(nowhere.status == 3, "\(nowhere.errors)")
        }

        @Test func `measure takes a segment and a fraction`() throws {
            let site = try Site("measure-slice")
            var stream = RecordStream(model: "slice", startingAt: monday, seed: 43)
            try site.client.pinReference(of: "slice", stream.next(300).map(\.reference))
            try site.client.ingest(stream.next(200).map(\.prediction))
            stream.version = "2"
            try site.client.ingest(stream.next(100).map(\.prediction))
            site.server.stop()
            func measure(_ arguments: [String]) throws -> CommandRun {
                try CommandRun(
                    CommandRun.leeway,
                    ["measure", "slice", "--format", "json", "--data", site.data.path] + arguments)
            }
            func values(_ arguments: [String]) throws -> [Double?] {
                try JSONDecoder().decode(
                    MeasurementsAnswer.self, from: Data(try measure(arguments).output)
                ).measurements.map(\.value)
            }

            #expect(try values(["--statistic", "volume", "--segment", "version:2"]) == [100])
            let quantile = ["--statistic", "quantile", "--feature", "amount"]
            let median = try #require(try values(quantile).first ?? nil)
            let high = try #require(try values(quantile + ["--q", "0.9"]).first ?? nil)
            #expect(high > median + 0.5)
            #expect(try measure(["--segment", "web"]).status == 2)
            #expect(try measure(["--q", "1.5"]).status == 2)
        }
    }
}
