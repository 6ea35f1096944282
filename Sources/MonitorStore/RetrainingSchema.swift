extension RetrainingQueue {
    /// This is the contract's DDL, version 1: roles, tables, functions, grants.
    ///
    /// `migrate` runs it once.
    public static let schemaSQL = #"""
        DO $$
        DECLARE r text;
        BEGIN
          FOREACH r IN ARRAY ARRAY['leeway_owner', 'leeway_service', 'leeway_orchestrator', 'leeway_reader'] LOOP
            IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = r) THEN
              BEGIN                     -- roles are of the whole server: another database may make them now
                EXECUTE format('CREATE ROLE %I NOLOGIN', r);
              EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
              END;
            END IF;
          END LOOP;
          IF NOT (pg_has_role('leeway_owner', 'MEMBER') AND pg_has_role('leeway_service', 'MEMBER')) THEN
            EXECUTE format('GRANT leeway_owner, leeway_service TO %I', current_user);
          END IF;
        END $$;
        CREATE SCHEMA leeway AUTHORIZATION leeway_owner;
        SET ROLE leeway_owner;
        REVOKE ALL ON SCHEMA leeway FROM PUBLIC;
        GRANT USAGE ON SCHEMA leeway TO leeway_service, leeway_orchestrator, leeway_reader;

        CREATE TYPE leeway.retraining_state AS ENUM (
          'awaiting_approval',  -- filed, needs a human or policy decision
          'pending',            -- claimable once run_after has passed
          'claimed',            -- leased by an orchestrator, run not started yet
          'running',            -- the orchestrator reported a run id
          'succeeded',          -- final
          'failed',             -- final: non-retryable error, or attempts used up (the dead letter)
          'cancelled',          -- final
          'expired',            -- final: nobody claimed it before deadline
          'superseded'          -- final: a newer model version or request made it moot
        );

        CREATE SEQUENCE leeway.retraining_lease_token;      -- monotonic fencing tokens

        CREATE TABLE leeway.retraining_requests (
          id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
          queue            text        NOT NULL DEFAULT 'default',
          model            text        NOT NULL,
          model_version    text,
          state            leeway.retraining_state NOT NULL DEFAULT 'pending',
          priority         smallint    NOT NULL DEFAULT 100,      -- lower runs first
          reason           text        NOT NULL,
          payload          jsonb       NOT NULL DEFAULT '{}',     -- schema_version, evidence, data window, parameters
          trigger_count    integer     NOT NULL DEFAULT 1,        -- how many detections were coalesced in
          created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
          updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
          run_after        timestamptz NOT NULL DEFAULT clock_timestamp(),
          deadline         timestamptz,
          attempt          smallint    NOT NULL DEFAULT 0,
          max_attempts     smallint    NOT NULL DEFAULT 3,
          lease_token      bigint,
          lease_owner      text,
          lease_expires_at timestamptz,
          heartbeat_at     timestamptz,
          cancel_requested boolean     NOT NULL DEFAULT false,
          external_run_id  text,
          external_run_url text,
          progress         jsonb,
          result           jsonb,                                 -- e.g. new model version, metrics
          verification     jsonb,                                 -- what Leeway found after the retraining
          last_error       text,
          finalized_at     timestamptz,
          CONSTRAINT queue_name   CHECK (queue ~ '^[a-z0-9_.-]{1,64}$'),
          CONSTRAINT model_name   CHECK (length(model) BETWEEN 1 AND 256),
          CONSTRAINT attempts     CHECK (max_attempts BETWEEN 1 AND 100 AND attempt BETWEEN 0 AND max_attempts),
          CONSTRAINT payload_size CHECK (pg_column_size(payload) <= 262144),
          CONSTRAINT lease_iff_held CHECK ((state IN ('claimed','running')) = (lease_token IS NOT NULL
                                            AND lease_owner IS NOT NULL AND lease_expires_at IS NOT NULL)),
          CONSTRAINT final_iff_time CHECK ((state IN ('succeeded','failed','cancelled','expired','superseded'))
                                            = (finalized_at IS NOT NULL))
        ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

        -- at most one open request per model: a second detection coalesces into it
        CREATE UNIQUE INDEX retraining_one_open ON leeway.retraining_requests (queue, model)
          WHERE state IN ('awaiting_approval','pending','claimed','running');
        -- fetch index: no column that a heartbeat changes, so heartbeats stay HOT updates
        CREATE INDEX retraining_fetch ON leeway.retraining_requests (queue, priority, run_after, id) WHERE state = 'pending';
        CREATE INDEX retraining_held  ON leeway.retraining_requests (id) WHERE state IN ('claimed','running');
        CREATE INDEX retraining_done  ON leeway.retraining_requests (finalized_at) WHERE finalized_at IS NOT NULL;

        -- every detection that asked for a retraining; makes filing idempotent and keeps the evidence of coalesced ones
        CREATE TABLE leeway.retraining_triggers (
          queue           text        NOT NULL,
          model           text        NOT NULL,
          idempotency_key text        NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 512),
          request_id      uuid        NOT NULL REFERENCES leeway.retraining_requests (id) ON DELETE CASCADE,
          at              timestamptz NOT NULL DEFAULT clock_timestamp(),
          reason          text        NOT NULL,
          payload         jsonb       NOT NULL,
          PRIMARY KEY (queue, model, idempotency_key)
        );
        CREATE INDEX retraining_triggers_by_request ON leeway.retraining_triggers (request_id);

        CREATE TABLE leeway.retraining_events (              -- append-only audit trail
          seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
          request_id  uuid        NOT NULL,
          at          timestamptz NOT NULL DEFAULT clock_timestamp(),
          actor       name        NOT NULL,                 -- the database login that did it
          event       text        NOT NULL,
          from_state  leeway.retraining_state,
          to_state    leeway.retraining_state,
          attempt     smallint,
          detail      jsonb       NOT NULL DEFAULT '{}'
        );
        CREATE INDEX retraining_events_by_request ON leeway.retraining_events (request_id, seq);

        CREATE TABLE leeway.orchestrator_queues (            -- which login may work which queue
          role_name name NOT NULL,
          queue     text NOT NULL,
          PRIMARY KEY (role_name, queue)
        );

        CREATE FUNCTION leeway.audit_retraining() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
          IF TG_OP = 'INSERT' THEN
            INSERT INTO leeway.retraining_events (request_id, actor, event, to_state, attempt, detail)
            VALUES (NEW.id, session_user, 'filed', NEW.state, NEW.attempt,
                    jsonb_build_object('reason', NEW.reason));
          ELSE
            IF NEW.state IS DISTINCT FROM OLD.state THEN
              INSERT INTO leeway.retraining_events (request_id, actor, event, from_state, to_state, attempt, detail)
              VALUES (NEW.id, session_user, 'state_changed', OLD.state, NEW.state, NEW.attempt,
                      jsonb_strip_nulls(jsonb_build_object('lease_token', coalesce(NEW.lease_token, OLD.lease_token),
                        'worker', coalesce(NEW.lease_owner, OLD.lease_owner), 'external_run_id', NEW.external_run_id,
                        'error', CASE WHEN NEW.state IN ('pending','failed') THEN NEW.last_error END, 'result', NEW.result)));
            ELSIF NEW.trigger_count <> OLD.trigger_count THEN
              INSERT INTO leeway.retraining_events (request_id, actor, event, from_state, to_state, attempt, detail)
              VALUES (NEW.id, session_user, 'coalesced', OLD.state, NEW.state, NEW.attempt,
                      jsonb_build_object('trigger_count', NEW.trigger_count));
            ELSIF NEW.cancel_requested AND NOT OLD.cancel_requested THEN
              INSERT INTO leeway.retraining_events (request_id, actor, event, from_state, to_state, attempt)
              VALUES (NEW.id, session_user, 'cancel_requested', OLD.state, NEW.state, NEW.attempt);
            END IF;
          END IF;
          RETURN NULL;
        END $$;
        CREATE TRIGGER retraining_audit AFTER INSERT OR UPDATE ON leeway.retraining_requests
          FOR EACH ROW EXECUTE FUNCTION leeway.audit_retraining();

        CREATE FUNCTION leeway.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'retraining_events is append-only' USING ERRCODE = 'insufficient_privilege'; END $$;
        CREATE TRIGGER retraining_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leeway.retraining_events
          FOR EACH STATEMENT EXECUTE FUNCTION leeway.refuse_change();

        -- allowed transitions, enforced for every writer including the owner's own functions
        CREATE FUNCTION leeway.check_retraining_transition() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF NEW.state IS DISTINCT FROM OLD.state AND NOT (
               (OLD.state = 'awaiting_approval' AND NEW.state IN ('pending','cancelled','expired','superseded'))
            OR (OLD.state = 'pending'  AND NEW.state IN ('claimed','cancelled','expired','superseded'))
            OR (OLD.state = 'claimed'  AND NEW.state IN ('running','pending','succeeded','failed','cancelled'))
            OR (OLD.state = 'running'  AND NEW.state IN ('pending','succeeded','failed','cancelled'))) THEN
            RAISE EXCEPTION 'retraining request %: % -> % is not allowed', OLD.id, OLD.state, NEW.state
              USING ERRCODE = 'check_violation';
          END IF;
          NEW.updated_at := clock_timestamp();
          RETURN NEW;
        END $$;
        CREATE TRIGGER retraining_transition BEFORE UPDATE ON leeway.retraining_requests
          FOR EACH ROW EXECUTE FUNCTION leeway.check_retraining_transition();

        -- FILE: called by the monitoring service. Idempotent, and coalesces per open (queue, model).
        CREATE FUNCTION leeway.file_retraining_request(
          p_queue text, p_model text, p_model_version text, p_idempotency_key text, p_reason text, p_payload jsonb,
          p_priority smallint DEFAULT 100, p_run_after timestamptz DEFAULT NULL, p_deadline timestamptz DEFAULT NULL,
          p_needs_approval boolean DEFAULT false,
          OUT request_id uuid, OUT outcome text)               -- created | duplicate | coalesced
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
          PERFORM pg_advisory_xact_lock(hashtextextended('leeway.file/' || p_queue || '/' || p_model, 0));  -- one filer per model
          SELECT t.request_id INTO request_id FROM leeway.retraining_triggers t
           WHERE t.queue = p_queue AND t.model = p_model AND t.idempotency_key = p_idempotency_key;
          IF FOUND THEN outcome := 'duplicate'; RETURN; END IF;
          UPDATE leeway.retraining_requests r
             SET trigger_count = r.trigger_count + 1,
                 priority = least(r.priority, p_priority),
                 payload  = CASE WHEN r.state IN ('awaiting_approval','pending') THEN p_payload ELSE r.payload END
           WHERE r.queue = p_queue AND r.model = p_model AND r.state IN ('awaiting_approval','pending','claimed','running')
          RETURNING r.id INTO request_id;
          outcome := 'coalesced';
          IF NOT FOUND THEN
            INSERT INTO leeway.retraining_requests AS r (queue, model, model_version, reason, payload, priority, run_after, deadline, state)
            VALUES (p_queue, p_model, p_model_version, p_reason, p_payload, p_priority, coalesce(p_run_after, clock_timestamp()),
                    p_deadline, CASE WHEN p_needs_approval THEN 'awaiting_approval' ELSE 'pending' END::leeway.retraining_state)
            RETURNING r.id INTO request_id;
            outcome := 'created';
            IF NOT p_needs_approval THEN
              PERFORM pg_notify('leeway_retraining', json_build_object('id', request_id, 'queue', p_queue)::text);
            END IF;
          END IF;
          INSERT INTO leeway.retraining_triggers (queue, model, idempotency_key, request_id, reason, payload)
          VALUES (p_queue, p_model, p_idempotency_key, request_id, p_reason, p_payload);
        END $$;

        -- CLAIM
        CREATE FUNCTION leeway.claim_retraining_requests(
          p_worker text, p_limit integer DEFAULT 1, p_lease interval DEFAULT '5 minutes', p_queue text DEFAULT 'default')
        RETURNS TABLE (id uuid, lease_token bigint, lease_expires_at timestamptz, queue text, model text, model_version text,
                       reason text, payload jsonb, attempt smallint, max_attempts smallint, deadline timestamptz)
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        #variable_conflict use_column
        BEGIN
          IF p_lease NOT BETWEEN interval '10 seconds' AND interval '1 hour' OR p_limit NOT BETWEEN 1 AND 100 THEN
            RAISE EXCEPTION 'lease must be 10 s to 1 h and limit 1 to 100' USING ERRCODE = 'invalid_parameter_value';
          END IF;
          IF NOT EXISTS (SELECT 1 FROM leeway.orchestrator_queues q
                         WHERE q.queue = p_queue AND pg_has_role(session_user, q.role_name, 'MEMBER')) THEN
            RAISE EXCEPTION 'role % may not work queue %', session_user, p_queue USING ERRCODE = 'insufficient_privilege';
          END IF;
          RETURN QUERY
          WITH pick AS MATERIALIZED (
            SELECT r.id FROM leeway.retraining_requests r
             WHERE r.state = 'pending' AND r.queue = p_queue AND r.run_after <= clock_timestamp()
               AND (r.deadline IS NULL OR r.deadline > clock_timestamp())
             ORDER BY r.priority, r.run_after, r.id
             LIMIT p_limit FOR UPDATE SKIP LOCKED)
          UPDATE leeway.retraining_requests r
             SET state = 'claimed', attempt = r.attempt + 1, lease_token = nextval('leeway.retraining_lease_token'),
                 lease_owner = session_user || '/' || p_worker, lease_expires_at = clock_timestamp() + p_lease,
                 heartbeat_at = clock_timestamp(), external_run_id = NULL, external_run_url = NULL, progress = NULL
            FROM pick WHERE r.id = pick.id
          RETURNING r.id, r.lease_token, r.lease_expires_at, r.queue, r.model, r.model_version, r.reason, r.payload,
                    r.attempt, r.max_attempts, r.deadline;
        END $$;

        -- HEARTBEAT: also carries "running" plus the run id. Returns 'ok', 'cancel' (stop the run, then fail it), or 'lost'.
        CREATE FUNCTION leeway.heartbeat_retraining_request(
          p_id uuid, p_lease_token bigint, p_lease interval DEFAULT '5 minutes',
          p_external_run_id text DEFAULT NULL, p_external_run_url text DEFAULT NULL, p_progress jsonb DEFAULT NULL)
        RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE c boolean;
        BEGIN
          UPDATE leeway.retraining_requests r
             SET lease_expires_at = clock_timestamp() + least(greatest(p_lease, interval '10 seconds'), interval '1 hour'),
                 heartbeat_at = clock_timestamp(),
                 state = CASE WHEN p_external_run_id IS NOT NULL THEN 'running'::leeway.retraining_state ELSE r.state END,
                 external_run_id  = coalesce(p_external_run_id,  r.external_run_id),
                 external_run_url = coalesce(p_external_run_url, r.external_run_url),
                 progress         = coalesce(p_progress,         r.progress)
           WHERE r.id = p_id AND r.lease_token = p_lease_token AND r.state IN ('claimed','running')
          RETURNING r.cancel_requested INTO c;
          RETURN CASE WHEN NOT FOUND THEN 'lost' WHEN c THEN 'cancel' ELSE 'ok' END;
        END $$;

        -- COMPLETE: idempotent for the same token
        CREATE FUNCTION leeway.complete_retraining_request(p_id uuid, p_lease_token bigint, p_result jsonb DEFAULT '{}')
        RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
          UPDATE leeway.retraining_requests r
             SET state = 'succeeded', result = p_result || jsonb_build_object('lease_token', p_lease_token),
                 finalized_at = clock_timestamp(), lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL
           WHERE r.id = p_id AND r.lease_token = p_lease_token AND r.state IN ('claimed','running');
          IF FOUND THEN RETURN 'ok'; END IF;
          PERFORM 1 FROM leeway.retraining_requests r
           WHERE r.id = p_id AND r.state = 'succeeded' AND (r.result->>'lease_token')::bigint = p_lease_token;
          RETURN CASE WHEN FOUND THEN 'ok' ELSE 'lost' END;
        END $$;

        -- FAIL: retryable goes back to pending with exponential back-off and jitter; otherwise, or when attempts are used up, final
        CREATE FUNCTION leeway.fail_retraining_request(
          p_id uuid, p_lease_token bigint, p_error text, p_retryable boolean DEFAULT true)
        RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE s leeway.retraining_state;
        BEGIN
          UPDATE leeway.retraining_requests r
             SET state = CASE WHEN r.cancel_requested THEN 'cancelled'
                              WHEN p_retryable AND r.attempt < r.max_attempts THEN 'pending'
                              ELSE 'failed' END::leeway.retraining_state,
                 run_after = clock_timestamp() + least(interval '6 hours', interval '1 minute' * (2 ^ least(r.attempt, 10)))
                             * (0.8 + 0.4 * random()),
                 finalized_at = CASE WHEN NOT r.cancel_requested AND p_retryable AND r.attempt < r.max_attempts
                                     THEN NULL ELSE clock_timestamp() END,
                 last_error = left(p_error, 4000), lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL
           WHERE r.id = p_id AND r.lease_token = p_lease_token AND r.state IN ('claimed','running')
          RETURNING r.state INTO s;
          RETURN coalesce(s::text, 'lost');
        END $$;

        -- VERIFY: written by the monitoring service after the new version's ground truth has matured
        CREATE FUNCTION leeway.verify_retraining_request(p_id uuid, p_verification jsonb) RETURNS text
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
          UPDATE leeway.retraining_requests r SET verification = p_verification
           WHERE r.id = p_id AND r.state = 'succeeded';
          RETURN CASE WHEN FOUND THEN 'ok' ELSE 'not succeeded' END;
        END $$;

        -- ALLOW: which login may work which queue
        CREATE FUNCTION leeway.allow_orchestrator(p_role name, p_queue text) RETURNS void
        LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
          INSERT INTO leeway.orchestrator_queues (role_name, queue) VALUES (p_role, p_queue) ON CONFLICT DO NOTHING
        $$;

        -- SWEEP: run every minute by the service; returns how many rows it touched
        CREATE FUNCTION leeway.sweep_retraining_requests() RETURNS integer
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE n integer; m integer;
        BEGIN
          WITH dead AS MATERIALIZED (
            SELECT r.id FROM leeway.retraining_requests r
             WHERE r.state IN ('claimed','running') AND r.lease_expires_at < clock_timestamp()
             FOR UPDATE SKIP LOCKED)
          UPDATE leeway.retraining_requests r
             SET state = CASE WHEN r.cancel_requested THEN 'cancelled' WHEN r.attempt < r.max_attempts THEN 'pending'
                              ELSE 'failed' END::leeway.retraining_state,
                 finalized_at = CASE WHEN r.cancel_requested OR r.attempt >= r.max_attempts THEN clock_timestamp() END,
                 last_error = 'lease expired; last worker ' || r.lease_owner,
                 lease_token = NULL, lease_owner = NULL, lease_expires_at = NULL
            FROM dead WHERE r.id = dead.id;
          GET DIAGNOSTICS n = ROW_COUNT;
          UPDATE leeway.retraining_requests r SET state = 'expired', finalized_at = clock_timestamp()
           WHERE r.state IN ('awaiting_approval','pending') AND r.deadline < clock_timestamp();
          GET DIAGNOSTICS m = ROW_COUNT;
          RETURN n + m;
        END $$;

        -- CANCEL (service): immediate when not held, otherwise asks the holder through its next heartbeat
        CREATE FUNCTION leeway.cancel_retraining_request(p_id uuid) RETURNS text
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE s leeway.retraining_state;
        BEGIN
          UPDATE leeway.retraining_requests r
             SET cancel_requested = true,
                 state = CASE WHEN r.state IN ('awaiting_approval','pending') THEN 'cancelled'::leeway.retraining_state ELSE r.state END,
                 finalized_at = CASE WHEN r.state IN ('awaiting_approval','pending') THEN clock_timestamp() END
           WHERE r.id = p_id AND r.finalized_at IS NULL RETURNING r.state INTO s;
          RETURN coalesce(s::text, 'final');
        END $$;

        CREATE FUNCTION leeway.approve_retraining_request(p_id uuid, p_approved boolean) RETURNS text
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        DECLARE s leeway.retraining_state; q text;
        BEGIN
          UPDATE leeway.retraining_requests r
             SET state = CASE WHEN p_approved THEN 'pending' ELSE 'cancelled' END::leeway.retraining_state,
                 finalized_at = CASE WHEN p_approved THEN NULL ELSE clock_timestamp() END
           WHERE r.id = p_id AND r.state = 'awaiting_approval' RETURNING r.state, r.queue INTO s, q;
          IF s = 'pending' THEN PERFORM pg_notify('leeway_retraining', json_build_object('id', p_id, 'queue', q)::text); END IF;
          RETURN coalesce(s::text, 'not awaiting approval');
        END $$;

        -- a stable, narrow view for sensors that can only SELECT (Airflow SqlSensor, Dagster sensor, Grafana)
        CREATE VIEW leeway.retraining_queue WITH (security_barrier) AS
          SELECT r.id, r.queue, r.model, r.model_version, r.state, r.priority, r.reason, r.attempt, r.max_attempts, r.created_at,
                 r.run_after, r.deadline, r.lease_owner, r.lease_expires_at, r.external_run_id, r.finalized_at,
                 (r.state = 'pending' AND r.run_after <= now() AND (r.deadline IS NULL OR r.deadline > now())) AS claimable
            FROM leeway.retraining_requests r
           WHERE pg_has_role(session_user, 'leeway_service', 'MEMBER') OR pg_has_role(session_user, 'leeway_reader', 'MEMBER')
              OR EXISTS (SELECT 1 FROM leeway.orchestrator_queues q
                         WHERE q.queue = r.queue AND pg_has_role(session_user, q.role_name, 'MEMBER'));

        -- PostgreSQL grants EXECUTE on a new function to PUBLIC, and a per-schema default cannot take that away
        REVOKE ALL ON ALL FUNCTIONS IN SCHEMA leeway FROM PUBLIC;
        GRANT SELECT ON leeway.retraining_queue TO leeway_service, leeway_orchestrator, leeway_reader;
        GRANT SELECT ON leeway.retraining_requests, leeway.retraining_triggers TO leeway_service;
        GRANT SELECT ON leeway.retraining_events TO leeway_service, leeway_reader;
        GRANT EXECUTE ON FUNCTION leeway.claim_retraining_requests(text, integer, interval, text),
          leeway.heartbeat_retraining_request(uuid, bigint, interval, text, text, jsonb),
          leeway.complete_retraining_request(uuid, bigint, jsonb),
          leeway.fail_retraining_request(uuid, bigint, text, boolean) TO leeway_orchestrator;
        GRANT EXECUTE ON FUNCTION
          leeway.file_retraining_request(text, text, text, text, text, jsonb, smallint, timestamptz, timestamptz, boolean),
          leeway.verify_retraining_request(uuid, jsonb),
          leeway.sweep_retraining_requests(), leeway.cancel_retraining_request(uuid),
          leeway.approve_retraining_request(uuid, boolean) TO leeway_service;
        COMMENT ON SCHEMA leeway IS 'leeway contract 1';
        RESET ROLE;
        """#
}
