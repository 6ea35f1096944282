public import MonitoringDomain
public import RecordCoding
public import WindowAggregation

/// This is one model's share of the collector: its schema, its reference, its join and its panes.
///
/// Until a reference is there, rows wait in a buffer of at most `learningTarget` rows; then they
/// become the reference and are folded as the production rows that they also are.
public struct ModelCollector: Sendable {
    /// Rows from which a model without a pinned reference learns one.
    public static let learningRowCount = 5_000
    /// Features of one model, a text or a vector as many as the numbers that stand for it; a name beyond is
    /// passed over, as one that the reference does not know.
    public static let featureCountMax = 2_000

    /// This is when an input came, as far as counting depends on it.
    public struct Occasion: Sendable {
        /// Where the input lies in the log.
        public var position: Int64
        /// Until when windows have been judged: rows before are late; nil before the first judgement.
        public var judgedAt: EventTime?

        /// Makes an occasion from its parts.
        public init(position: Int64, judgedAt: EventTime? = nil) {
            self.position = position
            self.judgedAt = judgedAt
        }
    }

    /// This is what is known of the model's records.
    public internal(set) var schema: ModelSchema
    /// This is the model's panes and its reference.
    public internal(set) var aggregator: ModelAggregator
    /// This is how many predictions were counted, each id once.
    public internal(set) var recordCount: UInt64 = 0
    /// These are the references that the model had, has and is about to have.
    public internal(set) var references = ReferenceHistory()
    /// The reference that was asked for last and is not in force yet.
    var pending: PendingReference?
    /// Where the log holds the rows of the reference in force; nil where that is not known.
    var referenceRows: ReferenceRows?
    /// Rows from which the first reference is learned.
    public internal(set) var learningTarget = ModelCollector.learningRowCount
    /// How the reference moves once there is one.
    var movingAfterLearning: MovingReference?
    /// Admitted rows by version, for a reference that is to be learned from a version's first ones.
    var rowCountOfVersion: [ExactText: Int] = [:]
    /// These are the classic detectors that rules name, over the errors.
    var detectors = ErrorDetectors()
    /// This is which ids were counted, and what waits for its other side.
    public internal(set) var join: OutcomeJoin
    /// This is the halves that wait for their others, and what became of earlier ones.
    public internal(set) var pairing = InferencePairing()
    var waiting: [PredictionBatch] = []
    var waitingOutcomes: [Outcome] = []
    /// What can be told of the waiting rows without a reference; nil while there are none.
    var early: ModelAggregator?
    /// The newest event time of a prediction.
    public internal(set) var watermark: EventTime?
    /// The oldest row of any reference that was uploaded: from there on records are of the model's own
    /// time, however old they are; nil without one.
    public internal(set) var referenceStart: EventTime?

    /// Windows that begin earlier hold rows that were no longer in the log when the reference in force was
    /// profiled; nil where none were missing.
    public internal(set) var profiledSince: EventTime?

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
    public mutating func declare(_ declared: ModelSchema, at position: Int64) {
        schema.task = declared.task ?? schema.task
        schema.positiveLabel = declared.positiveLabel ?? schema.positiveLabel
        schema.identity = declared.identity ?? schema.identity
        schema.scores = declared.scores ?? schema.scores
        if let horizon = declared.horizonMilliseconds {
            schema.horizonMilliseconds = horizon
            join.limits.horizonMilliseconds = horizon
        }
        if !hasRows { schema.paneMilliseconds = declared.paneMilliseconds }
        let hasOtherSegments = !declared.segments.isEmpty && declared.segments != schema.segments
        if hasOtherSegments { schema.segments = declared.segments }
        _ = addFeatures(declared.features)
        aggregator.update(schema: schema)
        restartEarly()
        if !hasRows {
            aggregator.restartSegments()
        } else if hasOtherSegments {
            resegment(at: position)
        }
    }

