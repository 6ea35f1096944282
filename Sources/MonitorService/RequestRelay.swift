import Foundation
import Logging
import MonitorCore
import MonitorStore
public import MonitoringDomain
import RuleEvaluation
import Synchronization

/// This is the carrier between the state machine and the orchestrator's PostgreSQL: it files what the
/// outbox holds, and brings the trainers' reports back as inputs.
///
/// PostgreSQL may be away for any time: entries stay in the outbox until the server has confirmed them,
/// under a key that it takes once.
final class RequestRelay: Sendable {
    /// How often PostgreSQL is asked.
    ///
    /// NOTIFY would only be a hint.
    static let pollInterval = Duration.milliseconds(500)
    /// The wait after a failure, so that a server that is down is not hammered.
    static let retryInterval = Duration.seconds(2)
    /// How often expired leases are swept.
    static let sweepInterval = Duration.seconds(60)

    private let dsn: String
    private let store: SQLiteStore
    private let runner: MonitorRunner
    private let logger: Logger
    private let condition = Mutex("connecting")

    init(dsn: String, store: SQLiteStore, runner: MonitorRunner, logger: Logger) {
        self.dsn = dsn
        self.store = store
        self.runner = runner
        self.logger = logger
    }

    /// This is the connection's state in words, for the status page.
    var state: String { condition.withLock { $0 } }

    /// Runs until cancelled.
    func run() async {
        let executor = RelayExecutor()
        let worker = RelayWorker(executor: executor, dsn: dsn, store: store)
        var lastSweep = ContinuousClock.now - Self.sweepInterval
        while !Task.isCancelled {
            do {
                try await pass(worker, lastSweep: &lastSweep)
                condition.withLock { $0 = "connected" }
                try? await Task.sleep(for: Self.pollInterval)
            } catch {
                guard !Task.isCancelled else { break }
                let text = "\(error)"
                let isNew = condition.withLock { state in
                    defer { state = text }
                    return state != text
                }
                if isNew {
                    logger.warning(
                        "retraining requests wait for PostgreSQL", metadata: ["reason": "\(text)"])
                }
                await worker.disconnect()
                try? await Task.sleep(for: Self.retryInterval)
            }
        }
        await worker.disconnect()
    }

    private func pass(
        _ worker: RelayWorker, lastSweep: inout ContinuousClock.Instant
    ) async throws {
        let filed = try await worker.file(try await requests())
        for change in filed.reports { try await report(change) }
        // Read again: what was filed now is no longer waiting to be.
        for change in try await worker.exchange(try await requests()) { try await report(change) }
        let delivered = try await worker.deliverVerdicts(try await requests())
        if lastSweep.duration(to: .now) >= Self.sweepInterval {
            try await worker.sweep()
            lastSweep = .now
        }
        if let fault = filed.fault ?? delivered.fault { throw fault }
    }

    private func requests() async throws -> [RetrainingRequest] {
        try await runner.read { $0.judge.engine.requests }
    }

    private func report(_ report: TrainerReport) async throws {
        _ = try await runner.submit([.report(report, at: WallClock.now())])
    }
}

/// This is the wall clock as event time; read only in the service layer.
public enum WallClock {
    /// This is the present instant, rounded down to a millisecond.
    public static func now() -> EventTime {
        EventTime(milliseconds: Int64((Date().timeIntervalSince1970 * 1_000).rounded(.down)))
    }
}
