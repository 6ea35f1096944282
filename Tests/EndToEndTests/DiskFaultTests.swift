import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// Disks that are full, files that are damaged, settings that are not what they must be.
    struct DiskFaultTests {
        private func expectFull(_ answer: HTTPAnswer) {
            #expect(answer.status == 507, "\(answer.text)")
            #expect(answer.headers["retry-after"] != nil)
            #expect(answer.text.contains("storage-full"))
            #expect(answer.text.contains("not_stored"))
        }

        /// O-2: the answer comes although not a byte of the body has been sent.
        private func expectRefusalAtHead(_ port: UInt16, _ status: Int) throws {
            let connection = try RawConnection(port: port)
            connection.send(
                "POST /v1/predictions HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k\r\n"
                    + "Content-Type: application/x-ndjson\r\nContent-Length: 1000000\r\n\r\n")
            let answer = try #require(try connection.answer())
            #expect(answer.status == status)
            // A first try with the key may be stored: nobody has looked.
            #expect(answer.text.contains(#""outcome":"unknown""#), "\(answer.text)")
        }

        @Test(.timeLimit(.minutes(3)))
        func `a log that is too long for a recovery refuses records until there is a snapshot`()
            throws
        {
            let folder = try Repository.temporaryFolder("shed")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            let sign = folder.appendingPathComponent("full")
            let server = try LeewayServer(
                data: folder.appendingPathComponent("data"),
                arguments: ["--recovery-log-mib", "1"],
                launcher: FaultRig.launcher(library, "snap:\(sign.path)"))
            var stream = RecordStream(model: "shed", startingAt: monday, seed: 19)
            try server.client.pinReference(of: "shed", stream.next(500).map(\.reference))
            // No snapshot can be stored, so the tail grows.
            try Data().write(to: sign)
            var refusal: HTTPAnswer?
            var count = 0
            for _ in 0..<400 where refusal == nil {
                let rows = stream.next(500)
                let answer = try server.client.post(
                    "/v1/predictions", ndjson(rows.map(\.prediction)))
                if answer.status == 202 { count += 500 } else { refusal = answer }
            }
            let answer = try #require(refusal, "\(count) records")
            #expect(answer.status == 503 && answer.text.contains("overloaded"), "\(answer.text)")
            #expect(answer.headers["retry-after"] != nil && answer.text.contains("not_stored"))
            try expectRefusalAtHead(server.port, 503)
            #expect(try server.client.get("/v1/models/shed").status == 200)

            try FileManager.default.removeItem(at: sign)
            let isBack = try wait(upTo: 20) {
                // What is no record goes on, and so does the machine's look at its tail.
                _ = try server.client.post("/v1/rules/reload", [])
                let rows = stream.next(1)
                let answer = try server.client.post(
                    "/v1/predictions", ndjson(rows.map(\.prediction)))
                if answer.status == 202 { count += 1 }
                return answer.status == 202
            }
            #expect(isBack, "\(server.logTail)")
            #expect(try server.client.volume(of: "shed") == Double(count))
        }

        /// Fills the disk until this many bytes are left.
        private func fill(_ file: URL, leaving rest: Int) throws {
            var status = statvfs()
            try #require(statvfs(file.deletingLastPathComponent().path, &status) == 0)
            let size = Int(status.f_bavail * UInt(status.f_frsize)) - rest
            try FaultRig.run(["fallocate", "-l", "\(size)", file.path])
        }

        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)), .enabled(if: FaultRig.canMount))
        func `a disk that fills up refuses records in time, and takes them when there is room`()
            throws
        {
            let folder = try Repository.temporaryFolder("full")
            defer { try? FileManager.default.removeItem(at: folder) }
            let disk = folder.appendingPathComponent("disk")
            try FileManager.default.createDirectory(at: disk, withIntermediateDirectories: true)
            try FaultRig.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk.path])
            defer { _ = try? CommandRun("/usr/bin/env", ["umount", "-l", disk.path]) }
            let (data, filler) = (disk, disk.appendingPathComponent("filler"))
            let rules = folder.appendingPathComponent("rules")
            let server = try LeewayServer(data: data, rules: rules)
            #expect(server.logText.contains("THE DATA LIES IN MEMORY"))
            let reserve = data.appendingPathComponent("leeway.reserve").path
            var stream = RecordStream(model: "full", startingAt: monday, seed: 6)
            var ledger = Ledger()
            for round in 0..<rounds(4) {
                ledger.refusal = nil
                ledger.send(&stream, to: server.client, countMax: 20)
                #expect(ledger.refusal == nil)
                #expect(wait(upTo: 2) { FileManager.default.fileExists(atPath: reserve) })
                // An eighth of 64 MiB is the mark; then nothing at all is left, at once or later.
                try fill(filler, leaving: round % 2 == 0 ? 6 << 20 : 0)
                wait(upTo: 3) {
                    ledger.send(&stream, to: server.client, countMax: 1)
                    return ledger.refusal != nil
                }
                expectFull(try #require(ledger.refusal))
                try expectRefusalAtHead(server.port, 507)
                #expect(wait(upTo: 2) { !FileManager.default.fileExists(atPath: reserve) })
                #expect(try server.client.get("/v1/models/full").status == 200)
                // What is no record goes on, from the reserve.
                #expect(try server.client.post("/v1/rules/reload", []).status == 200)
                if round % 2 == 0 { try fill(disk.appendingPathComponent("more"), leaving: 0) }
                expectFull(
                    try server.client.post(
                        "/v1/predictions", ndjson(stream.next(1).map(\.prediction))))

                try FileManager.default.removeItem(at: filler)
                try? FileManager.default.removeItem(at: disk.appendingPathComponent("more"))
                #expect(
                    wait(upTo: 10) {
                        ledger.refusal = nil
                        ledger.send(&stream, to: server.client, countMax: 1)
                        return ledger.refusal == nil
                    })
            }
            #expect(server.isRunning)
            #expect(try ledger.lostCount(server.client) == 0)
            try FaultRig.verify(data)
        }

        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `a write for which there is no room is undone, and the process goes on`() throws {
            let folder = try Repository.temporaryFolder("enospc")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            let sign = folder.appendingPathComponent("full")
            let data = folder.appendingPathComponent("data")
            let server = try LeewayServer(
                data: data, launcher: FaultRig.launcher(library, "full:\(sign.path)"))
            var stream = RecordStream(model: "room", startingAt: monday, seed: 7)
            try server.client.pinReference(of: "room", stream.next(500).map(\.reference))
            var ledger = Ledger()
            for _ in 0..<rounds(6) {
                ledger.refusal = nil
                ledger.send(&stream, to: server.client, countMax: 10)
                #expect(ledger.refusal == nil)
                try Data().write(to: sign)
                ledger.send(&stream, to: server.client, countMax: 1)
                expectFull(try #require(ledger.refusal))
                #expect(try server.client.get("/v1/models/room").status == 200)
                try FileManager.default.removeItem(at: sign)
                let isBack = try wait(upTo: 10) {
                    let rows = try #require(ledger.batches.last).map(\.prediction)
                    return try server.client.post("/v1/predictions", ndjson(rows)).status == 202
                }
                #expect(isBack)
            }
            #expect(try ledger.lostCount(server.client) == 0)
            #expect(
                try server.client.volume(of: "room") == Double(20 * ledger.batches.count))
            server.kill()
            let again = try LeewayServer(data: data)
            #expect(try ledger.lostCount(again.client) == 0)
            try FaultRig.verify(data)
        }

        @Test(.timeLimit(.minutes(3)))
        func `writes that are done by halves are done`() throws {
            let folder = try Repository.temporaryFolder("short")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            let data = folder.appendingPathComponent("data")
            let server = try LeewayServer(
                data: data, launcher: FaultRig.launcher(library, "short"))
            var stream = RecordStream(model: "short", startingAt: monday, seed: 16)
            var ledger = Ledger()
            ledger.send(&stream, to: server.client, countMax: 20)
            #expect(ledger.acknowledged.count == 20, "\(server.logTail)")
            server.kill()
            let again = try LeewayServer(data: data)
            #expect(try ledger.lostCount(again.client) == 0)
            try FaultRig.verify(data)
        }

        /// In `make torture` until the write-ahead log is cut again, which takes most of a minute.
        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `no room inside a checkpoint loses nothing`() throws {
            let folder = try Repository.temporaryFolder("checkpoint")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            let sign = folder.appendingPathComponent("full")
            let data = folder.appendingPathComponent("data")
            let server = try LeewayServer(
                data: data, launcher: FaultRig.launcher(library, "base:\(sign.path)"))
            // Only the database itself has no room; its write-ahead log grows to the checkpoint's size.
            var stream = RecordStream(model: "base", startingAt: monday, seed: 17)
            var ledger = Ledger()
            try Data().write(to: sign)
            let log = data.appendingPathComponent("leeway.sqlite-wal")
            func size(_ file: URL) -> Int {
                (try? Data(contentsOf: file, options: .alwaysMapped).count) ?? 0
            }
            let file = data.appendingPathComponent("leeway.sqlite")
            let (before, sizeMin) = (size(file), (isTorture ? 66 : 12) << 20)
            // Each record with a key changes pages of two tables and their index.
            for index in 0..<6_000 where size(log) < sizeMin {
                let rows = stream.next(1)
                ledger.batches.append(rows)
                let answer = try server.client.post(
                    "/v1/predictions", ndjson(rows.map(\.prediction)),
                    headers: ["Idempotency-Key": "base-\(index)"])
                guard answer.status == 202 else { break }
                ledger.acknowledged.insert(ledger.batches.count - 1)
            }
            #expect(size(log) >= sizeMin, "\(ledger.batches.count) batches")
            #expect(size(file) == before, "nothing can be folded back")
            try FileManager.default.removeItem(at: sign)
            ledger.send(&stream, to: server.client, countMax: 3)
            #expect(size(file) > before, "the log is folded back when there is room")
            #expect(size(log) < 66 << 20)
            #expect(try ledger.lostCount(server.client) == 0)
            server.kill()
            let again = try LeewayServer(data: data)
            #expect(try ledger.lostCount(again.client) == 0)
            try FaultRig.verify(data)
        }

        @Test(.timeLimit(.minutes(3)))
        func `no acknowledgement leaves before its flush`() throws {
            let folder = try Repository.temporaryFolder("order")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            for fault in ["order", "blind"] {
                let server = try LeewayServer(
                    data: folder.appendingPathComponent(fault),
                    launcher: FaultRig.launcher(library, fault))
                var stream = RecordStream(model: "order", startingAt: monday, seed: 4)
                var ledger = Ledger()
                ledger.send(&stream, to: server.client, countMax: rounds(200))
                if fault == "order" {
                    #expect(ledger.acknowledged.count == rounds(200), "\(server.logTail)")
                } else {
                    // The control: the rig sees what leaves.
                    #expect(ledger.acknowledged.isEmpty && server.ended(within: 5) == 99)
                }
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `a setting that is not what it must be stops the start`() throws {
            let folder = try Repository.temporaryFolder("setting")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            let data = folder.appendingPathComponent("data")
            let run = try CommandRun(
                "/usr/bin/env",
                FaultRig.launcher(library, "normal").dropFirst() + [
                    CommandRun.leeway, "serve", "--listen", "127.0.0.1:0", "--data", data.path,
                    "--rules", folder.path,
                ])
            #expect(run.status == 3)
            #expect(run.errors.contains("synchronous is 1, and must be 2"), "\(run.errors)")
        }
    }
}
