import MonitorCore
import MonitoringDomain
import MonitoringTestSupport
import RuleEvaluation
import RuleLanguage
import Testing

/// Windows that rules judged and late rows changed.
@Suite struct RestatementTests {
    private static let rules = Input.rules([
        RuleFile(
            name: "late.yaml",
            text: """
                group: late
                every: 5m
                rules:
                  - alert: Quiet
                    expr: volume(window: 1h) < 40
                  - alert: Moved
                    expr: mean(amount, window: 1h) > 1000

                """)
    ])

    private static let minute = WindowSpan.minute

    private static func pin(_ traffic: inout Traffic) throws -> Input {
        let reference = try Batches.predictions(traffic.next(200), withTruth: true)
        return .pinReference(reference, pinnedAt: EventTime(milliseconds: traffic.time))
    }

    /// A log in which a third of the batches come up to an hour late.
    private static func log(seed: UInt64) throws -> [Input] {
        var random = SeededGenerator(seed: seed)
        var traffic = Traffic(seed: seed)
        var inputs = [rules, try pin(&traffic)]
        var held: [Input] = []
        for _ in 0..<40 {
            let batch = Input.predictions(
                try Batches.predictions(traffic.next(Int.random(in: 10...60, using: &random))))
            if Int.random(in: 0..<3, using: &random) == 0 {
                held.append(batch)
            } else {
                inputs.append(batch)
            }
            if held.count > 2 { inputs.append(held.removeFirst()) }
        }
        return inputs + held
    }

    @Test func `the log names the window, the question, and the value before and after`() throws {
        var traffic = Traffic(seed: 1)
        var replay = Replay(clock: .event)
        replay.apply([Self.rules, try Self.pin(&traffic)])
        let early = traffic.next(30)
        traffic.time += 20 * Self.minute
        let now = traffic.next(1)
        replay.apply(.predictions(try Batches.predictions(now)))
        let id = try model()
        #expect(replay.monitor.judge.restatements(of: id).isEmpty)
        #expect(replay.monitor.judge.engine.alerts.map(\.rule) == ["Quiet"])
        let effectCount = replay.effects.count

        replay.apply(.predictions(try Batches.predictions(early)))

        let log = replay.monitor.judge.restatements(of: id)
        let volume = try #require(log.first { $0.query.statistic == .volume })
        #expect(volume.window.end == EventTime(milliseconds: now[0].time + 1))
        #expect(volume.old.estimate?.value == 1)
        #expect(volume.new.estimate?.value == 31)
        #expect(volume.restatedAt == EventTime(milliseconds: now[0].time))
        let mean = try #require(log.first { $0.query.statistic == .mean })
        #expect(mean.query.feature == "amount")
        #expect(log.count == 2)
        // Still quiet, and judged again: the alert has the new value.
        #expect(replay.effects.count == effectCount)
        #expect(replay.monitor.judge.engine.alerts.map(\.value) == [31])
    }

    @Test func `a slice is restated apart, and survives a snapshot with its alert`() throws {
        var traffic = Traffic(seed: 6)
        var replay = Replay(clock: .event)
        let file = RuleFile(
            name: "by.yaml",
            text: "rules:\n  - { alert: Few, expr: \"volume(window: 1h) < 50\", by: version }\n")
        replay.apply([.rules([file]), try Self.pin(&traffic)])
        let early = traffic.next(30)
        traffic.time += 20 * Self.minute
        traffic.version = "2"
        replay.apply(.predictions(try Batches.predictions(traffic.next(1))))

        replay.apply(.predictions(try Batches.predictions(early)))

        let log = replay.monitor.judge.restatements(of: try model())
        // Version 1 was not known when the window was judged.
        #expect(log.isEmpty)
        #expect(
            replay.monitor.judge.engine.alerts.map(\.segment?.description) == ["version:2"])
        traffic.time += 5 * Self.minute
        replay.apply(.predictions(try Batches.predictions(traffic.next(1))))
        #expect(
            replay.monitor.judge.engine.alerts.map(\.segment?.description)
                == ["version:1", "version:2"])
        let late = early.map { row in
            var row = row
            row.id += "-late"
            return row
        }
        replay.apply(.predictions(try Batches.predictions(late)))
        let restated = replay.monitor.judge.restatements(of: try model())
        #expect(restated.map(\.query.segment?.description) == ["version:1"])
        #expect(restated.map(\.new.estimate?.value) == [60])
        let bytes = replay.monitor.snapshot()
        #expect(try Monitor(snapshot: bytes).snapshot() == bytes)
    }

    @Test func `an alert that late rows refute ends at once, and not at the next slot`() throws {
        var traffic = Traffic(seed: 2)
        var replay = Replay(clock: .event)
        replay.apply([Self.rules, try Self.pin(&traffic)])
        let early = traffic.next(60)
        traffic.time += 10 * Self.minute
        replay.apply(.predictions(try Batches.predictions(traffic.next(1))))
        #expect(replay.monitor.judge.engine.alerts.map(\.phase) == [.firing])

        replay.apply(.predictions(try Batches.predictions(early)))

        #expect(replay.monitor.judge.engine.alerts.map(\.phase) == [.resolved])
    }

    @Test func `another reference forgets what was judged against the one before`() throws {
        var traffic = Traffic(seed: 3)
        var replay = Replay(clock: .event)
        replay.apply([Self.rules, try Self.pin(&traffic)])
        let early = traffic.next(30)
        traffic.time += 20 * Self.minute
        replay.apply(.predictions(try Batches.predictions(traffic.next(1))))
        replay.apply(try Self.pin(&traffic))
        try replay.activatePending()

        replay.apply(.predictions(try Batches.predictions(early)))

        #expect(replay.monitor.judge.restatements(of: try model()).isEmpty)
    }

    @Test(arguments: UInt64(0)..<5)
    func `the same log restates the same, and a restored snapshot goes on as the whole`(
        seed: UInt64
    ) throws {
        let log = try Self.log(seed: seed)
        var whole = Replay(clock: .event)
        var again = Replay(clock: .event)
        whole.apply(log)
        again.apply(log)
        let restatements = whole.monitor.judge.restatements(of: try model())
        #expect(restatements.count > 3)
        #expect(restatements.allSatisfy { $0.old != $0.new })
        #expect(again.monitor.snapshot() == whole.monitor.snapshot())
        for cut in [3, 15, 30] {
            var restarted = Replay(clock: .event)
            restarted.apply(Array(log[..<cut]))
            try restarted.restart()
            restarted.apply(Array(log[cut...]))

            #expect(restarted.monitor.snapshot() == whole.monitor.snapshot())
            #expect(restarted.effects == whole.effects)
        }
    }

    @Test func `the log of restatements is bounded`() throws {
        var traffic = Traffic(seed: 4)
        var replay = Replay(clock: .event)
        let alerts = (1...20).map {
            "  - { alert: A\($0), expr: \"volume(window: \(10 + $0)m) < 1\" }\n"
        }
        let file = RuleFile(
            name: "many.yaml", text: "group: many\nrules:\n" + alerts.joined())
        replay.apply([.rules([file]), try Self.pin(&traffic)])
        for _ in 0..<60 {
            let early = traffic.next(5)
            traffic.time += 6 * Self.minute
            replay.apply(.predictions(try Batches.predictions(traffic.next(1))))
            replay.apply(.predictions(try Batches.predictions(early)))
        }

        let log = replay.monitor.judge.restatements(of: try model())
        #expect(log.count == 1_000)
        #expect(zip(log, log.dropFirst()).allSatisfy { $0.restatedAt <= $1.restatedAt })
    }
}
