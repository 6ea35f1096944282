import MonitorCore
import MonitoringDomain
import MonitoringTestSupport
import Testing

@Suite struct ErrorDetectorTests {
    private static let detectors = Statistic.allCases.filter {
        $0.group == .detector && $0 != .drift
    }

    private static func rules(_ names: [Statistic] = detectors, model: String = "*") -> Input {
        let rules = names.map(\.rawValue).map {
            "  - { alert: \($0), expr: \"\($0)(error, window: 7d) > 0\" }\n"
        }
        return .rules([
            RuleFile(
                name: "g.yaml",
                text: "group: g\nmodel: \"\(model)\"\nrules:\n" + rules.joined())
        ])
    }

    /// Good rows, then bad ones, with their ground truth.
    private static func inputs(good: Int, bad: Int, seed: UInt64 = 3) throws -> [Input] {
        var traffic = Traffic(seed: seed)
        var inputs: [Input] = []
        for (accuracy, count) in [(0.9, good), (0.3, bad)] {
            traffic.accuracy = accuracy
            for _ in 0..<count / 50 {
                let rows = traffic.next(50)
                inputs.append(.predictions(try Batches.predictions(rows)))
                inputs.append(.groundTruth(try Batches.groundTruth(rows)))
            }
        }
        return inputs
    }

    private func measure(_ replay: Replay, _ statistic: Statistic) throws -> Measurement {
        let state = try #require(replay.monitor.collector.models[try model()])
        let all = TimeWindow(
            start: EventTime(milliseconds: 0), end: EventTime(milliseconds: 1 << 42))
        return state.measure(
            MeasurementQuery(model: try model(), statistic: statistic, feature: "error"),
            window: all)
    }

    private func finding(_ measurement: Measurement) throws -> DetectorFinding {
        guard case .detector(let finding)? = measurement.finding else { throw SampleError() }
        return finding
    }

    @Test func `a rate of errors that jumps is reported by each, and fires its rule`() throws {
        var replay = Replay(clock: .event)
        replay.apply(Self.rules())
        replay.apply(try Self.inputs(good: 1_000, bad: 400))

        for statistic in Self.detectors {
            let found = try measure(replay, statistic)
            let finding = try finding(found)
            #expect(try #require(found.reading.estimate).value >= 1, "\(statistic)")
            #expect(found.count == 1_400)
            // The jump is 2,000 s after the first row, at two seconds a row.
            let jump = 1_000 * WindowSpan.hour + 2_000 * 1_000
            #expect(try #require(finding.lastChange).milliseconds > jump, "\(statistic)")
            // Only cusum learns the usual error first, from 500 outcomes.
            #expect(finding.outcomeCount == (statistic == .cusum ? 900 : 1_400))
        }
        let fired = replay.effects.compactMap { effect -> String? in
            if case .alertChanged(let alert) = effect, alert.phase == .firing {
                alert.rule
            } else {
                nil
            }
        }
        #expect(Set(fired) == Set(Self.detectors.map(\.rawValue)))
    }

    @Test func `ground truth that replaces other is counted, and changes nothing that was seen`()
        throws
    {
        var traffic = Traffic(seed: 4)
        let rows = traffic.next(800)
        var replay = Replay(clock: .event)
        replay.apply([
            Self.rules(), .predictions(try Batches.predictions(rows)),
            .groundTruth(try Batches.groundTruth(rows)),
        ])
        let before = try Self.detectors.map { try finding(try measure(replay, $0)) }

        let wrong = rows[..<60].map { row in
            var row = row
            row.truth = row.truth == "yes" ? "no" : "yes"
            return row
        }
        replay.apply(.groundTruth(try Batches.groundTruth(wrong, revision: 1)))
        // The same again says nothing new.
        replay.apply(.groundTruth(try Batches.groundTruth(wrong, revision: 1)))

        for (detector, before) in zip(Self.detectors, before) {
            let after = try finding(try measure(replay, detector))
            #expect(before.correctedCount == 0 && after.correctedCount == 60)
            #expect(after.outcomeCount == before.outcomeCount && after.state == before.state)
            #expect(after.lastChange == before.lastChange)
        }
        let bytes = replay.monitor.snapshot()
        try replay.restart()
        let isSame = replay.monitor.snapshot() == bytes
        #expect(isSame)
        #expect(try finding(try measure(replay, .adwin)).correctedCount == 60)
    }

