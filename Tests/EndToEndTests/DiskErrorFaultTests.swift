import Foundation
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// FT-5: each reading, opening, flush and write of a start, of requests and of a stop fails once; calls are
    /// interrupted.
    struct DiskErrorFaultTests {
        private func launcher(_ library: String, _ fault: String, _ name: String) -> [String] {
            FaultRig.launcher(library, fault)
                + ["FAULT_PATH=/\(name)/leeway", "SWIFT_BACKTRACE=enable=no"]
        }

        /// A life with all that a start reads and opens: a log with a tail, which `kill` has left behind.
        private func grown(_ folder: URL, _ name: String) throws -> (data: URL, ledger: Ledger) {
            let data = folder.appendingPathComponent(name)
            var stream = RecordStream(model: "errors", startingAt: monday, seed: 21)
            var ledger = Ledger()
            let first = try LeewayServer(data: data)
            ledger.send(&stream, to: first.client, countMax: 10)
            #expect(first.stop() == 0)
            let second = try LeewayServer(data: data)
            ledger.send(&stream, to: second.client, countMax: 5)
            second.kill()
            #expect(ledger.acknowledged.count == 15)
            return (data, ledger)
        }

        /// Starts on a grown directory with a fault, sends with keys and without, and stops in order.
        private func run(
            _ data: URL, _ ledger: inout Ledger, _ library: String, _ fault: String
        ) throws -> Int32? {
            let rules = data.deletingLastPathComponent().appendingPathComponent("rules")
            var stream = RecordStream(model: "errors", startingAt: monday, seed: 22)
            stream.index = 1_000
            let server: LeewayServer
            do {
                server = try LeewayServer(
                    data: data, rules: rules,
                    launcher: launcher(library, fault, data.lastPathComponent))
            } catch {
                // A trap would leave no sentence.
                #expect("\(error)".contains("error: "), "\(fault): \(error)")
                return nil
            }
            ledger.refusal = nil
            ledger.send(&stream, to: server.client, countMax: 10)
            if let refusal = ledger.refusal {
                #expect(
                    refusal.status == 503 && refusal.text.contains("storage-failed"),
                    "\(fault): \(refusal.text)")
                let next = try? server.client.post(
                    "/v1/predictions", ndjson(stream.next(1).map(\.prediction)))
                #expect(next?.status != 202, "\(fault): acknowledged after a failure of the disk")
                #expect(server.ended(within: 5) == 3, "D-4, \(fault): \(server.logTail)")
                #expect(!server.logText.contains("disk failed: the disk failed"), "\(fault)")
                return 3
            }
            return server.stop()
        }

        /// Fails at one call, and looks at what is left.
        private func fail(
            _ kind: String, _ call: Int, _ origin: URL, _ sent: Ledger, _ library: String
        ) throws -> Int32? {
            let data = origin.deletingLastPathComponent()
                .appendingPathComponent("\(kind)-\(call)")
            try FileManager.default.copyItem(at: origin, to: data)
            defer { try? FileManager.default.removeItem(at: data) }
            var ledger = sent
            let code = try run(data, &ledger, library, "\(kind):\(call)")
            #expect(code == nil || code == 0 || code == 3)

            let sound = try LeewayServer(data: data)
            #expect(try ledger.lostCount(sound.client) == 0, "\(kind) \(call)")
            #expect(!sound.logText.contains("LOST"), "\(kind) \(call): \(sound.logTail)")
            #expect(sound.stop() == 0)
            try FaultRig.verify(data)
            return code
        }

        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `a call that fails ends a start or a process, and loses nothing`() throws {
            let folder = try Repository.temporaryFolder("errors")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            let (origin, sent) = try grown(folder, "origin")
            var outcomes: [String: Int] = [:]
            for (kind, counted) in [
                ("read", "reads"), ("open", "opens"), ("eio", "flushes"), ("write", "writes"),
            ] {
                let counter = folder.appendingPathComponent("\(kind)-count")
                let whole = folder.appendingPathComponent("\(kind)-whole")
                try FileManager.default.copyItem(at: origin, to: whole)
                var ledger = sent
                #expect(try run(whole, &ledger, library, "\(counted):\(counter.path)") == 0)
                let count = try #require(
                    Int(try String(contentsOf: counter, encoding: .utf8)), "no \(kind)")
                #expect(count >= 5)
                for call in 1...count {
                    let code = try fail(kind, call, origin, sent, library)
                    outcomes["\(kind) \(code.map { "\($0)" } ?? "refused")", default: 0] += 1
                }
            }
            let count = outcomes.values.reduce(0, +)
            print("FT-5: each of \(count) calls: \(outcomes.sorted { $0.key < $1.key })")
        }

        @Test(.timeLimit(.minutes(3)))
        func `calls that are interrupted are made again`() throws {
            let folder = try Repository.temporaryFolder("interrupts")
            defer { try? FileManager.default.removeItem(at: folder) }
            let library = try FaultRig.library(in: folder)
            let (data, sent) = try grown(folder, "data")
            var ledger = sent

            #expect(try run(data, &ledger, library, "intr") == 0)

            #expect(ledger.acknowledged.count == 25)
            let sound = try LeewayServer(data: data)
            #expect(try ledger.lostCount(sound.client) == 0)
            try FaultRig.verify(data)
        }
    }
}
