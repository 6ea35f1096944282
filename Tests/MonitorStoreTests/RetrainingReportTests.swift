import MonitorStore
import Testing

/// Reports that trainers make over the API, and so without a lease.
@Suite(PostgresServer()) struct RetrainingReportTests {
    private let connection: PostgresConnection
    private let queue: RetrainingQueue

    init() throws {
        connection = try PostgresConnection(dsn: try PostgresServer.newDatabase())
        queue = RetrainingQueue(connection)
        try queue.migrate()
        try queue.allow(role: "postgres", queue: "default")
    }

    private func file(
        _ key: String, model: String = "m", needsApproval: Bool = false
    ) throws -> (id: String, outcome: RetrainingQueue.FilingOutcome) {
        try queue.file(
            queue: "default", model: model, modelVersion: "1", idempotencyKey: key,
            reason: "Decay", payload: "{}", priority: 100, needsApproval: needsApproval)
    }

    private func state(_ id: String) throws -> String? {
        let sql = "SELECT state FROM leeway.retraining_requests WHERE id = $1::uuid"
        return try connection.query(sql, [id]).rows.first?.first ?? nil
    }

    private func claim() throws -> RetrainingQueue.ClaimedRequest {
        try #require(try queue.claim(worker: "w"))
    }

    private func report(
        _ key: String, _ state: String, error: String? = nil
    ) throws -> RetrainingQueue.WriteOutcome {
        try queue.report(
            idempotencyKey: key, state: state, result: #"{"new_version": "2"}"#, error: error)
    }

    @Test func `a report over the API takes a waiting request through the allowed states`() throws {
        let filed = try file("k1")

        #expect(try report("k1", "running") == .written)
        #expect(try queue.claim(worker: "w") == nil)
        #expect(try report("k1", "claimed") == .otherState("running"))
        #expect(try report("k1", "succeeded") == .written)
        #expect(try report("k1", "failed") == .otherState("succeeded"))

        #expect(try state(filed.id) == "succeeded")
        #expect(try queue.states(ofKeys: ["k1"]).first?.newVersion == "2")
        #expect(try report("k2", "succeeded") == .unknown)
    }

    @Test func `a report over the API fences off the worker that holds the lease`() throws {
        let filed = try file("k1")
        let lease = try claim()

        #expect(try report("k1", "failed", error: "no data") == .written)

        #expect(try queue.complete(id: filed.id, token: lease.leaseToken, result: "{}") == "lost")
        #expect(try state(filed.id) == "failed")
        #expect(try queue.states(ofKeys: ["k1"]).first?.lastError == "no data")
    }

    @Test func `a report over the API is an approval, and a cancellation needs none`() throws {
        let trained = try file("k1", needsApproval: true)
        let cancelled = try file("k2", model: "other", needsApproval: true)

        #expect(try report("k1", "succeeded") == .written)
        #expect(try report("k2", "cancelled") == .written)

        #expect(try state(trained.id) == "succeeded")
        #expect(try state(cancelled.id) == "cancelled")
    }

    @Test func `a contract of the first release gets what came later`() throws {
        _ = try connection.query(
            "DROP FUNCTION leeway.report_retraining_request(text, leeway.retraining_state, jsonb, text)"
        )
        _ = try file("k1")

        try queue.migrate()

        #expect(try report("k1", "succeeded") == .written)
    }
}
