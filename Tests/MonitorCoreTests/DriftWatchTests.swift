import MonitorCore
import MonitoringDomain
import MonitoringTestSupport
import Testing

/// Two seconds between rows: a window of ten minutes has 300.
@Suite struct DriftWatchTests {
    private static let span = 10 * WindowSpan.minute

    private static func rules(
        _ budget: String = "{ false_alarms: 1 per 1d, tolerance: { ks: 0.02 } }"
    ) -> Input {
        .rules([
            RuleFile(
                name: "g.yaml",
                text: """
                    group: g
                    every: 1m
                    budget: \(budget)
                    rules:
                      - alert: Features
                        expr: drift(features, window: 10m)
                      - alert: Each
                        expr: drift(*, window: 10m)

                    """)
        ])
    }

    private static func pin(_ traffic: inout Traffic) throws -> Input {
        .pinReference(
            try Batches.predictions(traffic.next(2_000)),
            pinnedAt: EventTime(milliseconds: traffic.time))
    }

    /// Quiet windows, then shifted ones; in batches of fifty rows.
    private static func rows(_ traffic: inout Traffic, quiet: Int, shifted: Int) -> [[Row]] {
        var batches = (0..<quiet * 6).map { _ in traffic.next(50) }
        traffic.shift = 3
        batches += (0..<shifted * 6).map { _ in traffic.next(50) }
        return batches
    }

    private func drift(
        _ replay: Replay, _ feature: String? = nil, at start: EventTime? = nil
    ) throws -> Measurement {
        let state = try #require(replay.monitor.collector.models[try model()])
        return replay.monitor.judge.measure(
            DriftQuery(group: nil, feature: feature, span: Self.span, start: start), of: state)
    }

    private func finding(_ measurement: Measurement) throws -> DriftFinding {
        guard case .drift(let finding)? = measurement.finding else { throw SampleError() }
        return finding
    }

    private func firing(_ replay: Replay) -> [Alert] {
        replay.effects.compactMap { effect in
            if case .alertChanged(let alert) = effect, alert.phase == .firing { alert } else { nil }
        }
    }

    @Test func `a quiet stream raises no alarm, a shift is named with its null and level`() throws {
        var traffic = Traffic(seed: 1)
        var replay = Replay(clock: .event)
        replay.apply([Self.rules(), try Self.pin(&traffic)])
        for rows in Self.rows(&traffic, quiet: 8, shifted: 0) {
            replay.apply(.predictions(try Batches.predictions(rows)))
        }
        #expect(firing(replay).isEmpty)

        for rows in Self.rows(&traffic, quiet: 0, shifted: 4) {
            replay.apply(.predictions(try Batches.predictions(rows)))
        }

        let alerts = firing(replay)
        #expect(Set(alerts.map(\.fingerprint)) == ["m/g/Features", "m/g/Each/amount"])
        let evidence = try #require(alerts.first { $0.rule == "Features" }?.evidence.first)
        let finding = try finding(evidence)
        #expect(finding.null == .rows)
        #expect(abs(finding.level - 1.0 / 144) < 1e-12)
        #expect(finding.tolerance == 0.02)
        #expect(finding.streamCount == 2)
        #expect(finding.streams.map(\.feature) == ["amount", "colour"])
        #expect(finding.streams[0].isNamed)
        #expect(finding.streams[0].evidence >= finding.alarmAt)
        #expect(!finding.streams[1].isNamed)
        #expect(try #require(evidence.reading.estimate?.lower) > finding.tolerance)
        #expect(evidence.count > 0)
        #expect(evidence.referenceCount == 2_000)
    }

    @Test(arguments: UInt64(0)..<4)
    func `late rows leave the verdicts that rows in time would have given`(seed: UInt64) throws {
        var traffic = Traffic(seed: seed)
        var random = SeededGenerator(seed: seed)
        let start = [Self.rules(), try Self.pin(&traffic)]
        let batches = Self.rows(&traffic, quiet: 4, shifted: 2)
        var late = batches
        for _ in 0..<6 {
            let batch = late.remove(at: Int.random(in: 0..<late.count - 1, using: &random))
            late.append(batch)
        }
        // The last one of all moves the clock in both.
        late.append(late.remove(at: late.firstIndex(of: batches[batches.count - 1]) ?? 0))
        let end = Input.predictions(try Batches.predictions(traffic.next(60)))
        func replay(_ batches: [[Row]]) throws -> Replay {
            var replay = Replay(clock: .event)
            replay.apply(start)
            for rows in batches { replay.apply(.predictions(try Batches.predictions(rows))) }
            replay.apply(end)
            return replay
        }

        let (ordered, disordered) = (try replay(batches), try replay(late))

        var revisedCount = 0
        let newest = try drift(ordered).window.start
        for index in 0..<Int64(7) {
            let time = newest.advanced(byMilliseconds: -index * Self.span)
            let (one, other) = (
                try drift(ordered, at: time), try drift(disordered, at: time)
            )
            #expect(one.finding == other.finding)
            #expect(one.reading == other.reading)
            #expect(one.count == other.count)
            revisedCount += other.isRevised ? 1 : 0
        }
        #expect(revisedCount > 0)
    }

    @Test func `rows before the first judged window are judged when they come`() throws {
        var traffic = Traffic(seed: 10)
        var replay = Replay(clock: .event)
        replay.apply([Self.rules(), try Self.pin(&traffic)])
        let early = (0..<6).map { _ in traffic.next(50) }
        let first = EventTime(milliseconds: early[3][0].time)
        let start = EventTime(
            milliseconds: first.milliseconds - first.milliseconds % Self.span)
        // One row makes the version known from there on.
        replay.apply(.predictions(try Batches.predictions([early[0][0]])))
        for rows in Self.rows(&traffic, quiet: 3, shifted: 0) {
            replay.apply(.predictions(try Batches.predictions(rows)))
        }
        let before = try drift(replay, at: start)

        for rows in early { replay.apply(.predictions(try Batches.predictions(rows))) }
        replay.apply(.predictions(try Batches.predictions(traffic.next(60))))

        let after = try drift(replay, at: start)
        #expect(after.count > before.count)
        #expect(after.isRevised)
    }

