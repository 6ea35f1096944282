public import MonitoringDomain

extension OutcomeJoin {
    /// What a ground-truth record changed.
    public struct TruthChange: Sendable, Equatable {
        /// What was counted before and no longer holds.
        public var removed: Outcome?
        /// What holds now.
        public var added: Outcome?
        /// True when the record said what was known already, or less (an older revision).
        public var isDuplicate: Bool
    }

    /// Takes ground truth, and shows what each row changed, in order.
    public mutating func observe(
        _ batch: GroundTruthBatch, _ body: (_ change: TruthChange) -> Void
    ) {
        let labels = TextCodes(batch.labels.dictionary.map { intern($0) })
        let candidates = candidates(among: batch.identities)
        for start in stride(from: 0, to: batch.rowCount, by: Self.partCount) {
            let part = start..<min(start + Self.partCount, batch.rowCount)
            recent.reserve(part.count)
            for row in part {
                prefetchSlot(row + Self.prefetchCount, batch.identities)
                body(
                    observeTruth(
                        of: batch.identities[row], label: labels[batch.labels.codes[row]],
                        value: batch.values[row], revision: batch.revisions[row],
                        at: batch.times[row], isCandidate: candidates?[row] ?? false))
            }
        }
        sealIfDue()
    }

    /// Takes one ground-truth record; a higher or equal revision replaces the earlier one.
    private mutating func observeTruth(
        of identity: RecordIdentity, label: UInt16, value: Double, revision: Int64, at time: Int64,
        isCandidate: Bool
    ) -> TruthChange {
        let nothing = TruthChange(removed: nil, added: nil, isDuplicate: false)
        guard identity != .none else { return nothing }
        let knowledge = knowledge(of: identity, isCandidate: isCandidate)
        guard var record = knowledge.record else {
            guard time >= cutoff else {
                tally.tooOldTruths += 1
                return nothing
            }
            var record = JoinRecord(identity, time: time)
            record.setTruth(label: label, value: value, revision: revision)
            store(record, knowledge)
            tally.unmatchedTruths += 1
            return nothing
        }
        let removed = record.core.hasTruth && record.core.hasPrediction ? outcome(of: record) : nil
        if record.core.hasTruth {
            let isSame =
                record.core.truthLabel == label && label != JoinRecord.unknownText
                && (Double(bitPattern: record.wide.truth).isNaN
                    ? value.isNaN : record.wide.truth == value.bitPattern)
            if revision < record.wide.revision || isSame {
                if isSame, revision > record.wide.revision {
                    record.wide.revision = revision
                    store(record, knowledge)
                }
                return TruthChange(removed: nil, added: nil, isDuplicate: true)
            }
        } else if !record.core.hasPrediction {
            preconditionFailure("a record of neither side")
        }
        if record.core.hasPrediction, time < record.core.time { tally.olderTruths += 1 }
        record.setTruth(label: label, value: value, revision: revision)
        store(record, knowledge)
        return TruthChange(
            removed: removed, added: record.core.hasPrediction ? outcome(of: record) : nil,
            isDuplicate: false)
    }
}
