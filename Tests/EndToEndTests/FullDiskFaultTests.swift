import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// FT-6, the rest of it: no room while a directory is made or migrated, and no inodes.
    struct FullDiskFaultTests {
        private func launcher(_ library: String, _ fault: String, _ name: String) -> [String] {
            FaultRig.launcher(library, fault)
                + ["FAULT_PATH=/\(name)/", "SWIFT_BACKTRACE=enable=no"]
        }

        /// Makes a directory whose log has the first format, with what `ledger` has sent.
        private func oldDirectory(
            _ folder: URL, _ name: String
        ) throws -> (data: URL, ledger: Ledger) {
            let recent = folder.appendingPathComponent("\(name)-recent")
            var stream = RecordStream(model: "old", startingAt: monday, seed: 24)
            var ledger = Ledger()
            let server = try LeewayServer(data: recent)
            ledger.send(&stream, to: server.client, countMax: 10)
            #expect(server.stop() == 0)
            let data = folder.appendingPathComponent(name)
            try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
            let script = """
                import sqlite3
                old = sqlite3.connect('\(data.path)/leeway.sqlite')
                old.execute('PRAGMA journal_mode = WAL')
                old.executescript('''
                    CREATE TABLE entry (position INTEGER PRIMARY KEY, payload BLOB NOT NULL) STRICT;
                    CREATE TABLE snapshot (position INTEGER PRIMARY KEY, crc INTEGER NOT NULL,
                        bytes BLOB NOT NULL) STRICT;
                    CREATE TABLE effect (key TEXT PRIMARY KEY, kind TEXT NOT NULL, payload TEXT NOT NULL,
                        position INTEGER NOT NULL, is_delivered INTEGER NOT NULL DEFAULT 0) STRICT;
                    CREATE INDEX effect_pending ON effect (kind, position) WHERE is_delivered = 0;
                    PRAGMA user_version = 1;''')
                recent = sqlite3.connect('\(recent.path)/leeway.sqlite')
                old.executemany('INSERT INTO entry VALUES (?, ?)',
                    recent.execute('SELECT position, payload FROM entry'))
                old.commit()
                """
            try FaultRig.run(["python3", "-c", script])
            return (data, ledger)
        }

        /// How many calls change files between the start and the first records, which are taken.
        private func changeCount(
            _ data: URL, _ rules: URL, _ library: String
        ) throws -> Int {
            let counter = data.deletingLastPathComponent()
                .appendingPathComponent(data.lastPathComponent + ".count")
            let server = try LeewayServer(
                data: data, rules: rules,
                launcher: launcher(library, "steps:\(counter.path)", data.lastPathComponent))
            let text = try String(contentsOf: counter, encoding: .utf8)
            #expect(server.stop() == 0)
            return try #require(Int(text))
        }

        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)), arguments: [false, true])
        func `a disk that fills up while a directory is made or migrated leaves one that starts`(
            isOld: Bool
        ) throws {
            let folder = try Repository.temporaryFolder("brim")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            let rules = folder.appendingPathComponent("rules")
            let origin =
                isOld
                ? try oldDirectory(folder, "origin")
                : (folder.appendingPathComponent("origin"), Ledger())
            func copy(_ name: String) throws -> URL {
                let data = folder.appendingPathComponent(name)
                if isOld { try FileManager.default.copyItem(at: origin.0, to: data) }
                return data
            }
            let count = try changeCount(try copy("whole"), rules, library)
            #expect(count > 20)
            var refusedCount = 0
            for call in 1...count + 6 {
                let data = try copy("data-\(call)")
                defer { try? FileManager.default.removeItem(at: data) }
                var ledger = origin.1
                var stream = RecordStream(model: "old", startingAt: monday, seed: 25)
                stream.index = 1_000
                do {
                    let server = try LeewayServer(
                        data: data, rules: rules,
                        launcher: launcher(library, "brim:\(call)", data.lastPathComponent))
                    // Full as it is: nothing is taken, and nothing ends.
                    ledger.send(&stream, to: server.client, countMax: 3)
                    let refusal = try #require(ledger.refusal, "\(call)")
                    #expect(refusal.status == 507, "\(call): \(refusal.text)")
                    #expect(try server.client.get("/v1/models").status == 200)
                    server.kill()
                } catch let error as HTTPFailure {
                    #expect(error.reason.contains("error: "), "\(call): \(error)")
                    refusedCount += 1
                }
                let sound = try LeewayServer(data: data, rules: rules)
                #expect(try ledger.lostCount(sound.client) == 0, "\(call)")
                ledger.refusal = nil
                ledger.send(&stream, to: sound.client, countMax: 3)
                #expect(ledger.refusal == nil, "\(call)")
                #expect(sound.stop() == 0)
                try FaultRig.verify(data)
            }
            print(
                "FT-6: \(isOld ? "migration" : "making"), no room from each of \(count) calls on, "
                    + "\(refusedCount) starts refused")
        }

        /// Makes empty files until there are `rest` inodes left.
        private func takeInodes(_ folder: URL, leaving rest: UInt) throws -> [URL] {
            var taken: [URL] = []
            var status = statvfs()
            while statvfs(folder.path, &status) == 0, status.f_favail > rest {
                let file = folder.appendingPathComponent("taken-\(taken.count)")
                try Data().write(to: file)
                taken.append(file)
            }
            return taken
        }

        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)), .enabled(if: FaultRig.canMount))
        func `a disk without inodes is a full disk, from the first start on`() throws {
            let folder = try Repository.temporaryFolder("inodes")
            defer { try? FileManager.default.removeItem(at: folder) }
            let image = folder.appendingPathComponent("image").path
            let rules = folder.appendingPathComponent("rules")
            var refusedCount = 0
            let rests = isTorture ? Array(0..<20) : [0, 1, 3, 5, 12]
            for rest in rests {
                let data = folder.appendingPathComponent("disk-\(rest)")
                try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
                try FaultRig.make("ext4", in: image, options: ["-N", "64"])
                try FaultRig.run(["mount", "-o", "loop", image, data.path])
                defer { _ = try? CommandRun("/usr/bin/env", ["umount", "-l", data.path]) }
                let taken = try takeInodes(data, leaving: UInt(rest))
                var ledger = Ledger()
                var stream = RecordStream(model: "inodes", startingAt: monday, seed: 26)
                var server: LeewayServer?
                do {
                    server = try LeewayServer(data: data, rules: rules)
                    ledger.send(&stream, to: try #require(server).client, countMax: 3)
                    if let refusal = ledger.refusal {
                        #expect(refusal.status == 507, "\(rest): \(refusal.text)")
                    }
                } catch let error as HTTPFailure {
                    #expect(error.reason.contains("error: "), "\(rest): \(error)")
                    refusedCount += 1
                }
                for file in taken { try FileManager.default.removeItem(at: file) }
                let running = try server ?? LeewayServer(data: data, rules: rules)
                func isTaken() -> Bool {
                    ledger.refusal = nil
                    ledger.send(&stream, to: running.client, countMax: 1)
                    return ledger.refusal == nil
                }
                #expect(wait(upTo: 10) { isTaken() }, "\(rest)")

                // And from then on: what is no record goes on.
                let later = try takeInodes(data, leaving: 0)
                #expect(
                    wait(upTo: 3) { !isTaken() && ledger.refusal?.status == 507 },
                    "\(rest): \(ledger.refusal?.text ?? "taken")")
                #expect(try running.client.post("/v1/rules/reload", []).status == 200)
                for file in later { try FileManager.default.removeItem(at: file) }
                #expect(wait(upTo: 10) { isTaken() })
                #expect(try ledger.lostCount(running.client) == 0)
                #expect(running.stop() == 0)
                try FaultRig.verify(data)
            }
            print("FT-6: \(refusedCount) of \(rests.count) starts refused for want of inodes")
        }
    }
}
