import Foundation
import MonitorCore
import MonitoringDomain
import RecordCoding

/// This measures what judging costs: a tick of the clock under rules of one kind, beside folding in the rows of
/// the minute that it ends; an outcome through each classic detector; an input among a thousand models.
public enum JudgeBenchmark {
    static let featureCount = 20
    static let rowsPerMinute = 60
    /// Minutes of traffic before the first tick: a day of panes and one more hour.
    static let minuteCount = 25 * 60
    static let channels = ["app", "branch", "phone", "shop", "web"]
    static let tickCount = 25
    private static let start: Int64 = 400_000 * WindowSpan.hour

    /// Runs every case.
    ///
    /// - Throws: `BenchmarkError` when a rule is not read.
    public static func run() throws -> [BenchmarkResult] {
        guard let model = ModelID("credit") else { throw BenchmarkError("not a model's name") }
        let base = filled(model)
        var results: [BenchmarkResult] = []
        for (name, rule, windowCount) in cases {
            results.append(try tick(name, rule, windowCount, base, model))
        }
        return results + late(base, model) + detectors(model) + amongModels()
    }

    /// What a rule says, and how many windows of a feature it reads at a tick.
    private static var cases: [(name: String, rule: String, windowCount: Int)] {
        let by = channels.count * featureCount
        return [
            ("psi of 1 h", "expr: psi(*, window: 1h) > 9", featureCount),
            ("psi of 24 h", "expr: psi(*, window: 24h) > 9", featureCount),
            ("ks of 24 h", "expr: ks(*, window: 24h) > 2", featureCount),
            ("psi of 1 h, by 5 channels", "expr: psi(*, window: 1h) > 9\n    by: channel", by),
            ("budget, windows of 1 min", "expr: drift(features, window: 1m)", featureCount),
            (
                "budget, windows of 1 min, by 5 channels",
                "expr: drift(features, window: 1m)\n    by: channel", by
            ),
        ]
    }

    /// The rule, and one that always fires: it shows that both were read.
    private static func load(_ rule: String, into monitor: inout Monitor) {
        let file = RuleFile(
            name: "g.yaml",
            text: "group: g\nevery: 1m\nbudget: { false_alarms: 1 per 90d }\nrules:\n"
                + "  - alert: A\n    \(rule)\n"
                + "  - alert: Read\n    expr: volume(window: 1m) >= 0\n")
        _ = monitor.apply(.rules([file]), at: monitor.position + 1)
    }

    // MARK: - Ticks

    private static func tick(
        _ name: String, _ rule: String, _ windowCount: Int, _ base: Monitor, _ model: ModelID
    ) throws -> BenchmarkResult {
        var monitor = base
        load(rule, into: &monitor)
        var random = BenchmarkGenerator(seed: 7)
        var times: (tick: [Double], fold: [Double]) = ([], [])
        // The first ticks judge what came before, up to 64 windows each.
        let skippedCount = 3 + minuteCount / 60
        for index in 0..<tickCount + skippedCount {
            let minute = start + Int64(minuteCount + index) * WindowSpan.minute
            let batch = batch(model, rowsPerMinute, from: minute, &random)
            let fold = processorTime {
                _ = monitor.apply(.predictions(batch), at: monitor.position + 1)
            }
            let now = EventTime(milliseconds: minute + WindowSpan.minute)
            var effects: [Effect] = []
            let tick = processorTime {
                effects = monitor.apply(.tick(now), at: monitor.position + 1).effects
            }
            guard index > 0 || !effects.isEmpty else {
                throw BenchmarkError("not a rule: \(rule)")
            }
            guard index >= skippedCount else { continue }
            times.fold.append(fold * 1e6)
            times.tick.append(tick * 1e6)
        }
        let (tick, fold) = (median(times.tick), median(times.fold))
        return BenchmarkResult(
            "judge", name, tick / Double(windowCount), "us/feature-window",
            [("folding the minute's rows", tick / fold)],
            note: "\(Int(tick)) us a tick, \(windowCount) feature-windows")
    }

    /// The tick after late rows, which measures all windows again that they touched.
    private static func late(_ base: Monitor, _ model: ModelID) -> [BenchmarkResult] {
        var monitor = base
        load("expr: psi(*, window: 1h) > 9", into: &monitor)
        var random = BenchmarkGenerator(seed: 8)
        var times: [Double] = []
        for index in 0..<30 {
            let minute = start + Int64(minuteCount + index) * WindowSpan.minute
            for time in [minute, minute - 30 * WindowSpan.minute] {
                _ = monitor.apply(
                    .predictions(batch(model, rowsPerMinute, from: time, &random)),
                    at: monitor.position + 1)
            }
            let now = EventTime(milliseconds: minute + WindowSpan.minute)
            let tick = processorTime { _ = monitor.apply(.tick(now), at: monitor.position + 1) }
            if index >= 5 { times.append(tick * 1e6) }
        }
        let restated = monitor.judge.restatements(of: model).count
        return [
            BenchmarkResult(
                "judge", "psi of 1 h, late rows in every minute", median(times), "us/tick",
                note: "\(restated) windows restated and kept")
        ]
    }

