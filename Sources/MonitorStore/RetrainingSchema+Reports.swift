extension RetrainingQueue {
    /// This is all of the contract's DDL, for those who run it themselves.
    public static let contractSQL = schemaSQL + "\n" + reportSQL

    /// This is the DDL of what came after version 1's first release: it can be run again and again.
    ///
    /// A report that a trainer makes over Leeway's own API has no lease. It is written through by the service,
    /// under the allowed transitions: a request that nobody holds is claimed for it first, so that no worker
    /// can take it, and a worker that does hold it finds its lease lost, as after any other fencing.
    static let reportSQL = #"""
        SET ROLE leeway_owner;
        CREATE OR REPLACE FUNCTION leeway.report_retraining_request(
          p_idempotency_key text, p_state leeway.retraining_state, p_result jsonb DEFAULT '{}', p_error text DEFAULT NULL)
        RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE r leeway.retraining_requests;
        BEGIN
          IF p_state NOT IN ('claimed','running','succeeded','failed','cancelled') THEN
            RAISE EXCEPTION 'a trainer cannot report %', p_state USING ERRCODE = 'invalid_parameter_value';
          END IF;
          SELECT q.* INTO r FROM leeway.retraining_requests q
            JOIN leeway.retraining_triggers t ON t.request_id = q.id
           WHERE t.idempotency_key = p_idempotency_key ORDER BY t.at DESC LIMIT 1 FOR UPDATE OF q;
          IF NOT FOUND THEN RETURN 'unknown'; END IF;
          IF r.finalized_at IS NOT NULL OR (r.state = 'running' AND p_state = 'claimed') THEN RETURN r.state::text; END IF;
          IF r.state = 'awaiting_approval' AND p_state <> 'cancelled' THEN
            UPDATE leeway.retraining_requests SET state = 'pending' WHERE id = r.id;
            r.state := 'pending';
          END IF;
          IF r.state = 'pending' AND p_state <> 'cancelled' THEN
            UPDATE leeway.retraining_requests
               SET state = 'claimed', attempt = least(attempt + 1, max_attempts),
                   lease_token = nextval('leeway.retraining_lease_token'), lease_owner = session_user || '/api',
                   lease_expires_at = clock_timestamp() + interval '24 hours', heartbeat_at = clock_timestamp()
             WHERE id = r.id;
          END IF;
          IF p_state = 'running' THEN
            UPDATE leeway.retraining_requests
               SET state = 'running', lease_expires_at = greatest(lease_expires_at, clock_timestamp() + interval '24 hours'),
                   heartbeat_at = clock_timestamp()
             WHERE id = r.id;
          ELSIF p_state <> 'claimed' THEN
            UPDATE leeway.retraining_requests
               SET state = p_state, finalized_at = clock_timestamp(), lease_token = NULL, lease_owner = NULL,
                   lease_expires_at = NULL, result = CASE WHEN p_state = 'succeeded' THEN p_result ELSE result END,
                   last_error = coalesce(left(p_error, 4000), last_error)
             WHERE id = r.id;
          END IF;
          RETURN p_state::text;
        END $$;
        REVOKE ALL ON FUNCTION leeway.report_retraining_request(text, leeway.retraining_state, jsonb, text) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION leeway.report_retraining_request(text, leeway.retraining_state, jsonb, text) TO leeway_service;
        RESET ROLE;
        """#
}
