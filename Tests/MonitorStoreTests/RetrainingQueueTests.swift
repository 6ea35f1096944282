import Foundation
import MonitorStore
import Synchronization
import Testing

/// Each test has a database of its own on one server.
@Suite(PostgresServer()) struct RetrainingQueueTests {
    private let dsn: String
    private let connection: PostgresConnection
    private let queue: RetrainingQueue

    init() throws {
        dsn = try PostgresServer.newDatabase()
        connection = try PostgresConnection(dsn: dsn)
        queue = RetrainingQueue(connection)
        try queue.migrate()
        try queue.allow(role: "postgres", queue: "default")
    }

    private func file(
        _ key: String, model: String = "m", payload: String = "{}", priority: Int = 100,
        needsApproval: Bool = false
    ) throws -> (id: String, outcome: RetrainingQueue.FilingOutcome) {
        try queue.file(
            queue: "default", model: model, modelVersion: "1", idempotencyKey: key,
            reason: "Decay", payload: payload, priority: priority, needsApproval: needsApproval)
    }

    private func value(_ sql: String, _ parameters: [String?] = []) throws -> String? {
        try connection.query(sql, parameters).rows.first?.first ?? nil
    }

    private func state(_ id: String) throws -> String? {
        try value("SELECT state FROM leeway.retraining_requests WHERE id = $1::uuid", [id])
    }

    private func claim() throws -> RetrainingQueue.ClaimedRequest {
        try #require(try queue.claim(worker: "w"))
    }

    // MARK: - Migration

    @Test func `migrating again changes nothing, also from two at once`() throws {
        let tables = "SELECT count(*) FROM pg_class WHERE relnamespace = 'leeway'::regnamespace"
        let before = try value(tables)
        try queue.migrate()
        #expect(try value(tables) == before)

        let fresh = try PostgresServer.newDatabase()
        let faults = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            do {
                try RetrainingQueue(try PostgresConnection(dsn: fresh)).migrate()
            } catch {
                faults.withLock { $0.append("\(error)") }
            }
        }
        #expect(faults.withLock { $0 } == [])
        let other = try PostgresConnection(dsn: fresh)
        #expect(try other.query(tables).rows.first?.first == before)
    }

    // MARK: - Filing

    @Test func `a request is filed once by its key`() throws {
        let first = try file("k1")
        let again = try file("k1", payload: #"{"a":1}"#)

        #expect(first.outcome == .created)
        #expect(again.outcome == .duplicate)
        #expect(again.id == first.id)
        #expect(try value("SELECT count(*) FROM leeway.retraining_requests") == "1")
        #expect(try value("SELECT trigger_count FROM leeway.retraining_requests") == "1")
        #expect(try value("SELECT payload FROM leeway.retraining_requests") == "{}")
    }

    @Test func `a second trigger joins the open request, and brings its evidence`() throws {
        let first = try file("k1", priority: 100)
        let second = try file("k2", payload: #"{"a": 1}"#, priority: 5)
        let other = try file("k3", model: "other")

        #expect(second.outcome == .coalesced)
        #expect(second.id == first.id)
        #expect(other.outcome == .created)
        let row = try connection.query(
            "SELECT trigger_count, priority, payload FROM leeway.retraining_requests WHERE model = 'm'"
        )
        #expect(row.rows == [["2", "5", #"{"a": 1}"#]])
        // A trainer at work keeps the evidence that it was given.
        _ = try claim()
        _ = try file("k4", payload: #"{"b": 2}"#)
        #expect(
            try value("SELECT payload FROM leeway.retraining_requests WHERE model = 'm'")
                == #"{"a": 1}"#)
    }

    @Test func `after the end of a request another may be filed`() throws {
        let first = try file("k1")
        let lease = try claim()
        #expect(try queue.complete(id: lease.id, token: lease.leaseToken, result: "{}") == "ok")

        let second = try file("k2")
        #expect(second.outcome == .created)
        #expect(second.id != first.id)
        // The old key still names the old request.
        #expect(try file("k1").id == first.id)
    }

    @Test func `concurrent filers of one model make one request`() throws {
        let outcomes = Mutex<[RetrainingQueue.FilingOutcome]>([])
        DispatchQueue.concurrentPerform(iterations: 8) { [dsn] number in
            let outcome = try? RetrainingQueue(PostgresConnection(dsn: dsn)).file(
                queue: "default", model: "m", modelVersion: "1", idempotencyKey: "k\(number / 2)",
                reason: "r", payload: "{}", priority: 1, needsApproval: false
            ).outcome
            if let outcome { outcomes.withLock { $0.append(outcome) } }
        }

        let counts = Dictionary(grouping: outcomes.withLock { $0 }) { $0 }.mapValues(\.count)
        #expect(counts == [.created: 1, .coalesced: 3, .duplicate: 4])
    }

    @Test func `states are found by any key that was filed`() throws {
        let keys = [
            "plain", "with \"quotes\", {braces} and \\", "größe",
            String(repeating: "k", count: 400),
        ]
        for (number, key) in keys.enumerated() { _ = try file(key, model: "m\(number)") }
        _ = try file("second", model: "m0")

        let states = try queue.states(ofKeys: keys + ["second", "unknown"])

        #expect(Set(states.map(\.idempotencyKey)) == Set(keys + ["second"]))
        #expect(Set(states.map(\.state)) == ["pending"])
        #expect(try queue.states(ofKeys: []) == [])
    }

    // MARK: - Claiming

    @Test func `claims go by priority, then by age`() throws {
        for (model, priority) in [("a", 50), ("b", 10), ("c", 50)] {
            _ = try file("k-\(model)", model: model, priority: priority)
        }

        let models = try (0..<4).map { _ in try queue.claim(worker: "w")?.model }
        #expect(models == ["b", "a", "c", nil])
    }

    @Test func `concurrent workers never claim the same request`() throws {
        for number in 0..<30 { _ = try file("k\(number)", model: "m\(number)") }
        let claims = Mutex<[RetrainingQueue.ClaimedRequest]>([])
        let faults = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: 8) { [dsn] worker in
            do {
                let own = RetrainingQueue(try PostgresConnection(dsn: dsn))
                for _ in 0..<40 {
                    guard let claim = try own.claim(worker: "w\(worker)") else { return }
                    claims.withLock { $0.append(claim) }
                }
            } catch {
                faults.withLock { $0.append("\(error)") }
            }
        }

        let all = claims.withLock { $0 }
        #expect(faults.withLock { $0 } == [])
        #expect(all.count == 30)
        #expect(Set(all.map(\.id)).count == 30)
        #expect(Set(all.map(\.leaseToken)).count == 30)
    }

    @Test func `a login works only the queues that it was given, and sees only those`() throws {
        _ = try file("k1")
        try connection.execute(
            script: "CREATE ROLE trainer_\(getpid()) LOGIN IN ROLE leeway_orchestrator")
        let login = dsn.replacing("user=postgres", with: "user=trainer_\(getpid())")
        let trainer = try PostgresConnection(dsn: login)
        let own = RetrainingQueue(trainer)

        expectFault("42501") { _ = try own.claim(worker: "w") }
        #expect(try trainer.query("SELECT id FROM leeway.retraining_queue").rows.isEmpty)
        try queue.allow(role: "trainer_\(getpid())", queue: "default")
        #expect(try trainer.query("SELECT id FROM leeway.retraining_queue").rows.count == 1)
        #expect(try own.claim(worker: "w") != nil)
        for sql in [
            "SELECT * FROM leeway.retraining_requests", "SELECT * FROM leeway.retraining_events",
            "UPDATE leeway.retraining_requests SET priority = 0",
            "SELECT leeway.sweep_retraining_requests()",
        ] {
            expectFault("42501") { _ = try trainer.query(sql) }
        }
    }

    private func expectFault(
        _ sqlState: String, at place: SourceLocation = #_sourceLocation, _ body: () throws -> Void
    ) {
        do {
            try body()
            Issue.record("SQLSTATE \(sqlState) was expected", sourceLocation: place)
        } catch {
            #expect((error as? PostgresError)?.sqlState == sqlState, sourceLocation: place)
        }
    }

    // MARK: - Leases

    private func expireLeases() throws {
        _ = try connection.query(
            "UPDATE leeway.retraining_requests SET lease_expires_at = now() - interval '1 second'")
    }

    @Test func `a heartbeat renews the lease, and a run's id says that it runs`() throws {
        _ = try file("k1")
        let lease = try claim()
        try expireLeases()

        #expect(try queue.heartbeat(id: lease.id, token: lease.leaseToken) == "ok")
        #expect(try queue.sweep() == 0)
        #expect(try state(lease.id) == "claimed")
        #expect(
            try queue.heartbeat(id: lease.id, token: lease.leaseToken, runID: "run-7") == "ok")
        #expect(try state(lease.id) == "running")
    }

    @Test func `an expired lease goes to another, and the old token is refused everywhere`() throws
    {
        _ = try file("k1")
        let old = try claim()
        try expireLeases()
        #expect(try queue.sweep() == 1)
        #expect(try state(old.id) == "pending")

        let new = try claim()
        #expect(new.id == old.id)
        #expect(new.attempt == 2)
        #expect((Int(new.leaseToken) ?? 0) > (Int(old.leaseToken) ?? 0))
        #expect(try queue.heartbeat(id: old.id, token: old.leaseToken) == "lost")
        #expect(try queue.complete(id: old.id, token: old.leaseToken, result: "{}") == "lost")
        #expect(
            try queue.fail(id: old.id, token: old.leaseToken, error: "x", isRetryable: true)
                == "lost")
        #expect(try state(new.id) == "claimed")
        #expect(
            try queue.complete(
                id: new.id, token: new.leaseToken, result: #"{"new_version": "2"}"#) == "ok")
        // The answer may have been lost: the same token may say it again.
        #expect(
            try queue.complete(
                id: new.id, token: new.leaseToken, result: #"{"new_version": "2"}"#) == "ok")
        #expect(try queue.states(ofKeys: ["k1"]).first?.newVersion == "2")
    }

    @Test func `three lost leases are a failure`() throws {
        let filed = try file("k1")
        for _ in 0..<3 {
            _ = try claim()
            try expireLeases()
            #expect(try queue.sweep() == 1)
        }

        #expect(try state(filed.id) == "failed")
        let status = try #require(try queue.states(ofKeys: ["k1"]).first)
        #expect(status.lastError?.hasPrefix("lease expired; last worker ") == true)
        #expect(try queue.claim(worker: "w") == nil)
    }

    @Test func `a failure is retried later, or final`() throws {
        _ = try file("k1")
        let lease = try claim()

        #expect(
            try queue.fail(id: lease.id, token: lease.leaseToken, error: "disk", isRetryable: true)
                == "pending")
        #expect(try queue.claim(worker: "w") == nil)
        _ = try connection.query("UPDATE leeway.retraining_requests SET run_after = now()")
        let again = try claim()
        #expect(
            try queue.fail(id: again.id, token: again.leaseToken, error: "data", isRetryable: false)
                == "failed")
        #expect(try queue.states(ofKeys: ["k1"]).first?.lastError == "data")
    }

    @Test func `a cancelled request is gone at once, or its trainer is told`() throws {
        let waiting = try file("k1")
        #expect(try queue.cancel(id: waiting.id) == "cancelled")
        #expect(try queue.cancel(id: waiting.id) == "final")

        _ = try file("k2")
        let lease = try claim()
        #expect(try queue.cancel(id: lease.id) == "claimed")
        #expect(try queue.heartbeat(id: lease.id, token: lease.leaseToken) == "cancel")
        #expect(
            try queue.fail(id: lease.id, token: lease.leaseToken, error: "x", isRetryable: true)
                == "cancelled")
    }

    @Test func `approval opens a request to trainers, or ends it`() throws {
        let yes = try file("k1", model: "a", needsApproval: true)
        let no = try file("k2", model: "b", needsApproval: true)
        #expect(try state(yes.id) == "awaiting_approval")
        #expect(try queue.claim(worker: "w") == nil)

        #expect(try queue.approve(id: no.id, isApproved: false) == "cancelled")
        #expect(try queue.approve(id: yes.id, isApproved: true) == "pending")
        #expect(try queue.approve(id: yes.id, isApproved: true) == "not awaiting approval")
        #expect(try claim().id == yes.id)
    }

    // MARK: - Verdict and audit

    @Test func `a verdict is written to the request that has succeeded`() throws {
        let filed = try file("k1")
        let sql = "SELECT verification->>'verdict' FROM leeway.retraining_requests"
        let json = #"{"verdict": "helped"}"#
        #expect(
            try queue.setVerification(idempotencyKey: "k1", json: json) == .otherState("pending"))
        #expect(try queue.setVerification(idempotencyKey: "k2", json: json) == .unknown)
        #expect(try value(sql) == nil)

        let lease = try claim()
        _ = try queue.complete(id: filed.id, token: lease.leaseToken, result: "{}")
        #expect(try queue.setVerification(idempotencyKey: "k1", json: json) == .written)
        #expect(try value(sql) == "helped")
    }

    @Test func `every change is in the audit, which nobody can change`() throws {
        _ = try file("k1")
        _ = try file("k2")
        let lease = try claim()
        _ = try queue.complete(id: lease.id, token: lease.leaseToken, result: "{}")

        let events = try connection.query(
            "SELECT event, from_state, to_state, actor FROM leeway.retraining_events ORDER BY seq")
        #expect(
            events.rows == [
                ["filed", nil, "pending", "postgres"],
                ["coalesced", "pending", "pending", "postgres"],
                ["state_changed", "pending", "claimed", "postgres"],
                ["state_changed", "claimed", "succeeded", "postgres"],
            ])
        for sql in [
            "UPDATE leeway.retraining_events SET actor = 'x'",
            "DELETE FROM leeway.retraining_events", "TRUNCATE leeway.retraining_events",
        ] {
            expectFault("42501") { _ = try connection.query(sql) }
        }
    }

    @Test func `a transition that the contract does not know is refused for everybody`() throws {
        let filed = try file("k1")
        _ = try queue.cancel(id: filed.id)

        expectFault("23514") {
            _ = try connection.query(
                "UPDATE leeway.retraining_requests SET state = 'pending', finalized_at = NULL")
        }
    }

    // MARK: - Connection

    @Test func `errors carry their SQLSTATE, and a closed connection says so`() throws {
        let own = try PostgresConnection(dsn: dsn)
        expectFault("42601") { _ = try own.query("SELEC 1") }
        // A failed statement leaves the connection usable.
        #expect(try own.query("SELECT 1, NULL, $1", ["ö"]).rows == [["1", nil, "ö"]])
        own.close()
        own.close()
        #expect(throws: PostgresError(message: "the connection is closed", sqlState: nil)) {
            try own.query("SELECT 1")
        }
        #expect(throws: PostgresError.self) {
            try PostgresConnection(dsn: "host=/nonexistent user=postgres")
        }
    }
}
