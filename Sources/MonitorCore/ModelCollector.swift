public import ByteCoding
public import MonitoringDomain
public import RecordCoding
public import WindowAggregation

/// This is one model's share of the collector: its schema, its reference, its join and its panes.
///
/// Until a reference is there, rows wait in a buffer of at most `learningRowCount` rows; then they
/// become the reference and are folded as the production rows that they also are.
public struct ModelCollector: Sendable {
    /// Rows from which a model without a pinned reference learns one.
    public static let learningRowCount = 5_000
    /// Features of one model; a name beyond is passed over, as one that the reference does not know.
    public static let featureCountMax = 2_000

    /// This is what is known of the model's records.
    public private(set) var schema: ModelSchema
    /// This is the model's panes and its reference.
    public private(set) var aggregator: ModelAggregator
    /// This is how many predictions were counted, each id once.
    public private(set) var recordCount: UInt64 = 0
    /// The event-time extent of a learned reference's rows: its performance baseline is read from
    /// production panes, because ground truth for these rows comes later.
    private var learnedWindow: TimeWindow?
    /// This is which ids were counted, and what waits for its other side.
    public internal(set) var join: OutcomeJoin
    /// This is the halves that wait for their others, and what became of earlier ones.
    public private(set) var pairing = InferencePairing()
    private var waiting: [PredictionBatch] = []
    private var waitingOutcomes: [Outcome] = []
    private var referenceSequence = 0
    /// The newest event time of a prediction.
    public private(set) var watermark: EventTime?

    /// Makes the share of a model of which no record has come.
    ///
    /// - Parameters:
    ///   - schema: What is known of the model.
    ///   - storage: Where its sealed ids live.
    public init(schema: ModelSchema, storage: PartitionStorage = .memory) {
        self.schema = schema
        join = OutcomeJoin(storage: storage)
        aggregator = ModelAggregator(schema: schema)
    }

    /// Rows that wait for the reference to be learned.
    public var learnedRowCount: Int { waiting.reduce(0) { $0 + $1.rowCount } }
    /// This is true until a reference is learned or pinned.
    public var isLearning: Bool { aggregator.reference == nil }
    /// True when rows were folded, so that another reference needs the log to be folded again.
    public var hasRows: Bool { recordCount > 0 || join.count > 0 || !pairing.isEmpty }

    /// This is from the first row's pane to the last one's, also while the reference is being learned; nil
    /// without rows.
    public var extent: TimeWindow? {
        if let extent = aggregator.extent { return extent }
        let times = waiting.lazy.flatMap(\.times)
        guard let first = times.min(), let last = times.max() else { return nil }
        let pane = WindowSpan.milliseconds(schema.paneMilliseconds)
        return TimeWindow(
            start: pane.window(containing: EventTime(milliseconds: first)).start,
            end: pane.window(containing: EventTime(milliseconds: last)).end)
    }

    // MARK: - Inputs

    /// Takes what the owner declares; it wins over what is learned.
    ///
    /// The span of the panes changes only before the first row, because panes cannot be cut afterwards.
    public mutating func declare(_ declared: ModelSchema) {
        schema.task = declared.task ?? schema.task
        schema.positiveLabel = declared.positiveLabel ?? schema.positiveLabel
        schema.identity = declared.identity ?? schema.identity
        if let horizon = declared.horizonMilliseconds {
            schema.horizonMilliseconds = horizon
            join.limits.horizonMilliseconds = horizon
        }
        if !hasRows { schema.paneMilliseconds = declared.paneMilliseconds }
        _ = addFeatures(declared.features)
        aggregator.update(schema: schema)
    }

    /// Pairs a request with its response; a completed pair is counted in.
    ///
    /// Returns what became of rows that are not new.
    public mutating func absorb(_ half: InferenceHalf) -> Absorption {
        switch pairing.observe(half) {
        case .paired(let batch): absorb(batch)
        case .repeated: Absorption(duplicateCount: half.batch.rowCount)
        case .waits, .mismatched: Absorption()
        }
    }

    /// Counts a batch in.
    ///
    /// Returns what became of rows that are not new.
    public mutating func absorb(_ batch: PredictionBatch) -> Absorption {
        extendSchema(with: batch)
        let admission = join.admit(batch)
        recordCount &+= UInt64(admission.rows.count)
        for row in admission.rows {
            let time = EventTime(milliseconds: batch.times[row])
            watermark = max(watermark ?? time, time)
        }
        if isLearning {
            if !admission.rows.isEmpty { waiting.append(batch.selecting(rows: admission.rows)) }
            waitingOutcomes += admission.outcomes
            if learnedRowCount >= Self.learningRowCount { learn() }
        } else {
            aggregator.absorb(batch, rows: admission.rows)
            for outcome in admission.outcomes { aggregator.absorb(outcome, adding: true) }
        }
        return Absorption(
            duplicateCount: admission.duplicateCount, conflictCount: admission.conflictCount,
            tooOldCount: admission.tooOldCount)
    }

