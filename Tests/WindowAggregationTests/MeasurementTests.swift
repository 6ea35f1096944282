import Foundation
import MonitoringDomain
import Testing
import WindowAggregation

@Suite struct MeasurementTests {
    private let fourRows = [
        Sample(amount: 1, colour: "red"), Sample(amount: 1, colour: "green"),
        Sample(amount: 10, colour: "green"), Sample(amount: nil, colour: nil),
    ]

    @Test(
        arguments: [
            (.mean, "amount", 4), (.stddev, "amount", 18.0.squareRoot()), (.min, "amount", 1),
            (.max, "amount", 10), (.missingRate, "amount", 0.25), (.missingRate, "colour", 0.25),
            (.unseenRate, "colour", 2.0 / 3),
        ] as [(Statistic, String, Double)])
    func `a statistic of four rows is what a hand computes`(
        statistic: Statistic, feature: String, expected: Double
    ) throws {
        var aggregator = try Samples.aggregator()
        try aggregator.fold(fourRows)
        let measurement = aggregator.measure(
            MeasurementQuery(
                model: aggregator.schema.model, statistic: statistic, feature: feature),
            window: Samples.window(0..<1))
        let estimate = try #require(measurement.reading.estimate)

        #expect(abs(estimate.value - expected) < 1e-14)
        #expect(measurement.count == 4)
        #expect(measurement.missing == 1)
        #expect(measurement.reference == "r-1")
    }

    /// Σ (p − q) ln(p / q) with half a count in each bin.
    private func stability(_ window: [Double], _ reference: [Double]) -> Double {
        let half = Double(window.count) / 2
        return zip(window, reference).reduce(0) { sum, bin in
            let p = (bin.0 + 0.5) / (window.reduce(0, +) + half)
            let q = (bin.1 + 0.5) / (reference.reduce(0, +) + half)
            return sum + (p - q) * Foundation.log(p / q)
        }
    }

    @Test func `psi counts deciles, categories, unseen and missing values`() throws {
        var aggregator = try Samples.aggregator()
        try aggregator.fold(fourRows)
        let amounts = stability(
            [2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0])
        // Blue, red, unseen, missing.
        let colours = stability([0, 1, 2, 1], [4, 6, 0, 0])

        #expect(abs(try #require(aggregator.value(.psi, of: "amount")) - amounts) < 1e-14)
        #expect(abs(try #require(aggregator.value(.psi, of: "colour")) - colours) < 1e-14)
    }

