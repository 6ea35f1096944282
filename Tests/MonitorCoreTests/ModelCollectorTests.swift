import MonitorCore
import MonitoringDomain
import MonitoringTestSupport
import Testing
import WindowAggregation

@Suite struct ModelCollectorTests {
    @Test func `the first 5,000 records become the reference, and say so until then`() throws {
        var replay = Replay()
        var traffic = Traffic(seed: 1)
        let rows = traffic.next(5_000)
        for start in stride(from: 0, to: 4_000, by: 1_000) {
            let piece = Array(rows[start..<start + 1_000])
            replay.apply(.predictions(try Batches.predictions(piece)))
        }
        replay.apply(.predictions(try Batches.predictions(Array(rows[4_000..<4_999]))))
        // Half of the truth comes while the reference is being learned.
        replay.apply(.groundTruth(try Batches.groundTruth(Array(rows[..<2_500]))))

        #expect(
            try replay.reading(.psi, "amount")
                == .insufficientSamples(found: 4_999, required: 5_000))
        #expect(try replay.value(.volume) == 4_999)
        try replay.restart()
        replay.apply(.predictions(try Batches.predictions(Array(rows[4_999...]))))

        #expect(try replay.value(.volume) == 5_000)
        #expect(try replay.value(.psi, "amount") == 0)
        let state = try #require(replay.monitor.collector.models[model()])
        #expect(state.aggregator.reference?.origin == .learned)
        #expect(state.schema.task == .binary)
        #expect(state.schema.positiveLabel == "yes")
        #expect(try replay.value(.coverage) == 0.5)
        let first = try #require(state.baseline(.accuracy, feature: nil).estimate?.value)
        #expect(abs(first - 0.9) < 0.03)

        replay.apply(.groundTruth(try Batches.groundTruth(Array(rows[2_500...]))))
        #expect(try replay.value(.coverage) == 1)
        let whole = try #require(replay.monitor.collector.models[model()])
        let correct = rows.filter { $0.label == $0.truth }.count
        #expect(
            whole.baseline(.accuracy, feature: nil).estimate?.value == Double(correct) / 5_000)
    }

    @Test func `an id is counted once, whatever comes how often`() throws {
        var replay = Replay()
        var traffic = Traffic(seed: 2)
        let reference = try Batches.predictions(traffic.next(50), withTruth: true)
        let rows = traffic.next(100)
        replay.apply(.pinReference(reference, pinnedAt: EventTime(milliseconds: 0)))

        for _ in 0..<3 {
            replay.apply(.predictions(try Batches.predictions(rows)))
            replay.apply(.groundTruth(try Batches.groundTruth(rows)))
        }

        #expect(replay.duplicateCount == 400)
        #expect(try replay.value(.volume) == 100)
        let correct = rows.filter { $0.label == $0.truth }.count
        #expect(try replay.value(.accuracy) == Double(correct) / 100)
        #expect(replay.monitor.collector.models[try model()]?.recordCount == 100)
    }

    @Test func `a later revision of ground truth replaces the earlier one`() throws {
        for isLearning in [true, false] {
            var replay = Replay()
            var traffic = Traffic(seed: 3)
            traffic.accuracy = 1
            let reference = try Batches.predictions(traffic.next(50), withTruth: true)
            let rows = traffic.next(100)
            let wrong = rows.map { row in
                var row = row
                row.truth = row.label == "yes" ? "no" : "yes"
                return row
            }
            let pin = Input.pinReference(reference, pinnedAt: EventTime(milliseconds: 0))
            if !isLearning { replay.apply(pin) }
            replay.apply([
                .predictions(try Batches.predictions(rows)),
                .groundTruth(try Batches.groundTruth(wrong, revision: 1)),
                .groundTruth(try Batches.groundTruth(rows, revision: 2)),
                .groundTruth(try Batches.groundTruth(wrong, revision: 1)),
            ])
            if isLearning { replay.apply(pin) }
            #expect(try replay.value(.accuracy) == 1)
            #expect(try replay.value(.coverage) == 1)
        }
    }

    @Test func `models are counted apart`() throws {
        var replay = Replay()
        for (name, count) in [("a", 30), ("b", 40)] {
            var traffic = Traffic(seed: 4)
            let reference = try Batches.predictions(
                traffic.next(50), model: name, withTruth: true)
            replay.apply([
                .pinReference(reference, pinnedAt: EventTime(milliseconds: 0)),
                .predictions(try Batches.predictions(traffic.next(count), model: name)),
            ])
        }

        #expect(try replay.value(.volume, model: "a") == 30)
        #expect(try replay.value(.volume, model: "b") == 40)
    }

    @Test func `what an owner declares wins over what is learned`() throws {
        var schema = ModelSchema(model: try model())
        schema.task = .binary
        schema.positiveLabel = "no"
        schema.paneMilliseconds = WindowSpan.hour
        var replay = Replay()
        var traffic = Traffic(seed: 5)
        let reference = try Batches.predictions(traffic.next(50), withTruth: true)

        replay.apply([
            .declareSchema(schema),
            .pinReference(reference, pinnedAt: EventTime(milliseconds: 0)),
            .predictions(try Batches.predictions(traffic.next(50))),
        ])
        var later = schema
        later.paneMilliseconds = WindowSpan.minute
        replay.apply(.declareSchema(later))

        let state = try #require(replay.monitor.collector.models[model()])
        #expect(state.schema.positiveLabel == "no")
        // Panes that are there cannot be cut.
        #expect(state.schema.paneMilliseconds == WindowSpan.hour)
        #expect(try replay.value(.volume) == 50)
    }

    @Test func `a model takes 2,000 features and passes over the rest`() throws {
        var replay = Replay()
        for part in 0..<3 {
            var batch = try Batches.predictions([])
            batch.features = (0..<1_000).map { ("f\(part)-\($0)", .numeric([])) }
            replay.apply(.predictions(batch))
        }

        #expect(replay.monitor.collector.models[try model()]?.schema.features.count == 2_000)
    }
}
