-- The locks of restaurants. A commit holds that of each restaurant that it changes until its transaction ends, so that
-- what it reads about a table is still true when it writes. A function that is not STABLE sees, in each of its
-- statements, what had landed by then: what is read behind a lock is not older than the lock.
-- Each key has the name of this schema in it, so that two deployments in one database never wait for each other. The
-- number is "assi" as text; it keeps off locks of the host's own.

-- Take the commit locks of these restaurants until this transaction ends, in one order, so that no two callers wait
-- for each other. Names the session that holds a lock for too long: the caller's transaction is often one of the same
-- program.
CREATE FUNCTION assignment_pipeline.take_restaurants(restaurants text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted record;
    holder record;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'expected a transaction at READ COMMITTED, got %: what it reads may be older than the lock',
            upper(current_setting('transaction_isolation'))
        USING ERRCODE = 'AP001', DETAIL = current_setting('transaction_isolation');
    END IF;
    FOR wanted IN
        SELECT hashtextextended($key$assignment_pipeline.$key$ || name, 1634956137) AS id, min(name) AS name
        FROM unnest(restaurants) AS name WHERE name IS NOT NULL GROUP BY 1 ORDER BY 1
    LOOP
        PERFORM pg_advisory_xact_lock(wanted.id);
    END LOOP;
EXCEPTION WHEN lock_not_available THEN
    SELECT l.pid, a.state, date_trunc('second', clock_timestamp() - a.xact_start) AS age INTO holder
    FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.classid::bigint = (wanted.id >> 32) & 4294967295 AND l.objid::bigint = wanted.id & 4294967295
    LIMIT 1;
    RAISE EXCEPTION 'waited % for the commit lock of restaurant %, which another transaction holds%: %',
        current_setting('lock_timeout'), quote_literal(wanted.name),
        coalesce(format(' (session %s, %s, open for %s)', holder.pid, coalesce(holder.state, 'not ours to see'), coalesce(holder.age::text, 'some time')), ''),
        'commit it or roll it back, and keep such transactions short'
    USING ERRCODE = 'lock_not_available';
END
$$;

-- The same, for the commits of the pipeline. They share a lock that a change of the rollout takes exclusively: once it
-- has that lock, no commit that began under the former generation can land.
CREATE FUNCTION assignment_pipeline.lock_restaurants(restaurants jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1634956137, hashtext($key$assignment_pipeline.$key$));
    PERFORM assignment_pipeline.take_restaurants(ARRAY(SELECT jsonb_array_elements_text(restaurants)));
END
$$;

-- Keep the pipeline's commits at these restaurants out until this transaction ends. For code that gives tables away
-- beside the pipeline: guard, look in statements of their own, write, commit. Where the transaction is left idle for
-- longer than a commit of the pipeline may be, the server ends it, unless the session has its own bound.
CREATE FUNCTION assignment_pipeline.guard(VARIADIC restaurants text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s' AS $$
DECLARE
    called_from text;
BEGIN
    GET DIAGNOSTICS called_from = PG_CONTEXT;
    -- Where the statement is the whole transaction, the lock would end with it. That shows only in a message without
    -- parameters, and it is not so in a function or a trigger that goes on, or where more statements follow.
    IF statement_timestamp() = transaction_timestamp() AND called_from !~ '\n' AND current_query() !~ ';\s*\S' THEN
        RAISE EXCEPTION 'guard: expected a transaction that is open, got none: send BEGIN before it'
        USING ERRCODE = 'no_active_sql_transaction';
    END IF;
    IF coalesce(cardinality(restaurants), 0) = 0 OR array_position(restaurants, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'guard: expected the ids of restaurants, got %', coalesce(restaurants::text, 'NULL')
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF current_setting('idle_in_transaction_session_timeout') = '0' THEN
        PERFORM set_config('idle_in_transaction_session_timeout', '30s', true);
    END IF;
    PERFORM assignment_pipeline.take_restaurants(restaurants);
END
$$;