    @Test func `ks holds the exact distance between its bounds`() throws {
        var aggregator = try Samples.aggregator()
        try aggregator.fold(fourRows)
        let estimate = try #require(aggregator.reading(.ks, of: "amount").estimate)
        let (lower, upper) = (try #require(estimate.lower), try #require(estimate.upper))
        let exact = 2.0 / 3 - 0.1

        #expect(lower - 1e-15 <= exact && exact <= upper + 1e-15)
        #expect(estimate.isCertified)
        #expect(estimate.value == lower)
        #expect((0...1).contains(try #require(estimate.pValue)))
    }

    @Test func `a constant reference sees moves in both directions`() throws {
        let constant = (0..<50).map { _ in Sample(amount: 7) }
        for moved in [6.999, 7.001] {
            var aggregator = try Samples.aggregator(reference: constant)
            try aggregator.fold((0..<50).map { _ in Sample(amount: moved) })
            #expect(try #require(aggregator.value(.psi, of: "amount")) > 1, "\(moved)")
            #expect(aggregator.value(.ks, of: "amount") == 1, "\(moved)")
        }
        var same = try Samples.aggregator(reference: constant)
        try same.fold(constant)
        #expect(same.value(.psi, of: "amount") == 0)
        #expect(same.value(.stddev, of: "amount") == 0)
    }

    @Test func `the prediction is a numeric column`() throws {
        var binary = try Samples.aggregator()
        try binary.fold([Sample(score: 0.5), Sample(score: 1), Sample()])
        #expect(binary.value(.mean, of: "prediction") == 0.75)
        #expect(abs(try #require(binary.value(.missingRate, of: "prediction")) - 1.0 / 3) < 1e-15)
        #expect(binary.value(.psi, of: "prediction") != nil)

        var regression = try Samples.aggregator(.regression)
        try regression.fold([Sample(value: 3), Sample(value: 5)])
        #expect(regression.value(.mean, of: "prediction") == 4)
        #expect(regression.value(.ks, of: "prediction") != nil)
    }

    @Test func `a feature that is called prediction does not stand in for the prediction`() throws {
        var schema = try Samples.schema()
        schema.features = [FeatureSchema(name: "prediction", kind: .categorical)]
        var batch = try Samples.batch([Sample(score: 0.5), Sample(score: 1)])
        batch.features = [("prediction", .categorical(Samples.column(["a", "b"])))]
        var aggregator = ModelAggregator(schema: schema)
        aggregator.pin(
            ModelReference(
                id: "r-1", pinnedAt: EventTime(milliseconds: 0), origin: .learned, schema: schema,
                batches: [batch]))
        aggregator.absorb(batch, rows: [0, 1])

        #expect(aggregator.value(.mean, of: "prediction") == 0.75)
    }

    // MARK: - Performance

    private let scored = [
        Sample(label: "yes", score: 0.9, truthLabel: "yes"),
        Sample(label: "yes", score: 0.8, truthLabel: "no"),
        Sample(label: "no", score: 0.3, truthLabel: "yes"),
        Sample(label: "no", score: 0.2, truthLabel: "no"), Sample(label: "no", score: 0.1),
    ]

    @Test(
        arguments: [
            (.accuracy, 0.5), (.rocAUC, 0.75), (.brier, 0.295), (.coverage, 0.8), (.volume, 5),
            (.logLoss, -(log(0.9) + log(0.2) + log(0.3) + log(0.8)) / 4),
        ] as [(Statistic, Double)])
    func `performance of a classifier is what a hand computes`(
        statistic: Statistic, expected: Double
    ) throws {
        var aggregator = try Samples.aggregator()
        try aggregator.fold(scored)
        let estimate = try #require(aggregator.reading(statistic).estimate)

        #expect(abs(estimate.value - expected) < 1e-14)
        if let lower = estimate.lower, let upper = estimate.upper {
            #expect(lower <= expected && expected <= upper)
        }
        #expect(estimate.isCertified == (statistic == .rocAUC))
    }

    @Test func `without reference scores the area is still certified`() throws {
        let reference = (0..<20).map { Sample(amount: Double($0), label: "no") }
        var aggregator = try Samples.aggregator(reference: reference)
        try aggregator.fold(scored)
        let estimate = try #require(aggregator.reading(.rocAUC).estimate)

        #expect(estimate.value == 0.75)
        #expect(estimate.lower == 0.75)
        #expect(estimate.upper == 0.75)
    }

    @Test func `performance of a regression is what a hand computes`() throws {
        var aggregator = try Samples.aggregator(.regression)
        try aggregator.fold([
            Sample(value: 1, truthValue: 2), Sample(value: 3, truthValue: 3),
            Sample(value: 5, truthValue: 1),
        ])

        #expect(abs(try #require(aggregator.value(.mae)) - 5.0 / 3) < 1e-15)
        #expect(abs(try #require(aggregator.value(.rmse)) - (17.0 / 3).squareRoot()) < 1e-15)
    }

    // MARK: - Where there is no value

    private func reason(_ reading: Reading) -> String? {
        if case .undefined(let reason) = reading { return reason }
        return nil
    }

    @Test func `a window without rows has no data, and a volume of zero`() throws {
        let aggregator = try Samples.aggregator()

        for statistic in [Statistic.mean, .stddev, .min, .max, .psi, .ks, .missingRate] {
            #expect(aggregator.reading(statistic, of: "amount") == .noData, "\(statistic)")
        }
        #expect(aggregator.reading(.unseenRate, of: "colour") == .noData)
        for statistic in [Statistic.coverage, .accuracy, .rocAUC, .logLoss, .brier] {
            #expect(aggregator.reading(statistic) == .noData, "\(statistic)")
        }
        #expect(aggregator.value(.volume) == 0)
    }

    @Test func `predictions without ground truth are too few samples`() throws {
        var aggregator = try Samples.aggregator()
        try aggregator.fold([Sample(label: "yes", score: 0.5)])

        #expect(aggregator.reading(.accuracy) == .insufficientSamples(found: 0, required: 1))
        #expect(aggregator.value(.coverage) == 0)
    }

    @Test(
        arguments: [
            (.mean, "colour", "mean is of numeric features"),
            (.unseenRate, "amount", "unseen_rate is of categorical features"),
            (.ks, "colour", "ks is of numeric features"),
            (.psi, "age", "feature \"age\" is not in reference r-1"),
            (.psi, nil, "psi is of a feature; name one"),
            (.accuracy, "amount", "accuracy is of the model, not of a feature"),
            (.mae, nil, "mae is not computed for binary models"),
            (.rocAUC, nil, "only one class has ground truth in the window"),
            (.min, "amount", "all values are missing"), (.ks, "amount", "all values are missing"),
        ] as [(Statistic, String?, String)])
    func `what is not defined says why`(
        statistic: Statistic, feature: String?, expected: String
    ) throws {
        var aggregator = try Samples.aggregator()
        try aggregator.fold([Sample(colour: "red", label: "yes", score: 0.9, truthLabel: "yes")])

        #expect(reason(aggregator.reading(statistic, of: feature)) == expected)
    }

    @Test func `the baseline of what the reference does not know says why`() throws {
        let aggregator = try Samples.aggregator()

        for statistic in [Statistic.psi, .ks, .mean] {
            #expect(
                reason(aggregator.baseline(statistic, feature: "age"))
                    == "feature \"age\" is not in reference r-1")
        }
        #expect(reason(aggregator.baseline(.ks, feature: "colour")) == "ks is of numeric features")
        #expect(
            reason(ModelAggregator(schema: try Samples.schema()).reading(.volume))
                == "no reference is pinned")
    }

    @Test func `a sum beyond a double's range is an overflow, not a number`() throws {
        var aggregator = try Samples.aggregator(.regression)
        try aggregator.fold([
            Sample(amount: 1e300, value: 1e300, truthValue: 0),
            Sample(amount: -1e300, value: -1e300, truthValue: 0),
        ])
        let overflow = "overflow: the sum is beyond a double's range"

        #expect(reason(aggregator.reading(.rmse)) == overflow)
        #expect(reason(aggregator.reading(.mae)) == overflow)
        #expect(
            reason(aggregator.reading(.stddev, of: "amount"))
                == "overflow: the result is beyond a double's range")
        #expect(aggregator.value(.max, of: "amount") == 1e300)
    }

    @Test func `a score whose positive label is not known gives no loss`() throws {
        var schema = try Samples.schema()
        schema.positiveLabel = nil
        var aggregator = ModelAggregator(schema: schema)
        aggregator.pin(
            ModelReference(
                id: "r-1", pinnedAt: EventTime(milliseconds: 0), origin: .uploaded, schema: schema,
                batches: [try Samples.batch(Samples.tenRows(.binary))]))
        try aggregator.fold(scored)

        for statistic in [Statistic.rocAUC, .logLoss, .brier] {
            #expect(
                reason(aggregator.reading(statistic))
                    == "the positive label was not known when reference r-1 was pinned")
        }
        #expect(aggregator.value(.accuracy) == 0.5)
    }
}
