import Foundation
import MonitoringTestSupport
import Testing

/// What one sender knows: every batch, and which were acknowledged.
private struct Ledger {
    var batches: [[RecordStream.Row]] = []
    var acknowledged: Set<Int> = []
    /// The first answer that was not an acknowledgement.
    var refusal: HTTPAnswer?

    /// Sends batches until one is not acknowledged, or `countMax` are, or `isOver`.
    mutating func send(
        _ stream: inout RecordStream, to client: HTTPClient, countMax: Int,
        isOver: () -> Bool = { false }
    ) {
        for _ in 0..<countMax where !isOver() {
            let rows = stream.next(20)
            batches.append(rows)
            guard let answer = try? client.post("/v1/predictions", ndjson(rows.map(\.prediction)))
            else { return }
            guard answer.status == 202 else {
                refusal = answer
                return
            }
            acknowledged.insert(batches.count - 1)
        }
    }

    /// How many acknowledged batches are not there, after all were sent again; a batch that is there
    /// in part is a failure.
    func lostCount(_ client: HTTPClient) throws -> Int {
        var lost = 0
        for (index, rows) in batches.enumerated() {
            let answer = try client.ingest(rows.map(\.prediction))
            #expect(answer.duplicates == 0 || answer.duplicates == rows.count, "batch \(index)")
            if acknowledged.contains(index), answer.duplicates == 0 { lost += 1 }
        }
        return lost
    }
}

/// How many rounds of each fault; `make torture` runs more.
private let roundCount =
    ProcessInfo.processInfo.environment["FAULT_ROUNDS"].flatMap { Int($0) } ?? 2

extension EndToEndTests {
    /// The system calls under the log fail, lie or end the process; what is acknowledged stays.
    struct FaultTests {
        private static let canCutPower: Bool = {
            let isRoot =
                geteuid() == 0
                && FileManager.default.fileExists(atPath: "/dev/loop-control")
            if !isRoot { print("skipped: the power cut needs root and loop devices") }
            return isRoot
        }()

        private func library(in folder: URL) throws -> String {
            let source = Repository.root
                .appendingPathComponent("Tests/Faults/faults.c").path
            let library = folder.appendingPathComponent("faults.so").path
            let compiler = try #require(CommandRun.installed("clang", "cc", "gcc"))
            let run = try CommandRun(compiler, ["-O1", "-shared", "-fPIC", "-o", library, source])
            try #require(run.status == 0, "\(run.errors)")
            return library
        }

        private func verify(_ data: URL) throws {
            let run = try CommandRun(CommandRun.leeway, ["verify", "--data", data.path])
            #expect(run.status == 0, "\(run.errors)")
        }

        @Test(.timeLimit(.minutes(roundCount > 2 ? 240 : 3)))
        func `a flush that fails ends the process, and nothing acknowledged is lost`() throws {
            let folder = try Repository.temporaryFolder("eio")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try library(in: folder)
            for (round, call) in [9, 14, 23, 33, 40, 61].prefix(2 * roundCount).enumerated() {
                let data = folder.appendingPathComponent("data-\(round)")
                var stream = RecordStream(model: "eio", startingAt: monday, seed: UInt64(round))
                var ledger = Ledger()
                // The first flushes are of the start itself, which then fails.
                let faulty = try? LeewayServer(
                    data: data,
                    launcher: ["/usr/bin/env", "LD_PRELOAD=\(library)", "FAULT=eio:\(call)"])
                if let faulty {
                    ledger.send(&stream, to: faulty.client, countMax: 200)
                    let refusal = try #require(ledger.refusal, "flush \(call) was not refused")
                    #expect(refusal.status == 503)
                    #expect(refusal.text.contains("storage-failed"))
                    #expect(refusal.text.contains("unknown"))
                    #expect(wait(upTo: 10) { !faulty.isRunning })
                    #expect(faulty.stop() == 3, "\(faulty.logTail)")
                }

                let sound = try LeewayServer(data: data)
                #expect(try ledger.lostCount(sound.client) == 0)
                try verify(data)
            }
        }

