import Foundation
import MonitoringTestSupport
import Synchronization
import Testing

extension EndToEndTests {
    /// The system calls under the log fail, lie or end the process; what is acknowledged stays.
    struct FaultTests {
        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `a flush or a write that fails ends the process, and nothing acknowledged is lost`()
            throws
        {
            let folder = try Repository.temporaryFolder("eio")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            let calls = [9, 14, 23, 33, 40, 61, 90, 120].prefix(2 * roundCount).flatMap {
                [("eio", $0), ("write", 3 * $0)]
            }
            for (round, (fault, call)) in calls.enumerated() {
                let data = folder.appendingPathComponent("data-\(round)")
                var stream = RecordStream(model: "eio", startingAt: monday, seed: UInt64(round))
                var ledger = Ledger()
                // The first flushes are of the start itself, which then fails.
                let faulty = try? LeewayServer(
                    data: data,
                    launcher: FaultRig.launcher(library, "\(fault):\(call)"))
                if let faulty {
                    ledger.send(&stream, to: faulty.client, countMax: 200)
                    let refusal = try #require(ledger.refusal, "\(fault) \(call) was not refused")
                    #expect(refusal.status == 503)
                    #expect(refusal.text.contains("storage-failed"))
                    #expect(refusal.text.contains("unknown"))
                    #expect(wait(upTo: 10) { !faulty.isRunning })
                    #expect(faulty.stop() == 3, "\(faulty.logTail)")
                }

                let sound = try LeewayServer(data: data)
                #expect(try ledger.lostCount(sound.client) == 0)
                try FaultRig.verify(data)
            }
        }

        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `the process may die at any write, flush or cut, and within a write`() throws {
            let folder = try Repository.temporaryFolder("calls")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            let calls = stride(from: 31, to: 700, by: max(1, 26 / roundCount))
            print("FT-3, under load: died at \(Array(calls).count) of 669 calls")
            for (round, call) in calls.enumerated() {
                let fault = round % 2 == 0 ? "kill" : "tear"
                let data = folder.appendingPathComponent("data-\(round)")
                var stream = RecordStream(model: "calls", startingAt: monday, seed: UInt64(round))
                var ledger = Ledger()
                // The first calls are of the start itself.
                let faulty = try? LeewayServer(
                    data: data,
                    launcher: FaultRig.launcher(library, "\(fault):\(call)"))
                if let faulty {
                    ledger.send(&stream, to: faulty.client, countMax: 300)
                    #expect(wait(upTo: 10) { !faulty.isRunning }, "call \(call) did not come")
                }

                let sound = try LeewayServer(data: data)
                #expect(try ledger.lostCount(sound.client) == 0, "call \(call)")
                try FaultRig.verify(data)
            }
        }

        /// FT-3: a script of twenty requests and an orderly stop, once for each call that changes a file; all of
        /// them, always.
        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `the process may die at any call that changes a file of the data directory`() throws {
            let folder = try Repository.temporaryFolder("steps")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            let counter = folder.appendingPathComponent("count")
            _ = try scriptedRun(folder, "whole", library, "steps:\(counter.path)")
            let text = try String(contentsOf: counter, encoding: .utf8)
            let count = try #require(Int(text))
            #expect(count > 100)
            for call in 1...count {
                let (data, ledger) = try scriptedRun(
                    folder, "data-\(call)", library, "step:\(call)")
                defer { try? FileManager.default.removeItem(at: data) }
                let sound = try LeewayServer(data: data)
                #expect(try ledger.lostCount(sound.client) == 0, "call \(call)")
                #expect(
                    !sound.logText.contains("LOST")
                        && !sound.logText.contains("not what was written"),
                    "call \(call): \(sound.logTail)")
                #expect(sound.stop() == 0)
                try FaultRig.verify(data)
            }
            print("FT-3: died at each of \(count) calls")
        }

        private func scriptedRun(
            _ folder: URL, _ name: String, _ library: String, _ fault: String
        ) throws -> (data: URL, ledger: Ledger) {
            let data = folder.appendingPathComponent(name)
            var stream = RecordStream(model: "steps", startingAt: monday, seed: 20)
            var ledger = Ledger()
            let launcher = [
                "/usr/bin/env", "LD_PRELOAD=\(library)", "FAULT=\(fault)",
                "FAULT_PATH=/\(name)/leeway", "SWIFT_BACKTRACE=enable=no",
            ]
            // Some of the calls are of the start itself.
            guard let server = try? LeewayServer(data: data, launcher: launcher) else {
                return (data, ledger)
            }
            ledger.send(&stream, to: server.client, countMax: 20)
            let isWhole = fault.hasPrefix("steps")
            let code = server.stop()
            if isWhole {
                #expect(code == 0 && ledger.acknowledged.count == 20, "\(server.logTail)")
            }
            return (data, ledger)
        }

