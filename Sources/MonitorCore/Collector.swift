public import ByteCoding
public import MonitoringDomain
import WindowAggregation

/// This is the first of the two machines: it joins, folds rows into panes, and counts each id once.
public struct Collector: Sendable {
    public private(set) var models: [ModelID: ModelCollector] = [:]

    public init() {}

    private mutating func withModel<Result>(
        _ model: ModelID, _ body: (inout ModelCollector) -> Result
    ) -> Result {
        // Taken out and put back, so that the value is unique and is changed in place.
        var collector =
            models.removeValue(forKey: model) ?? ModelCollector(schema: ModelSchema(model: model))
        defer { models[model] = collector }
        return body(&collector)
    }

    public mutating func absorb(_ batch: PredictionBatch) -> Int {
        withModel(batch.model) { $0.absorb(batch) }
    }

    public mutating func absorb(_ batch: GroundTruthBatch) -> Int {
        withModel(batch.model) { $0.absorb(batch) }
    }

    public mutating func declare(_ schema: ModelSchema) {
        withModel(schema.model) { $0.declare(schema) }
    }

    /// Returns true when the model's earlier records must be folded again.
    public mutating func pin(_ batch: PredictionBatch, at time: EventTime) -> Bool {
        withModel(batch.model) {
            let hadRows = $0.hasRows
            $0.pin(batch, at: time)
            return hadRows
        }
    }

    /// This is the newest event time over all models.
    public var watermark: EventTime? { models.values.compactMap(\.watermark).max() }

    public func encode(to writer: inout ByteWriter) {
        writer.writeCount(models.count)
        for model in models.keys.sorted() { models[model]?.encode(to: &writer) }
    }

    public init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let count = try reader.readCount()
        for _ in 0..<count {
            let model = try ModelCollector(decoding: &reader)
            models[model.schema.model] = model
        }
    }
}
