import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// FT-8: how long a start takes after a crash under load, by how much is stored.
    struct RecoveryFaultTests {
        /// Ten milliseconds apart, so that a million rows are almost three hours.
        private static let writer = """
            import random, sys
            random.seed(8)
            start, count = int(sys.argv[2]), int(sys.argv[3])
            with open(sys.argv[1], 'w') as out:
                for i in range(start, start + count):
                    out.write('{"id":"row-%d","ts":%d,"model":"rows","version":"1","features":{"amount":%.4f,'
                        '"colour":"%s"},"prediction":{"label":%d,"score":%.4f}}\\n' % (
                            i, \(monday) + 10 * i, random.gauss(0, 1), ('red', 'green', 'blue')[i % 3],
                            i % 2, random.random()))
            """

        /// Folds `count` further rows into the data directory, as `replay` does.
        private func grow(_ data: URL, from start: Int, by count: Int) throws {
            let file = data.deletingLastPathComponent().appendingPathComponent("rows.ndjson")
            defer { try? FileManager.default.removeItem(at: file) }
            try FaultRig.run(["python3", "-c", Self.writer, file.path, "\(start)", "\(count)"])
            let run = try CommandRun(
                CommandRun.leeway, ["replay", "--no-progress", "--data", data.path, file.path],
                deadline: isTorture ? 3_600 : 150)
            try #require(run.status == 0, "\(run.errors)")
        }

        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `after a crash under load the service is ready in time, however much is stored`()
            throws
        {
            let folder = try Repository.temporaryFolder("recovery")
            defer { try? FileManager.default.removeItem(at: folder) }
            let data = folder.appendingPathComponent("data")
            let rules = folder.appendingPathComponent("rules")
            var stream = RecordStream(model: "rows", startingAt: monday, seed: 8)
            var ledger = Ledger()
            var (count, times): (Int, [Double]) = (0, [])
            for target in [100_000, 1_000_000] + (isTorture ? [10_000_000] : []) {
                try grow(data, from: count, by: target - count)
                count = target
                let server = try LeewayServer(data: data, rules: rules)
                stream.time = monday + Int64(10 * target)
                let identifier = server.processIdentifier
                Thread.detachNewThread {
                    usleep(2_000_000)
                    kill(identifier, SIGKILL)
                }
                let start = ContinuousClock.now
                ledger.send(&stream, to: server.client, countMax: 100_000) {
                    ContinuousClock.now - start > .seconds(20)
                }
                server.kill()

                let crash = ContinuousClock.now
                let again = try LeewayServer(data: data, rules: rules)
                let elapsed = ContinuousClock.now - crash
                times.append(elapsed / .seconds(1))
                #expect(elapsed < .seconds(5), "\(target) rows")
                #expect(try ledger.lostCount(again.client) == 0)
                let volume = try again.client.volume(of: "rows")
                #expect(volume == Double(target + 20 * ledger.batches.count))
                #expect(again.stop() == 0)
            }
            print("FT-8: 10^5, 10^6 (and 10^7) rows, ready after \(times) s")
        }
    }
}
