import MonitorCore
import MonitoringDomain
import MonitoringTestSupport
import Testing

/// Two channels that differ by much: rows of the app are a thousand above those of the web.
@Suite struct DriftSegmentTests {
    private static let span = 10 * WindowSpan.minute

    private static func rules(_ rule: String = "drift(features, window: 10m)") -> Input {
        .rules([
            RuleFile(
                name: "g.yaml",
                text: """
                    group: g
                    every: 1m
                    budget: { false_alarms: 1 per 1d, tolerance: { ks: 0.02 } }
                    rules:
                      - alert: Whole
                        expr: \(rule)
                      - alert: Channel
                        expr: \(rule)
                        by: channel

                    """)
        ])
    }

    private static func declared() throws -> Input {
        var schema = ModelSchema(model: try model())
        schema.segments = ["channel"]
        return .declareSchema(schema)
    }

    /// Every third row is of the app; `appShift` moves those alone.
    private static func batch(
        _ traffic: inout Traffic, _ count: Int, appShift: Double = 0, isNamed: Bool = true
    ) throws -> PredictionBatch {
        let channels = (0..<count).map { $0 % 3 == 0 ? "app" : "web" }
        let rows = zip(traffic.next(count), channels).map { row, channel in
            var row = row
            if channel == "app" { row.amount = row.amount.map { $0 + 1_000 + appShift } }
            return row
        }
        var batch = try Batches.predictions(rows)
        guard isNamed else { return batch }
        let codes = channels.map { $0 == "app" ? UInt32(0) : 1 }
        batch.segments = [("channel", TextColumn(codes: codes, dictionary: ["app", "web"]))]
        return batch
    }

    private func drift(
        _ replay: Replay, _ segment: String?, feature: String? = nil
    ) throws -> Measurement {
        let state = try #require(replay.monitor.collector.models[try model()])
        return replay.monitor.judge.measure(
            DriftQuery(
                group: nil, feature: feature, span: Self.span,
                segment: segment.map { Segment(key: "channel", value: $0) }), of: state)
    }

    private func finding(_ measurement: Measurement) throws -> DriftFinding {
        guard case .drift(let finding)? = measurement.finding else { throw SampleError() }
        return finding
    }

    private func firing(_ replay: Replay) -> Set<String> {
        Set(
            replay.effects.compactMap { effect in
                guard case .alertChanged(let alert) = effect, alert.phase == .firing else {
                    return nil
                }
                return alert.fingerprint
            })
    }

    private static func pinned(_ traffic: inout Traffic, isNamed: Bool = true) throws -> Input {
        .pinReference(
            try batch(&traffic, 3_000, isNamed: isNamed),
            pinnedAt: EventTime(milliseconds: traffic.time))
    }

    @Test func `segments that differ are quiet, and one that moves is named alone`() throws {
        var traffic = Traffic(seed: 1)
        var replay = Replay(clock: .event)
        replay.apply([try Self.declared(), Self.rules(), try Self.pinned(&traffic)])
        for _ in 0..<40 { replay.apply(.predictions(try Self.batch(&traffic, 60))) }
        #expect(firing(replay).isEmpty)

        for _ in 0..<20 {
            replay.apply(.predictions(try Self.batch(&traffic, 60, appShift: 5)))
        }

        let fired = firing(replay)
        #expect(fired.contains("m/g/Channel/channel:app"))
        #expect(!fired.contains("m/g/Channel/channel:web"))
        // One detector and one budget: two features of the whole and of two channels.
        for segment in [nil, "app", "web"] {
            let finding = try finding(try drift(replay, segment))
            #expect(finding.streamCount == 6)
            #expect(abs(finding.level - 1.0 / 144) < 1e-12)
            #expect(finding.streams.map(\.segment?.value) == [segment, segment])
        }
        let (app, web) = (try drift(replay, "app"), try drift(replay, "web"))
        #expect(app.referenceCount == 1_000 && web.referenceCount == 2_000)
        #expect(app.segment == Segment(key: "channel", value: "app"))
        #expect(app.count == 100 && web.count == 200)
        #expect(try #require(app.reading.estimate).value > 0.3)
        #expect(try #require(web.reading.estimate).value < 0.2)
    }

