import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// FT-22: stops while clients are slow, while the disk folds its log back, and a second signal.
    struct StopFaultTests {
        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `a stop ends in time among slow clients of each kind`() throws {
            let folder = try Repository.temporaryFolder("slow-stops")
            defer { try? FileManager.default.removeItem(at: folder) }
            var stream = RecordStream(model: "slow", startingAt: monday, seed: 29)
            struct Stop {
                let kind: SlowKind
                let server: LeewayServer
                let data: URL
                let ledger: Ledger
                var crowd: [RawConnection]
                var elapsed: Duration?
            }
            // All at a time, because some need the twenty seconds that requests have.
            var stops = try SlowKind.allCases.map { kind in
                let data = folder.appendingPathComponent(kind.rawValue)
                let server = try LeewayServer(data: data, arguments: ["--drain-seconds", "2"])
                var ledger = Ledger()
                ledger.send(&stream, to: server.client, countMax: 10)
                let crowd = try (0..<100).map { _ in try kind.client(server.port) }
                return Stop(kind: kind, server: server, data: data, ledger: ledger, crowd: crowd)
            }
            let start = ContinuousClock.now
            for stop in stops { stop.server.terminate() }
            while ContinuousClock.now - start < .seconds(27),
                stops.contains(where: { $0.elapsed == nil })
            {
                for index in stops.indices where stops[index].elapsed == nil {
                    let stop = stops[index]
                    if stop.server.isRunning {
                        for one in stop.crowd where one.poll() { one.send(stop.kind.drip) }
                        if stop.kind == .resets { stops[index].crowd = [] }
                    } else {
                        stops[index].elapsed = ContinuousClock.now - start
                    }
                }
                usleep(50_000)
            }
            for stop in stops {
                let code = stop.server.ended(within: 0)
                #expect(code == 0, "L-1, \(stop.kind): \(stop.server.logTail)")
                #expect(stop.elapsed.map { $0 <= .seconds(25) } ?? false, "L-1, \(stop.kind)")
                let again = try LeewayServer(data: stop.data)
                #expect(try stop.ledger.lostCount(again.client) == 0)
                #expect(again.stop() == 0)
                try FaultRig.verify(stop.data)
            }
            let times = stops.map { stop in
                "\(stop.kind) \(stop.elapsed.map { String(format: "%.1f", $0 / .seconds(1)) } ?? "-") s"
            }
            print("FT-22: stops among 100 slow clients each: \(times)")
        }

        /// What happens to a process that is within a checkpoint.
        enum Ending: CaseIterable, Sendable {
            /// SIGTERM; the disk goes on after two seconds.
            case stop
            /// SIGTERM; the disk never goes on.
            case stuck
            /// A second SIGTERM.
            case twice
            case kill
        }

        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)), arguments: Ending.allCases)
        func `a process that is stopped within a checkpoint ends in time and keeps everything`(
            ending: Ending
        ) throws {
            let folder = try Repository.temporaryFolder("checkpoint-stop")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            let data = folder.appendingPathComponent("data")
            let sign = folder.appendingPathComponent("hold")
            let held = sign.path + ".held"
            let server = try LeewayServer(
                data: data, launcher: FaultRig.launcher(library, "hold:\(sign.path)"))
            var stream = RecordStream(model: "held", startingAt: monday, seed: 30)
            var ledger = Ledger()
            try Data().write(to: sign)
            // Each transaction writes some pages; after 8 MiB of them comes the checkpoint, behind the answer.
            var client = server.client
            client.timeoutSeconds = 2
            ledger.send(&stream, to: client, countMax: 400) {
                FileManager.default.fileExists(atPath: held)
            }
            let isHeld = wait(upTo: 2) { FileManager.default.fileExists(atPath: held) }
            try #require(isHeld, "\(ledger.batches.count)")
            #expect(ledger.refusal == nil)
            // Whoever sends now waits for the disk, and may never hear.
            client.timeoutSeconds = 30
            let waiting = stream.next(20)
            ledger.batches.append(waiting)
            let sender = Thread { [client] in
                _ = try? client.post("/v1/predictions", ndjson(waiting.map(\.prediction)))
            }
            sender.start()
            usleep(200_000)

            let start = ContinuousClock.now
            switch ending {
            case .kill: server.kill()
            case .stop, .stuck: server.terminate()
            case .twice:
                server.terminate()
                usleep(500_000)
                #expect(server.isRunning)
                server.terminate()
                #expect(server.ended(within: 2) == SIGTERM, "at once")
            }
            if ending == .stop {
                usleep(2_000_000)
                #expect(server.isRunning)
                try FileManager.default.removeItem(at: sign)
            }
            let code = server.ended(within: 26)
            let elapsed = ContinuousClock.now - start
            print("FT-22: \(ending) within a checkpoint: \(code ?? -1) after \(elapsed)")
            if ending == .stop || ending == .stuck {
                #expect(code == 0 && elapsed < .seconds(25), "\(server.logTail)")
            }
            let again = try LeewayServer(data: data)
            #expect(try ledger.lostCount(again.client) == 0)
            #expect(again.stop() == 0)
            try FaultRig.verify(data)
            wait(upTo: 10) { sender.isFinished }
        }
    }
}
