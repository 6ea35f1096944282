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
            let deadline = ContinuousClock.now + patience
            while ContinuousClock.now < deadline {
                let rows = try connection.query(
                    """
                    SELECT id::text, lease_token::text, payload::text
                    FROM leeway.claim_retraining_requests($1, 1, interval '5 minutes', $2)
                    """, ["demo-trainer", DemoRules.queue])
                if let row = rows.first, row.count == 3, let id = row[0], let token = row[1],
                    let payload = row[2]
                {
                    let read = try JSONDecoder().decode(
                        RequestPayload.self, from: Data(payload.utf8))
                    return try TrainerJob(
                        requestID: request.id, trainingWindow: read.trainingWindow,
                        lease: TrainerJob.Lease(id: id, token: token))
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
            try demand(
                "ok",
                of: connection,
                """
                SELECT leeway.heartbeat_retraining_request(
                    $1::uuid, $2::bigint, p_external_run_id => $3)
                """, [lease.id, lease.token, "demo-" + lease.token])
        default: try await client.report("running", on: job.requestID)
        }
    }

    /// Says that the new version is there.
    func complete(_ job: TrainerJob, newVersion: String, client: LeewayClient) async throws {
        switch (self, job.lease) {
        case (.postgres(let connection), let lease?):
            try demand(
                "ok",
                of: connection,
                """
                SELECT leeway.complete_retraining_request(
                    $1::uuid, $2::bigint, jsonb_build_object('new_version', $3::text))
                """, [lease.id, lease.token, newVersion])
        default:
            try await client.report("succeeded", newVersion: newVersion, on: job.requestID)
        }
    }

    /// Says that there will be no new version.
    func fail(_ job: TrainerJob, _ reason: String, client: LeewayClient) async throws {
        switch (self, job.lease) {
        case (.postgres(let connection), let lease?):
            try demand(
                "failed",
                of: connection,
                "SELECT leeway.fail_retraining_request($1::uuid, $2::bigint, $3, false)",
                [lease.id, lease.token, reason])
        default: try await client.report("failed", on: job.requestID)
        }
    }

    private func demand(
        _ expected: String, of connection: PostgresConnection, _ sql: String, _ values: [String?]
    ) throws {
        let answer = try connection.query(sql, values).first?.first ?? nil
        guard answer == expected else {
            throw DemoError(
                "PostgreSQL answered \(answer ?? "nothing"), expected \(expected): \(sql)")
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