    @Test func `a restored snapshot goes on as the monitor would have`() throws {
        var traffic = Traffic(seed: 2)
        var inputs = [try Self.declared(), Self.rules(), try Self.pinned(&traffic)]
        for index in 0..<24 {
            inputs.append(
                .predictions(try Self.batch(&traffic, 60, appShift: index > 14 ? 4 : 0)))
        }
        var whole = Replay(clock: .event)
        whole.apply(inputs)
        for cut in [4, 16] {
            var restarted = Replay(clock: .event)
            restarted.apply(Array(inputs[..<cut]))

            try restarted.restart()
            restarted.apply(Array(inputs[cut...]))

            #expect(restarted.effects == whole.effects)
            let isSame = restarted.monitor.snapshot() == whole.monitor.snapshot()
            #expect(isSame)
        }
    }

    @Test func `keys that are declared late count the reference's rows by them`() throws {
        var traffic = Traffic(seed: 3)
        var early = Replay(clock: .event)
        var late = Replay(clock: .event)
        let pin = try Self.pinned(&traffic)
        let batches = try (0..<20).map { _ in
            Input.predictions(try Self.batch(&traffic, 60))
        }

        early.apply([try Self.declared(), Self.rules(), pin] + batches)
        late.apply([Self.rules(), pin] + batches + [try Self.declared()])
        let more = Input.predictions(try Self.batch(&traffic, 400))
        early.apply(more)
        late.apply(more)

        for segment in ["app", "web"] {
            let (one, other) = (try drift(early, segment), try drift(late, segment))
            #expect(one.reading == other.reading)
            #expect(one.referenceCount == other.referenceCount)
            #expect(one.count == other.count && one.count > 0)
            #expect(other.reference == "r-2")
        }
    }

    @Test func `a learned reference has its segments too`() throws {
        var traffic = Traffic(seed: 4)
        var replay = Replay(clock: .event)
        replay.apply([try Self.declared(), Self.rules()])
        for _ in 0..<30 { replay.apply(.predictions(try Self.batch(&traffic, 300))) }

        let app = try drift(replay, "app")
        // Of each batch 100 rows; of the last one, of which 200 rows are learned from, 67.
        #expect(app.referenceCount == 1_667)
        #expect(app.reading.estimate != nil)
        #expect(firing(replay).isEmpty)
    }

    @Test func `what is not watched says why`() throws {
        var traffic = Traffic(seed: 5)
        func reason(_ replay: Replay, _ segment: Segment, _ feature: String? = nil) throws -> String
        {
            let state = try #require(replay.monitor.collector.models[try model()])
            let query = DriftQuery(
                group: nil, feature: feature, span: Self.span, segment: segment)
            let reading = replay.monitor.judge.measure(query, of: state).reading
            if case .undefined(let reason) = reading { return reason }
            return "\(reading)"
        }
        let app = Segment(key: "channel", value: "app")
        var named = Replay(clock: .event)
        named.apply([
            try Self.declared(), Self.rules("drift(amount, window: 10m)"),
            try Self.pinned(&traffic),
        ])
        for _ in 0..<12 { named.apply(.predictions(try Self.batch(&traffic, 60))) }
        #expect(
            try reason(named, Segment(key: "channel", value: "shop"))
                == "reference r-1 has no rows of channel:shop")
        #expect(
            try reason(named, Segment(key: "version", value: "1"))
                == "no drift rule with windows of 10m is by version")
        #expect(
            try reason(named, app, "colour")
                == "colour is watched by no drift rule with windows of 10m by channel")

        var bare = Replay(clock: .event)
        bare.apply([
            try Self.declared(), Self.rules(), try Self.pinned(&traffic, isNamed: false),
        ])
        for _ in 0..<12 { bare.apply(.predictions(try Self.batch(&traffic, 60))) }
        #expect(try reason(bare, app) == "the rows of reference r-1 name no channel")
        #expect(try drift(bare, nil).reading.estimate != nil)
    }
}