    @Test(arguments: ["{ false_alarms: 1 per 1d }", "{ false_alarms: 1 per 1d, null: windows }"])
    func `a restored snapshot goes on as the monitor would have`(budget: String) throws {
        var traffic = Traffic(seed: 5)
        var inputs = [Self.rules(budget), try Self.pin(&traffic)]
        for rows in Self.rows(&traffic, quiet: 4, shifted: 4) {
            inputs.append(.predictions(try Batches.predictions(rows)))
        }
        var whole = Replay(clock: .event)
        whole.apply(inputs)
        for cut in [3, 20, 40] {
            var restarted = Replay(clock: .event)
            restarted.apply(Array(inputs[..<cut]))

            try restarted.restart()
            restarted.apply(Array(inputs[cut...]))

            #expect(restarted.effects == whole.effects)
            #expect(restarted.monitor.snapshot() == whole.monitor.snapshot())
        }
    }

    @Test func `a new version and a new reference begin afresh`() throws {
        var traffic = Traffic(seed: 6)
        var replay = Replay(clock: .event)
        replay.apply([Self.rules(), try Self.pin(&traffic)])
        for rows in Self.rows(&traffic, quiet: 1, shifted: 3) {
            replay.apply(.predictions(try Batches.predictions(rows)))
        }
        let before = try drift(replay)
        traffic.version = "2"
        replay.apply(.predictions(try Batches.predictions(traffic.next(60))))
        #expect(try drift(replay).reading == .noData)

        // The shifted rows as the reference: then they are no drift.
        for _ in 0..<12 { replay.apply(.predictions(try Batches.predictions(traffic.next(50)))) }
        replay.apply(try Self.pin(&traffic))
        try replay.activatePending()
        for _ in 0..<12 { replay.apply(.predictions(try Batches.predictions(traffic.next(50)))) }

        #expect(before.version == "1")
        let after = try drift(replay)
        #expect(after.version == "2")
        #expect(after.reference == "r-2")
        #expect(try finding(after).isAlarm == false)
    }

    @Test func `the null of windows is named, and its first windows only calibrate`() throws {
        var traffic = Traffic(seed: 7)
        var replay = Replay(clock: .event)
        replay.apply([
            Self.rules("{ false_alarms: 1 per 1h, null: windows }"), try Self.pin(&traffic),
        ])
        for rows in Self.rows(&traffic, quiet: 30, shifted: 0) {
            replay.apply(.predictions(try Batches.predictions(rows)))
        }
        let quiet = try finding(try drift(replay))
        for rows in Self.rows(&traffic, quiet: 0, shifted: 4) {
            replay.apply(.predictions(try Batches.predictions(rows)))
        }

        let shifted = try finding(try drift(replay))
        #expect(quiet.null == .windows)
        let amount = { (finding: DriftFinding) in
            finding.streams.first { $0.feature == "amount" }?.evidence ?? 0
        }
        #expect(amount(shifted) > 10 * amount(quiet) || !firing(replay).isEmpty)
    }

    @Test func `what is not judged says why`() throws {
        var traffic = Traffic(seed: 8)
        var replay = Replay(clock: .event)
        replay.apply([Self.rules(), try Self.pin(&traffic)])
        for rows in Self.rows(&traffic, quiet: 3, shifted: 0) {
            replay.apply(.predictions(try Batches.predictions(rows)))
        }
        let state = try #require(replay.monitor.collector.models[try model()])
        let newest = try drift(replay).window.start
        func reason(_ query: DriftQuery) -> String {
            guard
                case .undefined(let reason) = replay.monitor.judge.measure(query, of: state).reading
            else { return "" }
            return reason
        }

        #expect(
            reason(DriftQuery(group: nil, feature: nil, span: WindowSpan.day))
                == "no drift rule of this model judges windows of 1d")
        #expect(
            reason(DriftQuery(group: "other", feature: nil, span: WindowSpan.day)).hasPrefix("no"))
        #expect(
            reason(DriftQuery(group: nil, feature: "prediction", span: Self.span))
                == "prediction is watched by no drift rule with windows of 10m")
        #expect(
            reason(
                DriftQuery(
                    group: nil, feature: nil, span: Self.span,
                    start: newest.advanced(byMilliseconds: Self.span)))
                == "the window has not ended")
        #expect(
            reason(
                DriftQuery(
                    group: nil, feature: nil, span: Self.span,
                    start: newest.advanced(byMilliseconds: -60_000))
            ).hasSuffix("without a step"))
    }

    @Test func `a learned reference's own rows are no evidence`() throws {
        var traffic = Traffic(seed: 9)
        var replay = Replay(clock: .event)
        replay.apply(Self.rules())
        for _ in 0..<60 { replay.apply(.predictions(try Batches.predictions(traffic.next(100)))) }

        let newest = try drift(replay)
        // 5,000 rows are 10,000 s: the first window after them begins at 2 h 50 min.
        let first = EventTime(milliseconds: 1_000 * WindowSpan.hour + 17 * Self.span)
        #expect(newest.reference == "r-1")
        #expect(newest.reading.estimate != nil)
        #expect(try drift(replay, at: first).reading.estimate != nil)
        #expect(
            try drift(replay, at: first.advanced(byMilliseconds: -Self.span)).reading == .noData)
    }
}