        @Test(.timeLimit(.minutes(roundCount > 2 ? 240 : 3)))
        func `the process may die at any write, flush or cut`() throws {
            let folder = try Repository.temporaryFolder("calls")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try library(in: folder)
            for (round, call) in stride(from: 31, to: 400, by: 17).prefix(3 * roundCount)
                .enumerated()
            {
                let data = folder.appendingPathComponent("data-\(round)")
                var stream = RecordStream(model: "calls", startingAt: monday, seed: UInt64(round))
                var ledger = Ledger()
                // The first calls are of the start itself.
                let faulty = try? LeewayServer(
                    data: data,
                    launcher: ["/usr/bin/env", "LD_PRELOAD=\(library)", "FAULT=kill:\(call)"])
                if let faulty {
                    ledger.send(&stream, to: faulty.client, countMax: 300)
                    #expect(wait(upTo: 10) { !faulty.isRunning }, "call \(call) did not come")
                }

                let sound = try LeewayServer(data: data)
                #expect(try ledger.lostCount(sound.client) == 0, "call \(call)")
                try verify(data)
            }
        }

        @Test(.timeLimit(.minutes(roundCount > 2 ? 240 : 3)), .enabled(if: canCutPower))
        func `a power cut loses nothing acknowledged, and a disk that lies is found out`() throws {
            let folder = try Repository.temporaryFolder("power")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try library(in: folder)
            var unknownCount = 0
            for round in 0..<roundCount {
                // With the journal flushed first, and without: names may be there while data is not.
                let ledger = try cutPower(in: folder, round: round, flags: round % 2 == 0 ? 2 : 1)
                unknownCount += ledger.batches.count - ledger.acknowledged.count
            }
            print("power: \(roundCount) cuts, \(unknownCount) batches without an answer")
            let control = try cutPower(
                in: folder, round: 99, flags: 2, isLying: true,
                launcher: ["/usr/bin/env", "LD_PRELOAD=\(library)", "FAULT=drop"])
            #expect(!control.acknowledged.isEmpty)
        }

        private func run(_ arguments: [String]) throws {
            let run = try CommandRun("/usr/bin/env", arguments)
            try #require(run.status == 0, "\(arguments): \(run.errors)")
        }

        /// A real cut: what was not flushed to the loop device is gone after mounting it again.
        private func cutPower(
            in folder: URL, round: Int, flags: UInt32, isLying: Bool = false,
            launcher: [String] = []
        ) throws -> Ledger {
            let image = folder.appendingPathComponent("disk-\(round)").path
            let disk = folder.appendingPathComponent("mount-\(round)")
            try FileManager.default.createDirectory(at: disk, withIntermediateDirectories: true)
            try run(["truncate", "-s", "256M", image])
            try run(["mkfs.ext4", "-q", "-F", image])
            try run(["mount", "-o", "loop", image, disk.path])
            defer { _ = try? CommandRun("/usr/bin/env", ["umount", "-l", disk.path]) }
            // The server's own log lies beside its data, so outside; and so do its rules.
            let rules = folder.appendingPathComponent("rules")
            let data = disk
            var stream = RecordStream(model: "power", startingAt: monday, seed: UInt64(round))
            var ledger = Ledger()
            let server = try LeewayServer(data: data, rules: rules, launcher: launcher)
            let start = Date()
            let moment = 0.4 + 0.3 * Double(round % 3)
            let cutter = Thread {
                usleep(UInt32(moment * 1e6))
                let descriptor = open(disk.path, O_RDONLY)
                var value = flags
                // EXT4_IOC_SHUTDOWN: what the file system has not written is never written.
                _ = withUnsafeMutablePointer(to: &value) { ioctl(descriptor, 0x8004_587D, $0) }
                close(descriptor)
            }
            cutter.start()
            ledger.send(&stream, to: server.client, countMax: 100_000) {
                Date().timeIntervalSince(start) > 20
            }
            wait(upTo: 10) { cutter.isFinished }
            server.kill()
            try run(["umount", disk.path])
            try run(["mount", "-o", "loop", image, disk.path])
            let again = try LeewayServer(data: data, rules: rules)
            let lost = try ledger.lostCount(again.client)
            if isLying {
                #expect(lost > 0, "the rig does not cut")
            } else {
                #expect(lost == 0, "\(lost) of \(ledger.acknowledged.count) acknowledged")
                #expect(!ledger.acknowledged.isEmpty)
                try verify(data)
            }
            again.kill()
            return ledger
        }
    }
}
