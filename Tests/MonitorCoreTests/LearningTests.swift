import MonitorCore
import MonitoringDomain
import Testing

/// What a model has a value of before it has a reference, and whether it is that of a model that has one.
@Suite struct LearningTests {
    private static let known: [(Statistic, String?)] = [
        (.volume, nil), (.rate, nil), (.freshness, nil), (.duplicateRate, nil), (.coverage, nil),
        (.missingRate, "amount"), (.missingRate, "colour"), (.mean, "amount"), (.stddev, "amount"),
        (.min, "amount"), (.max, "amount"), (.distinct, "colour"), (.nonFiniteRate, "amount"),
        (.missingRate, "prediction"), (.mean, "prediction"), (.typeErrorRate, "colour"),
    ]

    private func isClose(_ left: Double?, _ right: Double?) -> Bool {
        guard let left, let right else { return left == nil && right == nil }
        return abs(left - right) <= 1e-9 * max(1, abs(right))
    }

    /// Rows, repeats, ground truth and values of other types, of a model that learns.
    private func inputs() throws -> [Input] {
        var traffic = Traffic(seed: 11)
        let rows = traffic.next(3_000)
        var inputs: [Input] = try stride(from: 0, to: 3_000, by: 500).map { start in
            .predictions(try Batches.predictions(Array(rows[start..<start + 500])))
        }
        inputs.append(.predictions(try Batches.predictions(Array(rows[..<40]))))
        inputs.append(.groundTruth(try Batches.groundTruth(Array(rows[..<1_000]))))
        let errors = try Batches.predictions(Array(rows[..<30]))
        inputs.append(
            .typeErrors(
                errors,
                features: TextColumn(
                    codes: [UInt32](repeating: 0, count: 30), dictionary: ["colour"])))
        return inputs
    }

    @Test func `what needs no reference is told while one is learned, as it is afterwards`() throws
    {
        var learning = Replay()
        var pinned = Replay()
        var traffic = Traffic(seed: 12)
        pinned.apply(
            .pinReference(
                try Batches.predictions(traffic.next(500), withTruth: true),
                pinnedAt: EventTime(milliseconds: 0)))

        learning.apply(try inputs())
        pinned.apply(try inputs())

        #expect(try learning.value(.volume) == 3_000)
        for (statistic, feature) in Self.known {
            let (found, expected) = (
                try learning.value(statistic, feature), try pinned.value(statistic, feature)
            )
            #expect(
                found != nil && isClose(found, expected),
                "\(statistic) of \(feature ?? "-"): \(found ?? .nan) and \(expected ?? .nan)")
        }
        for statistic in [Statistic.psi, .quantile, .outOfRangeRate, .accuracy] {
            let feature = statistic == .accuracy ? nil : "amount"
            #expect(
                try learning.reading(statistic, feature)
                    == .insufficientSamples(found: 3_000, required: 5_000))
        }
        let wholeWindow = TimeWindow(
            start: EventTime(milliseconds: 0), end: EventTime(milliseconds: 1 << 42))
        let measured = learning.monitor.collector.models[try model()]?.measure(
            MeasurementQuery(model: try model(), statistic: .volume), window: wholeWindow)
        #expect(measured?.reference == nil)
    }

    @Test func `repeats and values of other types stay counted when the reference is there`() throws
    {
        var replay = Replay()
        replay.apply(try inputs())
        let before = try (replay.value(.duplicateRate), replay.value(.typeErrorRate, "colour"))
        try replay.restart()
        #expect(try replay.value(.duplicateRate) == before.0)

        let id = try model()
        replay.apply(
            .chooseReference(id, .first(count: 3_000, version: nil), at: .init(milliseconds: 0)))
        var traffic = Traffic(seed: 13)
        traffic.time = 1_000 * WindowSpan.hour + 6_000_000
        var rows = traffic.next(1)
        rows[0].id = "one more"
        replay.apply(.predictions(try Batches.predictions(rows)))

        #expect(replay.monitor.collector.models[id]?.isLearning == false)
        #expect(before.0 == 40.0 / 3_040 && before.1 == 30.0 / 3_030)
        #expect(try replay.value(.duplicateRate) == 40.0 / 3_041)
        #expect(try replay.value(.typeErrorRate, "colour") == 30.0 / 3_031)
    }

    @Test func `a feature that comes later was missing before, and a declared task counts at once`()
        throws
    {
        var replay = Replay()
        var traffic = Traffic(seed: 14)
        let rows = traffic.next(100)
        replay.apply(.predictions(try Batches.predictions(rows)))
        replay.apply(.groundTruth(try Batches.groundTruth(rows)))
        var later = try Batches.predictions(traffic.next(100))
        later.features.append(("late", .numeric([Double](repeating: 2, count: 100))))
        replay.apply(.predictions(later))

        #expect(try replay.value(.missingRate, "late") == 0.5)
        #expect(try replay.value(.mean, "late") == 2)
        #expect(try replay.value(.accuracy) == nil)

        replay.apply(.declareSchema(ModelSchema(model: try model(), task: .binary)))
        let correct = rows.filter { $0.label == $0.truth }.count
        #expect(try replay.value(.accuracy) == Double(correct) / 100)
        #expect(try replay.value(.missingRate, "late") == 0.5)
    }

    @Test func `the same log gives the same bytes, also through a restart, with every kind`() throws
    {
        func log() throws -> [Input] {
            var traffic = Traffic(seed: 15)
            let schema = ModelSchema(
                model: try model(),
                features: [
                    FeatureSchema(name: "note", kind: .text),
                    FeatureSchema(
                        name: "face", kind: .vector(dimension: 2, precision: .float32)),
                    FeatureSchema(name: "ratio", kind: .single),
                ])
            var inputs: [Input] = [
                .declareSchema(schema),
                .chooseReference(
                    try model(), .first(count: 150, version: nil), at: .init(milliseconds: 0)),
            ]
            for _ in 0..<4 {
                var batch = try Batches.predictions(traffic.next(50))
                let numbers = batch.scores
                batch.features += [
                    (
                        "note",
                        .text(
                            TextColumn(
                                codes: (0..<50).map { $0 % 5 == 0 ? TextColumn.missing : $0 % 2 },
                                dictionary: ["a b", "Ü"]))
                    ),
                    (
                        "face",
                        .vector(
                            VectorColumn(
                                dimension: 2, precision: .float32,
                                isPresent: (0..<50).map { $0 % 4 != 0 },
                                numbers: (0..<74).map { Double(Float($0) / 8) }))
                    ), ("ratio", .single(numbers.map { Float($0) })),
                ]
                inputs.append(.predictions(batch))
            }
            return inputs
        }
        var (straight, interrupted) = (Replay(), Replay())

        straight.apply(try log())
        for input in try log() {
            interrupted.apply(input)
            try interrupted.restart()
        }

        let areSame = straight.monitor.snapshot() == interrupted.monitor.snapshot()
        #expect(areSame)
        #expect(try straight.value(.missingRate, "face") == 13.0 / 50)
        #expect(try straight.value(.psi, "face.norm") != nil)
        #expect(try straight.value(.psi, "note.letters") != nil)
    }
}
