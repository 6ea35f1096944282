public import ByteCoding
public import MonitoringDomain

/// This is the memory of one model's ids: which predictions were counted, and which ground truth has
/// come for them, in either order.
///
/// An open-addressing table over 128-bit identities; about 64 bytes an id at the usual load. It is
/// rebuilt from the log, so nothing of it needs a write of its own.
public struct OutcomeJoin: Sendable {
    private var slots: [Slot] = []
    private var texts: [String] = []
    private var codeOfText: [String: UInt32] = [:]
    /// Ids that are known, as prediction, as ground truth or as both.
    public private(set) var count = 0

    /// Makes a memory without ids.
    public init() {}

    private struct Slot: Sendable {
        var identity = RecordIdentity.none
        var time: Int64 = 0
        /// The score, or the predicted value of a regression; NaN where absent.
        var score = Double.nan
        var value = Double.nan
        var truthValue = Double.nan
        var revision: Int64 = 0
        var label = TextColumn.missing
        var truthLabel = TextColumn.missing
        var version: UInt32 = 0
        var hasPrediction = false
        var hasTruth = false
    }

    /// What a ground-truth record changed.
    public struct TruthChange: Sendable, Equatable {
        /// This is the outcome that no longer holds.
        public var removed: Outcome?
        /// This is the outcome that holds now.
        public var added: Outcome?
        /// True when the record said what was known already, or less (an older revision).
        public var isDuplicate: Bool
    }

    // MARK: - Predictions

    /// This is what a prediction batch changed: the rows to fold, how many were repeats, and the
    /// outcomes of ground truth that had come before.
    public struct Admission: Sendable, Equatable {
        /// These are the rows with a new identity, or with none, ascending.
        public var rows: [Int] = []
        /// This is how many rows repeat a known identity.
        public var duplicateCount = 0
        /// These are the outcomes of rows whose ground truth had come before.
        public var outcomes: [Outcome] = []
    }

    /// Admits each row whose identity is new; rows without identity are always admitted.
    public mutating func admit(_ batch: PredictionBatch) -> Admission {
        var admission = Admission()
        admission.rows.reserveCapacity(batch.rowCount)
        let versionCodes = batch.versions.dictionary.map { intern($0) }
        let labelCodes = batch.labels.dictionary.map { intern($0) }
        let defaultVersion = intern("default")
        for row in 0..<batch.rowCount {
            let identity = batch.identities[row]
            if identity == .none {
                admission.rows.append(row)
                continue
            }
            let index = slotIndex(of: identity)
            if slots[index].hasPrediction {
                admission.duplicateCount += 1
                continue
            }
            let version = batch.versions.codes[row]
            let label = batch.labels.codes[row]
            slots[index].hasPrediction = true
            slots[index].time = batch.times[row]
            slots[index].version =
                version == TextColumn.missing ? defaultVersion : versionCodes[Int(version)]
            slots[index].label =
                label == TextColumn.missing ? TextColumn.missing : labelCodes[Int(label)]
            slots[index].score = batch.scores[row]
            slots[index].value = batch.values[row]
            admission.rows.append(row)
            if slots[index].hasTruth { admission.outcomes.append(outcome(at: index)) }
        }
        return admission
    }

    // MARK: - Ground truth

    /// Takes one ground-truth record; a higher or equal revision replaces the earlier one.
    public mutating func observeTruth(
        of identity: RecordIdentity, label: String?, value: Double, revision: Int64
    ) -> TruthChange {
        guard identity != .none else {
            return TruthChange(removed: nil, added: nil, isDuplicate: false)
        }
        let index = slotIndex(of: identity)
        let code = label.map { intern($0) } ?? TextColumn.missing
        let slot = slots[index]
        if slot.hasTruth {
            let isSame =
                slot.truthLabel == code && slot.truthValue.bitPattern == value.bitPattern
            if revision < slot.revision || isSame {
                if isSame { slots[index].revision = max(slot.revision, revision) }
                return TruthChange(removed: nil, added: nil, isDuplicate: true)
            }
        }
        let removed = slot.hasTruth && slot.hasPrediction ? outcome(at: index) : nil
        slots[index].hasTruth = true
        slots[index].truthLabel = code
        slots[index].truthValue = value
        slots[index].revision = revision
        return TruthChange(
            removed: removed, added: slot.hasPrediction ? outcome(at: index) : nil,
            isDuplicate: false)
    }

