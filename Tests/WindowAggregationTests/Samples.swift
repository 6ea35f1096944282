import ByteCoding
import MonitoringDomain
import WindowAggregation

/// This is one record of a small model with a numeric and a categorical feature.
struct Sample: Equatable {
    var time: Int64 = 0
    var version = "1"
    var amount: Double?
    var colour: String?
    var label: String?
    var score: Double?
    var value: Double?
    var truthLabel: String?
    var truthValue: Double?

    var outcome: Outcome {
        Outcome(
            version: version, time: EventTime(milliseconds: time), predictedLabel: label,
            score: score, predictedValue: value, truthLabel: truthLabel, truthValue: truthValue)
    }
}

enum Samples {
    static let minute = WindowSpan.minute

    static func schema(_ task: TaskKind? = .binary) throws -> ModelSchema {
        guard let model = ModelID("m") else { throw SampleError() }
        return ModelSchema(
            model: model, task: task,
            features: [
                FeatureSchema(name: "amount", kind: .numeric),
                FeatureSchema(name: "colour", kind: .categorical),
            ], positiveLabel: task == .binary ? "yes" : nil)
    }

    static func batch(_ samples: [Sample]) throws -> PredictionBatch {
        var batch = PredictionBatch(model: try schema().model)
        batch.rowCount = samples.count
        batch.identities = samples.map { _ in .none }
        batch.times = samples.map(\.time)
        batch.versions = column(samples.map(\.version))
        batch.features = [
            ("amount", .numeric(samples.map { $0.amount ?? .nan })),
            ("colour", .categorical(column(samples.map(\.colour)))),
        ]
        batch.labels = column(samples.map(\.label))
        batch.scores = samples.map { $0.score ?? .nan }
        batch.values = samples.map { $0.value ?? .nan }
        batch.truthLabels = column(samples.map(\.truthLabel))
        batch.truthValues = samples.map { $0.truthValue ?? .nan }
        return batch
    }

    static func column(_ texts: [String?]) -> TextColumn {
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

    /// This is a model whose reference has the amounts 1 to 10, six red and four blue, with scores.
    static func aggregator(
        _ task: TaskKind? = .binary, reference: [Sample]? = nil
    ) throws -> ModelAggregator {
        let schema = try schema(task)
        var aggregator = ModelAggregator(schema: schema)
        aggregator.pin(
            ModelReference(
                id: "r-1", pinnedAt: EventTime(milliseconds: 0), origin: .uploaded,
                schema: schema, batches: [try batch(reference ?? tenRows(task))]))
        return aggregator
    }

    static func tenRows(_ task: TaskKind?) -> [Sample] {
        (1...10).map { number in
            var sample = Sample(amount: Double(number), colour: number <= 6 ? "red" : "blue")
            if task == .regression {
                sample.value = Double(number)
                sample.truthValue = Double(number) + 2
            } else {
                sample.score = Double(number) / 10
                sample.label = number > 5 ? "yes" : "no"
                sample.truthLabel = number > 4 ? "yes" : "no"
            }
            return sample
        }
    }

    /// This is a window of whole minutes.
    static func window(_ minutes: Range<Int64>) -> TimeWindow {
        TimeWindow(
            start: EventTime(milliseconds: minutes.lowerBound * minute),
            end: EventTime(milliseconds: minutes.upperBound * minute))
    }
}

struct SampleError: Error {}

extension ModelAggregator {
    /// Folds samples, and the outcomes of those that have ground truth.
    mutating func fold(_ samples: [Sample]) throws {
        absorb(try Samples.batch(samples), rows: Array(samples.indices))
        for sample in samples where sample.truthLabel != nil || sample.truthValue != nil {
            absorb(sample.outcome, adding: true)
        }
    }

    func reading(
        _ statistic: Statistic, of feature: String? = nil, version: String? = nil,
        in minutes: Range<Int64> = 0..<1
    ) -> Reading {
        measure(
            MeasurementQuery(
                model: schema.model, statistic: statistic, feature: feature, version: version),
            window: Samples.window(minutes)
        ).reading
    }

    func value(
        _ statistic: Statistic, of feature: String? = nil, version: String? = nil,
        in minutes: Range<Int64> = 0..<1
    ) -> Double? {
        reading(statistic, of: feature, version: version, in: minutes).estimate?.value
    }

    var encoded: [UInt8] {
        var writer = ByteWriter()
        encode(to: &writer)
        return writer.bytes
    }
}
