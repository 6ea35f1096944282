import MonitoringDomain
import MonitoringTestSupport
import Testing
import WindowAggregation

@Suite struct ModelAggregatorTests {
    /// Values and scores are fractions of powers of two, and no score is 0 or 1, whose losses are 2⁻⁵² and
    /// 36: so no compensated sum is rounded.
    private func exactSamples(_ count: Int, seed: UInt64) -> [Sample] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { index in
            let truth = ["yes", "no", nil].randomElement(using: &random) ?? nil
            return Sample(
                time: Int64.random(in: -3_600_000..<3_600_000, using: &random),
                // The first two rows fix the order of the versions, which is part of the state.
                version: index < 2
                    ? "\(index + 1)" : ["1", "2"][Int.random(in: 0...1, using: &random)],
                amount: Int.random(in: 0..<8, using: &random) == 0
                    ? nil : Double(Int.random(in: -64...640, using: &random)) / 16,
                colour: ["red", "blue", "green", "grey", nil].randomElement(using: &random) ?? nil,
                label: ["yes", "no"][Int.random(in: 0...1, using: &random)],
                score: Double(Int.random(in: 1...63, using: &random)) / 64, truthLabel: truth)
        }
    }

    private var exactReference: [Sample] {
        (0..<256).map { number in
            Sample(
                amount: Double(number) / 16, colour: number < 100 ? "red" : "blue",
                label: "yes", score: Double(number) / 256, truthLabel: "yes")
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `any order and any batches of the same rows give the same bytes`(seed: UInt64) throws {
        let samples = exactSamples(700, seed: seed)
        var whole = try Samples.aggregator(reference: exactReference)
        try whole.fold(samples)
        let expected = whole.encoded
        var random = SeededGenerator(seed: seed + 100)

        for largest in [1, 7, 400] {
            var parts = try Samples.aggregator(reference: exactReference)
            var rest = samples[..<2] + samples[2...].shuffled(using: &random)
            while !rest.isEmpty {
                let count = Int.random(in: 1...largest, using: &random)
                try parts.fold(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            let isSame = parts.encoded == expected
            #expect(isSame, "batches of at most \(largest) rows")
        }
    }

    @Test func `rows that the join refused are not counted`() throws {
        let samples = exactSamples(300, seed: 9)
        let kept = samples.indices.filter { $0 < 2 || $0 % 3 != 0 }
        var some = try Samples.aggregator(reference: exactReference)
        some.absorb(try Samples.batch(samples), rows: kept)
        var only = try Samples.aggregator(reference: exactReference)
        only.absorb(try Samples.batch(kept.map { samples[$0] }), rows: Array(kept.indices))

        let isSame = some.encoded == only.encoded
        #expect(isSame)
    }

    @Test func `the order of any doubles changes a statistic in its last digits only`() throws {
        var random = SeededGenerator(seed: 5)
        let samples = (0..<500).map { _ in
            Sample(amount: Double.random(in: 1e5...1e5 + 1, using: &random))
        }
        var forward = try Samples.aggregator()
        try forward.fold(samples)
        var backward = try Samples.aggregator()
        for sample in samples.reversed() { try backward.fold([sample]) }

        for statistic in [Statistic.mean, .stddev, .min, .max, .psi] {
            let one = try #require(forward.value(statistic, of: "amount"))
            let other = try #require(backward.value(statistic, of: "amount"))
            #expect(abs(one - other) <= 1e-12 * abs(one), "\(statistic)")
        }
    }

    @Test func `an outcome that is taken back leaves no trace`() throws {
        let samples = exactSamples(200, seed: 3)
        var plain = try Samples.aggregator(reference: exactReference)
        try plain.fold(samples)
        var revised = plain
        for var sample in samples where sample.truthLabel != nil {
            revised.absorb(sample.outcome, adding: false)
            sample.truthLabel = sample.truthLabel == "yes" ? "no" : "yes"
            revised.absorb(sample.outcome, adding: true)
        }
        let isChanged = revised.encoded != plain.encoded
        #expect(isChanged)
        for var sample in samples where sample.truthLabel != nil {
            let truth = sample.truthLabel
            sample.truthLabel = truth == "yes" ? "no" : "yes"
            revised.absorb(sample.outcome, adding: false)
            sample.truthLabel = truth
            revised.absorb(sample.outcome, adding: true)
        }
        let isRestored = revised.encoded == plain.encoded
        #expect(isRestored)
    }

    @Test(
        arguments: [
            (-60_000, -1), (-59_999, -1), (-1, -1), (0, 0), (59_999, 0), (60_000, 1), (119_999, 1),
        ] as [(Int64, Int64)])
    func `a row counts in the pane that holds its time`(time: Int64, minute: Int64) throws {
        var aggregator = try Samples.aggregator()
        try aggregator.fold([Sample(time: time, amount: 1)])

        #expect(aggregator.value(.volume, in: minute..<minute + 1) == 1)
        #expect(aggregator.value(.volume, in: minute - 5..<minute) == 0)
        #expect(aggregator.value(.volume, in: minute + 1..<minute + 5) == 0)
        #expect(aggregator.extent == Samples.window(minute..<minute + 1))
    }

    @Test func `the ends of time do not trap`() throws {
        var aggregator = try Samples.aggregator()
        try aggregator.fold([
            Sample(time: .min, amount: 1), Sample(time: 0, amount: 2),
            Sample(time: .max, amount: 3),
        ])
        let all = TimeWindow(
            start: EventTime(milliseconds: .min), end: EventTime(milliseconds: .max))
        let volume = aggregator.measure(
            MeasurementQuery(model: aggregator.schema.model, statistic: .volume), window: all)

        // The earliest row's pane starts before all time, so no window holds the whole of it.
        #expect(volume.reading.estimate?.value == 2)
        #expect(aggregator.extent == all)
    }

    @Test func `versions are kept apart and merge into the model`() throws {
        var aggregator = try Samples.aggregator()
        try aggregator.fold([
            Sample(version: "b", amount: 1), Sample(version: "a", amount: 4),
            Sample(version: "b", amount: 7),
        ])

        #expect(aggregator.versions == ["b", "a"])
        #expect(aggregator.value(.mean, of: "amount") == 4)
        #expect(aggregator.value(.mean, of: "amount", version: "b") == 4)
        #expect(aggregator.value(.volume, version: "b") == 2)
        #expect(aggregator.value(.max, of: "amount", version: "a") == 4)
        #expect(aggregator.reading(.mean, of: "amount", version: "c") == .noData)
    }

    @Test func `a feature that a batch does not have is missing in all its rows`() throws {
        var batch = try Samples.batch([Sample(amount: 1, colour: "red"), Sample(amount: 2)])
        batch.features = [("colour", batch.features[1].column), ("new", .numeric([1, 2]))]
        var aggregator = try Samples.aggregator()
        aggregator.absorb(batch, rows: [0, 1])

        #expect(aggregator.value(.missingRate, of: "amount") == 1)
        #expect(aggregator.value(.missingRate, of: "colour") == 0.5)
    }

    @Test func `a column of the other kind counts as missing`() throws {
        var batch = try Samples.batch([Sample(amount: 1, colour: "red")])
        batch.features = [
            ("amount", .categorical(Samples.column(["1"]))), ("colour", .numeric([1])),
        ]
        var aggregator = try Samples.aggregator()
        aggregator.absorb(batch, rows: [0])

        #expect(aggregator.value(.missingRate, of: "amount") == 1)
        #expect(aggregator.value(.missingRate, of: "colour") == 1)
    }

    @Test func `a task and a positive label that change count from the next reference on`() throws {
        var aggregator = try Samples.aggregator()
        let sample = Sample(label: "yes", score: 0.9, truthLabel: "yes")
        try aggregator.fold([sample])
        var other = try Samples.schema()
        other.positiveLabel = "no"
        aggregator.update(schema: other)
        // Taken back in the way in which it was counted.
        aggregator.absorb(sample.outcome, adding: false)

        #expect(aggregator.value(.coverage) == 0)

        other.task = .multiclass
        aggregator.update(schema: other)
        try aggregator.fold([sample])
        #expect(abs(try #require(aggregator.value(.brier)) - 0.01) < 1e-15)
    }

    @Test func `a task that a reference did not know may be declared before the first row`() throws
    {
        var aggregator = try Samples.aggregator(nil)
        aggregator.update(schema: try Samples.schema(.binary))
        try aggregator.fold([
            Sample(label: "yes", score: 0.75, truthLabel: "yes"),
            Sample(label: "no", score: 0.25, truthLabel: "no"),
        ])

        #expect(aggregator.value(.rocAUC) == 1)
        #expect(aggregator.value(.accuracy) == 1)
    }

    @Test func `the summary of a version counts its outcomes`() throws {
        var classifier = try Samples.aggregator()
        try classifier.fold([
            Sample(version: "1", label: "yes", score: 0.9, truthLabel: "yes"),
            Sample(version: "1", label: "yes", score: 0.9, truthLabel: "no"),
            Sample(version: "2", label: "yes", score: 0.9, truthLabel: "yes"),
        ])
        var expected = OutcomeSummary()
        expected.count = 2
        expected.correct = 1
        let window = Samples.window(0..<1)
        #expect(classifier.outcomeSummary(version: "1", window: window) == expected)

        var regression = try Samples.aggregator(.regression)
        try regression.fold([
            Sample(value: 1, truthValue: 2), Sample(value: 5, truthValue: 1),
        ])
        expected = OutcomeSummary()
        expected.count = 2
        expected.absoluteErrorSum = 5
        expected.absoluteErrorSquareSum = 17
        #expect(regression.outcomeSummary(version: "1", window: window) == expected)
    }
}
