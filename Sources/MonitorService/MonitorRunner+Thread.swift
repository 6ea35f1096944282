import Foundation
import Logging
import MonitorCore
import MonitorStore
import MonitoringDomain
import Synchronization
import WindowAggregation

extension MonitorRunner {
    func runMachine(_ initial: State) {
        var state = initial
        while true {
            workWake.wait()
            let (items, isStopping) = work.withLock { queue in
                defer {
                    queue.items = []
                    queue.isClosed = queue.isStopping
                }
                return (queue.items, queue.isStopping)
            }
            for item in items {
                switch item {
                case .apply(let group):
                    settle(group, in: &state)
                    room.signal()
                case .read(let body): body(state.monitor)
                case .finish(let body): body(&state)
                }
            }
            if isStopping { break }
        }
        if failureReason == nil { snapshot(&state) }
        finished.signal()
    }

    /// Gives the machine's thread something to do; false when it takes nothing more.
    func hand(_ item: Work) -> Bool {
        let isTaken = work.withLock { queue in
            guard !queue.isClosed else { return false }
            queue.items.append(item)
            return true
        }
        if isTaken { workWake.signal() }
        return isTaken
    }

    /// Applies a group, and answers its senders.
    private func settle(_ group: DurableGroup, in state: inout State) {
        if let failureReason { return group.submissions.refuse(.storageFailed(failureReason)) }
        let receipts: [Receipt]
        do {
            receipts = try apply(group, to: &state)
        } catch {
            fail(StoreError.reason(of: error))
            return group.submissions.refuse(.storageFailed(StoreError.reason(of: error)))
        }
        for (submission, receipt) in zip(group.submissions, receipts) {
            submission.answer(.success(receipt))
        }
        if state.monitor.collector.isDamaged { repair() }
        startSnapshotIfDue(&state)
        startMergeIfDue(&state)
    }

    private func apply(_ group: DurableGroup, to state: inout State) throws -> [Receipt] {
        var position = group.position
        state.logSizeSinceSnapshot += group.sizeBytes
        var effects = state.unstoredEffects
        var receipts = group.submissions.map { _ in Receipt.nothing(at: position) }
        for entry in group.entries {
            let application = state.monitor.apply(entry.input, at: position)
            for member in entry.members {
                receipts[member.submission].add(
                    application.absorption, of: member, isAlone: entry.members.count == 1)
                receipts[member.submission].position = position
            }
            publishSchema(of: entry.input, in: state.monitor)
            effects += application.effects.map { StoredEffect($0, position: position) }
            if let refolding = application.refolding {
                try finish(refolding, of: &state.monitor, through: position)
            }
            position += 1
        }
        // From here on everything is durable. Without room, effects and answers wait: those of the log's
        // tail are found again by a recovery.
        state.unstoredEffects = effects
        let expected = Dictionary(
            group.claims.map { ("\($0.scope) \($0.key)", $0.answer) }, uniquingKeysWith: { $1 })
        state.unsettledRecords += zip(group.submissions, receipts).compactMap {
            $0.claim?.record(of: $1)
        }.filter { expected["\($0.scope) \($0.key)"] != $0.answer }
        do throws(StoreError) {
            if !effects.isEmpty || !state.unsettledRecords.isEmpty {
                try store.commit(
                    snapshot: nil, effects: effects, position: state.monitor.position,
                    settled: state.unsettledRecords)
                state.unstoredEffects = []
                state.unsettledRecords = []
            }
        } catch {
            guard error == .full else { throw error }
            storage.withLock { $0.noteFull() }
            reserve.release()
        }
        return receipts
    }

    private func publishSchema(of input: Input, in monitor: Monitor) {
        guard let model = input.model, let schema = monitor.collector.models[model]?.schema else {
            return
        }
        schemas.withLock { schemas in
            if schemas[model] != schema { schemas[model] = schema }
        }
    }

    func fail(_ reason: String) {
        failure.withLock { $0 = reason }
        logger.error("storage failed, refusing writes", metadata: ["reason": "\(reason)"])
    }

