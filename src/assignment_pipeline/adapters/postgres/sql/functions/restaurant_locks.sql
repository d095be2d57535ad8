-- The locks of restaurants. A commit holds the lock of each restaurant that it changes until its transaction ends. So what
-- it reads about a table is still true when it writes. A function that is not STABLE takes a new snapshot for each statement,
-- so a statement behind a lock sees every commit from before the lock.
-- Each key contains the name of this schema: two deployments in one database never wait for each other. The number is "assi"
-- as text, and differs from the host's own locks.

-- Take the commit locks of these restaurants until this transaction ends, always in the same order, so that there are no
-- deadlocks. If a lock is not free in time, the error names the session that holds it: often another transaction of the
-- same program.
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

-- The same, for commits of the pipeline. These share one more lock, which a change of the rollout takes exclusively. Once
-- the change has that lock, no commit of the former generation can land.
CREATE FUNCTION assignment_pipeline.lock_restaurants(restaurants jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1634956137, hashtext($key$assignment_pipeline.$key$));
    -- Most commits want one restaurant, whose lock is free.
    IF jsonb_array_length(restaurants) = 1 AND current_setting('transaction_isolation') = 'read committed' THEN
        IF pg_try_advisory_xact_lock(hashtextextended($key$assignment_pipeline.$key$ || (restaurants->>0), 1634956137)) THEN
            RETURN;
        END IF;
    END IF;
    PERFORM assignment_pipeline.take_restaurants(ARRAY(SELECT jsonb_array_elements_text(restaurants)));
END
$$;

-- Keep the pipeline's commits at this restaurant out until this transaction ends. For code that gives tables away beside
-- the pipeline: call this, read in later statements, write, commit. The server ends the transaction if it is idle for longer
-- than a commit of the pipeline may be, unless the session has a limit of its own.
CREATE FUNCTION assignment_pipeline.guard(VARIADIC restaurants text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s' AS $$
DECLARE
    called_from text;
BEGIN
    GET DIAGNOSTICS called_from = PG_CONTEXT;
    -- If this statement is the whole transaction, the lock ends with the statement. We can only tell for a message without
    -- parameters. A function, a trigger or a message with more statements keeps the lock.
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
