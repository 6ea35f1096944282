import ByteCoding
import MonitoringDomain
import MonitoringTestSupport
import Testing
import WindowAggregation

/// References with segments: web amounts lie around 0, app amounts around 100.
@Suite struct ReferenceSegmentTests {
    private struct Slice {
        var channel: String?
        var sample: Sample
    }

    private static func rows(
        _ count: Int, seed: UInt64, shift: Double = 0, channels: [String?] = ["web", "app"]
    ) -> [Slice] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { index in
            let channel = channels[index % channels.count]
            let centre = channel == "app" ? 100.0 : 0
            let isRight = Double.random(in: 0..<1, using: &random) < (channel == "app" ? 0.9 : 0.6)
            return Slice(
                channel: channel,
                sample: Sample(
                    amount: centre + Double.random(in: 0..<10, using: &random) + shift,
                    colour: channel == "app" ? "red" : "blue", label: "yes", score: 0.7,
                    truthLabel: isRight ? "yes" : "no"))
        }
    }

    private static func batch(_ rows: [Slice], withTruth: Bool = true) throws -> PredictionBatch {
        var batch = try Samples.batch(
            rows.map { row in
                var sample = row.sample
                if !withTruth { sample.truthLabel = nil }
                return sample
            })
        if rows.contains(where: { $0.channel != nil }) {
            batch.segments = [("channel", Samples.column(rows.map(\.channel)))]
        }
        return batch
    }

    private static func aggregator(
        _ reference: [Slice], outcomeWindow: TimeWindow? = nil
    ) throws -> ModelAggregator {
        var schema = try Samples.schema()
        schema.segments = ["channel"]
        var aggregator = ModelAggregator(schema: schema)
        aggregator.pin(
            ModelReference(
                id: "r-1", pinnedAt: EventTime(milliseconds: 0), origin: .uploaded, schema: schema,
                batches: [try batch(reference, withTruth: outcomeWindow == nil)],
                outcomeWindow: outcomeWindow))
        return aggregator
    }

    private func measure(
        _ aggregator: ModelAggregator, _ statistic: Statistic, _ segment: String?,
        _ feature: String = "amount"
    ) -> Measurement {
        aggregator.measure(
            MeasurementQuery(
                model: aggregator.schema.model, statistic: statistic, feature: feature,
                segment: segment.flatMap { Segment($0) }), window: Samples.window(0..<1))
    }

    private func reason(_ reading: Reading) -> String {
        if case .undefined(let reason) = reading { reason } else { "\(reading)" }
    }

    @Test func `a segment is compared with its own rows of the reference`() throws {
        var aggregator = try Self.aggregator(Self.rows(2_000, seed: 1))
        // Quiet in each channel, but most rows are of the app: the whole has moved by its mix.
        let window = Self.rows(
            1_000, seed: 2, channels: ["app", "app", "app", "app", "web"])
        aggregator.absorb(try Self.batch(window), rows: Array(window.indices))

        let whole = measure(aggregator, .ks, nil)
        let web = measure(aggregator, .ks, "channel:web")
        let app = measure(aggregator, .ks, "channel:app")

        #expect(try #require(whole.reading.estimate).value > 0.25)
        #expect(try #require(web.reading.estimate?.pValue) > 0.001)
        #expect(try #require(app.reading.estimate?.pValue) > 0.001)
        #expect(whole.referenceCount == 2_000)
        #expect(web.referenceCount == 1_000 && app.referenceCount == 1_000)
        #expect(web.count == 200 && app.count == 800)
        for segment in ["channel:web", "channel:app"] {
            // All of one colour here, of the other there.
            let colour = measure(aggregator, .totalVariation, segment, "colour").reading
            #expect(try #require(colour.estimate).value < 0.01, "\(segment)")
            let shift = measure(aggregator, .meanShift, segment).reading
            #expect(abs(try #require(shift.estimate).value) < 0.3)
        }
        // A version is no part of the reference: the whole is what it is compared with.
        #expect(measure(aggregator, .ks, "version:1").reading == whole.reading)
    }

    @Test func `a segment inside one decile of the whole has deciles of its own`() throws {
        // One row in twenty is of the web, so that all of them lie below the first decile.
        var channels = [String?](repeating: "app", count: 19)
        channels.append("web")
        var aggregator = try Self.aggregator(Self.rows(20_000, seed: 3, channels: channels))
        let moved = Self.rows(4_000, seed: 4, shift: 5, channels: ["web"])
        aggregator.absorb(try Self.batch(moved), rows: Array(moved.indices))

        #expect(try #require(measure(aggregator, .psi, "channel:web").reading.estimate).value > 0.5)
    }

    @Test func `what is not in the reference has no distance, and says why`() throws {
        let rare = Self.rows(99, seed: 5, channels: ["shop"])
        var aggregator = try Self.aggregator(Self.rows(400, seed: 6) + rare)
        let window =
            Self.rows(40, seed: 7) + Self.rows(10, seed: 8, channels: ["shop"])
            + Self.rows(10, seed: 9, channels: ["kiosk"]) + Self.rows(10, seed: 9, channels: [nil])
        aggregator.absorb(try Self.batch(window), rows: Array(window.indices))

        #expect(
            measure(aggregator, .psi, "channel:shop").reading
                == .insufficientSamples(found: 99, required: 100))
        #expect(
            reason(measure(aggregator, .psi, "channel:kiosk").reading)
                == "reference r-1 has no rows of channel:kiosk")
        #expect(
            reason(measure(aggregator, .psi, "channel:other").reading)
                == "reference r-1 has no rows of channel:other")
        // Its quality needs no reference.
        #expect(measure(aggregator, .mean, "channel:kiosk").reading.estimate != nil)
        #expect(aggregator.driftAbsence(of: Segment(key: "channel", value: "web")) == nil)
        #expect(
            aggregator.driftAbsence(of: Segment(key: "channel", value: "shop"))
                == .insufficientSamples(found: 99, required: 100))
    }

    @Test func `a reference whose rows name no value of the key is no reference of its segments`()
        throws
    {
        var aggregator = try Self.aggregator(Self.rows(400, seed: 10, channels: [nil]))
        let window = Self.rows(400, seed: 11, channels: ["web"])
        aggregator.absorb(try Self.batch(window), rows: Array(window.indices))
        let web = Segment(key: "channel", value: "web")

        #expect(
            reason(measure(aggregator, .psi, "channel:web").reading)
                == "the rows of reference r-1 name no channel")
        // A rule's limit is still that of the whole.
        #expect(
            aggregator.baseline(.accuracy, feature: nil, segment: web)
                == aggregator.baseline(.accuracy, feature: nil))
    }

    @Test func `baselines of segments are of their own rows and outcomes`() throws {
        let rows = Self.rows(4_000, seed: 12)
        let aggregator = try Self.aggregator(rows)
        func accuracy(_ channel: String?) throws -> Double {
            let segment = channel.map { Segment(key: "channel", value: $0) }
            return try #require(
                aggregator.baseline(.accuracy, feature: nil, segment: segment).estimate?.value)
        }

        for channel in ["web", "app"] {
            let own = rows.filter { $0.channel == channel }
            let right = own.filter { $0.sample.truthLabel == "yes" }
            #expect(try accuracy(channel) == Double(right.count) / Double(own.count))
        }
        #expect(try accuracy(nil) > 0.7 && accuracy(nil) < 0.8)
        #expect(
            aggregator.baseline(
                .volume, feature: nil, segment: Segment(key: "channel", value: "web")
            ).estimate?.value == 2_000)
    }

    @Test func `outcomes that come later count in their segment, and are taken back`() throws {
        var aggregator = try Self.aggregator(
            Self.rows(400, seed: 13), outcomeWindow: Samples.window(0..<1))
        let web = Segment(key: "channel", value: "web")
        func outcome(_ truth: String, _ channel: String) -> Outcome {
            var outcome = Sample(label: "yes", score: 0.7, truthLabel: truth).outcome
            outcome.segments = [channel]
            return outcome
        }

        aggregator.absorb(outcome("yes", "web"), adding: true)
        aggregator.absorb(outcome("no", "web"), adding: true)
        aggregator.absorb(outcome("no", "app"), adding: true)

        #expect(
            aggregator.baseline(.accuracy, feature: nil, segment: web).estimate?.value == 0.5)
        aggregator.absorb(outcome("no", "web"), adding: false)
        aggregator.absorb(outcome("yes", "web"), adding: true)
        #expect(aggregator.baseline(.accuracy, feature: nil, segment: web).estimate?.value == 1)
    }

    @Test func `the parts of a key's segments add up to the change, and its cause stands first`()
        throws
    {
        let pinned = Self.rows(4_000, seed: 20)
        var aggregator = try Self.aggregator(pinned)
        // Of the app, whose predictions are mostly right, there is much less; and one value is new.
        let window =
            Self.rows(1_200, seed: 21, channels: ["web", "web", "web", "app"])
            + Self.rows(100, seed: 22, channels: ["kiosk"])
        aggregator.absorb(try Self.batch(window, withTruth: false), rows: Array(window.indices))
        for row in window {
            var outcome = row.sample.outcome
            outcome.segments = [row.channel ?? "other"]
            aggregator.absorb(outcome, adding: true)
        }
        func query(_ statistic: Statistic, _ feature: String? = nil) -> MeasurementQuery {
            MeasurementQuery(
                model: aggregator.schema.model, statistic: statistic, feature: feature)
        }
        func value(_ query: MeasurementQuery) throws -> Double {
            try #require(
                aggregator.measure(query, window: Samples.window(0..<1)).reading.estimate
            ).value
        }

        for (statistic, feature) in [(Statistic.accuracy, nil), (.mean, "amount")] {
            let query = query(statistic, feature)
            let parts = aggregator.split(query, window: Samples.window(0..<1))
            let change = try #require(
                aggregator.baseline(statistic, feature: feature).estimate
            ).value
            let sum = parts.reduce(0) { $0 + ($1.mix ?? 0) + ($1.rate ?? 0) }
            #expect(abs(sum - (try value(query) - change)) < 1e-9)
            #expect(Set(parts.map(\.segment.value)) == ["app", "web", "kiosk"])
            #expect(abs(parts.reduce(0) { $0 + $1.share } - 1) < 1e-12)
            #expect(abs(parts.reduce(0) { $0 + ($1.baselineShare ?? 0) } - 1) < 1e-12)
            let kiosk = try #require(parts.first { $0.segment.value == "kiosk" })
            #expect(kiosk.baseline == nil && kiosk.rate == 0 && kiosk.baselineShare == 0)
        }
        let mean = aggregator.split(query(.mean, "amount"), window: Samples.window(0..<1))
        #expect(mean.first?.segment.value == "app")
        #expect(try #require(mean.first?.mix).magnitude > 10 * (mean.first?.rate ?? 1).magnitude)
        // A distance has no parts; the segments stand in its own order.
        let distances = aggregator.split(query(.psi, "amount"), window: Samples.window(0..<1))
        #expect(distances.allSatisfy { $0.mix == nil && $0.baseline == nil })
        #expect(distances.last?.segment.value == "kiosk" && distances.last?.value == nil)
        // By version there is nothing to compare with, and without keys nothing to split.
        var ofVersion = query(.accuracy)
        ofVersion.segment = Segment(key: "version", value: "1")
        #expect(aggregator.split(ofVersion, window: Samples.window(0..<1)).isEmpty)
        #expect(
            try Samples.aggregator().split(query(.accuracy), window: Samples.window(0..<1)).isEmpty)
    }

    @Test func `what is read is what was written`() throws {
        var aggregator = try Self.aggregator(Self.rows(600, seed: 14))
        let window = Self.rows(300, seed: 15)
        aggregator.absorb(try Self.batch(window), rows: Array(window.indices))
        let bytes = aggregator.encoded

        var reader = ByteReader(bytes)
        let read = try ModelAggregator(decoding: &reader)

        #expect(reader.isAtEnd)
        #expect(read.encoded == bytes)
        for statistic in Statistic.windowCases {
            for segment in ["channel:web", "channel:app", "channel:other"] {
                #expect(
                    measure(read, statistic, segment) == measure(aggregator, statistic, segment))
                #expect(
                    read.baseline(statistic, feature: "amount", segment: Segment(segment))
                        == aggregator.baseline(
                            statistic, feature: "amount", segment: Segment(segment)))
            }
        }
    }

    @Test func `drift subjects are of the segments with the most rows, as many as there is room`()
        throws
    {
        let aggregator = try Self.aggregator(
            Self.rows(900, seed: 16, channels: ["web", "app", "web"])
                + Self.rows(99, seed: 17, channels: ["shop"]))
        let slicing = DriftSlicing(
            segmentKey: "channel", watchesFeatures: true, names: ["prediction"])

        let all = aggregator.driftSubjects(slicing)
        let few = aggregator.driftSubjects(slicing, countMax: 5)

        #expect(
            all.map { "\($0.name.feature) \($0.name.segment?.value ?? "-")" } == [
                "amount web", "colour web", "prediction web", "amount app", "colour app",
                "prediction app",
            ])
        #expect(few == Array(all[..<3]))
        #expect(all.map { $0.counts.reduce(0, +) } == [600, 600, 600, 300, 300, 300])
    }

    @Test func `other is compared only while it holds the same values on both sides`() throws {
        let few = Self.rows(300, seed: 18, channels: ["web", nil])
        var aggregator = try Self.aggregator(few)
        aggregator.absorb(try Self.batch(few), rows: Array(few.indices))
        #expect(measure(aggregator, .psi, "channel:other").reading.estimate != nil)

        let many = (0..<60).map { Slice(channel: "c\($0)", sample: Sample(amount: 1)) }
        aggregator.absorb(try Self.batch(many), rows: Array(many.indices))

        #expect(
            reason(measure(aggregator, .psi, "channel:other").reading)
                .hasPrefix("channel:other holds the values beyond the first 50"))
    }
}
