import ByteCoding
import MonitorCore
import MonitoringDomain
import MonitoringTestSupport
import RuleEvaluation
import RuleLanguage
import Testing
import WindowAggregation

@Suite struct MonitorTests {
    private static let rules = RuleFile(
        name: "g.yaml",
        text: """
            group: g
            rules:
              - alert: Drift
                expr: psi(*, window: 1h) > 0.2
                for: 1m
              - retrain: Decay
                expr: accuracy(window: 1h).upper < reference(accuracy) - 0.03
                cooldown: 1h

            """)

    /// A seeded log: a reference, then batches of all kinds in disorder, ticks and reports.
    private static func log(seed: UInt64, count: Int = 40) throws -> [Input] {
        var random = SeededGenerator(seed: seed)
        var traffic = Traffic(seed: seed &+ 1)
        var inputs: [Input] = [.rules([rules])]
        let reference = try Batches.predictions(traffic.next(200), withTruth: true)
        inputs.append(.pinReference(reference, pinnedAt: EventTime(milliseconds: traffic.time)))
        var known: [Row] = []
        traffic.accuracy = 0.4
        for _ in 0..<count {
            switch Int.random(in: 0..<8, using: &random) {
            case 0, 1, 2:
                let rows = traffic.next(Int.random(in: 1...60, using: &random))
                known += rows
                inputs.append(.predictions(try Batches.predictions(rows)))
            case 3, 4:
                let rows = known.shuffled(using: &random).prefix(50)
                inputs.append(.groundTruth(try Batches.groundTruth(Array(rows))))
            case 5:
                let rows = known.shuffled(using: &random).prefix(20)
                inputs.append(.predictions(try Batches.predictions(Array(rows))))
            case 6: inputs.append(.tick(EventTime(milliseconds: traffic.time)))
            default:
                if Bool.random(using: &random) {
                    traffic.shift += 2
                    traffic.version = "2"
                }
                inputs.append(.tick(EventTime(milliseconds: traffic.time + 60_000)))
                inputs.append(
                    .report(
                        TrainerReport(
                            requestID: "g:Decay:m:\(traffic.time)", state: .succeeded,
                            newVersion: "2"), at: EventTime(milliseconds: traffic.time)))
            }
        }
        return inputs
    }

    @Test(arguments: UInt64(0)..<6)
    func `the same log gives the same snapshot, byte for byte, and the same effects`(
        seed: UInt64
    ) throws {
        for clock in Monitor.Clock.allCases {
            var first = Replay(clock: clock)
            var second = Replay(clock: clock)
            first.apply(try Self.log(seed: seed))
            second.apply(try Self.log(seed: seed))

            #expect(first.monitor.snapshot() == second.monitor.snapshot())
            #expect(first.effects == second.effects)
        }
    }

    @Test(arguments: UInt64(0)..<6)
    func `a restored snapshot and the rest of the log equal the whole log`(seed: UInt64) throws {
        let log = try Self.log(seed: seed)
        var random = SeededGenerator(seed: seed)
        let cut = Int.random(in: 0...log.count, using: &random)
        var whole = Replay(clock: .event)
        var cutOff = Replay(clock: .event)
        whole.apply(log)
        cutOff.apply(Array(log[..<cut]))

        try cutOff.restart()
        cutOff.apply(Array(log[cut...]))

        #expect(cutOff.monitor.snapshot() == whole.monitor.snapshot())
        #expect(cutOff.effects == whole.effects)
    }

    @Test func `a snapshot is what it restores`() throws {
        var replay = Replay()
        replay.apply(try Self.log(seed: 9))
        let bytes = replay.monitor.snapshot()

        #expect(try Monitor(snapshot: bytes).snapshot() == bytes)
    }

    @Test(arguments: UInt64(0)..<6)
    func `the order and the batching of records change no measurement`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var traffic = Traffic(seed: seed)
        let reference = try Batches.predictions(traffic.next(150), withTruth: true)
        let rows = traffic.next(200)
        let pin = Input.pinReference(reference, pinnedAt: EventTime(milliseconds: 0))
        var ordered = Replay()
        ordered.apply([
            pin, .predictions(try Batches.predictions(rows)),
            .groundTruth(try Batches.groundTruth(rows)),
        ])
        // Truth before predictions, late rows, everything in pieces, and a third of it twice.
        var pieces: [Input] = []
        for start in stride(from: 0, to: rows.count, by: 20) {
            let piece = Array(rows[start..<start + 20])
            pieces.append(.predictions(try Batches.predictions(piece.shuffled(using: &random))))
            pieces.append(.groundTruth(try Batches.groundTruth(piece.shuffled(using: &random))))
        }
        pieces += pieces.prefix(7)
        var disordered = Replay()

        disordered.apply([pin] + pieces.shuffled(using: &random))

