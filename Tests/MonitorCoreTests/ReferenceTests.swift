import MonitorCore
import MonitoringDomain
import MonitoringTestSupport
import Testing
import WindowAggregation

@Suite struct ReferenceTests {
    /// A pinned model with 300 rows in three batches, and what became known of them.
    private func log(seed: UInt64) throws -> (replay: Replay, rows: [Row]) {
        var traffic = Traffic(seed: seed)
        var replay = Replay()
        let reference = try Batches.predictions(traffic.next(100), withTruth: true)
        replay.apply(.pinReference(reference, pinnedAt: EventTime(milliseconds: 0)))
        traffic.shift = 2
        let rows = traffic.next(300)
        for start in stride(from: 0, to: 300, by: 100) {
            replay.apply(.predictions(try Batches.predictions(Array(rows[start..<start + 100]))))
        }
        replay.apply(.groundTruth(try Batches.groundTruth(rows)))
        return (replay, rows)
    }

    private func state(_ replay: Replay) throws -> ModelCollector {
        try #require(replay.monitor.collector.models[model()])
    }

    private func span(_ rows: some Collection<Row>) throws -> TimeWindow {
        let times = rows.map(\.time)
        let (first, last) = (try #require(times.min()), try #require(times.max()))
        return TimeWindow(
            start: EventTime(milliseconds: first), end: EventTime(milliseconds: last + 1))
    }

    @Test(arguments: UInt64(0)..<3)
    func `a span of production is a reference, and the one before holds until it is ready`(
        seed: UInt64
    ) throws {
        var (replay, rows) = try log(seed: seed)
        let before = try replay.value(.psi, "amount")
        let source = ReferenceSource.span(try span(rows[..<150]))
        replay.apply(.chooseReference(try model(), source, at: EventTime(milliseconds: 9)))

        #expect(try replay.value(.psi, "amount") == before)
        #expect(try state(replay).references.entries.map(\.state) == [.active, .profiling])
        try replay.activatePending()

        let reference = try #require(try state(replay).aggregator.reference)
        #expect(reference.id == "r-2" && reference.origin == .production)
        #expect(reference.rowCount == 150)
        #expect(try state(replay).references.entries.map(\.state) == [.superseded, .active])
        #expect(try replay.value(.volume) == 300)
        #expect(try replay.value(.coverage) == 1)
        let correct = rows[..<150].filter { $0.label == $0.truth }.count
        #expect(
            try state(replay).baseline(.accuracy, feature: nil).estimate?.value
                == Double(correct) / 150)
        let after = try #require(try replay.value(.psi, "amount"))
        #expect(after < (try #require(before)))
    }

    @Test(arguments: UInt64(0)..<3)
    func `work that was begun in the background ends in the same bytes as a replay`(
        seed: UInt64
    ) throws {
        var (background, rows) = try log(seed: seed)
        background.apply(
            .chooseReference(
                try model(), .first(count: 120, version: "1"), at: EventTime(milliseconds: 9)))
        let begun = background.folded(try #require(try state(background).refolding))
        let folded = background.monitor.position
        // Records come while the work goes on.
        var traffic = Traffic(seed: seed + 100)
        traffic.time = rows[299].time
        let later = Input.predictions(
            try Batches.predictions(
                traffic.next(80).map { row in
                    var row = row
                    row.id = "late-\(row.id)"
                    return row
                }))
        var replay = background
        for position in [0, 1] {
            let activation = Input.activateReference(try model(), id: begun.id)
            if position == 0 {
                replay.apply([later, activation])
                continue
            }
            _ = background.monitor.apply(later, at: folded + 1)
            var rest = begun
            rest.fold(later, at: folded + 1)
            _ = background.monitor.apply(activation, at: folded + 2)
            rest.fold(activation, at: folded + 2)
            background.monitor.finish(rest)
        }

        #expect(background.monitor.snapshot() == replay.monitor.snapshot())
        #expect(try replay.value(.volume) == 380)
        #expect(try state(replay).aggregator.reference?.rowCount == 120)
        #expect(try state(replay).aggregator.reference?.origin == .learned)
    }

    @Test func `a newer request supersedes one that waits, also after a restart`() throws {
        var (replay, rows) = try log(seed: 5)
        let model = try model()
        let first = ReferenceSource.span(try span(rows[..<50]))
        replay.apply(.chooseReference(model, first, at: EventTime(milliseconds: 1)))
        let old = try #require(try state(replay).refolding)
        let second = ReferenceSource.span(try span(rows[50..<150]))
        replay.apply(.chooseReference(model, second, at: EventTime(milliseconds: 2)))
        try replay.restart()

        replay.apply(.activateReference(model, id: old.id))
        #expect(try state(replay).aggregator.reference?.id == "r-1")
        try replay.activatePending()

        #expect(try state(replay).aggregator.reference?.id == "r-3")
        #expect(try state(replay).aggregator.reference?.rowCount == 100)
        #expect(
            try state(replay).references.entries.map(\.state) == [
                .superseded, .superseded, .active,
            ])
    }

