import ByteCoding
import MonitorCore
import MonitoringDomain
import MonitoringTestSupport
import RecordCoding
import WindowAggregation

struct SampleError: Error {}

func model(_ name: String = "m") throws -> ModelID {
    guard let model = ModelID(name) else { throw SampleError() }
    return model
}

/// This is one prediction and what turned out to be true.
struct Row: Equatable {
    var id: String
    var time: Int64
    var version = "1"
    var amount: Double?
    var colour: String?
    var label: String
    var score: Double
    var truth: String
}

/// This is seeded traffic of a binary model with a numeric and a categorical feature.
struct Traffic {
    var accuracy = 0.9
    var shift = 0.0
    var version = "1"
    var time: Int64 = 1_000 * WindowSpan.hour
    private var index = 0
    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// The next rows, two seconds apart.
    mutating func next(_ count: Int) -> [Row] {
        (0..<count).map { _ in
            index += 1
            time += 2_000
            let score = Double.random(in: 0...1, using: &random)
            let label = score >= 0.5 ? "yes" : "no"
            let isRight = Double.random(in: 0..<1, using: &random) < accuracy
            let isMissing = Int.random(in: 0..<20, using: &random) == 0
            let amount = Double.random(in: 0...10, using: &random) + shift
            return Row(
                id: "p\(index)", time: time, version: version, amount: isMissing ? nil : amount,
                colour: ["red", "green", "blue"].randomElement(using: &random), label: label,
                score: score, truth: isRight ? label : (label == "yes" ? "no" : "yes"))
        }
    }
}

enum Batches {
    private static func column(_ texts: [String?]) -> TextColumn {
        var column = TextColumn()
        for text in texts {
            guard let text else {
                column.codes.append(TextColumn.missing)
                continue
            }
            let code = column.dictionary.firstIndex(of: text) ?? column.dictionary.count
            if code == column.dictionary.count { column.dictionary.append(text) }
            column.codes.append(UInt32(code))
        }
        return column
    }

    static func predictions(
        _ rows: [Row], model name: String = "m", withTruth: Bool = false
    ) throws -> PredictionBatch {
        let model = try model(name)
        var batch = PredictionBatch(model: model)
        batch.rowCount = rows.count
        batch.identities = rows.map { identity(model: model, id: $0.id.utf8) }
        batch.times = rows.map(\.time)
        batch.versions = column(rows.map(\.version))
        batch.features = [
            ("amount", .numeric(rows.map { $0.amount ?? .nan })),
            ("colour", .categorical(column(rows.map(\.colour)))),
        ]
        batch.labels = column(rows.map(\.label))
        batch.scores = rows.map(\.score)
        batch.values = rows.map { _ in .nan }
        batch.truthLabels = column(rows.map { withTruth ? $0.truth : nil })
        batch.truthValues = rows.map { _ in .nan }
        return batch
    }

    static func groundTruth(
        _ rows: [Row], model name: String = "m", revision: Int64 = 0
    ) throws -> GroundTruthBatch {
        let model = try model(name)
        var batch = GroundTruthBatch(model: model)
        batch.identities = rows.map { identity(model: model, id: $0.id.utf8) }
        batch.times = rows.map { $0.time + WindowSpan.hour }
        batch.labels = column(rows.map(\.truth))
        batch.values = rows.map { _ in .nan }
        batch.revisions = rows.map { _ in revision }
        return batch
    }
}

/// This is a log that is applied as the service does: a changed reference folds the log again.
struct Replay {
    var monitor: Monitor
    private(set) var inputs: [Input] = []
    private(set) var effects: [Effect] = []
    private(set) var duplicateCount = 0

    init(clock: Monitor.Clock = .wall) { monitor = Monitor(clock: clock) }

    mutating func apply(_ input: Input) {
        let application = monitor.apply(input, at: monitor.position + 1)
        effects += application.effects
        duplicateCount += application.absorption.duplicateCount
        inputs.append(input)
        if let refolding = application.refolding { monitor.finish(folded(refolding)) }
    }

    /// The refolding after the whole log, as whoever holds the log makes it.
    func folded(_ start: Refolding) -> Refolding {
        var refolding = start
        let entries = inputs.enumerated().map { (position: Int64($0 + 1), input: $1) }
        if refolding.needsSelection {
            for entry in entries where entry.position <= refolding.selectionEnd {
                refolding.select(entry.input, at: entry.position)
            }
        }
        for entry in entries { refolding.fold(entry.input, at: entry.position) }
        return refolding
    }

    /// Activates the reference that waits, as the background work does.
    mutating func activatePending(model name: String = "m") throws {
        let id = try model(name)
        guard let refolding = monitor.collector.models[id]?.refolding else { return }
        apply(.activateReference(id, id: refolding.id))
    }

    mutating func apply(_ inputs: [Input]) { for input in inputs { apply(input) } }

    /// The same log, with the monitor as its snapshot restores it.
    mutating func restart() throws { monitor = try Monitor(snapshot: monitor.snapshot()) }

    func reading(
        _ statistic: Statistic, _ feature: String? = nil, model name: String = "m",
        version: String? = nil
    ) throws -> Reading {
        let all = TimeWindow(
            start: EventTime(milliseconds: 0), end: EventTime(milliseconds: 1 << 42))
        let query = MeasurementQuery(
            model: try model(name), statistic: statistic, feature: feature, version: version)
        guard let state = monitor.collector.models[query.model] else { return .noData }
        return state.measure(query, window: all).reading
    }

    func value(
        _ statistic: Statistic, _ feature: String? = nil, model name: String = "m",
        version: String? = nil
    ) throws -> Double? {
        try reading(statistic, feature, model: name, version: version).estimate?.value
    }

    /// Every statistic of every subject, by name.
    func everything() throws -> [String: Double] {
        var values: [String: Double] = [:]
        for statistic in Statistic.allCases {
            for feature in [nil, "amount", "colour", "prediction"] {
                for version in [nil, "1", "2"] {
                    values["\(statistic) \(feature ?? "-") \(version ?? "-")"] = try value(
                        statistic, feature, version: version)
                }
            }
        }
        return values
    }
}

extension Collector {
    /// This is the stored form.
    var bytes: [UInt8] {
        var writer = ByteWriter()
        encode(to: &writer)
        return writer.bytes
    }
}
