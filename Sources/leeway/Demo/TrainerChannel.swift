import ByteCoding
import Foundation
import MonitorStore
import MonitoringDomain

/// This is a request that the demo's trainer holds.
struct TrainerJob: Sendable {
    /// The request's id in Leeway.
    var requestID: String
    var trainingWindow: TimeWindow
    /// What PostgreSQL gave with the claim; nil through the API.
    var lease: Lease?

    /// This is the right to work on a row of the queue: without its token a report is refused.
    struct Lease: Sendable {
        var id: String
        var token: String
    }
}

/// This is the way between Leeway and the demo's trainer: the functions of the PostgreSQL contract, as
/// any orchestrator would call them, or the HTTP API where there is no PostgreSQL.
enum TrainerChannel {
    case postgres(PostgresConnection)
    case api

    /// The login of the trainer: it may work its queue, and nothing else.
    private static let login = "demo_trainer"

    /// Opens the queue for the trainer, as an administrator would, and connects as the trainer.
    static func connect(asAdministrator dsn: String) throws -> TrainerChannel {
        let administrator = try PostgresConnection(dsn: dsn)
        defer { administrator.close() }
        let queue = RetrainingQueue(administrator)
        try queue.migrate()
        try administrator.execute(script: "CREATE ROLE \(login) LOGIN IN ROLE leeway_orchestrator")
        try queue.allow(role: login, queue: DemoRules.queue)
        // Of a keyword that stands twice, libpq takes the last.
        return .postgres(try PostgresConnection(dsn: dsn + " user=\(login)"))
    }

    /// Ends the connection.
    func close() {
        if case .postgres(let connection) = self { connection.close() }
    }

    /// This is the channel as a part of a sentence.
    var name: String {
        switch self {
        case .postgres: "from PostgreSQL"
        case .api: "through the API"
        }
    }

    /// Claims the request, or returns nil when it did not appear within `patience`.
    func claim(
        _ request: RequestView, client: LeewayClient, patience: Duration
    ) async throws -> TrainerJob? {
        switch self {
        case .api:
            try await client.report("claimed", on: request.id)
            return try TrainerJob(
                requestID: request.id, trainingWindow: request.payload.trainingWindow, lease: nil)
        case .postgres(let connection):
            let queue = RetrainingQueue(connection)
            let deadline = ContinuousClock.now + patience
            while ContinuousClock.now < deadline {
                if let claimed = try queue.claim(worker: "demo", queue: DemoRules.queue) {
                    let payload = try JSONDecoder().decode(
                        RequestPayload.self, from: Data(claimed.payload.utf8))
                    return try TrainerJob(
                        requestID: request.id, trainingWindow: payload.trainingWindow,
                        lease: TrainerJob.Lease(id: claimed.id, token: claimed.leaseToken))
                }
                try await Task.sleep(for: .milliseconds(50))
            }
            return nil
        }
    }

    /// Says that the training runs.
    func start(_ job: TrainerJob, client: LeewayClient) async throws {
        switch (self, job.lease) {
        case (.postgres(let connection), let lease?):
            let answer = try RetrainingQueue(connection).heartbeat(
                id: lease.id, token: lease.token, runID: "demo-\(lease.token)")
            try demand("ok", answer, of: job)
        default: try await client.report("running", on: job.requestID)
        }
    }

    /// Says that the new version is there.
    func complete(_ job: TrainerJob, newVersion: String, client: LeewayClient) async throws {
        switch (self, job.lease) {
        case (.postgres(let connection), let lease?):
            let answer = try RetrainingQueue(connection).complete(
                id: lease.id, token: lease.token,
                result: JSONValue.object([("new_version", .string(newVersion))]).text)
            try demand("ok", answer, of: job)
        default:
            try await client.report("succeeded", newVersion: newVersion, on: job.requestID)
        }
    }

    /// Says that there will be no new version.
    func fail(_ job: TrainerJob, _ reason: String, client: LeewayClient) async throws {
        switch (self, job.lease) {
        case (.postgres(let connection), let lease?):
            let answer = try RetrainingQueue(connection).fail(
                id: lease.id, token: lease.token, error: reason, isRetryable: false)
            try demand("failed", answer, of: job)
        default: try await client.report("failed", on: job.requestID)
        }
    }

    private func demand(_ expected: String, _ answer: String, of job: TrainerJob) throws {
        guard answer == expected else {
            throw DemoError(
                "\(job.requestID): PostgreSQL answered \"\(answer)\", expected \"\(expected)\"")
        }
    }
}

extension RequestPayload {
    /// This is the event-time interval whose records the trainer uses.
    var trainingWindow: TimeWindow {
        get throws {
            guard let start = EventTime(rfc3339: data.from.utf8),
                let end = EventTime(rfc3339: data.to.utf8), start <= end
            else {
                throw DemoError("no training window: \"\(data.from)\" to \"\(data.to)\"")
            }
            return TimeWindow(start: start, end: end)
        }
    }
}