    /// Sealed ids that cannot be read could be counted twice, so this process stops, and the next one
    /// folds the log, which makes the files again.
    private func repair() {
        try? store.dropSnapshots()
        fail("a file of sealed ids is damaged; it is made again from the log at the next start")
    }

    // MARK: - Beside the thread

    private static let background = DispatchQueue(label: "leeway-background", qos: .utility)

    /// Does the long part elsewhere, and the short rest between two inputs.
    private func finishLater(
        _ work: @escaping @Sendable () -> @Sendable (inout State) -> Void
    ) {
        Self.background.async { [self] in
            let rest = work()
            _ = hand(.finish(rest))
        }
    }

    private func startSnapshotIfDue(_ state: inout State) {
        tailSizeBytes.store(state.logSizeSinceSnapshot, ordering: .relaxed)
        // However large the last snapshot: a half is left for what comes while the next one is written.
        let size = min(max(snapshotLogSizeBytes, 2 * state.snapshotSize), tailSizeBytesMax / 2)
        guard state.logSizeSinceSnapshot > size, !state.isSnapshotting else { return }
        if let failure = state.snapshotFailure,
            ContinuousClock.now - failure < Self.snapshotRetryTime
        {
            return
        }
        state.isSnapshotting = true
        let copy = state.monitor
        let covered = state.logSizeSinceSnapshot
        finishLater { [self] in
            let bytes = LogPayload.compress(copy.snapshot())
            let isFlushed = flushFiles()
            return { state in
                state.isSnapshotting = false
                let isStored = isFlushed && self.store(bytes, of: copy, &state)
                if isStored { state.logSizeSinceSnapshot -= covered }
                state.snapshotFailure = isStored ? nil : .now
                self.tailSizeBytes.store(state.logSizeSinceSnapshot, ordering: .relaxed)
            }
        }
    }

    private func snapshot(_ state: inout State) {
        guard state.monitor.position > 0, state.logSizeSinceSnapshot > 0 else { return }
        let bytes = LogPayload.compress(state.monitor.snapshot())
        state.logSizeSinceSnapshot = 0
        if flushFiles() { _ = store(bytes, of: state.monitor, &state) }
    }

    /// False where the files that a snapshot names may not be on stable storage.
    ///
    /// The system may have dropped what it did not write, and say at a second flush that all is well: so
    /// there is none, and the next process makes the files again from the log.
    private func flushFiles() -> Bool {
        do {
            try files.flush()
            return true
        } catch {
            fail(StoreError.reason(of: error))
            return false
        }
    }

    /// False where the snapshot could not be stored.
    private func store(_ bytes: [UInt8], of monitor: Monitor, _ state: inout State) -> Bool {
        state.snapshotSize = bytes.count
        guard failureReason == nil else { return false }
        guard bytes.count <= Self.snapshotSizeBytesMax else {
            logger.error(
                "the state is too large for a snapshot", metadata: ["bytes": "\(bytes.count)"])
            return false
        }
        do {
            try store.commit(
                snapshot: StoredSnapshot(
                    bytes: bytes, logStart: monitor.logStart.position,
                    reaches: monitor.collector.watermark?.milliseconds,
                    files: monitor.partitionNames.sorted()),
                effects: state.unstoredEffects, position: monitor.position,
                settled: state.unsettledRecords)
            state.unstoredEffects = []
            state.unsettledRecords = []
        } catch {
            logger.warning("snapshot not stored", metadata: ["reason": "\(error)"])
            return false
        }
        // A merge that is under way has made a file that nobody names yet, and a snapshot of an earlier
        // format does not say what it names.
        guard !state.isMerging, let names = try? store.snapshotFiles() else { return true }
        files.keepOnly(names.union(state.monitor.partitionNames))
        return true
    }

    private func startMergeIfDue(_ state: inout State) {
        guard !state.isMerging, let (model, merge) = state.monitor.collector.merge else { return }
        state.isMerging = true
        finishLater { [self] in
            let merged = merge.merged()
            return { state in
                state.isMerging = false
                guard let merged else { return self.repair() }
                _ = state.monitor.adopt(merged, of: merge, model: model)
            }
        }
    }
}
