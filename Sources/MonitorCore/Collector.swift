public import ByteCoding
public import MonitoringDomain
import WindowAggregation

/// This is the first of the two machines: it joins, folds rows into panes, and counts each id once.
public struct Collector: Sendable {
    /// These are the models that any input named.
    public private(set) var models: [ModelID: ModelCollector] = [:]

    /// Makes a collector that knows no model.
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

    /// Counts a batch in.
    ///
    /// - Returns: How many rows were repeats.
    public mutating func absorb(_ batch: PredictionBatch) -> Int {
        withModel(batch.model) { $0.absorb(batch) }
    }

    /// Joins ground truth.
    ///
    /// - Returns: How many rows said nothing new.
    public mutating func absorb(_ batch: GroundTruthBatch) -> Int {
        withModel(batch.model) { $0.absorb(batch) }
    }

    /// Takes a request or a response, and counts the batch in where it completes a pair.
    ///
    /// - Returns: How many rows were repeats.
    public mutating func absorb(_ half: InferenceHalf) -> Int {
        withModel(half.batch.model) { $0.absorb(half) }
    }

    /// Takes what a model's owner knows of it; what is declared wins over what is learned.
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

    /// Appends the state, with the models in the order of their names, so that equal states have equal bytes.
    public func encode(to writer: inout ByteWriter) {
        writer.writeCount(models.count)
        for model in models.keys.sorted() { models[model]?.encode(to: &writer) }
    }

    /// Reads what `encode` wrote.
    ///
    /// - Throws: `ByteReadingError` for anything else.
    public init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        let count = try reader.readCount()
        for _ in 0..<count {
            let model = try ModelCollector(decoding: &reader)
            models[model.schema.model] = model
        }
    }
}
