-- What the store reads, in one snapshot: a STABLE function uses the snapshot of its caller's statement. The functions switch
-- sequential scans off. Otherwise, wrong or missing statistics could make the planner read the whole past.

-- A record with its tables, as the store reads it.
CREATE VIEW assignment_pipeline.record_documents AS
SELECT
    {r.RECORD},
    (
        SELECT json_agg(json_build_array({a.SEAT}) ORDER BY a.table_id)
        FROM assignment_pipeline.booking_table_assignments a WHERE a.booking_id = r.booking_id
    ) AS seats
FROM assignment_pipeline.assignment_records r;

-- Our seats, column by column, our blocks, and the tables of all parties that sit, at a restaurant from *span_start* to
-- *span_end*. There are many seats, and PostgreSQL writes a column of them faster than rows. The caller
-- works out for how long sitting parties keep their tables. A booking blocks at most a turn of 24 hours between two buffers
-- of 6, so the search in the span index starts 36 hours earlier.
CREATE FUNCTION assignment_pipeline.taken(restaurant text, span_start timestamptz, span_end timestamptz)
RETURNS json LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
BEGIN
    RETURN json_build_array(
        (
            SELECT json_build_array(
                json_agg(table_id), json_agg(start_at), json_agg(end_at), json_agg(booking_id), json_agg(movable)
            )
            FROM assignment_pipeline.booking_table_assignments
            WHERE restaurant_id = restaurant AND start_at > span_start - interval '36 hours'
                AND start_at < span_end AND end_at > span_start
        ),
        (
            SELECT json_agg(json_build_array(table_id, start_at, end_at, reason))
            FROM assignment_pipeline.table_blocks
            WHERE restaurant_id = restaurant AND end_at > span_start AND start_at < span_end
        ),
        (
            SELECT json_agg(json_build_array({SEAT}))
            FROM assignment_pipeline.booking_table_assignments
            WHERE restaurant_id = restaurant AND seated_at IS NOT NULL AND left_at IS NULL
        )
    );
END
$$;

