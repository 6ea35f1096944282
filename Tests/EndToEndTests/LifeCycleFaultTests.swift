import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// Stops at bad moments, and too few descriptors.
    struct LifeCycleFaultTests {
        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `a stop in the middle of batches ends with code 0 and keeps what was acknowledged`()
            throws
        {
            let folder = try Repository.temporaryFolder("stops")
            defer { try? FileManager.default.removeItem(at: folder) }
            let data = folder.appendingPathComponent("data")
            var stream = RecordStream(model: "stops", startingAt: monday, seed: 15)
            var ledger = Ledger()
            for round in 0..<rounds(20) {
                let server = try LeewayServer(data: data)
                let identifier = server.processIdentifier
                let moment = UInt32(100_000 + 150_000 * round % 700_000)
                // A second signal, of which one round knows, ends the process at once.
                let isTwice = round % 2 == 1
                let stopper = Thread {
                    usleep(moment)
                    kill(identifier, SIGTERM)
                    guard isTwice else { return }
                    usleep(1_000)
                    kill(identifier, SIGTERM)
                }
                stopper.start()
                let start = ContinuousClock.now
                ledger.send(&stream, to: server.client, countMax: 100_000) {
                    ContinuousClock.now - start > .seconds(10)
                }
                let code = server.ended(within: 25)
                #expect(isTwice ? code != nil : code == 0, "L-1: \(server.logTail)")
            }
            let again = try LeewayServer(data: data)
            #expect(try ledger.lostCount(again.client) == 0)
            #expect(!ledger.acknowledged.isEmpty)
            try FaultRig.verify(data)
        }

        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `a stop while the process starts leaves a directory that starts`() throws {
            let folder = try Repository.temporaryFolder("starts")
            defer { try? FileManager.default.removeItem(at: folder) }
            let data = folder.appendingPathComponent("data")
            let rules = folder.appendingPathComponent("rules")
            try FileManager.default.createDirectory(at: rules, withIntermediateDirectories: true)
            for round in 0..<rounds(40) {
                // A signal that is lost shows as 137.
                let run = try CommandRun(
                    "/usr/bin/env",
                    [
                        "timeout", "-k", "30", "-s", "TERM", "0.0\(1 + round % 9)",
                        CommandRun.leeway, "serve", "--listen", "127.0.0.1:0", "--data", data.path,
                        "--rules", rules.path,
                        "--drain-seconds", "0",
                    ])
                #expect(run.status == 124 && !run.errors.contains("Fatal"), "\(run.errors)")
            }
            let server = try LeewayServer(data: data, rules: rules)
            #expect(server.stop() == 0)
            try FaultRig.verify(data)
        }

        @Test(.timeLimit(.minutes(3)))
        func `a stop does not wait for a PostgreSQL that says nothing`() throws {
            let folder = try Repository.temporaryFolder("hangs")
            defer { try? FileManager.default.removeItem(at: folder) }
            // Connections wait in the backlog for ever: nobody accepts them.
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let isBound = withUnsafeMutablePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, size) == 0 && listen(descriptor, 16) == 0
                        && getsockname(descriptor, $0, &size) == 0
                }
            }
            try #require(isBound)
            let port = UInt16(bigEndian: address.sin_port)
            let server = try LeewayServer(
                data: folder.appendingPathComponent("data"),
                arguments: ["--postgres", "host=127.0.0.1 port=\(port) user=nobody dbname=none"])
            let start = ContinuousClock.now

            server.terminate()
            #expect(server.ended(within: 26) == 0, "\(server.logTail)")
            #expect(ContinuousClock.now - start < .seconds(25))
        }

        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `running out of descriptors again and again ends no process`() throws {
            let folder = try Repository.temporaryFolder("descriptors")
            defer { try? FileManager.default.removeItem(at: folder) }
            let refusal = try CommandRun(
                "/bin/sh",
                [
                    "-c", "ulimit -n 60 && exec \"$0\" \"$@\"", CommandRun.leeway, "serve",
                    "--data", folder.appendingPathComponent("few").path,
                ])
            #expect(refusal.status == 2 && refusal.errors.contains("open files is 60"), "O-5")
            try #require(raiseDescriptorLimit() >= 2_048, "FT-20 needs 2,048 descriptors")
            let server = try LeewayServer(
                data: folder.appendingPathComponent("data"), descriptorLimit: 256)
            // A kind each round, by turns.
            let kinds: [SlowKind] = [.silent, .heads, .bodies, .readers, .idle]
            let count = rounds(20, atMost: 500)
            let path = "/proc/\(server.processIdentifier)/fd"
            var (openedCount, fewest, descriptorCount) = (0, Int.max, 0)
            for round in 0..<count {
                let kind = kinds[round % kinds.count]
                let crowd = SlowCrowd(kind, count: 2_000, port: server.port).connections
                openedCount += crowd.count
                fewest = min(fewest, crowd.count)
                let open = try? FileManager.default.contentsOfDirectory(atPath: path)
                descriptorCount = max(descriptorCount, open?.count ?? 0)
                try #require(
                    server.isRunning, "\(round), \(kind): \(server.ended(within: 0) ?? 0)")
                let isBack = wait(upTo: 15) {
                    (try? server.client.get("/v1/status").status) == 200
                }
                #expect(isBack, "round \(round)")
            }
            print(
                "FT-20: \(count) rounds of 2,000, \(openedCount) connections, at least \(fewest) at a time, "
                    + "\(descriptorCount) descriptors of 256")
            #expect(fewest > 1_500 && descriptorCount <= 256 - 32)
        }
    }
}