    /// Joins ground truth.
    ///
    /// Returns what became of rows that say nothing new.
    public mutating func absorb(_ batch: GroundTruthBatch) -> Absorption {
        var absorption = Absorption()
        let tooOldCount = join.tally.tooOldTruths
        var changes: [OutcomeJoin.TruthChange] = []
        changes.reserveCapacity(batch.rowCount)
        join.observe(batch) { changes.append($0) }
        for change in changes {
            if change.isDuplicate { absorption.duplicateCount += 1 }
            if isLearning {
                if let removed = change.removed,
                    let index = waitingOutcomes.lastIndex(of: removed)
                {
                    waitingOutcomes.remove(at: index)
                }
                if let added = change.added { waitingOutcomes.append(added) }
            } else {
                if let removed = change.removed { aggregator.absorb(removed, adding: false) }
                if let added = change.added { aggregator.absorb(added, adding: true) }
            }
        }
        absorption.tooOldCount = Int(clamping: join.tally.tooOldTruths - tooOldCount)
        return absorption
    }

    /// Pins uploaded rows.
    ///
    /// The caller folds the model's earlier inputs again when `hasRows` was true.
    public mutating func pin(_ batch: PredictionBatch, at time: EventTime) {
        extendSchema(with: batch)
        inferTask(from: [batch])
        referenceSequence += 1
        learnedWindow = nil
        aggregator.pin(
            ModelReference(
                id: "r-\(referenceSequence)", pinnedAt: time, origin: .uploaded, schema: schema,
                batches: [batch]))
        restart()
    }

    private mutating func restart() {
        join = join.emptied()
        pairing = InferencePairing()
        waiting = []
        waitingOutcomes = []
        recordCount = 0
        watermark = nil
    }

    // MARK: - Learning

    private mutating func learn() {
        inferTask(from: waiting)
        referenceSequence += 1
        let first = waiting.flatMap(\.times).min() ?? 0
        let last = waiting.flatMap(\.times).max() ?? 0
        // From the start of the first row's pane, because a window counts whole panes that start in it.
        let pane = WindowSpan.milliseconds(schema.paneMilliseconds)
        learnedWindow = TimeWindow(
            start: pane.window(containing: EventTime(milliseconds: first)).start,
            end: EventTime(milliseconds: last).advanced(byMilliseconds: 1))
        aggregator.pin(
            ModelReference(
                id: "r-\(referenceSequence)",
                pinnedAt: EventTime(milliseconds: last), origin: .learned, schema: schema,
                batches: waiting))
        for batch in waiting { aggregator.absorb(batch, rows: Array(0..<batch.rowCount)) }
        for outcome in waitingOutcomes { aggregator.absorb(outcome, adding: true) }
        waiting = []
        waitingOutcomes = []
    }

    private mutating func extendSchema(with batch: PredictionBatch) {
        let features = batch.features.map { FeatureSchema(name: $0.name, kind: $0.column.kind) }
        if addFeatures(features) { aggregator.update(schema: schema) }
    }

    /// Adds the features whose names are new, up to the limit; false when there are none.
    private mutating func addFeatures(_ features: [FeatureSchema]) -> Bool {
        var known = Set(schema.features.map(\.name))
        let countBefore = schema.features.count
        for feature in features where schema.features.count < Self.featureCountMax {
            if known.insert(feature.name).inserted { schema.features.append(feature) }
        }
        return schema.features.count > countBefore
    }

    /// Learns the task and the positive label where the owner declared none.
    ///
    /// A predicted value means regression; at most two distinct labels, with a score, binary. The
    /// positive label is the one whose predictions have the higher mean score, as score = P(positive).
    private mutating func inferTask(from batches: [PredictionBatch]) {
        var scores: [String: (sum: Double, count: Int)] = [:]
        var hasValue = false
        for batch in batches {
            for row in 0..<batch.rowCount {
                if !batch.values[row].isNaN { hasValue = true }
                if let truth = batch.truthLabels.text(at: row) {
                    scores[truth, default: (0, 0)].count += 0
                }
                guard let label = batch.labels.text(at: row) else { continue }
                let score = batch.scores[row]
                guard !score.isNaN else {
                    scores[label, default: (0, 0)].count += 0
                    continue
                }
                scores[label, default: (0, 0)].sum += score
                scores[label, default: (0, 0)].count += 1
            }
        }
        if schema.task == nil {
            if !scores.isEmpty {
                schema.task = scores.count <= 2 ? .binary : .multiclass
            } else if hasValue {
                schema.task = .regression
            }
        }
        if schema.task == .binary, schema.positiveLabel == nil {
            func mean(_ entry: (sum: Double, count: Int)) -> Double {
                entry.count == 0 ? -1 : entry.sum / Double(entry.count)
            }
            schema.positiveLabel =
                scores.max { (mean($0.value), $0.key) < (mean($1.value), $1.key) }?.key
        }
        aggregator.update(schema: schema)
    }

