import Logging
import MonitorCore
public import MonitorStore
import MonitoringDomain
import Synchronization

extension Input {
    /// True for what fills the disk: records and references.
    ///
    /// The clock, rules, requests and what owners declare go on from the reserve.
    var isIngest: Bool {
        switch self {
        case .predictions, .typeErrors, .groundTruth, .inference, .pinReference: true
        case .chooseReference, .activateReference, .rules, .tick, .report, .declareSchema, .trimLog:
            false
        }
    }
}

extension MonitorRunner {
    /// True while records are refused because the disk is full.
    public var isStorageFull: Bool { storage.withLock { $0.isFull } }

    /// This is the newest reading of the disk's room; nil before the first.
    public var diskSpace: DiskSpace? { storage.withLock { $0.space } }

    /// Looks at the room there is: refuses records below the mark, and takes them again above it.
    ///
    /// - Parameter reading: The room there is; nil where the system does not say, which changes nothing.
    public func observe(_ reading: DiskSpace?) {
        guard let reading else { return }
        let (was, isFull) = storage.withLock { watch in
            let was = watch.isFull
            switch watch.observe(reading, isReserved: reserve.isHeld) {
            case .nothing: break
            case .release: reserve.release()
            case .refill:
                reserve.refill(
                    sizeBytes: StorageWatch.reserveBytes(of: reading.totalBytes))
            }
            return (was, watch.isFull)
        }
        guard was != isFull else { return }
        logger.log(
            level: isFull ? .error : .notice,
            isFull
                ? "the disk is nearly full, refusing records" : "there is room, taking records",
            metadata: ["free_bytes": "\(reading.freeBytes)"])
    }

    /// True where these inputs must wait for room.
    func isRefusedForRoom(_ inputs: [Input]) -> Bool {
        isStorageFull && inputs.contains { $0.isIngest }
    }

    /// Answers a group of which nothing was stored, because the system has no room for it.
    ///
    /// - Parameters:
    ///   - group: Who is answered.
    ///   - knownBefore: What was known before the group, and is all that is known after it.
    func refuseForRoom(_ group: [Submission], _ knownBefore: KnownModels) {
        storage.withLock { $0.noteFull() }
        reserve.release()
        logger.error("the disk is full, refusing records")
        known.withLock { $0 = knownBefore }
        group.refuse(.storageFull)
    }
}