        /// FT-2: twenty cycles in every run, 500 at most in `make torture`, and the controls that must fail.
        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)), .enabled(if: FaultRig.canMount))
        func `a power cut loses nothing acknowledged, and a disk that lies is found out`() throws {
            let folder = try Repository.temporaryFolder("power")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            var unknownCount = 0
            let systems = FaultRig.diskSystems
            let count = rounds(20, atMost: 500)
            for round in 0..<count {
                // With the journal flushed first, and without: names may be there while data is not.
                let ledger = try cutPower(
                    in: folder, round: round, flags: round % 2 == 0 ? 2 : 1,
                    system: systems[round / 2 % systems.count]
                ).ledger
                unknownCount += ledger.batches.count - ledger.acknowledged.count
            }
            print(
                "FT-2: \(count) cuts on \(systems), \(unknownCount) batches without an answer")
            // A disk that lies, and a database that flushes its log seldom.
            for (index, fault) in ["drop", "hidden"].enumerated() {
                var lost = 0
                // Anybody's `sync` makes such a disk honest for a moment, so there is a second try.
                for attempt in 0..<3 where lost == 0 {
                    let control = try cutPower(
                        in: folder, round: 99 + 10 * index + attempt, flags: 2, isLying: true,
                        launcher: FaultRig.launcher(library, fault))
                    #expect(!control.ledger.acknowledged.isEmpty)
                    lost = control.lost
                }
                #expect(lost > 0, "the rig does not cut: \(fault)")
            }
        }

        /// A real cut: what was not flushed to the loop device is gone after mounting it again.
        private func cutPower(
            in folder: URL, round: Int, flags: UInt32, system: String = "ext4",
            isLying: Bool = false,
            launcher: [String] = []
        ) throws -> (ledger: Ledger, lost: Int) {
            let image = folder.appendingPathComponent("disk-\(round)").path
            let disk = folder.appendingPathComponent("mount-\(round)")
            try FileManager.default.createDirectory(at: disk, withIntermediateDirectories: true)
            try FaultRig.make(system, in: image)
            try FaultRig.run(["mount", "-o", "loop", image, disk.path])
            defer {
                _ = try? CommandRun("/usr/bin/env", ["umount", "-l", disk.path])
                try? FileManager.default.removeItem(atPath: image)
            }
            // The server's own log lies beside its data, so outside; and so do its rules.
            let rules = folder.appendingPathComponent("rules")
            let data = disk
            var stream = RecordStream(model: "power", startingAt: monday, seed: UInt64(round))
            var ledger = Ledger()
            let server = try LeewayServer(data: data, rules: rules, launcher: launcher)
            let start = Date()
            let moment = 0.3 + 0.1 * Double(round % 10)
            let isCut = Mutex(false)
            let cutter = Thread {
                usleep(UInt32(moment * 1e6))
                let descriptor = open(disk.path, O_RDONLY)
                isCut.withLock { $0 = true }
                var value = flags
                // EXT4_IOC_SHUTDOWN, which XFS has too: what the file system has not written is never written.
                _ = withUnsafeMutablePointer(to: &value) { ioctl(descriptor, 0x8004_587D, $0) }
                close(descriptor)
            }
            cutter.start()
            var late: [RecordStream.Row] = []
            while !isCut.withLock({ $0 }), Date().timeIntervalSince(start) < 20 {
                ledger.send(&stream, to: server.client, countMax: 1)
                // The kernel lets a flush that is under way while the file system goes down say that all is well:
                // an answer that no machine without power would have given promises nothing.
                if isCut.withLock({ $0 }),
                    ledger.acknowledged.remove(ledger.batches.count - 1) != nil
                {
                    late = ledger.batches.last ?? []
                }
            }
            wait(upTo: 10) { cutter.isFinished }
            server.kill()
            try FaultRig.run(["umount", disk.path])
            try FaultRig.run(["mount", "-o", "loop", image, disk.path])
            let again = try LeewayServer(data: data, rules: rules)
            if !late.isEmpty, try again.client.ingest(late.map(\.prediction)).duplicates == 0 {
                print(
                    "FT-2: \(system), flags \(flags): an answer after the cut, whose batch is gone")
            }
            let lost = try ledger.lostCount(again.client)
            if !isLying {
                #expect(
                    lost == 0,
                    "\(system), flags \(flags): \(lost) of \(ledger.acknowledged.count) acknowledged"
                )
                #expect(!ledger.acknowledged.isEmpty)
                try FaultRig.verify(data)
            }
            again.kill()
            return (ledger, lost)
        }
    }
}
