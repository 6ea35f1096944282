public import MonitoringDomain

/// This is the memory of one model's ids: which predictions were counted, and which ground truth has
/// come for them, in either order.
///
/// It guarantees that an id counts once, and each ground truth once per revision, for as long as the
/// id's event time lies within the horizon behind the newest prediction. Older records are refused and
/// counted. Recent ids are in memory (`RecentRecords`); the others are sealed into sorted partitions
/// that never change, with a filter in memory (`SealedPartition`). A later record of an id replaces an
/// earlier one, wherever it lies; so ground truth for a sealed prediction is a new record in memory,
/// until it is sealed too. When to seal follows from the records alone.
///
/// Its limits: it is rebuilt from the log, so nothing of it is durable by itself; 65,534 texts of
/// versions and labels are told apart, an outcome with a later one has no label.
public struct OutcomeJoin: Sendable {
    /// This is how far back ids are known, and how many of them are in memory.
    public struct Limits: Sendable, Equatable {
        /// An id is forgotten when its event time is further behind the newest prediction.
        public var horizonMilliseconds = ModelSchema.defaultHorizonMilliseconds
        /// Hours that stay in memory, besides the newest prediction's, when others are sealed.
        public var recentHourCount: Int64 = 1
        /// Ids in memory; with so many, some are sealed, whatever their hour.
        ///
        /// About 50 bytes each.
        public var recentCountMax = 1 << 19
        /// Ids that make a partition worth while when an hour has passed.
        public var sealCountMin = 1 << 17

        /// Makes the default limits.
        public init() {}
    }

    /// This is what was not counted, by reason, and what waits.
    public struct Tally: Sendable, Equatable {
        /// Predictions whose event time is beyond the horizon.
        public var tooOldPredictions: UInt64 = 0
        /// Ground truth beyond the horizon of whose prediction nothing is known any more.
        public var tooOldTruths: UInt64 = 0
        /// Predictions whose id is known with other content: the first one counts.
        public var conflicts: UInt64 = 0
        /// Ground truth that has found no prediction: it is early, or its prediction is forgotten.
        public var unmatchedTruths: UInt64 = 0
        /// Ground truth whose event time is before its prediction's; it is joined like any other.
        public var olderTruths: UInt64 = 0
    }

    /// What is kept, and until when.
    public var limits: Limits
    let storage: PartitionStorage
    var recent = RecentRecords()
    /// Kept for its memory: what is in it lasts no longer than a sealing.
    var order = IdentityOrder()
    /// From the oldest to the newest: what is in a later one replaces what is in an earlier one.
    public internal(set) var partitions: [SealedPartition] = []
    /// The newest event time of a prediction that was taken.
    var newest: Int64?
    /// The hour of `newest` when it was last asked whether hours can be sealed.
    var sealedHour: Int64?
    /// Partitions that were ever made, so that names are not used twice.
    public internal(set) var partitionSequence = 0
    /// Distinct ids that were taken, as prediction, as ground truth or as both.
    public internal(set) var count = 0
    /// What was refused or waits, by reason.
    public internal(set) var tally = Tally()
    /// True when a partition's bytes are not what was written: then the log must be folded again.
    public private(set) var isDamaged = false

    var texts: [String] = []
    var codeOfText: [ExactText: UInt16] = [:]

    /// Starts with nothing known.
    public init(limits: Limits = Limits(), storage: PartitionStorage = .memory) {
        self.limits = limits
        self.storage = storage
    }

    /// This is a join that knows nothing, in the same place: it uses no partition's name again.
    public func emptied() -> OutcomeJoin {
        var join = OutcomeJoin(limits: limits, storage: storage)
        join.partitionSequence = partitionSequence
        return join
    }

    /// Ids whose event time is before this are forgotten.
    var cutoff: Int64 {
        guard let newest else { return .min }
        let (cutoff, isOverflow) = newest.subtractingReportingOverflow(limits.horizonMilliseconds)
        return isOverflow ? .min : cutoff
    }

    // MARK: - Predictions

    /// This is what a prediction batch changed: the rows to fold, how many were not, and the outcomes
    /// of ground truth that had come before.
    public struct Admission: Sendable, Equatable {
        /// Indices into the batch, increasing.
        public var rows: [Int] = []
        /// Indices of the repeats, increasing.
        public var repeats: [Int] = []
        /// Repeats, those in conflict included.
        public var duplicateCount = 0
        /// Repeats with other content than the first.
        public var conflictCount = 0
        /// Rows beyond the horizon.
        public var tooOldCount = 0
        /// Indices of the repeats in conflict, increasing.
        public var conflicts: [Int] = []
        /// Indices of the rows beyond the horizon, increasing.
        public var tooOld: [Int] = []
        /// Of ground truth that was there before its prediction.
        public var outcomes: [Outcome] = []
    }

    /// Rows for which there is room in the table before the first of them is looked up.
    static let partCount = 256
    /// So many rows ahead the memory of a row's place is asked for.
    static let prefetchCount = 32

