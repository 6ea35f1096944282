import ByteCoding
public import Logging
public import MonitorCore
public import MonitorStore
import MonitoringDomain
import Synchronization
import WindowAggregation

extension MonitorRunner {
    /// This is what a recovery has found.
    public struct Recovery: Sendable {
        /// The state after the log's last entry.
        public var monitor: Monitor
        /// The position of the snapshot that it began with; 0 without one.
        public var snapshotPosition: Int64 = 0
        /// Positions of entries of the tail that are corrupt, and are left out.
        public var quarantined: [Int64] = []
        /// Positions of entries of the tail before which something is missing that was never noted as lost.
        public var unlinked: [Int64] = []
    }

    /// This is the state machine after the newest snapshot and the log's tail.
    ///
    /// - Parameters:
    ///   - store: The log and its snapshots.
    ///   - clock: Where the rules' "now" comes from; nil for what the snapshot says.
    ///   - logger: Told of a snapshot or an entry that is passed over.
    ///   - keepsEffects: True for the owner of the log: effects of the tail whose commit was cut off
    ///     are stored now. A reader leaves the store as it is.
    /// - Returns: The state after the log's last entry, and what was passed over.
    /// - Throws: `StoreError`.
    public static func recover(
        _ store: SQLiteStore, clock: Monitor.Clock?, logger: Logger, keepsEffects: Bool = true
    ) throws -> Recovery {
        let storage = PartitionFiles(dataDirectory: store.directory)
            .storage(isReadOnly: !keepsEffects)
        var monitor =
            try newestState(of: store, clock: clock, storage: storage, logger)
            ?? Monitor(clock: clock ?? .event, storage: storage)
        var recovery = Recovery(monitor: monitor, snapshotPosition: monitor.position)
        var effects: [StoredEffect] = []
        var answers = RecoveredAnswers(
            keepsEffects ? try store.idempotencyRecords(after: monitor.position) : [])
        let lost = store.findings.lost
        try store.forEachEntry(after: monitor.position, through: nil) { entry in
            if !entry.isLinked, !lost.contains(where: { $0.upperBound == entry.position - 1 }) {
                recovery.unlinked.append(entry.position)
                logger.error(
                    "the log is not what was written: an entry does not follow the one before it",
                    metadata: ["position": "\(entry.position)"])
            }
            let input: Input
            do {
                input = try LogPayload.decode(entry.payload)
            } catch {
                // The checksum does not hold: nothing of it may be used, and the rest still can.
                recovery.quarantined.append(entry.position)
                logger.error(
                    "a log entry is corrupt and left out",
                    metadata: ["position": "\(entry.position)", "reason": "\(error)"])
                return
            }
            let application = monitor.apply(input, at: entry.position)
            effects += application.effects.map { StoredEffect($0, position: entry.position) }
            answers.note(application.absorption, of: input, at: entry.position)
            if let refolding = application.refolding {
                try finish(refolding, of: &monitor, through: entry.position, from: store)
            }
        }
        // Keys that are known are left as they are.
        let settled = answers.corrected
        if keepsEffects, !effects.isEmpty || !settled.isEmpty {
            try store.commit(
                snapshot: nil, effects: effects, position: monitor.position, settled: settled)
        }
        recovery.monitor = monitor
        return recovery
    }

    /// This is the state of the newest snapshot that can be used; nil where the log is folded from its start.
    private static func newestState(
        of store: SQLiteStore, clock: Monitor.Clock?,
        storage: @escaping @Sendable (ModelID) -> PartitionStorage, _ logger: Logger
    ) throws -> Monitor? {
        let first = try store.isTrimmed ? try store.firstPosition ?? 1 : 1
        for position in try store.snapshotPositions() where position + 1 >= first {
            do {
                guard let bytes = try store.snapshot(at: position) else {
                    throw ByteReadingError.invalid(offset: 0, reason: "its checksum does not hold")
                }
                let restored = try Monitor(
                    snapshot: try LogPayload.decompress(bytes), storage: storage)
                if clock == nil || restored.clock == clock { return restored }
                break
            } catch {
                logger.warning(
                    "snapshot not usable, folding more of the log",
                    metadata: ["reason": "\(error)", "position": "\(position)"])
            }
        }
        guard first > 1 else { return nil }
        throw StoreError.cannotOpen(
            "the log begins at \(first), and no snapshot from there on can be used with this clock and "
                + "by this version of leeway; start it as it was, or put a backup in its place")
    }

    /// Folds what a refolding still needs, and puts its reference in force; it has folded the inputs
    /// through `folded` already, none where that is 0.
    static func finish(
        _ refolding: Refolding, after folded: Int64 = 0, of monitor: inout Monitor,
        through position: Int64, from store: SQLiteStore
    ) throws {
        var refolding = refolding
        let start = monitor.logStart.position
        if folded == 0, refolding.needsSelection {
            try store.forEachEntry(after: start, through: refolding.selectionEnd) { entry in
                refolding.select(entry)
            }
        }
        try store.forEachEntry(after: max(folded, start), through: position) { entry in
            refolding.fold(entry)
        }
        monitor.finish(refolding)
    }

    /// Leaves a refolding for its activation, done from after `start` through `position`.
    func offer(_ refolding: Refolding, after start: Int64, through position: Int64) {
        offers.withLock { $0[refolding.model] = (refolding, start, position) }
    }

    /// Does the same with what was done in the background, where that is the refolding in question.
    func finish(
        _ refolding: Refolding, of monitor: inout Monitor, through position: Int64
    ) throws {
        let offer = offers.withLock { $0.removeValue(forKey: refolding.model) }
        // A replay begins where the log begins at the activation, so this must have done so too.
        if let offer, offer.refolding.id == refolding.id,
            offer.start == monitor.logStart.position
        {
            try Self.finish(
                offer.refolding, after: offer.position, of: &monitor, through: position,
                from: store)
        } else {
            try Self.finish(refolding, of: &monitor, through: position, from: store)
        }
    }
}

/// This is the receipts of batches with keys that lie in the log's tail: the process may have ended before
/// their answers were written as they came out.
private struct RecoveredAnswers {
    private let records: [IdempotencyRecord.Placed]
    private var receipts: [Receipt]
    private var start = 0

    init(_ records: [IdempotencyRecord.Placed]) {
        self.records = records
        receipts = records.map {
            Receipt(accepted: 0, duplicates: 0, position: $0.positions.upperBound)
        }
    }

    mutating func note(_ absorption: Absorption, of input: Input, at position: Int64) {
        while start < records.count, records[start].positions.upperBound < position { start += 1 }
        var index = start
        while index < records.count, records[index].positions.lowerBound <= position {
            if records[index].positions.contains(position) {
                let rows = records[index].rows
                receipts[index].add(
                    absorption, rowCount: rows?.count ?? input.rowCount, rows: rows)
            }
            index += 1
        }
    }

    var corrected: [IdempotencyRecord] {
        zip(records, receipts).compactMap { $0.record.corrected(by: $1) }
    }
}

/// Entries that are corrupt are left out here as they are by a recovery, which has named them.
extension Refolding {
    mutating func select(_ entry: LogEntry) {
        guard let input = try? LogPayload.decode(entry.payload) else { return }
        select(input, at: entry.position)
    }

    mutating func fold(_ entry: LogEntry) {
        guard let input = try? LogPayload.decode(entry.payload) else { return }
        fold(input, at: entry.position)
    }
}
