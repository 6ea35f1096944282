/// This is the PostgreSQL contract between Leeway and orchestrators, from both sides, on one connection.
public struct RetrainingQueue {
    private let connection: PostgresConnection

    /// Makes the contract's face on an open connection.
    public init(_ connection: PostgresConnection) { self.connection = connection }

    // MARK: - Leeway's side

    /// What filing did.
    public enum FilingOutcome: String, Sendable { case created, duplicate, coalesced }

    /// What PostgreSQL knows of a filed request.
    public struct RequestStatus: Sendable, Equatable {
        /// This is the key under which Leeway filed.
        public let idempotencyKey: String
        /// This is PostgreSQL's id of the request.
        public let requestID: String
        /// This is the state's name in the contract.
        public let state: String
        /// This is the version that the trainer reported; nil before.
        public let newVersion: String?
        /// This is what the trainer said of the newest failure.
        public let lastError: String?
    }

    /// Creates the contract where it is not there yet.
    ///
    /// Two at once wait for each other.
    public func migrate() throws(PostgresError) {
        let isBehind = try needsMigration()
        if !isBehind, try !needsReports() { return }
        try transaction { () throws(PostgresError) in
            try connection.execute(
                script: "SELECT pg_advisory_xact_lock(hashtextextended('leeway.migrate', 0))")
            if try needsMigration() { try connection.execute(script: Self.schemaSQL) }
            if try needsReports() { try connection.execute(script: Self.reportSQL) }
        }
    }

    /// Runs what is in it as one transaction: all of it, or nothing.
    public func transaction<Result>(
        _ body: () throws(PostgresError) -> Result
    ) throws(PostgresError) -> Result {
        try connection.execute(script: "BEGIN")
        do throws(PostgresError) {
            let result = try body()
            try connection.execute(script: "COMMIT")
            return result
        } catch {
            try? connection.execute(script: "ROLLBACK")
            throw error
        }
    }

    private func needsReports() throws(PostgresError) -> Bool {
        let result = try connection.query(
            """
            SELECT NOT EXISTS (
                SELECT FROM pg_catalog.pg_proc p
                  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
                 WHERE n.nspname = 'leeway' AND p.proname = 'report_retraining_request')
            """)
        return result.rows.first?.first == "t"
    }

    private func needsMigration() throws(PostgresError) -> Bool {
        // By the tables' rows, because to_regclass may answer from a cache that was filled before the
        // lock was waited for.
        let result = try connection.query(
            """
            SELECT NOT EXISTS (
                SELECT FROM pg_catalog.pg_class c
                  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = 'leeway' AND c.relname = 'retraining_requests')
            """)
        return result.rows.first?.first == "t"
    }

    /// Files a request once per key; an open one of the same model and queue takes the trigger.
    ///
    /// - Parameters:
    ///   - queue: The queue that trainers claim from.
    ///   - model: The model to retrain.
    ///   - modelVersion: The version that breached the rule.
    ///   - idempotencyKey: The name under which PostgreSQL takes the request once.
    ///   - reason: The rule's name.
    ///   - payload: A JSON object.
    ///   - priority: Lower numbers are claimed first.
    ///   - needsApproval: True keeps it from trainers until a person approves.
    /// - Returns: The request's id, of the open one when it coalesced, and what filing did.
    /// - Throws: `PostgresError`, also for an answer that is none.
    public func file(
        queue: String, model: String, modelVersion: String, idempotencyKey: String, reason: String,
        payload: String, priority: Int, needsApproval: Bool
    ) throws(PostgresError) -> (id: String, outcome: FilingOutcome) {
        let result = try connection.query(
            """
            SELECT request_id, outcome FROM leeway.file_retraining_request(
                $1, $2, $3, $4, $5, $6::jsonb, $7::smallint, NULL, NULL, $8::boolean)
            """,
            [
                queue, model, modelVersion, idempotencyKey, reason, payload, "\(priority)",
                needsApproval ? "true" : "false",
            ])
        guard let row = result.rows.first, let id = row[0], let name = row[1],
            let outcome = FilingOutcome(rawValue: name)
        else { throw PostgresError(message: "filing answered nothing", sqlState: nil) }
        return (id, outcome)
    }

