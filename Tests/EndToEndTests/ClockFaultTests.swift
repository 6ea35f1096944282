import Foundation
import MonitorStore
import MonitoringDomain
import MonitoringTestSupport
import Testing

extension EndToEndTests {
    /// FT-18: the wall clock of a running service jumps, swings and stands still; the monotonic one goes on.
    struct ClockFaultTests {
        /// What befalls the wall clock.
        private enum Move: CustomStringConvertible {
            case by(hours: Int64)
            /// To two seconds before the end of this day, and on.
            case across(String)
            /// A second ahead, and back, again and again.
            case sawTooth
            case freeze

            var description: String {
                switch self {
                case .by(let hours): "\(hours) h"
                case .across(let day): "across \(day)"
                case .sawTooth: "a saw-tooth of 1 s"
                case .freeze: "a freeze"
                }
            }
        }

        private static let hoursOfTenYears: Int64 = 87_660
        private static let moves: [Move] = [
            .by(hours: -1), .by(hours: 2), .by(hours: hoursOfTenYears),
            .by(hours: -hoursOfTenYears), .sawTooth, .freeze, .across("2028-02-28"),
            .across("2028-02-29"),
        ]
        /// How long a phase lasts; shorter than what goes before, or the new time would be the true one.
        private static let phaseSeconds = 4.0

        private static let rules = """
            group: clock
            model: clock-*
            every: 1s
            rules:
              - alert: Traffic
                expr: volume(window: 1h) >= 10
              - retrain: Volume
                expr: volume(window: 1h) >= 10
                cooldown: 3d
                request: { queue: default, training_window: 1d }

            """

        /// A service whose wall clock a test moves, and what it was sent.
        private final class Rig {
            let postgres: TemporaryPostgres
            let folder: URL
            let data: URL
            let rules: URL
            let server: LeewayServer
            private let control: FileHandle
            private(set) var offset: Int64 = 0
            /// Records by model that were taken.
            var counts: [String: Int] = [:]
            private(set) var lastBody: [UInt8] = []
            private var streams: [String: RecordStream] = [:]

            init() throws {
                postgres = try TemporaryPostgres()
                folder = try Repository.temporaryFolder("clock")
                data = folder.appendingPathComponent("data")
                rules = folder.appendingPathComponent("rules")
                try FileManager.default.createDirectory(
                    at: rules, withIntermediateDirectories: true)
                try Data(ClockFaultTests.rules.utf8).write(
                    to: rules.appendingPathComponent("rules.yaml"))
                let file = folder.appendingPathComponent("moved")
                try Data(count: 16).write(to: file)
                control = try FileHandle(forUpdating: file)
                let library = try FaultRig.library("clock", in: folder)
                server = try LeewayServer(
                    data: data, rules: rules, clock: "wall",
                    arguments: ["--postgres", postgres.dsn, "--log-retention", "1h"],
                    launcher: [
                        "/usr/bin/env", "LD_PRELOAD=\(library)", "CLOCK=\(file.path)",
                    ])
            }

            deinit {
                server.kill()
                postgres.stop()
                try? FileManager.default.removeItem(at: folder)
            }

            /// The true time.
            var now: Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }

            func move(by milliseconds: Int64, frozenAt frozen: Int64 = 0) throws {
                offset = milliseconds
                let words = [1_000_000 * milliseconds, 1_000_000 * frozen]
                try control.seek(toOffset: 0)
                try control.write(contentsOf: words.withUnsafeBytes { Data($0) })
            }

            /// Sends twenty records, of the twenty minutes before `time`.
            func send(_ model: String, at time: Int64, key: String? = nil) throws -> HTTPAnswer {
                var stream =
                    streams[model] ?? RecordStream(model: model, startingAt: time, seed: 18)
                stream.stepMilliseconds = 60_000
                stream.time = time - 20 * stream.stepMilliseconds
                let rows = stream.next(20)
                streams[model] = stream
                var client = server.client
                client.timeoutSeconds = 5
                lastBody = ndjson(rows.map(\.prediction))
                let answer = try client.post(
                    "/v1/predictions", lastBody,
                    headers: key.map { ["Idempotency-Key": $0] } ?? [:])
                if answer.status == 202 { counts[model, default: 0] += 20 }
                return answer
            }

            /// The models of the requests in PostgreSQL, a row each.
            func filed() throws -> [String] {
                let connection = try PostgresConnection(dsn: postgres.dsn)
                defer { connection.close() }
                let rows = try? connection.query(
                    "SELECT model, trigger_count::text FROM leeway.retraining_requests ORDER BY model"
                ).rows
                return (rows ?? []).map { "\($0[0] ?? "") \($0[1] ?? "")" }
            }

            func jumpCount() throws -> Int {
                struct Status: Decodable { let clock_jump_total: Int }
                return try server.client.get("/v1/status").decoded(as: Status.self).clock_jump_total
            }
        }

