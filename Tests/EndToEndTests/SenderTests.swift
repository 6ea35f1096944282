import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// What people have and do beside the examples: mixed files, folders, slips, receivers that are down.
    struct SenderTests {
        private func replay(_ arguments: [String], to data: URL) throws -> CommandRun {
            try CommandRun(CommandRun.leeway, ["replay", "--data", data.path] + arguments)
        }

        @Test(.timeLimit(.minutes(2)))
        func `both kinds of records may stand in one file, and files in folders`() throws {
            let folder = try Repository.temporaryFolder("mixed")
            defer { try? FileManager.default.removeItem(at: folder) }
            var stream = RecordStream(model: "mixed", startingAt: monday, seed: 31)
            let rows = stream.next(60)
            let lines = rows.flatMap { [$0.prediction, $0.groundTruth] }
            let hours = folder.appendingPathComponent("in/2026/11/23/10")
            try FileManager.default.createDirectory(at: hours, withIntermediateDirectories: true)
            try Data(ndjson(Array(lines[..<50]))).write(to: hours.appendingPathComponent("a.jsonl"))
            try Data(ndjson(Array(lines[50...]))).write(to: hours.appendingPathComponent("b.jsonl"))
            try Data().write(to: hours.appendingPathComponent("_SUCCESS"))
            let source = folder.appendingPathComponent("in").path

            let data = folder.appendingPathComponent("data")
            let folded = try replay([source], to: data)
            #expect(folded.status == 0, "\(folded.errors)")
            #expect(folded.text.contains("a.jsonl: 50 records, 0 duplicates"), "\(folded.text)")
            #expect(folded.text.contains("b.jsonl: 70 records, 0 duplicates"), "\(folded.text)")
            #expect(try replay([source], to: data).text.contains("b.jsonl: 0 records, 70 dup"))

            let site = try Site("mixed-server")
            let sent = try CommandRun(
                CommandRun.leeway,
                ["replay", source, "--to", "http://127.0.0.1:\(site.server.port)"])
            #expect(sent.status == 0, "\(sent.errors)")
            #expect(try site.client.model("mixed").records == 60)
        }

        @Test(
            .timeLimit(.minutes(2)),
            arguments: [
                (#"{"id":"x","id":"y"}"#, "line 4, byte 10: a repeated key"),
                (
                    #"{"id":"x","model":"m","foo":1,"features":{}}"#,
                    "line 4, /foo: an unknown field"
                ),
                (#"{"model":"m","label":1}"#, "line 4, /id: ground truth needs an id"),
                (
                    #"{"id":"x","model":"m","ts":"2226-01-01T00:00:00Z","features":{}}"#,
                    "line 4, /ts: "
                ),
            ])
        func `what is wrong in a file is told by its line`(bad: String, told: String) throws {
            let folder = try Repository.temporaryFolder("bad-line")
            defer { try? FileManager.default.removeItem(at: folder) }
            let lines = [
                #"{"id":"1","model":"m","features":{"a":1}}"#, #"{"id":"1","model":"m","label":1}"#,
                "", bad, #"{"id":"2","model":"m","label":1}"#,
            ]
            let file = folder.appendingPathComponent("f.ndjson")
            try Data(ndjson(lines)).write(to: file)

            let run = try replay([file.path], to: folder.appendingPathComponent("data"))

            #expect(run.status == 1)
            #expect(run.errors.hasPrefix("error: \(file.path): \(told)"), "\(run.errors)")
        }

        @Test(.timeLimit(.minutes(2)))
        func `damaged bytes are named, and nobody else may read the data`() throws {
            let site = try Site("damaged-bytes")
            var stream = RecordStream(model: "damaged", startingAt: monday, seed: 32)
            for batch in stream.next(600).chunks(of: 100) {
                try site.client.ingest(batch.map(\.prediction))
            }
            #expect(site.server.stop() == 0)
            let file = site.data.appendingPathComponent("leeway.sqlite").path
            let rights = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions]
            #expect(rights as? Int == 0o600)
            let script = """
                import sqlite3, sys
                c = sqlite3.connect(sys.argv[1])
                for table, column in (("entry", "payload"), ("snapshot", "bytes")):
                    place, data = c.execute(
                        f"SELECT position, {column} FROM {table} ORDER BY position DESC LIMIT 1").fetchone()
                    data = bytearray(data)
                    data[-9] ^= 1
                    c.execute(f"UPDATE {table} SET {column} = ? WHERE position = ?", (bytes(data), place))
                c.commit()
                """
            let run = try CommandRun("/usr/bin/env", ["python3", "-c", script, file])
            try #require(run.status == 0, "\(run.errors)")

            let verification = try CommandRun(
                CommandRun.leeway, ["verify", "--data", site.data.path])

            #expect(verification.status == 1)
            #expect(verification.errors.contains("the entry at "), "\(verification.errors)")
            #expect(verification.errors.contains("the snapshot at "), "\(verification.errors)")
        }

        @Test(.timeLimit(.minutes(2)))
        func `a receiver that is down costs neither answers nor memory nor a full log`() throws {
            let nobody = try freePort()
            let site = try Site(
                "down", arguments: ["--forward-events", "http://127.0.0.1:\(nobody)/secret"])
            let padding = String(repeating: " ", count: 1 << 20)

            for index in 0..<60 {
                try site.client.log("request", id: "e-\(index)", #"{"instances":[[1]]}"# + padding)
            }

            #expect(site.server.stop() == 0)
            let told = site.server.logText.split(separator: "\n")
                .filter { $0.contains("events were not passed on") }
            #expect((1...20).contains(told.count), "\(site.server.logTail)")
            #expect(!site.server.logText.contains("secret"))
        }

        @Test func `a key that is over already is not made`() throws {
            let folder = try Repository.temporaryFolder("expired-key")
            defer { try? FileManager.default.removeItem(at: folder) }

            let run = try CommandRun(
                CommandRun.leeway,
                [
                    "keys", "create", "--scope", "read", "--expires", "2020-01-01T00:00:00Z",
                    "--data", folder.path,
                ])

            #expect(run.status == 2 && run.text.isEmpty, "\(run.errors)")
        }
    }
}