        #expect(disordered.duplicateCount == 7 * 20)
        let (expected, found) = (try ordered.everything(), try disordered.everything())
        #expect(expected.count > 20)
        #expect(Set(found.keys) == Set(expected.keys))
        // The share of repeats is what differs: 80 predictions came twice.
        #expect(try disordered.value(.duplicateRate) == 80.0 / 280)
        for (name, value) in expected where !name.hasPrefix("duplicateRate") {
            #expect(abs((found[name] ?? .nan) - value) <= 1e-9 * max(1, abs(value)), "\(name)")
        }
    }

    @Test(arguments: UInt64(0)..<4)
    func `a reference pinned late equals one pinned first`(seed: UInt64) throws {
        var traffic = Traffic(seed: seed)
        let reference = try Batches.predictions(traffic.next(150), withTruth: true)
        let rows = traffic.next(200)
        let pin = Input.pinReference(reference, pinnedAt: EventTime(milliseconds: 5))
        let other = Input.predictions(try Batches.predictions(rows, model: "second"))
        let records: [Input] = [
            .predictions(try Batches.predictions(Array(rows[..<120]))), other,
            .groundTruth(try Batches.groundTruth(Array(rows[60...]))),
            .predictions(try Batches.predictions(Array(rows[120...]))),
        ]
        var first = Replay()
        var last = Replay()

        first.apply([pin] + records)
        last.apply(records + [pin])

        // All but the place of the pin in the log, which a model remembers.
        for name in ["m", "second"] {
            let model = try model(name)
            let (one, other) = (
                try #require(first.monitor.collector.models[model]),
                try #require(last.monitor.collector.models[model])
            )
            var (ones, others) = (ByteWriter(), ByteWriter())
            one.aggregator.encode(to: &ones)
            one.join.encode(to: &ones)
            other.aggregator.encode(to: &others)
            other.join.encode(to: &others)
            #expect(ones.bytes == others.bytes)
            #expect(one.schema == other.schema)
            #expect(one.references == other.references)
            #expect(one.recordCount == other.recordCount && one.watermark == other.watermark)
            #expect(one.learnedRowCount == other.learnedRowCount)
        }
    }

    // MARK: - Hostile bytes

    /// A monitor with an alert and a model that is still learning; with a pinned one where asked.
    private static func small(isPinned: Bool) throws -> Monitor {
        var replay = Replay()
        var traffic = Traffic(seed: 5)
        let rows = traffic.next(6)
        replay.apply([
            .rules([RuleFile(name: "g", text: "rules:\n  - { alert: A, expr: \"1 < 2\" }\n")]),
            .predictions(try Batches.predictions(rows)),
            .groundTruth(try Batches.groundTruth(rows)),
            .tick(EventTime(milliseconds: traffic.time)),
        ])
        if isPinned {
            let reference = try Batches.predictions(traffic.next(12), withTruth: true)
            replay.apply(.pinReference(reference, pinnedAt: EventTime(milliseconds: 0)))
        }
        return replay.monitor
    }

    /// A pinned model's own bytes are flipped one by one in the tests of its module, so here are samples.
    private static let strides = [(isPinned: false, stride: 1), (isPinned: true, stride: 97)]

    @Test(arguments: strides)
    func `a prefix of a snapshot is refused`(isPinned: Bool, stride: Int) throws {
        let bytes = try Self.small(isPinned: isPinned).snapshot()
        for end in Swift.stride(from: 0, to: bytes.count, by: stride) {
            #expect(throws: ByteReadingError.self) { try Monitor(snapshot: Array(bytes[..<end])) }
        }
    }

    @Test(arguments: strides, [UInt8(0x01), 0x80])
    func `a flipped byte of a snapshot ends in a monitor or in the typed error`(
        sample: (isPinned: Bool, stride: Int), mask: UInt8
    ) throws {
        let bytes = try Self.small(isPinned: sample.isPinned).snapshot()
        for place in stride(from: 0, to: bytes.count, by: sample.stride) {
            var flipped = bytes
            flipped[place] ^= mask
            do {
                _ = try Monitor(snapshot: flipped)
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }

    @Test func `a snapshot of another version, or with bytes behind it, is refused`() throws {
        let bytes = try Self.small(isPinned: false).snapshot()
        var other = bytes
        other[0] = 99

        #expect(throws: ByteReadingError.invalid(offset: 0, reason: "snapshot version 99")) {
            try Monitor(snapshot: other)
        }
        #expect(throws: ByteReadingError.self) { try Monitor(snapshot: bytes + [0]) }
    }

    // MARK: - Clocks

    @Test func `a wall clock judges on ticks, an event clock on records`() throws {
        let always = RuleFile(name: "g", text: "rules:\n  - { alert: A, expr: \"1 < 2\" }\n")
        var traffic = Traffic(seed: 1)
        let records = Input.predictions(try Batches.predictions(traffic.next(3)))
        let tick = Input.tick(EventTime(milliseconds: traffic.time + WindowSpan.hour))
        var wall = Replay(clock: .wall)
        var event = Replay(clock: .event)

        wall.apply([.rules([always]), records])
        event.apply([.rules([always]), tick])
        #expect(wall.effects.isEmpty)
        #expect(event.effects.isEmpty)
        wall.apply(tick)
        event.apply(records)
        #expect(wall.effects.count == 1)
        #expect(event.effects.count == 1)
        #expect(event.monitor.judge.now == EventTime(milliseconds: traffic.time))
    }

    @Test func `a clock that goes back does not take the judge with it`() throws {
        var replay = Replay()
        replay.apply([
            .tick(EventTime(milliseconds: 1_000)), .tick(EventTime(milliseconds: 500)),
        ])

        #expect(replay.monitor.judge.now == EventTime(milliseconds: 1_000))
    }

    @Test func `rules in the log that do not parse change nothing`() throws {
        let always = RuleFile(name: "g", text: "rules:\n  - { alert: A, expr: \"1 < 2\" }\n")
        var replay = Replay()
        replay.apply([.rules([always]), .rules([RuleFile(name: "g", text: "rules: 1")])])

        #expect(replay.monitor.judge.engine.rules.groups.count == 1)
        replay.apply(.rules([]))
        #expect(replay.monitor.judge.engine.rules.groups.isEmpty)
        try replay.restart()
        #expect(replay.monitor.judge.engine.rules.groups.isEmpty)
    }
}
