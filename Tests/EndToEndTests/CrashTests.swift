import Foundation
import MonitoringTestSupport
import Synchronization
import Testing

extension EndToEndTests {
    /// What is acknowledged survives SIGKILL at any moment, and counts once, however often sent.
    struct CrashTests {
        /// One batch and what its sender knows of it.
        private struct Sent {
            let lines: [String]
            let isAcknowledged: Bool
        }

        /// FT-1: fifty cycles in every run, in `make torture` more.
        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `kill -9 loses nothing acknowledged and counts nothing twice`() throws {
            let site = try Site("crash")
            var random = SeededGenerator(seed: 9)
            var stream = RecordStream(model: "crash", startingAt: monday, seed: 9)
            stream.stepMilliseconds = 100
            try site.client.pinReference(of: "crash", stream.next(500).map(\.reference))
            var all: [Sent] = []
            var unknownCount = 0

            let cycleCount = rounds(50)
            var times: [Duration] = []
            for cycle in 0..<cycleCount {
                let senders = (0..<3).map { sender in
                    (0..<60).map { _ in
                        stream.next(.random(in: 1...(sender == 0 ? 200 : 20), using: &random))
                            .map(\.prediction)
                    }
                }
                let sent = sendUntilKilled(
                    senders, site.server, after: .random(in: 5_000...400_000, using: &random))
                #expect(!site.server.isRunning)
                let start = ContinuousClock.now
                try site.restart()
                times.append(ContinuousClock.now - start)
                unknownCount += sent.count { !$0.isAcknowledged }
                try resend(sent, to: site.client, cycle: cycle)
                all += sent
            }

            // Everything once more, over what all recoveries have left.
            try resend(
                all.map { Sent(lines: $0.lines, isAcknowledged: true) }, to: site.client, cycle: -1)
            times.sort()
            let idCount = all.reduce(0) { $0 + $1.lines.count }
            print(
                "FT-1: \(cycleCount) cycles, \(all.count) batches, \(unknownCount) without an answer, "
                    + "\(idCount) ids, ready after \(times[times.count / 2]), \(times.last ?? .zero) at most"
            )
            // The slowest one shares the machine with whatever else runs there.
            #expect(times[times.count / 2] < .seconds(5), "D-6")
            #expect(try site.client.volume(of: "crash") == Double(idCount))
            #expect(all.contains { $0.isAcknowledged })
            #expect(unknownCount > 0)
            try FaultRig.verify(site.data)
        }

        /// Three clients send at once, so that batches share a flush; the kill comes in between.
        private func sendUntilKilled(
            _ senders: [[[String]]], _ server: LeewayServer, after microseconds: UInt32
        ) -> [Sent] {
            let identifier = server.processIdentifier
            let client = server.client
            let sent = Mutex<[Sent]>([])
            let isDead = Mutex(false)
            Thread.detachNewThread {
                usleep(microseconds)
                kill(identifier, SIGKILL)
                isDead.withLock { $0 = true }
            }
            DispatchQueue.concurrentPerform(iterations: senders.count) { index in
                for lines in senders[index] {
                    let answer = try? client.post("/v1/predictions", ndjson(lines))
                    sent.withLock {
                        $0.append(Sent(lines: lines, isAcknowledged: answer?.status == 202))
                    }
                    if answer == nil { return }
                }
            }
            // All batches may have gone out before the kill: that too is a moment.
            wait(upTo: 10) { isDead.withLock { $0 } }
            server.kill()
            return sent.withLock { $0 }
        }

        private func resend(_ sent: [Sent], to client: HTTPClient, cycle: Int) throws {
            for batch in sent {
                let answer = try client.ingest(batch.lines)
                let isWhole = answer.duplicates == 0 || answer.duplicates == batch.lines.count
                #expect(isWhole, "cycle \(cycle): \(answer) of \(batch.lines.count)")
                if batch.isAcknowledged {
                    #expect(answer.duplicates == batch.lines.count, "cycle \(cycle): lost")
                }
            }
        }

        @Test(.timeLimit(.minutes(3)))
        func `an orderly stop ends with code 0 and keeps everything`() throws {
            let site = try Site("stop")
            var stream = RecordStream(model: "stop", startingAt: monday, seed: 3)
            try site.client.pinReference(of: "stop", stream.next(500).map(\.reference))
            try site.client.ingest(stream.next(300).map(\.prediction))
            let before = try site.client.measurements(of: "stop", "window=1d&statistic=psi,mean")

            #expect(site.server.stop() == 0)
            try site.restart()

            #expect(
                try site.client.measurements(of: "stop", "window=1d&statistic=psi,mean") == before)
            #expect(before.count == 4)
        }
    }
}