    /// Seconds that this process has run, on any core: what a busy machine does not change much.
    private static func processorTime(_ body: () -> Void) -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        body()
        return now() - start
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    // MARK: - Outcomes and inputs

    private static func detectors(_ model: ModelID) -> [BenchmarkResult] {
        let names = ["adwin", "page_hinkley", "cusum", "ddm", "eddm", "kswin"]
        let rowCount = 40_000
        var random = BenchmarkGenerator(seed: 9)
        let predictions = batch(model, rowCount, from: start, &random)
        var truth = GroundTruthBatch(model: model)
        truth.identities = predictions.identities
        truth.times = predictions.times
        truth.labels = TextColumn(
            codes: predictions.labels.codes.map { random.next() % 10 == 0 ? 1 - $0 : $0 },
            dictionary: predictions.labels.dictionary)
        truth.values = [Double](repeating: .nan, count: rowCount)
        truth.revisions = [Int64](repeating: 0, count: rowCount)
        func time(_ name: String?) -> Double {
            var monitor = Monitor(clock: .wall)
            if let name { load("expr: \(name)(error, window: 1d) > 99", into: &monitor) }
            _ = monitor.apply(
                .pinReference(predictions, pinnedAt: EventTime(milliseconds: start)),
                at: monitor.position + 1)
            _ = monitor.apply(.predictions(predictions), at: monitor.position + 1)
            let position = monitor.position + 1
            return processorTime { _ = monitor.apply(.groundTruth(truth), at: position) }
                * 1e9 / Double(rowCount)
        }
        let join = min(time(nil), time(nil))
        return names.map { name in
            let whole = min(time(name), time(name))
            return BenchmarkResult(
                "judge", name, max(0, whole - join), "ns/outcome", [("its join", whole / join)])
        }
    }

    private static func amongModels() -> [BenchmarkResult] {
        func time(_ count: Int) -> Double {
            var monitor = Monitor(clock: .event)
            load("expr: psi(*, window: 1h) > 9", into: &monitor)
            var random = BenchmarkGenerator(seed: 10)
            let models = (0..<count).compactMap { ModelID("model-\($0)") }
            var batches: [PredictionBatch] = []
            for index in 0..<2_000 {
                // All within one minute, as a busy service's are.
                batches.append(
                    batch(
                        models[index % count], 1, from: start + Int64(index) * 20, &random,
                        step: 1))
            }
            for one in batches[..<count] {
                _ = monitor.apply(.predictions(one), at: monitor.position + 1)
            }
            return processorTime {
                for one in batches[count...] {
                    _ = monitor.apply(.predictions(one), at: monitor.position + 1)
                }
            } * 1e6 / Double(batches.count - count)
        }
        let (alone, among) = (time(1), time(1_000))
        return [
            BenchmarkResult(
                "judge", "a record among 1000 models, event clock", among, "us/input",
                [("alone", among / alone)])
        ]
    }

    // MARK: - Traffic

    private static func filled(_ model: ModelID) -> Monitor {
        var monitor = Monitor(clock: .wall)
        var random = BenchmarkGenerator(seed: 6)
        var schema = ModelSchema(model: model)
        schema.segments = ["channel"]
        _ = monitor.apply(.declareSchema(schema), at: 1)
        _ = monitor.apply(
            .pinReference(
                batch(model, 20_000, from: start - WindowSpan.day, &random, step: 1_000),
                pinnedAt: EventTime(milliseconds: start)), at: 2)
        for minute in 0..<minuteCount {
            let time = start + Int64(minute) * WindowSpan.minute
            _ = monitor.apply(
                .predictions(batch(model, rowsPerMinute, from: time, &random)),
                at: monitor.position + 1)
        }
        return monitor
    }

    private static func batch(
        _ model: ModelID, _ count: Int, from time: Int64, _ random: inout BenchmarkGenerator,
        step: Int64 = 900
    ) -> PredictionBatch {
        func uniform() -> Double { Double(random.next() >> 11) / 9_007_199_254_740_992 }
        var batch = PredictionBatch(model: model)
        batch.rowCount = count
        batch.identities = (0..<count).map { _ in
            RecordIdentity(high: random.next(), low: random.next())
        }
        batch.times = (0..<count).map { time + Int64($0) * step }
        batch.versions = TextColumn(codes: [UInt32](repeating: 0, count: count), dictionary: ["1"])
        batch.features = (0..<featureCount).map { feature in
            // The sum of four is near enough to a normal number, and plain arithmetic.
            let values = (0..<count).map { _ in uniform() + uniform() + uniform() + uniform() }
            return ("feature-\(feature)", .numeric(values))
        }
        batch.segments = [
            (
                "channel",
                TextColumn(
                    codes: (0..<count).map { _ in UInt32(random.next() % 5) }, dictionary: channels)
            )
        ]
        batch.scores = (0..<count).map { _ in uniform() }
        batch.labels = TextColumn(
            codes: batch.scores.map { $0 > 0.5 ? 1 : 0 }, dictionary: ["no", "yes"])
        batch.values = [Double](repeating: .nan, count: count)
        batch.truthLabels = TextColumn(
            codes: [UInt32](repeating: TextColumn.missing, count: count), dictionary: [])
        batch.truthValues = [Double](repeating: .nan, count: count)
        return batch
    }
}
