import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// The command line folds files into a data directory as the server does.
    struct ReplayTests {
        @Test(.timeLimit(.minutes(2)))
        func `a replayed file measures as the served stream`() throws {
            let site = try Site("replay")
            var stream = RecordStream(model: "replay", startingAt: monday, seed: 5)
            try site.client.pinReference(of: "replay", stream.next(1_000).map(\.reference))
            stream.stepMilliseconds = 120_000
            stream.shift = 0.7
            let rows = stream.next(2_000)
            // The pinned reference alone, as both ways begin.
            #expect(site.server.stop() == 0)
            let replayed = site.folder.appendingPathComponent("replayed")
            try FileManager.default.copyItem(at: site.data, to: replayed)
            try site.restart()

            for batch in rows.chunks(of: 300) { try site.client.ingest(batch.map(\.prediction)) }
            try site.client.ingest(rows.map(\.groundTruth), as: "ground-truth")
            let query = "window=1d&statistic=psi,ks,mean,accuracy,roc_auc,volume"
            let served = try site.client.measurements(of: "replay", query)
            let predictions = site.folder.appendingPathComponent("predictions.ndjson")
            let truths = site.folder.appendingPathComponent("truths.ndjson")
            try Data(ndjson(rows.map(\.prediction))).write(to: predictions)
            try Data(ndjson(rows.map(\.groundTruth))).write(to: truths)
            let compressed = try CommandRun("/usr/bin/env", ["gzip", predictions.path])
            #expect(compressed.status == 0)
            let replay = try CommandRun(
                CommandRun.leeway,
                ["replay", predictions.path + ".gz", truths.path, "--data", replayed.path])
            try #require(replay.status == 0, "\(replay.errors)")

            #expect(try measure("psi", in: replayed) == served.filter { $0.statistic == "psi" })
            for name in ["ks", "mean", "accuracy", "roc_auc", "volume"] {
                let expected = served.filter { $0.statistic == name }
                #expect(try measure(name, in: replayed) == expected, "\(name)")
                #expect(expected.contains { $0.value != nil }, "\(name)")
            }
        }

        @Test(.timeLimit(.minutes(3)), arguments: ["plain", "gzip", "input"])
        func `an error pieces behind the start names the file's line`(way: String) throws {
            let folder = try Repository.temporaryFolder("late-line")
            defer { try? FileManager.default.removeItem(at: folder) }
            // Blank lines count too; a piece is a mebibyte.
            let record =
                #"{"id":"%","ts":"2026-11-23T00:00:00Z","features":{"age":4,"name":"PAD"}}"#
                .replacingOccurrences(of: "PAD", with: String(repeating: "x", count: 900))
            var text = ""
            for index in 0..<4_000 {
                text += record.replacingOccurrences(of: "%", with: "p\(index)")
                text += index % 1_000 == 0 ? "\n\n" : "\n"
            }
            text += #"{"id":"late","ts":"nonsense","features":{"age":4}}"# + "\n"
            let file = folder.appendingPathComponent("records.ndjson").path
            try Data(text.utf8).write(to: URL(fileURLWithPath: file))
            let replay = "\(CommandRun.leeway) replay --no-progress --model m"
            let data = folder.appendingPathComponent("data").path
            let command =
                switch way {
                case "plain": "\(replay) --data \(data) \(file)"
                case "gzip": "gzip \(file) && \(replay) --data \(data) \(file).gz"
                default: "cat \(file) | \(replay) --data \(data) -"
                }
            let run = try CommandRun("/bin/sh", ["-c", command])
            #expect(run.status == 1)
            #expect(run.errors.contains("line 4005, /ts: "), "\(run.errors)")
        }

        private func measure(_ statistic: String, in data: URL) throws -> [MeasurementsAnswer.Entry]
        {
            let run = try CommandRun(
                CommandRun.leeway,
                [
                    "measure", "replay", "--window", "1d", "--statistic", statistic, "--data",
                    data.path, "--format", "json",
                ])
            let answer = HTTPAnswer(status: Int(run.status), headers: [:], body: run.output)
            return try answer.decoded(as: MeasurementsAnswer.self).measurements
        }

        @Test(
            .timeLimit(.minutes(3)),
            arguments: [
                (["nonsense"], 2), (["serve", "--nonsense"], 2), (["measure"], 2), (["--help"], 0),
                (["serve", "--help"], 0), (["serve", "--listen", "nowhere"], 2),
                (["replay", "/nonexistent.ndjson", "--data", "/tmp/leeway-nowhere"], 3),
            ] as [([String], Int32)])
        func `the exit code says what went wrong`(arguments: [String], code: Int32) throws {
            let run = try CommandRun(CommandRun.leeway, arguments, deadline: 20)

            #expect(run.status == code, "\(run.errors)")
            #expect(code == 0 ? !run.text.isEmpty : !run.errors.isEmpty)
        }
    }
}