    @Test func `a restored snapshot goes on as the monitor would have`() throws {
        let inputs = [Self.rules()] + (try Self.inputs(good: 700, bad: 300))
        var whole = Replay(clock: .event)
        whole.apply(inputs)
        for cut in [2, 15, 30] {
            var restarted = Replay(clock: .event)
            restarted.apply(Array(inputs[..<cut]))

            try restarted.restart()
            restarted.apply(Array(inputs[cut...]))

            #expect(restarted.monitor.snapshot() == whole.monitor.snapshot())
            #expect(restarted.effects == whole.effects)
        }
    }

    @Test func `only what rules name is run, from when they name it`() throws {
        let inputs = try Self.inputs(good: 200, bad: 0)
        var replay = Replay(clock: .event)
        replay.apply(Array(inputs[..<4]))
        #expect(
            try measure(replay, .ddm).reading
                == .undefined(reason: "no rule of this model names ddm"))

        replay.apply(Self.rules([.ddm]))
        replay.apply(Array(inputs[4...]))
        #expect(try finding(try measure(replay, .ddm)).outcomeCount == 100)
        #expect(try measure(replay, .ddm).reading.estimate != nil)
        #expect(
            try measure(replay, .adwin).reading
                == .undefined(reason: "no rule of this model names adwin"))

        replay.apply(Self.rules([.ddm], model: "other-*"))
        #expect(
            try measure(replay, .ddm).reading
                == .undefined(reason: "no rule of this model names ddm"))
    }

    @Test func `ground truth that replaces other, or comes again, is not counted again`() throws {
        var traffic = Traffic(seed: 4)
        var rows = traffic.next(100)
        var replay = Replay(clock: .event)
        replay.apply(Self.rules([.eddm]))
        replay.apply(.predictions(try Batches.predictions(rows)))
        replay.apply(.groundTruth(try Batches.groundTruth(rows)))
        replay.apply(.groundTruth(try Batches.groundTruth(rows)))
        for index in rows.indices { rows[index].truth = "no" }
        replay.apply(.groundTruth(try Batches.groundTruth(rows, revision: 1)))

        #expect(try finding(try measure(replay, .eddm)).outcomeCount == 100)
    }

    @Test func `values are scaled by their usual error, and have no ddm`() throws {
        var random = SeededGenerator(seed: 5)
        var replay = Replay(clock: .event)
        replay.apply(Self.rules())
        var traffic = Traffic(seed: 5)
        for batch in 0..<20 {
            let rows = traffic.next(50)
            var predictions = try Batches.predictions(rows)
            var truths = try Batches.groundTruth(rows)
            predictions.labels = TextColumn(
                codes: rows.map { _ in TextColumn.missing }, dictionary: [])
            truths.labels = predictions.labels
            predictions.values = rows.map { _ in 1_000_000 }
            let size = batch < 14 ? 1_000.0 : 4_000
            truths.values = rows.map { _ in
                1_000_000 + Double.random(in: -size...size, using: &random)
            }
            replay.apply(.predictions(predictions))
            replay.apply(.groundTruth(truths))
            if batch == 5 {
                #expect(
                    try measure(replay, .adwin).reading
                        == .insufficientSamples(found: 300, required: 500))
            }
        }

        for statistic in [Statistic.adwin, .pageHinkley, .cusum, .kswin] {
            let found = try measure(replay, statistic)
            #expect(try #require(found.reading.estimate).value >= 1, "\(statistic)")
            #expect(try finding(found).outcomeCount == 500)
        }
        for statistic in [Statistic.ddm, .eddm] {
            #expect(
                try measure(replay, statistic).reading
                    == .undefined(
                        reason: "\(statistic.rawValue) is of labels, and this model predicts values"
                    ))
        }
    }
}
