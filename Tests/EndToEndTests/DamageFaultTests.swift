import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// Bytes on the disk that are not what was written.
    struct DamageFaultTests {
        private struct Status: Decodable {
            struct Storage: Decodable {
                let quarantined: [Int]
                let unlinked: [Int]
                let findings: [String]

                var isSilent: Bool { quarantined.isEmpty && unlinked.isEmpty && findings.isEmpty }
            }
            let storage: Storage
        }

        @Test(.timeLimit(.minutes(3)))
        func `a corrupt entry is left out and named, and the rest is usable`() throws {
            let site = try Site("corrupt")
            for model in ["good", "bad"] {
                var stream = RecordStream(model: model, startingAt: monday, seed: 5)
                try site.client.pinReference(of: model, stream.next(500).map(\.reference))
                for batch in stream.next(300).chunks(of: 100) {
                    try site.client.ingest(batch.map(\.prediction))
                }
            }
            site.server.kill()
            let file = site.data.appendingPathComponent("leeway.sqlite").path
            // The last entry but one: the checksum over its payload does not hold any more.
            let script = """
                import sqlite3
                c = sqlite3.connect('\(file)')
                p, b = c.execute('SELECT position, payload FROM entry ORDER BY position DESC LIMIT 1 OFFSET 1').fetchone()
                b = bytearray(b); b[len(b) // 2] ^= 1
                c.execute('UPDATE entry SET payload = ? WHERE position = ?', (bytes(b), p)); c.commit()
                print(p)
                """
            let run = try CommandRun("/usr/bin/env", ["python3", "-c", script])
            let position = try #require(
                Int(run.text.trimmingCharacters(in: .whitespacesAndNewlines)))

            for _ in 0..<2 {
                try site.restart()
                let status = try site.client.get("/v1/status").decoded(as: Status.self)
                #expect(status.storage.quarantined == [position])
                #expect(site.server.logText.contains("a log entry is corrupt"))
                #expect(try site.client.volume(of: "good") == 300)
                #expect(try site.client.volume(of: "bad") == 200)
                site.server.kill()
            }
            let verification = try CommandRun(
                CommandRun.leeway, ["verify", "--data", site.data.path])
            #expect(verification.status != 0)
        }

        /// FT-9: 500 places, in `make torture` more.
        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `a flipped bit anywhere ends in a service or in a reason, and no loss is silent`()
            throws
        {
            let site = try Site("bits")
            var stream = RecordStream(model: "bits", startingAt: monday, seed: 11)
            try site.client.pinReference(of: "bits", stream.next(500).map(\.reference))
            for batch in stream.next(1_000).chunks(of: 100) {
                try site.client.ingest(batch.map(\.prediction))
            }
            site.server.kill()
            var random = SeededGenerator(seed: 12)
            var refusedCount = 0
            var lossCount = 0
            let count = rounds(500)
            for round in 0..<count {
                let data = site.folder.appendingPathComponent("copy-\(round)")
                try FileManager.default.copyItem(at: site.data, to: data)
                defer { try? FileManager.default.removeItem(at: data) }
                let name = round % 3 == 0 ? "leeway.sqlite" : "leeway.sqlite-wal"
                let file = data.appendingPathComponent(name)
                var bytes = [UInt8](try Data(contentsOf: file))
                try #require(!bytes.isEmpty)
                bytes[.random(in: bytes.indices, using: &random)] ^=
                    1 << UInt8.random(in: 0...7, using: &random)
                try Data(bytes).write(to: file)
                do {
                    let server = try LeewayServer(data: data, rules: site.rules)
                    // The model itself may be among what is lost.
                    let volume = (try? server.client.volume(of: "bits")) ?? 0
                    let status = try server.client.get("/v1/status").decoded(as: Status.self)
                    #expect(volume == 1_000 || !status.storage.isSilent, "round \(round)")
                    if volume < 1_000 { lossCount += 1 }
                    #expect(server.isRunning)
                } catch {
                    // A trap would leave a backtrace, and no sentence.
                    #expect("\(error)".contains("error: "), "round \(round): \(error)")
                    refusedCount += 1
                }
            }
            print(
                "FT-9: \(count) flips, \(refusedCount) refused with a reason, "
                    + "\(lossCount) losses that were said")
        }
    }
}