-- The parties with tables that arrive from *span_start* to *span_end*, as booked. Their tables
-- are blocked from less than 12 hours before that time on, or less than 12 hours after it.
CREATE FUNCTION assignment_pipeline.arrivals(restaurant text, span_start timestamptz, span_end timestamptz)
RETURNS TABLE (booking_id text, start_at timestamptz, party_size integer, channel text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
BEGIN
    RETURN QUERY
    SELECT r.booking_id::text, r.start_at, (r.booking->>'party_size')::integer, r.booking->>'channel'
    FROM assignment_pipeline.assignment_records r
    WHERE r.start_at >= span_start AND r.start_at < span_end AND r.booking_id IN (
        SELECT a.booking_id FROM assignment_pipeline.booking_table_assignments a
        WHERE a.restaurant_id = restaurant
            AND a.start_at > span_start - interval '12 hours' AND a.start_at < span_end + interval '12 hours'
    );
END
$$;

-- The turn of a party of that size, in minutes, for a booking without an end. If turns depend on the service period, the
-- longest one. The same as `Venue.wanted`.
CREATE FUNCTION assignment_pipeline.turn_minutes(policy jsonb, party integer) RETURNS integer
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    band jsonb;
BEGIN
    IF (policy->'derived'->>'turns_vary')::boolean THEN
        RETURN (policy->'derived'->>'longest_turn_minutes')::integer;
    END IF;
    FOR band IN SELECT value FROM jsonb_array_elements(policy->'turn_bands') LOOP
        EXIT WHEN party <= (band->>'up_to')::integer;
    END LOOP;
    RETURN (band->>'minutes')::integer;
END
$$;

-- Everything that planning reads: the time, the rollout's generation, and records. The records are those of the bookings in
-- *ids*, and of bookings that have tables or may wait for some on the given day; the caller drops the ones of other days. For
-- our own host what `look` finds, behind the venue unless the caller knows it.
CREATE FUNCTION assignment_pipeline.load(query jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    restaurant text := query->>'restaurant_id';
    ids text[] := ARRAY(SELECT jsonb_array_elements_text(query->'ids'));
    day_start timestamptz := query->>'day_start';
    day_end timestamptz := query->>'day_end';
    span_start timestamptz := day_start;
    span_end timestamptz := day_end;
    asked_start timestamptz;
    asked_end timestamptz;
    venue record;
    before interval;
    behind interval;
    margin interval;
    seen text;
BEGIN
    IF (query->>'standalone')::boolean THEN
        SELECT version, policy INTO venue FROM assignment_pipeline.restaurants WHERE id = restaurant;
        IF NOT FOUND THEN
            RETURN '{"venue": null}';
        END IF;
    END IF;
    IF day_start IS NOT NULL THEN
        -- A waiting booking has no tables, so only its start is known.
        ids := ARRAY(
            SELECT unnest(ids)
            UNION
            SELECT booking_id FROM assignment_pipeline.booking_table_assignments
            WHERE restaurant_id = restaurant AND start_at > day_start - interval '36 hours'
                AND start_at < day_end AND end_at > day_start
            UNION
            SELECT booking_id FROM assignment_pipeline.assignment_records
            WHERE restaurant_id = restaurant AND start_at >= day_start - interval '24 hours' AND start_at < day_end
                AND owner = 'pipeline' AND state IN ({WAKEABLE})
        );
        SELECT least(day_start, min(start_at)), greatest(day_end, max(end_at)) INTO span_start, span_end
        FROM assignment_pipeline.booking_table_assignments WHERE booking_id = ANY (ids);
    END IF;
    IF NOT (query->>'standalone')::boolean THEN
        RETURN json_build_object(
            'now', coalesce((query->>'now')::timestamptz, now()),
            'generation', (SELECT generation FROM assignment_pipeline.assignment_rollout WHERE id = 1),
            'records', (
                SELECT json_agg(d) FROM assignment_pipeline.record_documents d WHERE d.booking_id = ANY (ids)
            )
        );
    END IF;
    before := make_interval(mins => (venue.policy->>'pre_buffer_minutes')::integer);
    behind := make_interval(mins => (venue.policy->>'post_buffer_minutes')::integer);
    SELECT min(start_at), max(
        coalesce(
            end_at,
            start_at + make_interval(mins => assignment_pipeline.turn_minutes(venue.policy, party_size))
        )
    )
    INTO asked_start, asked_end
    FROM (
        SELECT * FROM jsonb_to_recordset(query->'given') AS g(start_at timestamptz, end_at timestamptz, party_size integer)
        UNION ALL
        SELECT  -- The host's word, else the record's.
            coalesce(b.start_at, (r.booking->>'start_at')::timestamptz),
            CASE WHEN b.id IS NULL THEN (r.booking->>'end_at')::timestamptz ELSE b.end_at END,
            coalesce(b.party_size, (r.booking->>'party_size')::integer)
        FROM jsonb_array_elements_text(query->'named') AS named(id)
        LEFT JOIN assignment_pipeline.bookings b ON b.id = named.id
        LEFT JOIN assignment_pipeline.assignment_records r ON r.booking_id = named.id
    ) AS asked;
    IF asked_start IS NOT NULL THEN
        -- The same as `Venue.planning_window`: the blocked window, and a margin for its neighbours.
        margin := before + behind + make_interval(
            mins => (venue.policy->'derived'->>'reach_minutes')::integer
                + (venue.policy->'derived'->>'longest_turn_minutes')::integer
                + (venue.policy->'derived'->>'longest_slot_minutes')::integer
        );
        asked_start := asked_start - before - margin;
        asked_end := asked_end + behind + margin;
        span_start := least(span_start, asked_start);
        span_end := greatest(span_end, asked_end);
    END IF;
    seen := assignment_pipeline.look(
        restaurant, venue.version, (query->>'now')::timestamptz, ids, span_start, span_end, venue.policy->'pacing' <> '[]'
    );
    IF venue.version = query->>'known_version' THEN
        RETURN seen;
    END IF;
    RETURN json_build_object(
        'venue', (SELECT to_json(v) FROM assignment_pipeline.venue_documents v WHERE v.id = restaurant),
        'found', seen::json
    );
END
$$;

-- What planning reads at a standalone host, in one query: besides the time, the generation and the records also the bookings,
-- and what is taken in the time span, if there is one. A caller that knows the venue passes the span itself, and whether the
-- venue has caps on arrivals. Null if the venue has another version by now.
CREATE FUNCTION assignment_pipeline.look(
    restaurant text, known_version text, told timestamptz, ids text[], span_start timestamptz, span_end timestamptz,
    paced boolean
) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
BEGIN
    RETURN (
        SELECT json_build_object(
            'now', coalesce(told, now()),
            'generation', (SELECT generation FROM assignment_pipeline.assignment_rollout WHERE id = 1),
            'venue', v.version,
            'records', (
                SELECT json_agg(d) FROM assignment_pipeline.record_documents d WHERE d.booking_id = ANY (ids)
            ),
            'bookings', (SELECT json_agg(b) FROM assignment_pipeline.booking_documents b WHERE b.id = ANY (ids)),
            'taken', CASE WHEN span_start IS NOT NULL THEN json_build_array(
                (
                    SELECT json_build_array(
                        json_agg(table_id), json_agg(start_at), json_agg(end_at), json_agg(booking_id), json_agg(movable)
                    )
                    FROM assignment_pipeline.booking_table_assignments
                    WHERE restaurant_id = restaurant AND start_at > span_start - interval '36 hours'
                        AND start_at < span_end AND end_at > span_start
                ),
                (
                    SELECT json_agg(json_build_array(table_id, start_at, end_at, reason))
                    FROM assignment_pipeline.table_blocks
                    WHERE restaurant_id = restaurant AND end_at > span_start AND start_at < span_end
                ),
                (
                    SELECT json_agg(json_build_array({SEAT}))
                    FROM assignment_pipeline.booking_table_assignments
                    WHERE restaurant_id = restaurant AND seated_at IS NOT NULL AND left_at IS NULL
                )
            ) END,
            'arrivals', CASE WHEN paced AND span_start IS NOT NULL THEN (
                SELECT json_agg(a) FROM assignment_pipeline.arrivals(restaurant, span_start, span_end) AS a
            ) END
        )
        FROM assignment_pipeline.restaurants v WHERE v.id = restaurant AND v.version = known_version
    );
END
$$;

-- A page of records by booking id, with the time. Each kind of query uses its own index.
CREATE FUNCTION assignment_pipeline.page(query jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    restaurant text := query->>'restaurant_id';
    ids text[] := ARRAY(SELECT jsonb_array_elements_text(query->'booking_ids'));
    wanted text[] := ARRAY(SELECT jsonb_array_elements_text(query->'states'));
    behind text := coalesce(query->>'after', '');
    most integer := query->>'limit';
    answer json;
BEGIN
    IF ids <> '{}' THEN
        SELECT json_agg(d) INTO answer FROM (
            SELECT * FROM assignment_pipeline.record_documents
            WHERE booking_id = ANY (ids) AND booking_id > behind
                AND (restaurant IS NULL OR restaurant_id = restaurant) AND (wanted = '{}' OR state = ANY (wanted))
            ORDER BY booking_id LIMIT most
        ) AS d;
    ELSIF (query->>'sitting')::boolean THEN
        SELECT json_agg(d) INTO answer FROM (
            SELECT d.* FROM assignment_pipeline.record_documents d
            WHERE d.booking_id IN (
                SELECT a.booking_id FROM assignment_pipeline.booking_table_assignments a
                WHERE a.seated_at IS NOT NULL AND a.left_at IS NULL AND (restaurant IS NULL OR a.restaurant_id = restaurant)
            ) AND d.booking_id > behind AND (wanted = '{}' OR d.state = ANY (wanted))
            ORDER BY d.booking_id LIMIT most
        ) AS d;
    ELSIF (query->>'reviews')::boolean THEN
        -- The soonest arrival first; without a booking, last.
        SELECT json_agg(d ORDER BY queue.arrival, d.booking_id) INTO answer
        FROM (
            SELECT booking_id, coalesce(start_at, '9999-12-31 23:59:59Z') AS arrival
            FROM assignment_pipeline.assignment_records
            WHERE state = 'manual_review' AND (restaurant IS NULL OR restaurant_id = restaurant)
                AND (
                    query->>'behind_id' IS NULL
                    OR coalesce(start_at, '9999-12-31 23:59:59Z') > (query->>'behind_arrival')::timestamptz
                    OR coalesce(start_at, '9999-12-31 23:59:59Z') = (query->>'behind_arrival')::timestamptz
                        AND booking_id > query->>'behind_id'
                )
            ORDER BY arrival, booking_id LIMIT most
        ) AS queue
        JOIN assignment_pipeline.record_documents d ON d.booking_id = queue.booking_id;
    ELSIF restaurant IS NOT NULL AND wanted <> '{}' THEN
        SELECT json_agg(d) INTO answer FROM (
            SELECT * FROM assignment_pipeline.record_documents
            WHERE restaurant_id = restaurant AND state = ANY (wanted) AND booking_id > behind
            ORDER BY booking_id LIMIT most
        ) AS d;
    ELSE
        SELECT json_agg(d) INTO answer FROM (
            SELECT * FROM assignment_pipeline.record_documents
            WHERE booking_id > behind
                AND (restaurant IS NULL OR restaurant_id = restaurant) AND (wanted = '{}' OR state = ANY (wanted))
            ORDER BY booking_id LIMIT most
        ) AS d;
    END IF;
    RETURN json_build_array(coalesce((query->>'now')::timestamptz, now()), answer);
END
$$;

-- Whether a change has landed. Waits for commits of that restaurant that are still running.
CREATE FUNCTION assignment_pipeline.knows(restaurant text, booking text, change text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off SET lock_timeout = '10s' AS $$
BEGIN
    PERFORM assignment_pipeline.lock_restaurants(jsonb_build_array(restaurant));
    RETURN EXISTS (
            SELECT FROM assignment_pipeline.booking_assignment_state_history
            WHERE booking_id = booking AND change_id = change
        )
        OR EXISTS (SELECT FROM assignment_pipeline.assignment_stepless_changes WHERE change_id = change);
END
$$;