        /// Moves the clock, and does what a move is over with; `body` is called while it lasts.
        private func during(_ move: Move, _ rig: Rig, _ body: () throws -> Void) throws {
            let start = ContinuousClock.now
            switch move {
            case .by(let hours): try rig.move(by: hours * 3_600_000)
            case .across(let day):
                let parse = ISO8601DateFormatter()
                let end = try #require(parse.date(from: day + "T23:59:58Z"))
                try rig.move(by: Int64(end.timeIntervalSince1970 * 1_000) - rig.now)
            case .freeze: try rig.move(by: 0, frozenAt: rig.now)
            case .sawTooth: break
            }
            try body()
            while ContinuousClock.now - start < .seconds(Self.phaseSeconds) {
                if case .sawTooth = move { try rig.move(by: rig.offset == 0 ? 1_000 : 0) }
                usleep(250_000)
            }
            try rig.move(by: 0)
        }

        /// True records may be too old or too far ahead by a clock that is wrong, which their answer says.
        private func expectSaid(_ answer: HTTPAnswer, _ move: Move) {
            let isSaid = ["event-too-old", "event-in-future"].contains { answer.text.contains($0) }
            #expect(
                answer.status == 202 || (answer.status == 422 && isSaid), "\(move): \(answer.text)")
        }

        @Test(.timeLimit(.minutes(FaultRig.minuteLimit)))
        func `a wall clock that jumps loses nothing, hangs nothing and files nothing twice`() throws
        {
            let rig = try Rig()
            let begin = ContinuousClock.now
            let first = try rig.send("clock-keyed", at: rig.now, key: "first")
            #expect(first.status == 202)
            let keyed = rig.lastBody
            #expect(wait(upTo: 15) { (try? rig.filed())?.count == 1 })
            // What the wall clock says is believed once it has said it as long as what it said before.
            wait(upTo: 15) { ContinuousClock.now - begin > .seconds(2 * Self.phaseSeconds) }
            let moves = (0..<rounds(1, atMost: 10)).flatMap { _ in Self.moves }
            var jumpCounts: [Int] = []
            for (index, move) in moves.enumerated() {
                // Filed while the clock is wrong: two rows, of which one comes later.
                let model = "clock-\(index)"
                #expect(try rig.send(model, at: rig.now).status == 202, "\(move)")
                let before = try rig.jumpCount()
                try during(move, rig) {
                    let start = ContinuousClock.now
                    expectSaid(try rig.send("truth", at: rig.now), move)
                    // A sender on the same machine has the same clock.
                    let same = try rig.send("same-\(index)", at: rig.now + rig.offset)
                    #expect(same.status == 202, "\(move): \(same.text)")
                    let again = try rig.server.client.post(
                        "/v1/predictions", keyed, headers: ["Idempotency-Key": "first"])
                    #expect(
                        again.text == first.text && again.headers["idempotency-replayed"] == "true")
                    let isFiled = wait(upTo: 10) {
                        (try? rig.filed())?.contains("\(model) 1") ?? false
                    }
                    #expect(isFiled, "\(move): \(rig.server.logTail)")
                    #expect(ContinuousClock.now - start < .seconds(8), "\(move)")
                }
                #expect(try rig.send("truth", at: rig.now).status == 202, "after \(move)")
                wait(upTo: 2) { (try? rig.jumpCount()).map { $0 > before } ?? false }
                jumpCounts.append(try rig.jumpCount() - before)
            }
            // And when all is over.
            #expect(try rig.send("clock-after", at: rig.now).status == 202)
            #expect(wait(upTo: 10) { (try? rig.filed())?.contains("clock-after 1") ?? false })
            print("FT-18: \(zip(moves, jumpCounts).map { "\($0): \($1) jumps" })")
            // T-3; a saw-tooth of a second is none.
            for (move, count) in zip(moves, jumpCounts) {
                if case .sawTooth = move { continue }
                #expect(count >= 1, "\(move)")
            }
            #expect(rig.server.logText.contains("the wall clock has jumped"))
            try check(rig, moveCount: moves.count)
        }

        private func check(_ rig: Rig, moveCount: Int) throws {
            let models = (0..<moveCount).map { "clock-\($0)" } + ["clock-keyed", "clock-after"]
            #expect(try rig.filed() == models.map { "\($0) 1" }.sorted())
            let alerts = try rig.server.client.get("/v1/alerts?phase=firing").text
            #expect(alerts.components(separatedBy: #""rule":"Traffic""#).count - 1 == models.count)
            let status = try rig.server.client.get("/v1/status").text
            #expect(status.contains(#""begins_after":0"#), "the log was shortened")
            for (model, count) in rig.counts {
                #expect(try rig.server.client.volume(of: model) == Double(count), "\(model)")
            }
            #expect(rig.server.stop() == 0)
            try FaultRig.verify(rig.data)
            let again = try LeewayServer(data: rig.data, rules: rig.rules, clock: "wall")
            for (model, count) in rig.counts {
                #expect(try again.client.volume(of: model) == Double(count), "\(model)")
            }
        }
    }
}
