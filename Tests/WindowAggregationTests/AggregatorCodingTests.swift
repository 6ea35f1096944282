import ByteCoding
import MonitoringDomain
import MonitoringTestSupport
import Testing
import WindowAggregation

@Suite struct AggregatorCodingTests {
    private func filled(_ task: TaskKind) throws -> ModelAggregator {
        var aggregator = try Samples.aggregator(task)
        try aggregator.fold(
            (0..<40).map { index in
                var sample = Sample(
                    time: Int64(index % 7) * 45_000 - 90_000, version: "v\(index % 2)",
                    amount: index % 5 == 0 ? nil : Double(index) / 3,
                    colour: ["red", "green", nil][index % 3])
                if task == .regression {
                    sample.value = Double(index)
                    sample.truthValue = index % 4 == 0 ? nil : Double(index) * 1.1
                } else {
                    sample.label = ["yes", "no"][index % 2]
                    sample.score = Double(index) / 40
                    sample.truthLabel = ["yes", "no", nil][index % 3]
                }
                return sample
            })
        return aggregator
    }

    /// This is every statistic of everything, as text.
    private func answers(_ aggregator: ModelAggregator) -> [String] {
        Statistic.allCases.flatMap { statistic in
            ([nil, "prediction"] + aggregator.featureNames.map { $0 as String? }).flatMap {
                feature in
                ([nil] + aggregator.versions.map { $0 as String? }).map { version in
                    "\(aggregator.reading(statistic, of: feature, version: version, in: -10..<10))"
                } + ["\(aggregator.baseline(statistic, feature: feature))"]
            }
        }
    }

    @Test(arguments: TaskKind.allCases)
    func `what is read is what was written`(task: TaskKind) throws {
        let aggregator = try filled(task)
        var reader = ByteReader(aggregator.encoded)
        var read = try ModelAggregator(decoding: &reader)

        #expect(reader.isAtEnd)
        let isSame = read.encoded == aggregator.encoded
        #expect(isSame)
        #expect(read.schema == aggregator.schema)
        #expect(read.versions == aggregator.versions)
        #expect(read.extent == aggregator.extent)
        #expect(answers(read) == answers(aggregator))

        // And it goes on as the written one would.
        var written = aggregator
        let more = [
            Sample(time: 30_000, version: "v1", amount: 4, label: "yes", score: 0.5, value: 2),
            Sample(time: 90_000, version: "v3", amount: 5, label: "no", score: 0.1, value: 3),
        ]
        try written.fold(more)
        try read.fold(more)
        let goesOnEqually = read.encoded == written.encoded
        #expect(goesOnEqually)
    }

    @Test func `a model without a reference is read back`() throws {
        let empty = ModelAggregator(schema: try Samples.schema(nil))
        var reader = ByteReader(empty.encoded)

        let isSame = try ModelAggregator(decoding: &reader).encoded == empty.encoded
        #expect(isSame)
    }

    @Test func `every prefix ends in a typed error`() throws {
        var small = try Samples.aggregator(
            reference: [Sample(amount: 1, colour: "red", score: 0.5)])
        try small.fold([
            Sample(
                version: "1", amount: 1, colour: "red", label: "yes", score: 0.5, truthLabel: "no")
        ])
        let bytes = small.encoded

        for count in 0..<bytes.count {
            var reader = ByteReader(Array(bytes[..<count]))
            #expect(throws: ByteReadingError.self, "\(count) of \(bytes.count) bytes") {
                try ModelAggregator(decoding: &reader)
            }
        }
    }

    @Test(arguments: [1, 2] as [UInt64])
    func `bytes that were changed never trap, neither when read nor when asked`(seed: UInt64) throws
    {
        let bytes = try filled(seed == 1 ? .binary : .regression).encoded
        var random = SeededGenerator(seed: seed)
        var readCount = 0

        for _ in 0..<60 {
            var changed = bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                changed[Int.random(in: changed.indices, using: &random)] =
                    [0, 1, 0x7F, 0x80, 0xFF].randomElement(using: &random)
                    ?? UInt8.random(in: 0...255, using: &random)
            }
            var reader = ByteReader(changed)
            do throws(ByteReadingError) {
                var read = try ModelAggregator(decoding: &reader)
                readCount += 1
                #expect(!answers(read).isEmpty)
                try? read.fold([Sample(version: "v0", amount: 1, label: "yes", score: 0.5)])
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
        #expect(readCount > 0)
    }

    /// CB-1: what is known of a feature is in its bytes, and those have a bound.
    @Test func `a feature that never repeats itself stays within 2 MiB`() throws {
        func colours(_ range: Range<Int>, _ prefix: String) throws -> PredictionBatch {
            var batch = try Samples.batch(range.map { _ in Sample() })
            batch.features = [
                (
                    "colour",
                    .categorical(
                        TextColumn(
                            codes: (0..<UInt32(range.count)).map { $0 },
                            dictionary: range.map { "\(prefix)\($0)" }))
                )
            ]
            return batch
        }
        let schema = try Samples.schema()
        var aggregator = ModelAggregator(schema: schema)
        aggregator.pin(
            ModelReference(
                id: "r-1", pinnedAt: EventTime(milliseconds: 0), origin: .uploaded, schema: schema,
                batches: [try colours(0..<ModelReference.categoryCountMax + 500, "known ")]))
        func size() -> Int {
            var writer = ByteWriter()
            aggregator.encode(to: &writer)
            return writer.bytes.count
        }
        var sizes: [Int] = []
        for part in 0..<10 {
            aggregator.absorb(
                try colours(part * 2_000..<(part + 1) * 2_000, "new "), rows: Array(0..<2_000))
            sizes.append(size())
        }

        #expect(sizes.allSatisfy { $0 < 2 << 20 }, "\(sizes)")
        // Once the sketch is full nothing grows any more.
        #expect(sizes[9] - sizes[4] < 4_096, "\(sizes)")
        let distinct = aggregator.reading(.distinct, of: "colour")
        guard case .value(let estimate) = distinct else {
            Issue.record("\(distinct)")
            return
        }
        let (lower, upper) = (estimate.lower ?? 0, estimate.upper ?? 0)
        #expect(lower < 20_000 && 20_000 < upper && upper - lower < 4_000)
    }
}