    /// This is the ground truth of an identity, nil where none has come.
    public func truth(of identity: RecordIdentity) -> (label: String?, value: Double)? {
        guard identity != .none, !slots.isEmpty else { return nil }
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: identity.low) & mask
        while slots[index].identity != .none {
            if slots[index].identity == identity {
                let slot = slots[index]
                guard slot.hasTruth else { return nil }
                return (text(slot.truthLabel), slot.truthValue)
            }
            index = (index + 1) & mask
        }
        return nil
    }

    // MARK: - Table

    private func text(_ code: UInt32) -> String? {
        code == TextColumn.missing ? nil : texts[Int(code)]
    }

    private func outcome(at index: Int) -> Outcome {
        let slot = slots[index]
        return Outcome(
            version: texts[Int(slot.version)], time: EventTime(milliseconds: slot.time),
            predictedLabel: text(slot.label), score: slot.score.isNaN ? nil : slot.score,
            predictedValue: slot.value.isNaN ? nil : slot.value,
            truthLabel: text(slot.truthLabel),
            truthValue: slot.truthValue.isNaN ? nil : slot.truthValue)
    }

    private mutating func intern(_ text: String) -> UInt32 {
        if let code = codeOfText[text] { return code }
        let code = UInt32(texts.count)
        texts.append(text)
        codeOfText[text] = code
        return code
    }

    private mutating func slotIndex(of identity: RecordIdentity) -> Int {
        // Linear probing stays short up to a load of 5/8.
        if (count + 1) * 8 > slots.count * 5 { grow() }
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: identity.low) & mask
        while slots[index].identity != .none {
            if slots[index].identity == identity { return index }
            index = (index + 1) & mask
        }
        slots[index].identity = identity
        count += 1
        return index
    }

    private mutating func grow() {
        let old = slots
        slots = [Slot](repeating: Slot(), count: max(1_024, old.count * 2))
        let mask = slots.count - 1
        for slot in old where slot.identity != .none {
            var index = Int(truncatingIfNeeded: slot.identity.low) & mask
            while slots[index].identity != .none { index = (index + 1) & mask }
            slots[index] = slot
        }
    }

    // MARK: - Snapshot

    /// Appends the table, sorted by identity, so that equal contents give equal bytes.
    public func encode(to writer: inout ByteWriter) {
        writer.write(texts)
        let known = slots.filter { $0.identity != .none }.sorted {
            ($0.identity.high, $0.identity.low) < ($1.identity.high, $1.identity.low)
        }
        writer.writeCount(known.count)
        for slot in known {
            writer.write(slot.identity.high)
            writer.write(slot.identity.low)
            writer.write(slot.time)
            writer.write(slot.score)
            writer.write(slot.value)
            writer.write(slot.truthValue)
            writer.write(slot.revision)
            writer.write(slot.label)
            writer.write(slot.truthLabel)
            writer.write(slot.version)
            writer.write(UInt8((slot.hasPrediction ? 1 : 0) | (slot.hasTruth ? 2 : 0)))
        }
    }

    /// Reads what `encode` wrote.
    ///
    /// - Throws: `ByteReadingError` for anything else.
    public init(decoding reader: inout ByteReader) throws(ByteReadingError) {
        texts = try reader.readTexts()
        for (index, text) in texts.enumerated() { codeOfText[text] = UInt32(index) }
        let known = try reader.readCount(elementSize: 69)
        for _ in 0..<known {
            let start = reader.offset
            let identity = RecordIdentity(high: try reader.read(), low: try reader.read())
            guard identity != .none else {
                throw .invalid(offset: start, reason: "an empty identity")
            }
            let index = slotIndex(of: identity)
            slots[index].time = try reader.read()
            slots[index].score = try reader.readDouble()
            slots[index].value = try reader.readDouble()
            slots[index].truthValue = try reader.readDouble()
            slots[index].revision = try reader.read()
            slots[index].label = try reader.read()
            slots[index].truthLabel = try reader.read()
            slots[index].version = try reader.read()
            let flags = try reader.readByte()
            slots[index].hasPrediction = flags & 1 != 0
            slots[index].hasTruth = flags & 2 != 0
            for code in [slots[index].label, slots[index].truthLabel]
            where code != TextColumn.missing && code >= UInt32(texts.count) {
                throw .invalid(offset: start, reason: "text \(code) of \(texts.count)")
            }
            guard slots[index].version < UInt32(max(texts.count, 1)) else {
                throw .invalid(offset: start, reason: "version \(slots[index].version)")
            }
        }
    }
}