    /// Admits each row whose identity is new; rows without identity are always admitted.
    public mutating func admit(_ batch: PredictionBatch) -> Admission {
        var admission = Admission()
        admission.rows.reserveCapacity(batch.rowCount)
        var versions = TextCodes(batch.versions.dictionary.map { intern($0) })
        let labels = TextCodes(batch.labels.dictionary.map { intern($0) })
        versions.missing = intern("default")
        let digests = batch.contentDigests()
        let candidates = candidates(among: batch.identities)
        for start in stride(from: 0, to: batch.rowCount, by: Self.partCount) {
            let part = start..<min(start + Self.partCount, batch.rowCount)
            recent.reserve(part.count)
            for row in part {
                prefetchSlot(row + Self.prefetchCount, batch.identities)
                let time = batch.times[row]
                guard time >= cutoff else {
                    admission.tooOldCount += 1
                    admission.tooOld.append(row)
                    continue
                }
                newest = max(newest ?? time, time)
                let identity = batch.identities[row]
                if identity == .none {
                    admission.rows.append(row)
                    continue
                }
                let prediction = JoinRecord.Prediction(
                    time: time, score: batch.scores[row], value: batch.values[row],
                    version: versions[batch.versions.codes[row]],
                    label: labels[batch.labels.codes[row]], digest: digests[row])
                let isCandidate = candidates?[row] ?? false
                if case .vacant(let slot) = recent.find(identity), !isCandidate {
                    var record = JoinRecord(identity, time: time)
                    record.setPrediction(prediction)
                    recent.append(record, inSlot: slot)
                    count += 1
                    admission.rows.append(row)
                } else {
                    admit(prediction, of: identity, isCandidate, row, &admission)
                }
            }
        }
        tally.tooOldPredictions += UInt64(admission.tooOldCount)
        tally.conflicts += UInt64(admission.conflictCount)
        sealIfDue()
        return admission
    }

    /// Admits a row whose identity may be known.
    private mutating func admit(
        _ prediction: JoinRecord.Prediction, of identity: RecordIdentity, _ isCandidate: Bool,
        _ row: Int, _ admission: inout Admission
    ) {
        let knowledge = knowledge(of: identity, isCandidate: isCandidate)
        if let known = knowledge.record, known.core.hasPrediction {
            admission.duplicateCount += 1
            admission.repeats.append(row)
            if known.core.digest != prediction.digest {
                admission.conflictCount += 1
                admission.conflicts.append(row)
            }
            return
        }
        var record = knowledge.record ?? JoinRecord(identity, time: prediction.time)
        if record.core.time < prediction.time { tally.olderTruths += 1 }
        record.setPrediction(prediction)
        store(record, knowledge)
        admission.rows.append(row)
        if record.core.hasTruth {
            tally.unmatchedTruths -= min(1, tally.unmatchedTruths)
            admission.outcomes.append(outcome(of: record))
        }
    }

    // MARK: - Records

    /// This is what is known of an identity, and its place in memory where it has one.
    struct Knowledge {
        /// Nil where the id is new, or forgotten.
        var record: JoinRecord?
        var finding: RecentRecords.Finding
    }

    @inline(__always)
    func prefetchSlot(_ row: Int, _ identities: [RecordIdentity]) {
        if row < identities.count { recent.prefetchSlot(of: identities[row]) }
    }

    mutating func knowledge(
        of identity: RecordIdentity, isCandidate: Bool
    ) -> Knowledge {
        let finding = recent.find(identity)
        if case .place(let place) = finding {
            let record = recent[place]
            return Knowledge(record: record.keptTime >= cutoff ? record : nil, finding: finding)
        }
        let nothing = Knowledge(record: nil, finding: finding)
        guard isCandidate else { return nothing }
        for partition in partitions.reversed() {
            switch partition.find(identity) {
            case .absent: continue
            case .found(let record):
                return Knowledge(
                    record: record.keptTime >= cutoff ? record : nil, finding: finding)
            case .damaged:
                isDamaged = true
                return nothing
            }
        }
        return nothing
    }

    mutating func store(_ record: JoinRecord, _ knowledge: Knowledge) {
        if knowledge.record == nil { count += 1 }
        switch knowledge.finding {
        case .place(let place): recent[place] = record
        case .vacant(let slot): recent.append(record, inSlot: slot)
        }
    }

    /// This is which identities may be in a partition; nil where there are none.
    func candidates(among identities: [RecordIdentity]) -> [Bool]? {
        guard !partitions.isEmpty else { return nil }
        var marks = [Bool](repeating: false, count: identities.count)
        let masks = identities.map { IdentityFilter.mask($0) }
        for partition in partitions { partition.filter.mark(identities, masks, in: &marks) }
        return marks
    }

    func outcome(of record: JoinRecord) -> Outcome {
        Outcome(
            version: text(record.core.version) ?? "other",
            time: EventTime(milliseconds: record.core.time),
            predictedLabel: text(record.core.label), score: record.score,
            predictedValue: record.value, truthLabel: text(record.core.truthLabel),
            truthValue: record.truthValue)
    }

    private func text(_ code: UInt16) -> String? {
        Int(code) < texts.count ? texts[Int(code)] : nil
    }

    mutating func intern(_ text: String) -> UInt16 {
        if let code = codeOfText[ExactText(text)] { return code }
        guard texts.count < Int(JoinRecord.unknownText) else { return JoinRecord.unknownText }
        let code = UInt16(texts.count)
        texts.append(text)
        codeOfText[ExactText(text)] = code
        return code
    }
}

/// This is the join's codes of the texts of a column.
struct TextCodes {
    /// By the column's own code, and at the end that of a missing text.
    private var codes: [UInt16]

    init(_ codes: [UInt16]) { self.codes = codes + [JoinRecord.missingText] }

    var missing: UInt16 {
        get { codes[codes.count - 1] }
        set { codes[codes.count - 1] = newValue }
    }

    subscript(code: UInt32) -> UInt16 {
        code == TextColumn.missing ? missing : codes[Int(code)]
    }
}