    /// This is the state of requests by the keys under which they were filed.
    public func states(ofKeys keys: [String]) throws(PostgresError) -> [RequestStatus] {
        let list = "{" + keys.map { "\"\(Self.escaped($0))\"" }.joined(separator: ",") + "}"
        let result = try connection.query(
            """
            SELECT t.idempotency_key, r.id, r.state, r.result->>'new_version', r.last_error
              FROM leeway.retraining_triggers t
              JOIN leeway.retraining_requests r ON r.id = t.request_id
             WHERE t.idempotency_key = ANY ($1::text[])
            """, [list])
        return result.rows.compactMap { row in
            guard let key = row[0], let id = row[1], let state = row[2] else { return nil }
            return RequestStatus(
                idempotencyKey: key, requestID: id, state: state, newVersion: row[3],
                lastError: row[4])
        }
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            if character == "\"" || character == "\\" { result.append("\\") }
            result.append(character)
        }
        return result
    }

    /// What became of a report or a verdict.
    public enum WriteOutcome: Sendable, Equatable {
        case written
        /// The request is in another state, by its name in the contract.
        case otherState(String)
        /// No request was filed under the key.
        case unknown
    }

    /// Writes through what a trainer said over Leeway's own API, with or without a lease.
    ///
    /// - Parameters:
    ///   - idempotencyKey: The key under which Leeway filed.
    ///   - state: `claimed`, `running`, `succeeded`, `failed` or `cancelled`.
    ///   - result: A JSON object, kept when it succeeded.
    ///   - error: What the trainer said of a failure.
    /// - Returns: `otherState` for a request that was final before.
    /// - Throws: `PostgresError`.
    public func report(
        idempotencyKey: String, state: String, result: String, error: String?
    ) throws(PostgresError) -> WriteOutcome {
        let found = try answer(
            """
            SELECT leeway.report_retraining_request(
                $1, $2::leeway.retraining_state, $3::jsonb, $4)
            """, [idempotencyKey, state, result, error])
        if found == "unknown" { return .unknown }
        return found == state ? .written : .otherState(found)
    }

    /// Writes the verdict to a request that has succeeded.
    public func setVerification(
        idempotencyKey: String, json: String
    ) throws(PostgresError) -> WriteOutcome {
        let result = try connection.query(
            """
            SELECT leeway.verify_retraining_request(t.request_id, $2::jsonb), r.state
              FROM leeway.retraining_triggers t
              JOIN leeway.retraining_requests r ON r.id = t.request_id
             WHERE t.idempotency_key = $1
            """, [idempotencyKey, json])
        guard let row = result.rows.first else { return .unknown }
        return row[0] == "ok" ? .written : .otherState(row[1] ?? "unknown")
    }

    /// Puts requests with expired leases back; returns how many rows were touched.
    public func sweep() throws(PostgresError) -> Int {
        let result = try connection.query("SELECT leeway.sweep_retraining_requests()")
        return result.rows.first?.first.flatMap { $0 }.flatMap { Int($0) } ?? 0
    }

    /// Cancels a request that is not final; a running trainer learns of it by its next heartbeat.
    ///
    /// - Returns: The new state.
    public func cancel(id: String) throws(PostgresError) -> String {
        try answer("SELECT leeway.cancel_retraining_request($1::uuid)", [id])
    }

    /// Answers a request that awaits approval.
    ///
    /// - Returns: The new state.
    public func approve(id: String, isApproved: Bool) throws(PostgresError) -> String {
        try answer(
            "SELECT leeway.approve_retraining_request($1::uuid, $2::boolean)",
            [id, isApproved ? "true" : "false"])
    }

    private func answer(_ sql: String, _ parameters: [String?]) throws(PostgresError) -> String {
        guard let text = try connection.query(sql, parameters).rows.first?.first.flatMap({ $0 })
        else {
            throw PostgresError(message: "no answer", sqlState: nil)
        }
        return text
    }

    // MARK: - The orchestrator's side

    /// A request that this worker holds under a lease.
    public struct ClaimedRequest: Sendable, Equatable {
        /// This is PostgreSQL's id of the request.
        public let id: String
        /// This is the fencing token: an older lease's is refused.
        public let leaseToken: String
        /// This is the model to retrain.
        public let model: String
        /// This is the version that breached the rule; nil where Leeway knows none.
        public let modelVersion: String?
        /// This is the rule's name.
        public let reason: String
        /// A JSON object.
        public let payload: String
        /// This is which claim of the request this is, from 1.
        public let attempt: Int
    }

    /// Lets a login's role work a queue.
    public func allow(role: String, queue: String) throws(PostgresError) {
        _ = try connection.query("SELECT leeway.allow_orchestrator($1::name, $2)", [role, queue])
    }

    /// Takes the next claimable request; nil when there is none.
    public func claim(
        worker: String, queue: String = "default", leaseSeconds: Int = 300
    ) throws(PostgresError) -> ClaimedRequest? {
        let result = try connection.query(
            """
            SELECT id, lease_token, model, model_version, reason, payload, attempt
              FROM leeway.claim_retraining_requests($1, 1, make_interval(secs => $2::integer), $3)
            """, [worker, "\(leaseSeconds)", queue])
        guard let row = result.rows.first, let id = row[0], let token = row[1], let model = row[2],
            let reason = row[4], let payload = row[5]
        else { return nil }
        return ClaimedRequest(
            id: id, leaseToken: token, model: model, modelVersion: row[3], reason: reason,
            payload: payload, attempt: row[6].flatMap { Int($0) } ?? 1)
    }

    /// Renews the lease: "ok", "cancel" or "lost".
    ///
    /// A run's id says that the run has started.
    public func heartbeat(
        id: String, token: String, runID: String? = nil, leaseSeconds: Int = 300
    ) throws(PostgresError) -> String {
        try answer(
            """
            SELECT leeway.heartbeat_retraining_request(
                $1::uuid, $2::bigint, make_interval(secs => $3::integer), $4)
            """, [id, token, "\(leaseSeconds)", runID])
    }

    /// Ends a request well: "ok" or "lost".
    ///
    /// The result names the new version as `new_version`.
    public func complete(id: String, token: String, result: String) throws(PostgresError) -> String
    {
        try answer(
            "SELECT leeway.complete_retraining_request($1::uuid, $2::bigint, $3::jsonb)",
            [id, token, result])
    }

    /// Ends a request badly, or gives it back: the new state or "lost".
    public func fail(
        id: String, token: String, error: String, isRetryable: Bool
    ) throws(PostgresError) -> String {
        try answer(
            "SELECT leeway.fail_retraining_request($1::uuid, $2::bigint, $3, $4::boolean)",
            [id, token, error, isRetryable ? "true" : "false"])
    }
}
