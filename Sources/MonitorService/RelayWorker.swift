import ByteCoding
@preconcurrency import Dispatch
import Foundation
import MonitorStore
import MonitoringDomain

/// This is a thread of its own for calls that block: libpq waits for the network in them.
final class RelayExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "leeway-postgres")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}

/// This is the connection to the orchestrator's PostgreSQL, with what is known of each request there.
///
/// Every entry of the outbox ends confirmed, or stays visibly pending, or is set aside with its reason: what
/// the server refuses for its own values would be refused for ever, and must not hold up those behind it.
actor RelayWorker {
    /// Entries taken from the outbox at a time.
    private static let deliveryCountMax = 100

    /// This is what a pass over the outbox came to.
    struct Outcome: Sendable {
        /// What the state machine must be told.
        var reports: [TrainerReport] = []
        /// The first fault that a person must look at; the entries behind it were tried all the same.
        var fault: PostgresError?
    }

    private let executor: RelayExecutor
    private let dsn: String
    private let answerTimeout: Duration
    private let store: SQLiteStore
    private var connection: PostgresConnection?
    /// The state in which PostgreSQL last showed a request: when it is the same still and ours is another,
    /// then ours has moved, by a report over the API.
    private var seen: [String: RetrainingState] = [:]
    /// Requests that are final on both sides.
    private var settled: Set<String> = []

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(
        executor: RelayExecutor, dsn: String, store: SQLiteStore,
        answerTimeout: Duration = PostgresConnection.answerTimeout
    ) {
        self.executor = executor
        self.dsn = dsn
        self.answerTimeout = answerTimeout
        self.store = store
    }

    func disconnect() {
        connection?.close()
        connection = nil
    }

    private func queue() throws -> RetrainingQueue {
        if let connection { return RetrainingQueue(connection) }
        let opened = try PostgresConnection(dsn: dsn, answerTimeout: answerTimeout)
        connection = opened
        let queue = RetrainingQueue(opened)
        try queue.migrate()
        return queue
    }

    /// True when the entry is done with, so that the next one is looked at.
    ///
    /// - Throws: When the server is away: then all entries wait.
    private func attempt(
        _ key: String, _ outcome: inout Outcome, _ body: () throws -> Void
    ) throws -> PostgresError? {
        do {
            try body()
            return nil
        } catch let error as PostgresError {
            switch error.kind {
            case .away: throw error
            case .refused:
                try store.setAside(key: key, because: error.description)
                return error
            case .other:
                outcome.fault = outcome.fault ?? error
                return nil
            }
        }
    }

    // MARK: - Filing

    /// Files what the outbox holds.
    func file(_ requests: [RetrainingRequest]) throws -> Outcome {
        var outcome = Outcome()
        let pending = try store.pendingDeliveries(
            kind: "file-request", limit: Self.deliveryCountMax)
        guard !pending.isEmpty else {
            // Also without work the connection is tried, so that the status page knows.
            _ = try queue()
            return outcome
        }
        for effect in pending {
            guard let request = requests.first(where: { "file/\($0.id)" == effect.key }) else {
                try store.setAside(key: effect.key, because: "the request is not known any more")
                continue
            }
            var isFiled = false
            let refusal = try attempt(effect.key, &outcome) {
                try file(request)
                try store.confirmDelivery(key: effect.key)
                isFiled = true
            }
            if isFiled, request.state == .filing {
                outcome.reports.append(TrainerReport(requestID: request.id, state: .pending))
            }
            if let refusal {
                settled.insert(request.id)
                outcome.reports.append(
                    TrainerReport(
                        requestID: request.id, state: .failed,
                        detail: "PostgreSQL refused the request: \(refusal)"))
            }
        }
        return outcome
    }

    private func file(_ request: RetrainingRequest) throws {
        let queue = try queue()
        try queue.transaction { () throws(PostgresError) in
            let filed = try queue.file(
                queue: request.queue, model: request.model.rawValue,
                modelVersion: request.modelVersion, idempotencyKey: request.id,
                reason: request.rule, payload: request.payloadJSON.text,
                priority: request.priority, needsApproval: request.needsApproval)
            if filed.outcome == .created {
                seen[request.id] = request.needsApproval ? .awaitingApproval : .pending
            }
            // Reported over the API while PostgreSQL was away: no worker may see it claimable.
            guard filed.outcome == .created, request.state.isReportable else { return }
            _ = try write(request, to: queue)
        }
    }

    // MARK: - Reports

    /// Writes through what came over the API, and returns what trainers have said to PostgreSQL.
    func exchange(_ requests: [RetrainingRequest]) throws -> [TrainerReport] {
        let wanted = requests.filter { $0.state != .filing && !settled.contains($0.id) }
        guard !wanted.isEmpty else { return [] }
        let queue = try queue()
        var reports: [TrainerReport] = []
        var found: Set<String> = []
        for status in try queue.states(ofKeys: wanted.map(\.id)) {
            guard let theirs = RetrainingState(rawValue: status.state),
                let request = wanted.first(where: { $0.id == status.idempotencyKey })
            else { continue }
            found.insert(request.id)
            let earlier = seen.updateValue(theirs, forKey: request.id)
            if theirs == request.state || (theirs.isFinal && request.state.isFinal) {
                if theirs.isFinal { settled.insert(request.id) }
                continue
            }
            let isOurs =
                request.state.isFinal || (earlier == theirs && request.state.isReportable)
            if isOurs {
                try writeThrough(request, to: queue)
            } else if earlier != theirs {
                reports.append(
                    TrainerReport(
                        requestID: request.id, state: theirs, newVersion: status.newVersion,
                        detail: status.lastError))
            }
        }
        // What was set aside is not there and never will be.
        if try store.pendingDeliveries(kind: "file-request", limit: 1).isEmpty {
            settled.formUnion(
                wanted.filter { $0.state.isFinal && !found.contains($0.id) }.map(\.id))
        }
        return reports
    }

    private func writeThrough(_ request: RetrainingRequest, to queue: RetrainingQueue) throws {
        switch try write(request, to: queue) {
        case .written:
            seen[request.id] = request.state
            if request.state.isFinal { settled.insert(request.id) }
        case .otherState(let name): seen[request.id] = RetrainingState(rawValue: name)
        case .unknown: break
        }
    }

    private func write(
        _ request: RetrainingRequest, to queue: RetrainingQueue
    ) throws(PostgresError) -> RetrainingQueue.WriteOutcome {
        try queue.report(
            idempotencyKey: request.id, state: request.state.rawValue,
            result: JSONValue.object([("new_version", .optional(request.newVersion))]).text,
            error: request.detail)
    }

    // MARK: - Verdicts

    /// Writes verdicts back to their requests, once these have succeeded there too.
    func deliverVerdicts(_ requests: [RetrainingRequest]) throws -> Outcome {
        var outcome = Outcome()
        let pending = try store.pendingDeliveries(kind: "verdict", limit: Self.deliveryCountMax)
        for effect in pending {
            let known = requests.last { effect.key.hasPrefix("request/\($0.id)/") }
            guard let request = known, let verification = request.verification else {
                try store.setAside(key: effect.key, because: "the request is not known any more")
                continue
            }
            _ = try attempt(effect.key, &outcome) {
                let written = try queue().setVerification(
                    idempotencyKey: request.id, json: verification.json.text)
                switch written {
                case .written: try store.confirmDelivery(key: effect.key)
                case .otherState(let name):
                    // An open one waits: its report is written through at the next pass.
                    guard RetrainingState(rawValue: name)?.isFinal == true else { return }
                    try store.setAside(
                        key: effect.key, because: "the request is \(name) in PostgreSQL")
                case .unknown:
                    guard settled.contains(request.id) else { return }
                    try store.setAside(
                        key: effect.key, because: "PostgreSQL does not have the request")
                }
            }
        }
        return outcome
    }

    func sweep() throws { _ = try queue().sweep() }
}

extension RetrainingState {
    /// True for what a trainer can say.
    fileprivate var isReportable: Bool {
        switch self {
        case .claimed, .running, .succeeded, .failed, .cancelled: true
        case .filing, .awaitingApproval, .pending, .expired, .superseded: false
        }
    }
}
