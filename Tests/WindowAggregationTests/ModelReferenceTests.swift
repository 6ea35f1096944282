import MonitoringDomain
import Testing
import WindowAggregation

@Suite struct ModelReferenceTests {
    @Test(
        arguments: [
            (.mean, "amount", 5.5), (.min, "amount", 1), (.max, "amount", 10),
            (.missingRate, "amount", 0), (.unseenRate, "colour", 0), (.psi, "amount", 0),
            (.psi, "colour", 0), (.ks, "amount", 0), (.psi, "prediction", 0), (.accuracy, nil, 0.9),
            (.rocAUC, nil, 1), (.coverage, nil, 1), (.volume, nil, 10),
            // Scores 0.1 to 0.4 of negatives, 0.5 to 1 of positives: (0.3 + 0.55) / 10.
            (.brier, nil, 0.085),
        ] as [(Statistic, String?, Double)])
    func `a baseline is the statistic of the reference's own rows`(
        statistic: Statistic, feature: String?, expected: Double
    ) throws {
        let aggregator = try Samples.aggregator()
        let estimate = try #require(aggregator.baseline(statistic, feature: feature).estimate)

        #expect(abs(estimate.value - expected) < 1e-14)
    }

    @Test func `several batches are one reference`() throws {
        let rows = Samples.tenRows(.binary)
        let schema = try Samples.schema()
        func reference(_ batches: [PredictionBatch]) -> ModelReference {
            ModelReference(
                id: "r-1", pinnedAt: EventTime(milliseconds: 0), origin: .learned, schema: schema,
                batches: batches)
        }
        let whole = reference([try Samples.batch(rows)])
        let parts = reference([
            try Samples.batch(Array(rows[6...])), try Samples.batch(Array(rows[..<6])),
        ])

        #expect(whole == parts)
        #expect(whole.rowCount == 10)
    }

    @Test func `bins are reported by feature, categories for a categorical one`() throws {
        let bins = try #require(try Samples.aggregator().reference).binCounts

        #expect(bins.map(\.feature) == ["amount", "colour"])
        #expect((11...1_024).contains(bins[0].bins))
        #expect(bins[1].bins == 2)
    }

    @Test func `categories over the limit count as unseen, the rarest first`() throws {
        let limit = ModelReference.categoryCountMax
        let common = (0..<limit).flatMap { ["c\($0)", "c\($0)"] }
        let column = TextColumn(
            codes: (0..<UInt32(limit)).flatMap { [$0, $0] } + [UInt32(limit)],
            dictionary: (0..<limit).map { "c\($0)" } + ["rare"])
        var batch = try Samples.batch([])
        batch.rowCount = common.count + 1
        batch.times = [Int64](repeating: 0, count: batch.rowCount)
        batch.features = [("colour", .categorical(column))]
        let missing = TextColumn(
            codes: [UInt32](repeating: TextColumn.missing, count: batch.rowCount), dictionary: [])
        (batch.labels, batch.truthLabels, batch.versions) = (missing, missing, missing)
        batch.scores = [Double](repeating: .nan, count: batch.rowCount)
        (batch.values, batch.truthValues) = (batch.scores, batch.scores)
        var schema = try Samples.schema()
        schema.features = [FeatureSchema(name: "colour", kind: .categorical)]
        var aggregator = ModelAggregator(schema: schema)
        aggregator.pin(
            ModelReference(
                id: "r-1", pinnedAt: EventTime(milliseconds: 0), origin: .learned, schema: schema,
                batches: [batch]))

        #expect(aggregator.reference?.binCounts.map(\.bins) == [limit])
        #expect(
            aggregator.baseline(.unseenRate, feature: "colour").estimate?.value
                == 1 / Double(batch.rowCount))
    }

    @Test func `a reference without values has no bins to compare in`() throws {
        var aggregator = try Samples.aggregator(
            reference: (0..<5).map { _ in Sample(label: "yes", score: 0.5) })
        try aggregator.fold([Sample(amount: 3), Sample(amount: nil)])

        #expect(aggregator.value(.mean, of: "amount") == 3)
        for statistic in Statistic.allCases where statistic.group == .drift {
            #expect(
                aggregator.reading(statistic, of: "amount")
                    == .undefined(reason: "the reference holds no values of this feature"),
                "\(statistic)")
        }
    }
}