    /// Pairs a request with its response; a completed pair is counted in.
    ///
    /// - Parameters:
    ///   - half: A request or a response of this model.
    ///   - occasion: Where the half lies in the log, and until when windows have been judged.
    /// - Returns: What became of rows that are not new.
    public mutating func absorb(_ half: InferenceHalf, on occasion: Occasion) -> Absorption {
        let outcome = pairing.observe(half)
        absorbUnpaired(on: occasion)
        switch outcome {
        case .paired(let batch): return absorb(batch, on: occasion)
        case .repeated: return Absorption(duplicateCount: half.batch.rowCount)
        case .waits, .mismatched: return Absorption()
        }
    }

    /// True while halves wait, or are remembered.
    var hasHalves: Bool { !pairing.isEmpty }

    /// Counts in alone what has waited too long for its other half at `time`.
    public mutating func expireHalves(at time: EventTime, on occasion: Occasion) {
        pairing.expire(at: time)
        absorbUnpaired(on: occasion)
    }

    private mutating func absorbUnpaired(on occasion: Occasion) {
        for batch in pairing.takeUnpaired() { _ = absorb(batch, on: occasion) }
    }

    /// Counts a batch in.
    ///
    /// - Parameters:
    ///   - batch: Predictions of this model.
    ///   - occasion: Where the batch lies in the log, and until when windows have been judged.
    /// - Returns: What became of rows that are not new.
    public mutating func absorb(_ batch: PredictionBatch, on occasion: Occasion) -> Absorption {
        extendSchema(with: batch)
        let olderTruthCount = join.tally.olderTruths
        let admission = admit(batch)
        // Of texts and vectors nothing is kept but the numbers that stand for them.
        let batch = batch.measured
        recordCount &+= UInt64(admission.rows.count)
        for row in admission.rows {
            let time = EventTime(milliseconds: batch.times[row])
            watermark = max(watermark ?? time, time)
        }
        countVersions(of: batch, rows: admission.rows, at: occasion.position)
        for outcome in admission.outcomes { detectors.absorb(outcome) }
        if isLearning {
            absorbEarly(batch, admission)
            if !admission.rows.isEmpty { waiting.append(batch.selecting(rows: admission.rows)) }
            waitingOutcomes += admission.outcomes
            if learnedRowCount >= learningTarget { learn(at: occasion.position) }
        } else {
            aggregator.absorb(
                batch, rows: admission.rows, repeats: admission.repeats,
                judgedAt: occasion.judgedAt)
            for outcome in admission.outcomes { aggregator.absorb(outcome, adding: true) }
        }
        var absorption = Absorption(
            duplicateCount: admission.duplicateCount, conflictCount: admission.conflictCount,
            tooOldCount: admission.tooOldCount)
        absorption.duplicateRows = admission.repeats
        absorption.conflictRows = admission.conflicts
        absorption.tooOldRows = admission.tooOld
        absorption.olderTruthCount = Int(clamping: join.tally.olderTruths - olderTruthCount)
        return absorption
    }

    /// Asks the join, which keeps a prediction's version and segments as one text.
    private mutating func admit(_ batch: PredictionBatch) -> OutcomeJoin.Admission {
        var keyed = batch
        keyed.versions = aggregator.cohorts(of: batch)
        var admission = join.admit(keyed)
        admission.outcomes = admission.outcomes.map { aggregator.separated($0) }
        return admission
    }

    /// Joins ground truth.
    ///
    /// - Parameters:
    ///   - batch: Ground truth of this model.
    ///   - occasion: Where the batch lies in the log, and until when windows have been judged.
    /// - Returns: What became of rows that say nothing new.
    public mutating func absorb(_ batch: GroundTruthBatch, on occasion: Occasion) -> Absorption {
        var absorption = Absorption()
        let before = join.tally
        var changes: [OutcomeJoin.TruthChange] = []
        changes.reserveCapacity(batch.rowCount)
        join.observe(batch) { changes.append($0) }
        for change in changes {
            var change = change
            change.removed = change.removed.map { aggregator.separated($0) }
            change.added = change.added.map { aggregator.separated($0) }
            if change.isDuplicate { absorption.duplicateCount += 1 }
            if let removed = change.removed {
                detectors.correct(removed)
            } else if let added = change.added {
                detectors.absorb(added)
            }
            if isLearning {
                if let removed = change.removed,
                    let index = waitingOutcomes.lastIndex(of: removed)
                {
                    waitingOutcomes.remove(at: index)
                }
                if let added = change.added { waitingOutcomes.append(added) }
                if let removed = change.removed { early?.absorb(removed, adding: false) }
                if let added = change.added { early?.absorb(added, adding: true) }
            } else {
                let isReplaced = change.removed != nil
                if let removed = change.removed { aggregator.absorb(removed, adding: false) }
                if let added = change.added {
                    aggregator.absorb(
                        added, adding: true, isReplaced: isReplaced, judgedAt: occasion.judgedAt)
                }
            }
        }
        absorption.tooOldCount = Int(clamping: join.tally.tooOldTruths - before.tooOldTruths)
        absorption.olderTruthCount = Int(clamping: join.tally.olderTruths - before.olderTruths)
        return absorption
    }

