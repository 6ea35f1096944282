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
actor RelayWorker {
    /// Entries taken from the outbox at a time.
    private static let deliveryCountMax = 100

    private let executor: RelayExecutor
    private let dsn: String
    private let store: SQLiteStore
    private var connection: PostgresConnection?
    /// The state that was last reported, by request, so that a change is reported once.
    private var reported: [String: RetrainingState] = [:]

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(executor: RelayExecutor, dsn: String, store: SQLiteStore) {
        self.executor = executor
        self.dsn = dsn
        self.store = store
    }

    func disconnect() {
        connection?.close()
        connection = nil
    }

    private func queue() throws -> RetrainingQueue {
        if let connection { return RetrainingQueue(connection) }
        let opened = try PostgresConnection(dsn: dsn)
        connection = opened
        let queue = RetrainingQueue(opened)
        try queue.migrate()
        return queue
    }

    /// Files what the outbox holds.
    ///
    /// Returns the ids that PostgreSQL has confirmed.
    func file(_ requests: [RetrainingRequest]) throws -> [String] {
        var filed: [String] = []
        let pending = try store.pendingDeliveries(
            kind: "file-request", limit: Self.deliveryCountMax)
        guard !pending.isEmpty else {
            // Also without work the connection is tried, so that the status page knows.
            _ = try queue()
            return []
        }
        for effect in pending {
            guard let request = requests.first(where: { "file/\($0.id)" == effect.key }) else {
                continue
            }
            _ = try queue().file(
                queue: request.queue, model: request.model.rawValue,
                modelVersion: request.modelVersion, idempotencyKey: request.id,
                reason: request.rule, payload: request.payloadJSON.text,
                priority: request.priority, needsApproval: request.needsApproval)
            try store.confirmDelivery(key: effect.key)
            if request.state == .filing { filed.append(request.id) }
        }
        return filed
    }

    /// Writes verdicts back to their requests.
    func deliverVerdicts(_ requests: [RetrainingRequest]) throws {
        let pending = try store.pendingDeliveries(kind: "verdict", limit: Self.deliveryCountMax)
        for effect in pending {
            let request = requests.last { effect.key.hasPrefix("request/\($0.id)/") }
            if let request, let verification = request.verification {
                try queue().setVerification(
                    idempotencyKey: request.id, json: verification.json.text)
            }
            try store.confirmDelivery(key: effect.key)
        }
    }

    /// This is what trainers have said of `open` since the last time.
    func changes(of open: [RetrainingRequest]) throws -> [TrainerReport] {
        guard !open.isEmpty else { return [] }
        var reports: [TrainerReport] = []
        for status in try queue().states(ofKeys: open.map(\.id)) {
            guard let state = RetrainingState(rawValue: status.state),
                let request = open.first(where: { $0.id == status.idempotencyKey }),
                request.state != state, reported[request.id] != state
            else { continue }
            reported[request.id] = state
            reports.append(
                TrainerReport(
                    requestID: request.id, state: state, newVersion: status.newVersion,
                    detail: status.lastError))
        }
        return reports
    }

    func sweep() throws { _ = try queue().sweep() }
}
