public import ByteCoding
public import MonitoringDomain
import RuleLanguage
public import WindowAggregation

/// This is the first of the two machines: it joins, folds rows into panes, and counts each id once.
public struct Collector: Sendable {
    /// These are the models that any input named.
    public private(set) var models: [ModelID: ModelCollector] = [:]

    /// This is the newest event time over all models.
    public private(set) var watermark: EventTime?

    /// The rule groups that name classic detectors.
    private var watching: [RuleGroup] = []

    /// This is where each model's sealed ids live.
    private let storage: @Sendable (ModelID) -> PartitionStorage

    /// Makes a collector that knows no model.
    public init(storage: @escaping @Sendable (ModelID) -> PartitionStorage = { _ in .memory }) {
        self.storage = storage
    }

    private mutating func withModel<Result>(
        _ model: ModelID, _ body: (inout ModelCollector) -> Result
    ) -> Result {
        // Taken out and put back, so that the value is unique and is changed in place.
        var collector = models.removeValue(forKey: model) ?? newModel(model)
        defer {
            if let newest = collector.watermark { watermark = max(watermark ?? newest, newest) }
            models[model] = collector
        }
        return body(&collector)
    }

    private func newModel(_ model: ModelID) -> ModelCollector {
        var collector = ModelCollector(schema: ModelSchema(model: model), storage: storage(model))
        collector.detectors.want(detectors(of: model))
        return collector
    }

    /// Runs the classic detectors that the rules name.
    mutating func watch(_ rules: RuleSet) {
        watching = rules.groups.filter { !$0.detectors.isEmpty }
        for model in models.keys {
            let wanted = detectors(of: model)
            if models[model]?.detectors.wanted != wanted {
                withModel(model) { $0.detectors.want(wanted) }
            }
        }
    }

    private func detectors(of model: ModelID) -> Set<Statistic> {
        watching.filter { $0.matches(model) }.reduce(into: []) { $0.formUnion($1.detectors) }
    }

    /// Counts a batch in.
    ///
    /// - Returns: What became of rows that are not new.
    public mutating func absorb(
        _ batch: PredictionBatch, on occasion: ModelCollector.Occasion
    ) -> Absorption {
        withModel(batch.model) { $0.absorb(batch, on: occasion) }
    }

    /// Joins ground truth.
    ///
    /// - Returns: What became of rows that say nothing new.
    public mutating func absorb(
        _ batch: GroundTruthBatch, on occasion: ModelCollector.Occasion
    ) -> Absorption {
        withModel(batch.model) { $0.absorb(batch, on: occasion) }
    }

    /// Takes a request or a response, and counts the batch in where it completes a pair.
    ///
    /// - Returns: What became of rows that are not new.
    public mutating func absorb(
        _ half: InferenceHalf, on occasion: ModelCollector.Occasion
    ) -> Absorption {
        withModel(half.batch.model) { $0.absorb(half, on: occasion) }
    }

    /// Counts in alone what has waited too long for its other half at `time`.
    public mutating func expireHalves(at time: EventTime, on occasion: ModelCollector.Occasion) {
        for model in models.keys.sorted() where models[model]?.hasHalves == true {
            withModel(model) { $0.expireHalves(at: time, on: occasion) }
        }
    }

    /// Counts values of another type than their feature's; of a model that nobody knows nothing is counted.
    public mutating func absorb(typeErrorsOf batch: PredictionBatch, features: TextColumn) {
        guard models[batch.model] != nil else { return }
        withModel(batch.model) { $0.absorb(typeErrorsOf: batch, features: features) }
    }

    /// Takes what a model's owner knows of it; what is declared wins over what is learned.
    public mutating func declare(_ schema: ModelSchema, at position: Int64) {
        withModel(schema.model) { $0.declare(schema, at: position) }
    }

    /// Pins uploaded rows, at once or after the log has been folded again.
    public mutating func pin(_ batch: PredictionBatch, at time: EventTime, position: Int64) {
        withModel(batch.model) { $0.pin(batch, at: time, position: position) }
    }

    /// Asks for a reference that is made of a model's own log.
    public mutating func choose(
        _ source: ReferenceSource, of model: ModelID, at time: EventTime, position: Int64
    ) {
        withModel(model) { $0.choose(source, at: time, position: position) }
    }

    mutating func finish(_ refolding: consuming Refolding, since time: EventTime?) {
        let model = refolding.model
        withModel(model) { [refolding] in $0.finish(refolding, since: time) }
    }

    /// Takes the event-time ranges that late rows changed, by model, of the models that are asked for; nil for
    /// all.
    mutating func takeRevisions(
        of wanted: Set<ModelID>?, where isWanted: (ModelID) -> Bool
    ) -> [ModelID: TimeWindow] {
        var revisions: [ModelID: TimeWindow] = [:]
        for model in wanted ?? Set(models.keys) {
            guard let revision = models[model]?.aggregator.revision, isWanted(model) else {
                continue
            }
            revisions[model] = revision
        }
        for model in revisions.keys { withModel(model) { _ = $0.aggregator.takeRevision() } }
        return revisions
    }

    // MARK: - Sealed ids

    /// This is a merge of partitions that would save questions, of any model; nil while there is none.
    public var merge: (model: ModelID, merge: PartitionMerge)? {
        for (model, collector) in models {
            if let merge = collector.join.merge { return (model, merge) }
        }
        return nil
    }

    /// Replaces partitions by what they were merged into; false where they are no longer there.
    public mutating func adopt(
        _ merged: SealedPartition, of merge: PartitionMerge, model: ModelID
    ) -> Bool {
        withModel(model) { $0.join.adopt(merged, of: merge) }
    }

    /// True when a partition's bytes are not what was written: then the log must be folded again.
    public var isDamaged: Bool { models.values.contains { $0.join.isDamaged } }

    /// Appends the state, with the models in the order of their names, so that equal states have equal bytes.
    public func encode(to writer: inout ByteWriter) {
        writer.writeCount(models.count)
        for model in models.keys.sorted() { models[model]?.encode(to: &writer) }
    }

    /// Reads what `encode` wrote.
    ///
    /// - Throws: `ByteReadingError` for anything else.
    public init(
        decoding reader: inout ByteReader,
        storage: @escaping @Sendable (ModelID) -> PartitionStorage = { _ in .memory }
    ) throws(ByteReadingError) {
        self.storage = storage
        let count = try reader.readCount()
        for _ in 0..<count {
            let model = try ModelCollector(decoding: &reader, storage: storage)
            models[model.schema.model] = model
            if let newest = model.watermark { watermark = max(watermark ?? newest, newest) }
        }
    }
}
