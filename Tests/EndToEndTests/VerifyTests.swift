import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// What is stored can be computed again, and copied, while it is served.
    struct VerifyTests {
        @Test(.timeLimit(.minutes(2)))
        func `a served directory verifies, also after kill -9 and over repeats`() throws {
            let site = try Site("verify")
            var stream = RecordStream(model: "verify", startingAt: monday, seed: 21)
            try site.client.pinReference(of: "verify", stream.next(500).map(\.reference))
            let rows = stream.next(1_500)
            for batch in rows.chunks(of: 300) { try site.client.ingest(batch.map(\.prediction)) }
            try site.client.ingest(rows.prefix(900).map(\.groundTruth), as: "ground-truth")
            try site.client.ingest(rows.prefix(300).map(\.prediction))
            try verify(site.data)

            site.server.kill()
            try site.restart()
            try site.client.ingest(rows.suffix(700).map(\.groundTruth), as: "ground-truth")
            try verify(site.data)
            #expect(site.server.stop() == 0)
            try verify(site.data)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a snapshot that the log does not give is named`() throws {
            let site = try Site("differ")
            var stream = RecordStream(model: "differ", startingAt: monday, seed: 22)
            try site.client.pinReference(of: "differ", stream.next(500).map(\.reference))
            for batch in stream.next(400).chunks(of: 100) {
                try site.client.ingest(batch.map(\.prediction))
            }
            #expect(site.server.stop() == 0)
            // The newest snapshot still has the rows of an entry that is taken away.
            let file = site.data.appendingPathComponent("leeway.sqlite").path
            let statement = """
                DELETE FROM entry WHERE position =
                    (SELECT position FROM entry ORDER BY position DESC LIMIT 1 OFFSET 1);
                """
            let run = try CommandRun("/usr/bin/env", ["python3", "-c", sqlite(file, statement)])
            try #require(run.status == 0, "\(run.errors)")

            let verification = try CommandRun(
                CommandRun.leeway, ["verify", "--data", site.data.path])
            #expect(verification.status == 1)
            #expect(verification.errors.contains("differ: 400 predictions stored, 300 in the log"))
        }

        private func sqlite(_ file: String, _ statement: String) -> String {
            "import sqlite3; c = sqlite3.connect('\(file)'); "
                + "c.execute('''\(statement)'''); c.commit()"
        }

        private func verify(_ data: URL) throws {
            let run = try CommandRun(CommandRun.leeway, ["verify", "--data", data.path])
            #expect(run.status == 0, "\(run.errors)")
            #expect(run.text.contains("no difference"))
        }

        @Test(.timeLimit(.minutes(2)))
        func `a backup under load is whole, and its copy verifies and goes on`() throws {
            let site = try Site("backup")
            var stream = RecordStream(model: "backup", startingAt: monday, seed: 23)
            try site.client.pinReference(of: "backup", stream.next(500).map(\.reference))
            let batches = (0..<150).map { _ in stream.next(40) }
            let client = site.client
            let sender = Thread {
                for batch in batches { _ = try? client.ingest(batch.map(\.prediction)) }
            }
            sender.start()
            var backups: [URL] = []
            for index in 0..<4 {
                let file = site.folder.appendingPathComponent("copy-\(index).sqlite")
                let run = try CommandRun(
                    CommandRun.leeway, ["backup", "--data", site.data.path, "--to", file.path])
                #expect(run.status == 0, "\(run.errors)")
                backups.append(file)
            }
            wait(upTo: 60) { sender.isFinished }
            let again = try CommandRun(
                CommandRun.leeway, ["backup", "--data", site.data.path, "--to", backups[0].path])
            #expect(again.status == 3, "an existing file is not written over")

            for (index, backup) in backups.enumerated() {
                let data = site.folder.appendingPathComponent("restored-\(index)")
                try FileManager.default.createDirectory(
                    at: data, withIntermediateDirectories: true)
                try FileManager.default.copyItem(
                    at: backup, to: data.appendingPathComponent("leeway.sqlite"))
                try verify(data)
            }
            let last = site.folder.appendingPathComponent("restored-3")
            let server = try LeewayServer(data: last, rules: site.rules)
            let known = try server.client.volume(of: "backup")
            var duplicates = 0
            for batch in batches {
                duplicates += try server.client.ingest(batch.map(\.prediction)).duplicates
            }
            #expect(Double(duplicates) == known)
            #expect(try server.client.volume(of: "backup") == 6_000)
        }
    }
}
