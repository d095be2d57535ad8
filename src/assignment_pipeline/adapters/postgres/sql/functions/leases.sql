-- Leases: the locks of `PostgresLockManager`. An acquire waits only for other acquires of the same key that run at that
-- moment. All of them take keys in the same order.

-- Take every wanted key, or none. Returns the end of the leases, or {"refused": key}. A client that repeats an acquire
-- after a lost answer gets its existing leases, because only the holder knows the nonce.
CREATE FUNCTION assignment_pipeline.acquire(doc jsonb) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off SET lock_timeout = '10s' AS $$
DECLARE
    moment timestamptz;
    ending timestamptz;
    want record;
    held integer;
BEGIN
    PERFORM pg_advisory_xact_lock(id)
    FROM (
        SELECT DISTINCT hashtextextended($key$assignment_pipeline.$key$ || (value->>'key'), 1885958245) AS id
        FROM jsonb_array_elements(doc->'wanted') ORDER BY 1
    ) AS keys;
    moment := coalesce((doc->>'now')::timestamptz, clock_timestamp());
    ending := moment + (doc->>'ttl')::interval;
    IF (doc->>'sweep')::boolean THEN
        DELETE FROM assignment_pipeline.assignment_leases WHERE expires_at <= moment;
    END IF;
    FOR want IN
        SELECT * FROM jsonb_to_recordset(doc->'wanted') AS w("key" text, slots integer, nonce text)
    LOOP
        SELECT count(*) INTO held FROM assignment_pipeline.assignment_leases l
        WHERE l."key" = want."key" AND l.expires_at > moment AND l.nonce <> want.nonce;
        IF held >= want.slots THEN
            DELETE FROM assignment_pipeline.assignment_leases l
            USING jsonb_to_recordset(doc->'wanted') AS w("key" text, nonce text)
            WHERE l."key" = w."key" AND l.nonce = w.nonce;
            RETURN json_build_object('refused', want."key");
        END IF;
        INSERT INTO assignment_pipeline.assignment_leases AS l ("key", slot, owner, nonce, expires_at)
        SELECT want."key", coalesce(
            (SELECT o.slot FROM assignment_pipeline.assignment_leases o WHERE o."key" = want."key" AND o.nonce = want.nonce),
            min(free)
        ), doc->>'owner', want.nonce, ending
        FROM generate_series(0, want.slots - 1) AS free
        WHERE NOT EXISTS (
            SELECT FROM assignment_pipeline.assignment_leases o
            WHERE o."key" = want."key" AND o.slot = free AND o.expires_at > moment
        )
        ON CONFLICT ("key", slot) DO UPDATE
        SET owner = excluded.owner, nonce = excluded.nonce, expires_at = excluded.expires_at;
    END LOOP;
    RETURN to_json(ending);
END
$$;

-- Release leases. The nonce has to match, so only the holder can release a lease.
CREATE FUNCTION assignment_pipeline.release(held jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
BEGIN
    DELETE FROM assignment_pipeline.assignment_leases l
    USING jsonb_to_recordset(held) AS h("key" text, nonce text)
    WHERE l."key" = h."key" AND l.nonce = h.nonce;
END
$$;
