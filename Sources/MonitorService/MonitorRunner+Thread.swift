import Foundation
import Logging
import MonitorCore
import MonitorStore
import MonitoringDomain
import Synchronization
import WindowAggregation

extension MonitorRunner {
    func run() {
        guard var state = initial.withLock({ $0.take() }) else { return }
        while true {
            wake.wait()
            let (jobs, isStopping) = queue.withLock { queue in
                defer {
                    queue.jobs = []
                    queue.sizeBytes = 0
                }
                return (queue.jobs, queue.isStopping)
            }
            carryOut(jobs, on: &state)
            if isStopping { break }
        }
        if failureReason == nil { snapshot(&state) }
        finished.signal()
    }

    /// Runs of submissions share one transaction; a question in between sees what came before it.
    private func carryOut(_ jobs: [Job], on state: inout State) {
        var group: [Submission] = []
        for job in jobs {
            if case .submit(let submission) = job {
                group.append(submission)
                continue
            }
            write(group, to: &state)
            group = []
            switch job {
            case .submit: continue
            case .read(let body): body(state.monitor)
            case .finish(let body): body(&state)
            }
        }
        write(group, to: &state)
    }

    private func write(_ group: [Submission], to state: inout State) {
        guard !group.isEmpty else { return }
        if let failureReason {
            for submission in group {
                submission.continuation.resume(returning: .failure(.storageFailed(failureReason)))
            }
            return
        }
        let now = state.monitor.clock == .wall ? WallClock.now() : nil
        var admitted: [Submission] = []
        for submission in group {
            let errors = known.withLock { $0.admit(submission.entries.map(\.input), at: now) }
            if errors.isEmpty {
                admitted.append(submission)
            } else {
                submission.continuation.resume(returning: .failure(.items(errors)))
            }
        }
        guard !admitted.isEmpty else { return }
        do {
            let receipts = try append(admitted, to: &state)
            for (submission, receipt) in zip(admitted, receipts) {
                submission.continuation.resume(returning: .success(receipt))
            }
        } catch StoreError.full {
            refuseForRoom(admitted, state)
            return
        } catch {
            // After a failed write the file's state is unknown until it is opened again, so nothing
            // more is acknowledged by this process.
            fail("\(error)")
            for submission in admitted {
                submission.continuation.resume(returning: .failure(.storageFailed("\(error)")))
            }
            return
        }
        if state.monitor.collector.isDamaged { repair() }
        startSnapshotIfDue(&state)
        startMergeIfDue(&state)
    }

    /// Makes the submissions durable with one flush, then applies them.
    private func append(_ admitted: [Submission], to state: inout State) throws -> [Receipt] {
        let payloads = admitted.flatMap { $0.entries.map(\.payload) }
        let claims = claimRecords(of: admitted, after: state.monitor.position)
        var position = try store.append(payloads, records: claims).lowerBound
        state.logSizeSinceSnapshot += payloads.reduce(0) { $0 + $1.count }
        var effects = state.unstoredEffects
        var receipts: [Receipt] = []
        for submission in admitted {
            var receipt = Receipt(accepted: 0, duplicates: 0, position: position)
            for entry in submission.entries {
                let application = state.monitor.apply(entry.input, at: position)
                let absorption = application.absorption
                receipt.accepted +=
                    entry.input.rowCount - absorption.duplicateCount - absorption.tooOldCount
                receipt.duplicates += absorption.duplicateCount
                receipt.conflicts += absorption.conflictCount
                receipt.tooOld += absorption.tooOldCount
                receipt.position = position
                publishSchema(of: entry.input, in: state.monitor)
                effects += application.effects.map { StoredEffect($0, position: position) }
                if let refolding = application.refolding {
                    try finish(refolding, of: &state.monitor, through: position)
                }
                position += 1
            }
            receipts.append(receipt)
        }
        // From here on everything is durable. Without room, effects wait: those of the log's tail are
        // found again by a recovery.
        state.unstoredEffects = effects
        let settled = zip(admitted, receipts).compactMap { $0.claim?.record(of: $1) }
        do throws(StoreError) {
            if !effects.isEmpty {
                try store.commit(snapshot: nil, effects: effects, position: state.monitor.position)
                state.unstoredEffects = []
            }
            if settled != claims { try store.settle(settled) }
        } catch {
            guard error == .full else { throw error }
            storage.withLock { $0.noteFull() }
            reserve.release()
        }
        return receipts
    }

    /// These are the answers to batches with a key, as far as they are known before the batches are
    /// applied: what a repeat is told when the process ends in between.
    private func claimRecords(
        of submissions: [Submission], after position: Int64
    ) -> [IdempotencyRecord] {
        var position = position
        return submissions.compactMap { submission in
            position += Int64(submission.entries.count)
            let count = submission.entries.reduce(0) { $0 + $1.input.rowCount }
            return submission.claim?.record(
                of: Receipt(accepted: count, duplicates: 0, position: position))
        }
    }

    private func publishSchema(of input: Input, in monitor: Monitor) {
        guard let model = input.model, let schema = monitor.collector.models[model]?.schema else {
            return
        }
        schemas.withLock { schemas in
            if schemas[model] != schema { schemas[model] = schema }
        }
    }

    private func fail(_ reason: String) {
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
            queue.withLock { $0.jobs.append(.finish(rest)) }
            wake.signal()
        }
    }

    private func startSnapshotIfDue(_ state: inout State) {
        let isDue =
            state.logSizeSinceSnapshot
            > min(
                max(snapshotLogSizeBytes, 2 * state.snapshotSize), Self.snapshotLogSizeBytesMax)
        guard isDue, !state.isSnapshotting else { return }
        state.isSnapshotting = true
        let copy = state.monitor
        let size = state.logSizeSinceSnapshot
        finishLater { [self] in
            let bytes = LogPayload.compress(copy.snapshot())
            let isFlushed = (try? files.flush()) != nil
            return { state in
                state.isSnapshotting = false
                state.logSizeSinceSnapshot -= size
                if isFlushed { self.store(bytes, of: copy, &state) }
            }
        }
    }

    private func snapshot(_ state: inout State) {
        guard state.monitor.position > 0, state.logSizeSinceSnapshot > 0 else { return }
        let bytes = LogPayload.compress(state.monitor.snapshot())
        state.logSizeSinceSnapshot = 0
        if (try? files.flush()) != nil { store(bytes, of: state.monitor, &state) }
    }

    private func store(_ bytes: [UInt8], of monitor: Monitor, _ state: inout State) {
        state.snapshotSize = bytes.count
        guard bytes.count <= Self.snapshotSizeBytesMax, failureReason == nil else { return }
        do {
            try store.commit(
                snapshot: bytes, effects: state.unstoredEffects, position: monitor.position)
            state.unstoredEffects = []
        } catch {
            logger.warning("snapshot not stored", metadata: ["reason": "\(error)"])
            return
        }
        state.storedNames = state.storedNames.suffix(1) + [monitor.partitionNames]
        // A snapshot of an earlier process may name others; two of this one have replaced it. And a
        // merge that is under way has made a file that nobody names yet.
        guard state.storedNames.count == 2, !state.isMerging else { return }
        files.keepOnly(
            state.storedNames.reduce(state.monitor.partitionNames) { $0.union($1) })
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