    // MARK: - Questions

    /// This is the answer to a question; insufficient samples while the reference is being learned.
    public func measure(_ query: MeasurementQuery, window: TimeWindow) -> Measurement {
        guard isLearning else { return aggregator.measure(query, window: window) }
        return Measurement(
            model: query.model, statistic: query.statistic, feature: query.feature,
            version: query.version, window: window,
            reading: .insufficientSamples(
                found: learnedRowCount, required: Self.learningRowCount),
            count: 0)
    }

    /// This is a statistic on the reference.
    public func baseline(_ statistic: Statistic, feature: String?) -> Reading {
        if let learnedWindow, statistic.group == .performance {
            return aggregator.measure(
                MeasurementQuery(model: schema.model, statistic: statistic, feature: feature),
                window: learnedWindow
            ).reading
        }
        return aggregator.baseline(statistic, feature: feature)
    }

    // MARK: - Snapshot

    /// Appends the state; equal states have equal bytes.
    public func encode(to writer: inout ByteWriter) {
        writer.append(contentsOf: prefixed(InputCoding.encode(.declareSchema(schema))))
        writer.write(recordCount)
        writer.writeCount(referenceSequence)
        writer.write(watermark != nil)
        writer.write(watermark?.milliseconds ?? 0)
        writer.write(learnedWindow != nil)
        writer.write(learnedWindow?.start.milliseconds ?? 0)
        writer.write(learnedWindow?.end.milliseconds ?? 0)
        join.encode(to: &writer)
        pairing.encode(to: &writer)
        writer.writeCount(waiting.count)
        for batch in waiting {
            writer.append(contentsOf: prefixed(InputCoding.encode(.predictions(batch))))
        }
        writer.writeCount(waitingOutcomes.count)
        for outcome in waitingOutcomes { outcome.encode(to: &writer) }
        aggregator.encode(to: &writer)
    }

    /// Reads what `encode` wrote.
    ///
    /// - Throws: `ByteReadingError` for anything else.
    public init(
        decoding reader: inout ByteReader,
        storage: @Sendable (ModelID) -> PartitionStorage = { _ in .memory }
    ) throws(ByteReadingError) {
        guard case .declareSchema(let schema) = try Self.readInput(&reader) else {
            throw .invalid(offset: reader.offset, reason: "a schema was expected")
        }
        self.schema = schema
        recordCount = try reader.read()
        let sequence = try reader.readVarint()
        guard sequence < 1 << 48 else {
            throw .invalid(offset: reader.offset, reason: "\(sequence) references")
        }
        referenceSequence = Int(sequence)
        let hasWatermark = try reader.readBool()
        let time: Int64 = try reader.read()
        watermark = hasWatermark ? EventTime(milliseconds: time) : nil
        let hasLearned = try reader.readBool()
        let start: Int64 = try reader.read()
        let end: Int64 = try reader.read()
        if hasLearned, start <= end {
            learnedWindow = TimeWindow(
                start: EventTime(milliseconds: start), end: EventTime(milliseconds: end))
        }
        join = try OutcomeJoin(decoding: &reader, storage: storage(schema.model))
        pairing = try InferencePairing(decoding: &reader)
        let batchCount = try reader.readCount()
        for _ in 0..<batchCount {
            guard case .predictions(let batch) = try Self.readInput(&reader) else {
                throw .invalid(offset: reader.offset, reason: "a batch was expected")
            }
            waiting.append(batch)
        }
        let outcomeCount = try reader.readCount()
        for _ in 0..<outcomeCount {
            waitingOutcomes.append(try Outcome(decoding: &reader))
        }
        aggregator = try ModelAggregator(decoding: &reader)
    }

    private func prefixed(_ bytes: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        writer.writeCount(bytes.count)
        writer.append(contentsOf: bytes)
        return writer.bytes
    }

    private static func readInput(_ reader: inout ByteReader) throws(ByteReadingError) -> Input {
        let count = try reader.readCount()
        return try InputCoding.decode(try reader.readSlice(count: count))
    }
}