    // MARK: - Learning

    /// The first rows become the reference, and all are folded as the production rows that they also are.
    private mutating func learn(at position: Int64) {
        var missing = learningTarget
        var chosen: [PredictionBatch] = []
        for batch in waiting where missing > 0 {
            chosen.append(batch.selecting(rows: Array(0..<min(missing, batch.rowCount))))
            missing -= batch.rowCount
        }
        inferTask(from: chosen)
        let last = chosen.flatMap(\.times).max() ?? 0
        var reference = ModelReference(
            id: learningID(), pinnedAt: EventTime(milliseconds: last), origin: .learned,
            schema: schema, batches: chosen, outcomeWindow: chosen.extent)
        if let movingAfterLearning {
            reference = reference.moved(
                id: reference.id, pinnedAt: reference.pinnedAt, by: movingAfterLearning)
        }
        movingAfterLearning = nil
        referenceRows = ReferenceRows(
            source: .log(.first(count: learningTarget, version: nil)), position: position)
        start(with: reference)
        resegment(at: position)
    }

    /// Puts the first reference in force, and folds the rows that waited for it.
    mutating func start(with reference: ModelReference) {
        aggregator.pin(reference)
        references.activate(reference.id, rowCount: reference.rowCount)
        for batch in waiting { aggregator.absorb(batch, rows: Array(0..<batch.rowCount)) }
        for outcome in waitingOutcomes { aggregator.absorb(outcome, adding: true) }
        // What has no rows that wait: repeats, and values of other types.
        if let early { aggregator.takeRefusals(from: early) }
        early = nil
        waiting = []
        waitingOutcomes = []
    }

    mutating func extendSchema(with batch: PredictionBatch) {
        // Nearly every batch names what is known, in the order in which it became known.
        let isKnown =
            batch.features.count <= schema.features.count
            && zip(batch.features, schema.features).allSatisfy { $0.name.isExactly($1.name) }
        if isKnown { return }
        let features = batch.features.map { FeatureSchema(name: $0.name, kind: $0.column.kind) }
        guard addFeatures(features) else { return }
        aggregator.update(schema: schema)
        early?.extend(schema)
    }

    /// Adds the features whose names are new, up to the limit; false when there are none.
    private mutating func addFeatures(_ features: [FeatureSchema]) -> Bool {
        let known = schema.featureNames.exactSet
        var added: Set<ExactText> = []
        var count = schema.measuredFeatures.count
        let countBefore = schema.features.count
        for feature in features where !known.contains(ExactText(feature.name)) {
            // A feature whose name is that of another's measure would be taken for it.
            let names = (feature.measured.map(\.name) + [feature.name]).exactSet
            guard names.isDisjoint(with: known), names.isDisjoint(with: added),
                count + feature.measured.count <= Self.featureCountMax
            else { continue }
            added.formUnion(names)
            count += feature.measured.count
            schema.features.append(feature)
        }
        return schema.features.count > countBefore
    }

    /// Learns the task and the positive label where the owner declared none.
    ///
    /// A predicted value means regression; at most two distinct labels, with a score, binary. The
    /// positive label is the one whose predictions have the higher mean score, as score = P(positive).
    mutating func inferTask(from batches: [PredictionBatch]) {
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
}
