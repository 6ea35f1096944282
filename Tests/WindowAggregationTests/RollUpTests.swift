import ByteCoding
import MonitoringDomain
import MonitoringTestSupport
import Testing
import WindowAggregation

@Suite struct RollUpTests {
    private let small = PaneRetention(finestCountMax: 90, hourCountMax: 20, dayCountMax: 4)

    private func aggregator(_ retention: PaneRetention) throws -> ModelAggregator {
        let schema = try Samples.schema()
        var aggregator = ModelAggregator(schema: schema, retention: retention)
        aggregator.pin(
            ModelReference(
                id: "r-1", pinnedAt: EventTime(milliseconds: 0), origin: .uploaded, schema: schema,
                batches: [try Samples.batch(Samples.tenRows(.binary))]))
        return aggregator
    }

    /// One row in each of so many minutes, in the order given.
    private func fold(_ minutes: [Int64], into aggregator: inout ModelAggregator) throws {
        for start in stride(from: 0, to: minutes.count, by: 500) {
            let piece = minutes[start..<min(start + 500, minutes.count)]
            try aggregator.fold(
                piece.map { Sample(time: $0 * Samples.minute, amount: Double($0 % 17)) })
        }
    }

    private func reading(
        _ aggregator: ModelAggregator, _ statistic: Statistic, of feature: String?,
        _ minutes: Range<Int64>
    ) -> Reading { aggregator.reading(statistic, of: feature, in: minutes) }

    @Test func `whole hours and days stay exact after they were rolled up`() throws {
        var rolled = try aggregator(small)
        var kept = try aggregator(PaneRetention())
        let minutes = Array(Int64(0)..<2_000)
        try fold(minutes, into: &rolled)
        try fold(minutes, into: &kept)

        for window in [1_920..<1_980, 600..<720, 1_440..<2_000, 0..<1_440] as [Range<Int64>] {
            for statistic in [Statistic.mean, .psi, .ks, .max, .wasserstein] {
                #expect(
                    reading(rolled, statistic, of: "amount", window)
                        == reading(kept, statistic, of: "amount", window), "\(statistic) \(window)")
            }
            #expect(
                reading(rolled, .volume, of: nil, window).estimate?.value == Double(window.count))
        }
        #expect(rolled.encoded.count < kept.encoded.count / 4)
    }

    @Test func `a window that cuts a rolled-up pane says so`() throws {
        var aggregator = try aggregator(small)
        try fold(Array(Int64(0)..<2_000), into: &aggregator)

        guard case .undefined(let reason) = reading(aggregator, .mean, of: "amount", 90..<150)
        else {
            Issue.record("a value for a window inside a day")
            return
        }
        #expect(reason.contains("cuts the rolled-up pane"))
        let asked = Samples.window(90..<1_990)
        let whole = aggregator.wholePanes(of: asked)
        #expect(whole == Samples.window(120..<1_990))
    }

    @Test func `days beyond the retention are dropped, and windows that reach back say so`() throws
    {
        var aggregator = try aggregator(small)
        try fold((0..<60).map { Int64($0) * 1_440 }, into: &aggregator)
        try fold(Array(Int64(86_400)..<Int64(86_600)), into: &aggregator)

        guard
            case .undefined(let reason) = reading(
                aggregator, .volume, of: nil, 0..<100_000)
        else {
            Issue.record("a volume of rows that are gone")
            return
        }
        #expect(reason.contains("no longer kept"))
    }

    @Test(arguments: UInt64(0)..<4)
    func `what is kept does not depend on the order of rows`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let minutes = (0..<600).map { _ in Int64.random(in: 0..<9_000, using: &random) }
        var ordered = try aggregator(small)
        try fold(minutes.sorted(), into: &ordered)
        var shuffled = try aggregator(small)
        try fold(minutes.shuffled(using: &random), into: &shuffled)

        var first = ByteReader(ordered.encoded)
        var second = ByteReader(shuffled.encoded)
        #expect(try ModelAggregator(decoding: &first).extent == shuffled.extent)
        let restored = try ModelAggregator(decoding: &second)
        for day in Int64(0)..<7 {
            let window = day * 1_440..<(day + 1) * 1_440
            #expect(
                reading(ordered, .volume, of: nil, window)
                    == reading(restored, .volume, of: nil, window), "day \(day)")
        }
    }

    @Test func `a row from a wrong clock takes one pane and pushes nothing out`() throws {
        var aggregator = try aggregator(small)
        try fold(Array(Int64(0)..<80), into: &aggregator)
        try fold([1 << 40], into: &aggregator)

        #expect(reading(aggregator, .volume, of: nil, 70..<75).estimate?.value == 5)
    }

    @Test func `late rows mark the windows that had been judged`() throws {
        var aggregator = try aggregator(small)
        let judged = EventTime(milliseconds: 10 * Samples.minute)
        let batch = try Samples.batch([Sample(time: 0, amount: 1)])
        aggregator.absorb(batch, rows: [0])
        #expect(!aggregator.isRevised(0..<1))

        aggregator.absorb(batch, rows: [0], judgedAt: judged)

        #expect(aggregator.isRevised(0..<1))
        #expect(aggregator.isRevised(0..<10))
        // This window had not ended when it was judged.
        #expect(!aggregator.isRevised(0..<11))
        #expect(aggregator.takeRevision() == Samples.window(0..<1))
        #expect(aggregator.takeRevision() == nil)
    }
}

extension ModelAggregator {
    fileprivate func isRevised(_ minutes: Range<Int64>) -> Bool {
        measure(
            MeasurementQuery(model: schema.model, statistic: .mean, feature: "amount"),
            window: Samples.window(minutes)
        ).isRevised
    }
}