    @Test func `a span without rows fails and says so, and the reference before stays`() throws {
        var (replay, _) = try log(seed: 6)
        let empty = TimeWindow(
            start: EventTime(milliseconds: 0), end: EventTime(milliseconds: 1))
        replay.apply(.chooseReference(try model(), .span(empty), at: EventTime(milliseconds: 1)))
        try replay.activatePending()

        let last = try #require(try state(replay).references.entries.last)
        #expect(last.state == .failed && last.reason == "no rows are in the span")
        #expect(try state(replay).aggregator.reference?.id == "r-1")
        #expect(try replay.value(.volume) == 300)
    }

    @Test func `a moving reference is the window before, in the bins that were there`() throws {
        var (replay, rows) = try log(seed: 7)
        let model = try model()
        replay.apply(.chooseReference(model, .moving(.previous), at: EventTime(milliseconds: 1)))
        let reference = try #require(try state(replay).aggregator.reference)
        #expect(reference.moving == .previous && reference.origin == .moving)
        let minute = WindowSpan.milliseconds(WindowSpan.minute)
        let later = minute.window(containing: EventTime(milliseconds: rows[200].time))
        let first = minute.window(containing: EventTime(milliseconds: rows[0].time))
        let query = MeasurementQuery(model: model, statistic: .psi, feature: "amount")

        let measurement = try state(replay).measure(query, window: later)
        #expect(measurement.referenceCount == 30)
        #expect(try #require(measurement.reading.estimate).value < 2)
        guard
            case .undefined(let reason) = try state(replay).measure(query, window: first).reading
        else {
            Issue.record("a value without a window before")
            return
        }
        #expect(reason.contains("holds no rows"))
    }

    @Test func `segments that are declared later are those that were declared first`() throws {
        var traffic = Traffic(seed: 8)
        let reference = try Batches.predictions(traffic.next(100), withTruth: true)
        let rows = traffic.next(200)
        var batch = try Batches.predictions(rows)
        batch.segments = [
            (
                "channel",
                TextColumn(
                    codes: rows.indices.map { UInt32($0 % 2) }, dictionary: ["web", "app"])
            )
        ]
        let records: [Input] = [
            .pinReference(reference, pinnedAt: EventTime(milliseconds: 0)), .predictions(batch),
            .groundTruth(try Batches.groundTruth(rows)),
        ]
        let declaration = Input.declareSchema(
            ModelSchema(model: try model(), segments: ["channel"]))
        var first = Replay()
        first.apply([declaration] + records)
        var last = Replay()
        last.apply(records + [declaration])
        let all = TimeWindow(
            start: EventTime(milliseconds: 0), end: EventTime(milliseconds: 1 << 42))

        for statistic in [Statistic.volume, .accuracy, .coverage] {
            let query = MeasurementQuery(
                model: try model(), statistic: statistic,
                segment: Segment(key: "channel", value: "web"))
            let expected = try state(first).measure(query, window: all).reading
            #expect(expected.estimate != nil)
            #expect(try state(last).measure(query, window: all).reading == expected)
        }
    }
}
