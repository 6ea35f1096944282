import ByteCoding
import MonitoringDomain
import MonitoringTestSupport
import Testing
import WindowAggregation

@Suite struct SegmentTests {
    private func aggregator(
        _ keys: [String], retention: PaneRetention = PaneRetention()
    ) throws
        -> ModelAggregator
    {
        var schema = try Samples.schema()
        schema.segments = keys
        var aggregator = ModelAggregator(schema: schema, retention: retention)
        aggregator.pin(
            ModelReference(
                id: "r-1", pinnedAt: EventTime(milliseconds: 0), origin: .uploaded, schema: schema,
                batches: [try Samples.batch(Samples.tenRows(.binary))]))
        return aggregator
    }

    private func batch(_ rows: [(amount: Double, channel: String?)]) throws -> PredictionBatch {
        var batch = try Samples.batch(rows.map { Sample(amount: $0.amount) })
        batch.segments = [("channel", Samples.column(rows.map(\.channel)))]
        return batch
    }

    private func value(
        _ aggregator: ModelAggregator, _ statistic: Statistic, _ segment: String?,
        feature: String? = nil
    ) -> Double? {
        aggregator.measure(
            MeasurementQuery(
                model: aggregator.schema.model, statistic: statistic, feature: feature,
                segment: segment.flatMap { Segment($0) }), window: Samples.window(0..<1)
        ).reading.estimate?.value
    }

    @Test func `every statistic is kept by segment, and the values are a partition`() throws {
        var aggregator = try aggregator(["channel"])
        let rows: [(amount: Double, channel: String?)] = [
            (1, "web"), (3, "web"), (10, "app"), (20, nil),
        ]
        aggregator.absorb(try batch(rows), rows: [0, 1, 2, 3])

        #expect(value(aggregator, .volume, nil) == 4)
        #expect(value(aggregator, .volume, "channel:web") == 2)
        #expect(value(aggregator, .volume, "channel:other") == 1)
        #expect(value(aggregator, .mean, "channel:web", feature: "amount") == 2)
        #expect(value(aggregator, .max, "channel:app", feature: "amount") == 10)
        #expect(value(aggregator, .volume, "version:1") == 4)
        #expect(value(aggregator, .volume, "channel:shop") == 0)
        #expect(
            aggregator.knownSegments.map(\.description) == [
                "channel:app", "channel:other", "channel:web",
            ])
    }

    @Test func `values beyond the limit count in other, and an unknown key says so`() throws {
        var aggregator = try aggregator(["channel"])
        let rows = (0..<60).map { (amount: 1.0, channel: Optional("c\($0)")) }
        aggregator.absorb(try batch(rows), rows: Array(rows.indices))

        #expect(value(aggregator, .volume, "channel:c49") == 1)
        #expect(value(aggregator, .volume, "channel:other") == 10)
        #expect(aggregator.knownSegments.count == Segment.valueCountMax + 1)
        let query = MeasurementQuery(
            model: aggregator.schema.model, statistic: .volume,
            segment: Segment(key: "region", value: "north"))
        #expect(
            aggregator.measure(query, window: Samples.window(0..<1)).reading
                == .undefined(reason: "\"region\" is not a declared segment key"))
    }

    @Test func `an outcome counts in its prediction's segment, and comes back from bytes`() throws {
        var aggregator = try aggregator(["channel"])
        let batch = try batch([(1, "web"), (2, "app")])
        let cohorts = aggregator.cohorts(of: batch)
        aggregator.absorb(batch, rows: [0, 1])
        for (row, truth) in ["yes", "no"].enumerated() {
            var sample = Sample(label: "yes", score: 0.9, truthLabel: truth)
            sample.version = try #require(cohorts.text(at: row))
            aggregator.absorb(aggregator.separated(sample.outcome), adding: true)
        }

        #expect(value(aggregator, .accuracy, "channel:web") == 1)
        #expect(value(aggregator, .accuracy, "channel:app") == 0)
        #expect(value(aggregator, .accuracy, nil) == 0.5)
        var reader = ByteReader(aggregator.encoded)
        let restored = try ModelAggregator(decoding: &reader)
        #expect(restored.encoded == aggregator.encoded)
        #expect(value(restored, .accuracy, "channel:web") == 1)
    }

    @Test func `a segment's statistic is that of its rows alone`() throws {
        var random = SeededGenerator(seed: 7)
        let rows = (0..<400).map { _ in
            (
                amount: Double.random(in: 0...20, using: &random),
                channel: ["web", "app", nil].randomElement(using: &random) ?? nil
            )
        }
        var whole = try aggregator(["channel"])
        for start in stride(from: 0, to: 400, by: 130) {
            let piece = Array(rows[start..<min(start + 130, 400)])
            whole.absorb(try batch(piece), rows: Array(piece.indices))
        }
        let web = rows.filter { $0.channel == "web" }
        var alone = try aggregator([])
        alone.absorb(try batch(web), rows: Array(web.indices))

        // Drift is against the segment's own rows of the reference: ReferenceSegmentTests.
        for statistic in Statistic.allCases
        where statistic.group == .volume || statistic.group == .quality {
            let feature = statistic.isOfModel ? nil : "amount"
            #expect(
                value(whole, statistic, "channel:web", feature: feature)
                    == value(alone, statistic, nil, feature: feature), "\(statistic)")
        }
    }
}
