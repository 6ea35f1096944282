public import Logging
public import MonitorCore
public import MonitorStore
import MonitoringDomain

extension MonitorRunner {
    /// This is the state machine after the newest snapshot and the log's tail.
    ///
    /// - Parameters:
    ///   - store: The log and its snapshots.
    ///   - clock: Where the rules' "now" comes from; nil for what the snapshot says.
    ///   - logger: Told of a snapshot that is passed over.
    ///   - keepsEffects: True for the owner of the log: effects of the tail whose commit was cut off
    ///     are stored now. A reader leaves the store as it is.
    /// - Returns: The state after the log's last entry.
    /// - Throws: `StoreError`, and `ByteReadingError` for an entry that cannot be read.
    public static func recover(
        _ store: SQLiteStore, clock: Monitor.Clock?, logger: Logger, keepsEffects: Bool = true
    ) throws -> Monitor {
        let storage = PartitionFiles(dataDirectory: store.directory)
            .storage(isReadOnly: !keepsEffects)
        var monitor = Monitor(clock: clock ?? .event, storage: storage)
        for snapshot in try store.snapshots() {
            do {
                let restored = try Monitor(
                    snapshot: try LogPayload.decompress(snapshot.bytes), storage: storage)
                guard clock == nil || restored.clock == clock else { break }
                monitor = restored
                break
            } catch {
                logger.warning(
                    "snapshot not usable, folding more of the log",
                    metadata: ["reason": "\(error)", "position": "\(snapshot.position)"])
            }
        }
        let start = monitor.position
        var effects: [StoredEffect] = []
        try store.forEachEntry(after: start, through: nil) { entry in
            let input = try LogPayload.decode(entry.payload)
            let application = monitor.apply(input, at: entry.position)
            effects += application.effects.map { StoredEffect($0, position: entry.position) }
            if let model = application.refold {
                try refold(model, of: &monitor, through: entry.position - 1, from: store)
            }
        }
        // Keys that are known are left as they are.
        if keepsEffects, !effects.isEmpty {
            try store.commit(snapshot: nil, effects: effects, position: monitor.position)
        }
        return monitor
    }

    static func refold(
        _ model: ModelID, of monitor: inout Monitor, through position: Int64,
        from store: SQLiteStore
    ) throws {
        guard position > 0 else { return }
        var copy = monitor
        try store.forEachEntry(after: 0, through: position) { entry in
            copy.refold(try LogPayload.decode(entry.payload), of: model)
        }
        monitor = copy
    }
}
