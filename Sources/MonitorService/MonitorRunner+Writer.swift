import Dispatch
import MonitorCore
import MonitorStore
import MonitoringDomain
import Synchronization

extension MonitorRunner {
    /// Makes what waits durable, group after group, until the runner stops.
    func runWriter(after last: Int64, clock: Monitor.Clock) {
        var position = last
        while true {
            wake.wait()
            let (submissions, isStopping) = queue.withLock { queue in
                defer {
                    queue.submissions = []
                    queue.sizeBytes = 0
                }
                return (queue.submissions, queue.isStopping)
            }
            write(submissions, after: &position, at: clock == .wall ? WallClock.now() : nil)
            if isStopping { break }
        }
        work.withLock { $0.isStopping = true }
        workWake.signal()
    }

    private func write(
        _ submissions: [Submission], after position: inout Int64, at now: EventTime?
    ) {
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
        let payloads = admitted.flatMap { $0.entries.map(\.payload) }
        let claims = claims(of: admitted, after: position)
        let range: ClosedRange<Int64>
        do throws(StoreError) {
            range = try store.append(payloads, records: claims)
        } catch .full {
            return refuseForRoom(admitted, knownBefore)
        } catch {
            // After a failed write the file's state is unknown until it is opened again, so nothing
            // more is acknowledged by this process.
            fail("\(error)")
            return admitted.refuse(.storageFailed("\(error)"))
        }
        position = range.upperBound
        room.wait()
        _ = hand(
            .apply(
                DurableGroup(
                    submissions: admitted, position: range.lowerBound,
                    sizeBytes: payloads.reduce(0) { $0 + $1.count }, claims: claims)))
        // Nobody waits for this: the group is durable before.
        do throws(StoreError) {
            try store.checkpointIfLong()
        } catch .full {
            // It is tried again; the watch over the disk's room refuses records meanwhile.
        } catch {
            fail("\(error)")
        }
    }

    /// These are the answers to batches with a key, as far as they are known before the batches are
    /// applied: what a repeat is told when the process ends in between.
    private func claims(
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
}

extension MonitorRunner.Submission {
    func refuse(_ error: SubmissionError) { continuation.resume(returning: .failure(error)) }
}

extension [MonitorRunner.Submission] {
    func refuse(_ error: SubmissionError) {
        for submission in self { submission.refuse(error) }
    }
}
