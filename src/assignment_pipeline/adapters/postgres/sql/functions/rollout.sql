-- The rollout: the revision in force, and its changes.

-- Commits compare the row in force. The history says who changed it, and why.
CREATE VIEW assignment_pipeline.rollout_in_force AS
SELECT
    r.generation, r.phase, r.settings, h.actor, h.reason, coalesce(h.forced, false) AS forced,
    coalesce(h.evidence, '{}') AS evidence, r.updated_at AS created_at
FROM assignment_pipeline.assignment_rollout r
LEFT JOIN assignment_pipeline.assignment_rollout_history h ON h.generation = r.generation
WHERE r.id = 1;

-- Put a revision in force, if the one before it is in force. Returns the revision in force afterwards. Commits that begin
-- later find it. Commits that began before hold the lock that `await_commits` waits for.
CREATE FUNCTION assignment_pipeline.revise(doc jsonb) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s' AS $$
DECLARE
    moment timestamptz := coalesce((doc->>'now')::timestamptz, now());
    one record;
BEGIN
    SELECT * INTO one FROM jsonb_populate_record(NULL::assignment_pipeline.assignment_rollout_history, doc->'revision');
    UPDATE assignment_pipeline.assignment_rollout
    SET generation = one.generation, phase = one.phase, settings = one.settings, updated_at = moment
    WHERE id = 1 AND generation = one.generation - 1;
    IF FOUND THEN
        INSERT INTO assignment_pipeline.assignment_rollout_history
            (generation, phase, settings, actor, reason, forced, evidence, created_at)
        VALUES (one.generation, one.phase, one.settings, one.actor, one.reason, one.forced, one.evidence, moment);
        PERFORM assignment_pipeline.tell(doc->'events');
    END IF;
    RETURN (SELECT row_to_json(r) FROM assignment_pipeline.rollout_in_force r);
END
$$;

-- Wait until every running commit has ended: commits share the lock that this takes exclusively. The wait is short, because
-- new commits wait for it.
CREATE FUNCTION assignment_pipeline.await_commits() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '250ms' AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1634956137, hashtext($key$assignment_pipeline.$key$));
END
$$;
