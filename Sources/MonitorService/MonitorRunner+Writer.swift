import Dispatch
import MonitorCore
import MonitorStore
import MonitoringDomain
import Synchronization

extension MonitorRunner {
    /// Makes what waits durable, group after group, until the runner stops.
    func runWriter(clock: Monitor.Clock) {
        while true {
            wake.wait()
            let (submissions, isStopping) = queue.withLock { queue in
                defer {
                    queue.submissions = []
                    queue.sizeBytes = 0
                }
                return (queue.submissions, queue.isStopping)
            }
            write(submissions, at: clock == .wall ? WallClock.now() : nil)
            if isStopping { break }
        }
        work.withLock { $0.isStopping = true }
        workWake.signal()
    }

    private func write(_ submissions: [Submission], at now: EventTime?) {
        guard !submissions.isEmpty else { return }
        if let failureReason { return submissions.refuse(.storageFailed(failureReason)) }
        let knownBefore = known.withLock { $0 }
        var admitted: [Submission] = []
        for submission in submissions {
            let errors = known.withLock { $0.admit(submission.entries.map(\.input), at: now) }
            if errors.isEmpty {
                admitted.append(submission)
            } else {
                submission.refuse(.items(errors))
            }
        }
        guard !admitted.isEmpty else { return }
        let entries = GroupedEntry.entries(of: admitted)
        let payloads = entries.map(\.payload)
        let claims = claims(of: admitted, in: entries)
        let range: ClosedRange<Int64>
        do throws(StoreError) {
            range = try store.append(payloads, records: claims)
        } catch .full {
            return refuseForRoom(admitted, knownBefore)
        } catch {
            // After a failed write the file's state is unknown until it is opened again, so nothing
            // more is acknowledged by this process.
            fail(StoreError.reason(of: error))
            return admitted.refuse(.storageFailed(StoreError.reason(of: error)))
        }
        room.wait()
        _ = hand(
            .apply(
                DurableGroup(
                    submissions: admitted, entries: entries, position: range.lowerBound,
                    sizeBytes: payloads.reduce(0) { $0 + $1.count }, claims: claims)))
        // Nobody waits for this: the group is durable before.
        do throws(StoreError) {
            try store.checkpointIfLong()
        } catch .full {
            // It is tried again; the watch over the disk's room refuses records meanwhile.
        } catch {
            fail(StoreError.reason(of: error))
        }
    }

    /// These are the answers to batches with a key, as far as they are known before the batches are
    /// applied; a recovery that finds others corrects them.
    private func claims(
        of submissions: [Submission], in entries: [GroupedEntry]
    ) -> [IdempotencyRecord] {
        guard submissions.contains(where: { $0.claim != nil }) else { return [] }
        let last = store.lastPosition
        var places: [IdempotencyRecord.Place?] = submissions.map { _ in nil }
        var receipts = submissions.map { _ in Receipt.nothing(at: last) }
        for (index, entry) in entries.enumerated() {
            for member in entry.members {
                receipts[member.submission].accepted += member.rowCount
                receipts[member.submission].position = last + Int64(index) + 1
                let first = places[member.submission]?.entries.lowerBound ?? index
                places[member.submission] = IdempotencyRecord.Place(
                    entries: first..<(index + 1), rows: entry.members.count == 1 ? nil : member.rows
                )
            }
        }
        return submissions.indices.compactMap {
            submissions[$0].claim?.record(of: receipts[$0], places[$0])
        }
    }
}

extension MonitorRunner.Submission {
    func refuse(_ error: SubmissionError) { answer(.failure(error)) }
}

extension [MonitorRunner.Submission] {
    func refuse(_ error: SubmissionError) {
        for submission in self { submission.refuse(error) }
    }
}
