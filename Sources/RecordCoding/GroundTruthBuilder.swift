import MonitoringDomain

/// This is one model's batch of ground truth under construction.
struct GroundTruthBuilder {
    private let hash: IdentityHash
    private var batch: GroundTruthBatch
    private var labels: TextBuilder

    init(model: ModelID, seed: UInt64) {
        hash = IdentityHash(model: model)
        batch = GroundTruthBatch(model: model)
        labels = TextBuilder(seed: seed)
    }

    mutating func append(_ row: RecordRow, arrival: EventTime) {
        batch.identities.append(row.id.map { hash.identity(of: $0) } ?? .none)
        batch.times.append(row.time ?? arrival.milliseconds)
        batch.values.append(row.truthValue)
        batch.revisions.append(row.revision)
        labels.append(row.truthLabel)
    }

    /// This is the batch; columns have equal lengths.
    mutating func finished() -> GroundTruthBatch {
        batch.labels = labels.finished(rowCount: batch.identities.count)
        return batch
    }
}
