-- The commit: all of an assignment's changes in one transaction, or none.

-- Lock the restaurants of a commit with a host of its own. Returns all restaurants whose tables the changes take or free.
CREATE FUNCTION assignment_pipeline.begin_commit(restaurants jsonb, ids jsonb) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off SET lock_timeout = '10s' AS $$
BEGIN
    PERFORM assignment_pipeline.lock_restaurants(restaurants);
    RETURN (
        SELECT json_agg(restaurant_id) FROM (
            SELECT jsonb_array_elements_text(restaurants) AS restaurant_id
            UNION
            SELECT restaurant_id FROM assignment_pipeline.assignment_records
            WHERE booking_id IN (SELECT jsonb_array_elements_text(ids))
        ) AS concerned
    );
END
$$;

-- The time around a booking for which tables or arrivals that others give up may help it; all time if there is no policy.
-- The same as `Venue.wanted`.
CREATE FUNCTION assignment_pipeline.blocked_span(booking jsonb, policy jsonb) RETURNS tstzrange
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    start_at timestamptz := booking->>'start_at';
    end_at timestamptz := booking->>'end_at';
    slot_minutes integer := (policy->'derived'->>'longest_slot_minutes')::integer;
BEGIN
    IF policy IS NULL THEN
        RETURN '(,)';
    END IF;
    IF end_at IS NULL THEN
        end_at := start_at
            + make_interval(mins => assignment_pipeline.turn_minutes(policy, (booking->>'party_size')::integer));
    END IF;
    RETURN tstzrange(
        start_at - make_interval(mins => (policy->>'pre_buffer_minutes')::integer + slot_minutes),
        end_at + make_interval(mins => (policy->>'post_buffer_minutes')::integer + slot_minutes)
    );
END
$$;

-- The time for which nobody else may have the tables of a booking, as known at a moment. The same as `Allocation.occupied`.
CREATE FUNCTION assignment_pipeline.occupied(seat assignment_pipeline.booking_table_assignments, moment timestamptz)
RETURNS tstzrange LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN seat.seated_at IS NULL OR seat.left_at IS NOT NULL OR moment - seat.seated_at >= interval '24 hours'
            THEN tstzrange(seat.start_at, seat.end_at)
        ELSE tstzrange(
            CASE WHEN seat.start_at > seat.turn_start_at THEN seat.start_at  -- It was given the table while it sat.
                ELSE least(seat.start_at, date_trunc('minute', seat.seated_at)) END,
            CASE WHEN moment < seat.turn_end_at THEN seat.end_at ELSE greatest(
                seat.end_at, date_trunc('minute', moment + interval '59.999999 seconds') + interval '15 minutes'
            ) END
        )
    END
$$;

-- Make waiting bookings due at once, for *freed* tables: restaurant, start, end. Bookings in *besides* are left out. Waiting
-- bookings are found by their start, within the longest slot, turn and buffers around the freed time. One that is claimed
-- stays claimed, and only its schedule moves: the same as `ports.woken_at`.
CREATE FUNCTION assignment_pipeline.wake(freed jsonb, besides text[], policies jsonb, moment timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place record;
BEGIN
    FOR place IN
        SELECT restaurant_id, min(start_at) AS earliest, max(end_at) AS latest,
            array_agg(tstzrange(start_at, end_at)) AS spans
        FROM jsonb_to_recordset(freed) AS f(restaurant_id text, start_at timestamptz, end_at timestamptz)
        GROUP BY restaurant_id
    LOOP
        UPDATE assignment_pipeline.assignment_records r SET next_attempt_at = CASE
            WHEN deliveries > 0 AND next_attempt_at > moment THEN next_attempt_at + interval '1 microsecond' ELSE moment
        END
        WHERE restaurant_id = place.restaurant_id
            AND start_at > place.earliest - interval '54 hours' AND start_at < place.latest + interval '30 hours'
            AND owner = 'pipeline' AND state IN ({WAKEABLE})
            AND (state = 'assignment_pending' OR reason IN ({WAITS_FOR_TABLES}))
            AND booking_id <> ALL (besides)
            AND assignment_pipeline.blocked_span(booking, policies->place.restaurant_id) && ANY (place.spans);
    END LOOP;
END
$$;

-- Write events: what all of them have in common, and what each has besides. An event may come twice, with the same id.
CREATE FUNCTION assignment_pipeline.tell(events jsonb) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO assignment_pipeline.observability_events ({EVENT})
    SELECT {EVENT} FROM jsonb_populate_recordset(
        jsonb_populate_record(NULL::assignment_pipeline.observability_events, events->0), events->1
    )
    ON CONFLICT DO NOTHING;
END
$$;

-- Write all changes, or none. Returns null, or the reason for a refusal. A refusal writes nothing:
-- {"stale": booking, "what": ...}, {"generation": found, "expected": ...} or {"contested": [tables]}.
CREATE FUNCTION assignment_pipeline.commit(doc jsonb) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off SET lock_timeout = '10s' AS $$
DECLARE
    moment timestamptz := coalesce((doc->>'now')::timestamptz, now());
    standalone boolean := (doc->>'standalone')::boolean;
    ids text[];
    records assignment_pipeline.assignment_records[];
    seats assignment_pipeline.booking_table_assignments[];
    others assignment_pipeline.booking_table_assignments[];  -- these, and the tables that the host has given away
    in_force bigint;
    existing text[];
    booked text[];
    moved_bookings text[];
    moved_venues text[];
    policies jsonb := doc->'policies';
    stale record;
    crowded text;
    contested json;
    freed jsonb;
BEGIN
    SELECT
        ARRAY(SELECT jsonb_array_elements_text(doc->'ids')),
        ARRAY(SELECT r FROM jsonb_populate_recordset(NULL::assignment_pipeline.assignment_records, doc->'records') AS r),
        ARRAY(SELECT s FROM jsonb_populate_recordset(NULL::assignment_pipeline.booking_table_assignments, doc->'seats') AS s)
    INTO ids, records, seats;
    PERFORM assignment_pipeline.lock_restaurants(doc->'restaurants');

    SELECT
        ARRAY(
            SELECT booking_id FROM assignment_pipeline.assignment_records
            WHERE booking_id = ANY (ids) ORDER BY booking_id FOR UPDATE
        ),
        (SELECT generation FROM assignment_pipeline.assignment_rollout WHERE id = 1)
    INTO existing, in_force;
    IF standalone THEN
        booked := ARRAY(
            SELECT id FROM assignment_pipeline.bookings WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE
        );
        SELECT
            array_agg(c.booking_id) FILTER (WHERE
                ({b.STORED_BOOKING}) IS DISTINCT FROM ({c.READ_BOOKING})
            ),
            array_agg(c.booking_id) FILTER (WHERE v.version IS DISTINCT FROM c.venue_version)
        INTO moved_bookings, moved_venues
        FROM jsonb_to_recordset(doc->'changes') AS c(
            booking_id text, restaurant_id text, planned boolean, venue_version text, booking jsonb
        )
        LEFT JOIN assignment_pipeline.bookings b ON b.id = c.booking_id AND b.id = ANY (booked)
        LEFT JOIN assignment_pipeline.restaurants v ON v.id = c.restaurant_id
        WHERE c.planned;
    ELSE
        moved_bookings := ARRAY(SELECT jsonb_array_elements_text(doc->'moved_bookings'));
        moved_venues := ARRAY(SELECT jsonb_array_elements_text(doc->'moved_venues'));
    END IF;

    SELECT * INTO stale FROM (
        SELECT c.booking_id, c.generation, CASE
            WHEN r.version IS DISTINCT FROM c.expected_version THEN 'version'
            WHEN c.stepless IS NOT NULL AND EXISTS (
                SELECT FROM assignment_pipeline.assignment_stepless_changes s WHERE s.change_id = c.stepless
            ) THEN 'version'
            WHEN NOT c.planned THEN NULL
            WHEN c.generation <> in_force THEN 'generation'
            WHEN c.booking_id = ANY (moved_bookings) THEN 'booking'
            WHEN c.booking_id = ANY (moved_venues) THEN 'venue'
            WHEN r.next_attempt_at IS DISTINCT FROM c.next_attempt_at THEN 'schedule'
            WHEN coalesce(r.pinned, false) <> c.pinned THEN 'pinned'
        END AS what
        FROM jsonb_to_recordset(doc->'changes') AS c(
            booking_id text, expected_version bigint, stepless text, planned boolean, generation bigint,
            next_attempt_at timestamptz, pinned boolean
        )
        LEFT JOIN assignment_pipeline.assignment_records r ON r.booking_id = c.booking_id AND r.booking_id = ANY (existing)
    ) AS c
    WHERE what IS NOT NULL ORDER BY c.booking_id COLLATE "C" LIMIT 1;
    IF stale.what = 'generation' THEN
        RETURN json_build_object('generation', in_force, 'expected', stale.generation);
    ELSIF stale.what IS NOT NULL THEN
        RETURN json_build_object('stale', stale.booking_id, 'what', stale.what);
    END IF;

    -- Caps on arrivals: they count the parties that have tables once the changes are made.
    IF doc ? 'caps' THEN
        SELECT c.booking_id INTO crowded FROM jsonb_to_recordset(doc->'caps') AS c(
            booking_id text, restaurant_id text, first_at timestamptz, last_at timestamptz, spans jsonb,
            covers bigint, parties bigint, channel text
        )
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(a.party_size), 0) AS covers, count(*) AS parties
            FROM (
                SELECT * FROM assignment_pipeline.arrivals(c.restaurant_id, c.first_at, c.last_at) AS there
                WHERE there.booking_id <> ALL (ids)
                UNION ALL
                SELECT n.booking_id, n.start_at, (n.booking->>'party_size')::integer, n.booking->>'channel'
                FROM unnest(records) AS n
                WHERE n.restaurant_id = c.restaurant_id AND n.booking_id IN (
                    SELECT s.booking_id FROM unnest(seats) AS s
                )
            ) AS a
            WHERE (c.channel IS NULL OR a.channel = c.channel) AND EXISTS (
                SELECT FROM jsonb_to_recordset(c.spans) AS s(start_at timestamptz, end_at timestamptz)
                WHERE s.start_at <= a.start_at AND a.start_at < s.end_at
            )
        ) AS counted
        WHERE counted.covers > c.covers OR counted.parties > c.parties
        ORDER BY c.booking_id COLLATE "C" LIMIT 1;
        IF FOUND THEN
            RETURN json_build_object('stale', crowded, 'what', 'pacing');
        END IF;
    END IF;

    -- A booking may keep the tables that it has: only the rest of its time is checked. A conflicted booking may take tables
    -- that others have. When it is no longer conflicted, those tables do not count as its own.
    IF doc ? 'seats' THEN
        others := seats;
        IF doc ? 'rivals' THEN
            others := seats || ARRAY(
                SELECT r FROM jsonb_populate_recordset(NULL::assignment_pipeline.booking_table_assignments, doc->'rivals') AS r
            );
        END IF;
        SELECT json_agg(DISTINCT n.table_id ORDER BY n.table_id) INTO contested
        FROM (
            SELECT s.booking_id, s.table_id, s.restaurant_id, unnest(
                tstzmultirange(tstzrange(s.start_at, s.end_at)) - CASE WHEN a.restaurant_id = s.restaurant_id AND NOT a.conflicted
                    THEN tstzmultirange(tstzrange(a.start_at, a.end_at)) ELSE '{}' END
            ) AS span
            FROM unnest(seats) AS s
            LEFT JOIN assignment_pipeline.booking_table_assignments a
                ON a.booking_id = s.booking_id AND a.table_id = s.table_id
            WHERE NOT s.conflicted
        ) AS n
        WHERE EXISTS (
            SELECT FROM assignment_pipeline.booking_table_assignments a
            WHERE a.restaurant_id = n.restaurant_id AND a.table_id = n.table_id AND a.booking_id <> ALL (ids)
                AND a.seated_at IS NOT NULL AND a.left_at IS NULL
                AND assignment_pipeline.occupied(a, moment) && n.span
        ) OR EXISTS (
            SELECT FROM assignment_pipeline.booking_table_assignments a
            WHERE a.restaurant_id = n.restaurant_id AND a.table_id = n.table_id
                AND a.start_at > lower(n.span) - interval '36 hours' AND a.start_at < upper(n.span)
                AND tstzrange(a.start_at, a.end_at) && n.span AND a.booking_id <> ALL (ids)
        ) OR EXISTS (
            SELECT FROM assignment_pipeline.table_blocks b
            WHERE b.restaurant_id = n.restaurant_id AND b.end_at > lower(n.span)
                AND b.start_at < upper(n.span) AND b.table_id = n.table_id
        ) OR EXISTS (
            SELECT FROM unnest(others) AS o
            WHERE o.restaurant_id = n.restaurant_id AND o.table_id = n.table_id AND o.booking_id IS DISTINCT FROM n.booking_id
                AND (
                    tstzrange(o.start_at, o.end_at) && n.span
                    OR o.seated_at IS NOT NULL AND o.left_at IS NULL AND assignment_pipeline.occupied(o, moment) && n.span
                )
        );
        IF contested IS NOT NULL THEN
            RETURN json_build_object('contested', contested);
        END IF;
        -- No two parties sit at one table.
        IF jsonb_path_exists(doc, '$.seats[*] ? (@.seated_at != null)') THEN
            SELECT json_agg(DISTINCT s.table_id) INTO contested
            FROM unnest(seats) AS s
            WHERE s.seated_at IS NOT NULL AND s.left_at IS NULL AND moment - s.seated_at < interval '24 hours' AND (
                EXISTS (
                    SELECT FROM assignment_pipeline.booking_table_assignments a
                    WHERE a.restaurant_id = s.restaurant_id AND a.table_id = s.table_id AND a.booking_id <> ALL (ids)
                        AND a.seated_at IS NOT NULL AND a.left_at IS NULL AND moment - a.seated_at < interval '24 hours'
                ) OR EXISTS (
                    SELECT FROM unnest(seats) AS a
                    WHERE a.restaurant_id = s.restaurant_id AND a.table_id = s.table_id AND a.booking_id <> s.booking_id
                        AND a.seated_at IS NOT NULL AND a.left_at IS NULL AND moment - a.seated_at < interval '24 hours'
                )
            );
            IF contested IS NOT NULL THEN
                RETURN json_build_object('contested', contested);
            END IF;
        END IF;
    END IF;

    -- First free all tables, then take the new ones. New records are inserted, existing ones updated. A commit at another
    -- restaurant, under another lock, may have inserted the same record: then this fails, and the caller repeats it.
    IF existing <> '{}' THEN
        SELECT jsonb_agg(jsonb_build_object('restaurant_id', restaurant_id, 'start_at', lower(span), 'end_at', upper(span)))
        INTO freed
        FROM (
            SELECT a.restaurant_id, unnest(
                tstzmultirange(assignment_pipeline.occupied(a, moment)) - CASE WHEN s.booking_id IS NULL
                    THEN '{}' ELSE tstzmultirange(assignment_pipeline.occupied(s, moment)) END
            ) AS span
            FROM assignment_pipeline.booking_table_assignments a
            LEFT JOIN unnest(seats) AS s
                ON a.booking_id = s.booking_id AND a.table_id = s.table_id AND a.restaurant_id = s.restaurant_id
            WHERE a.booking_id = ANY (existing)
            UNION ALL
            -- Who stays with fewer guests, or by another channel, leaves room under a cap on arrivals.
            SELECT a.restaurant_id, tstzrange(a.start_at, a.end_at)
            FROM unnest(records) AS n
            JOIN assignment_pipeline.assignment_records r ON r.booking_id = n.booking_id
            JOIN assignment_pipeline.booking_table_assignments a ON a.booking_id = r.booking_id
            WHERE r.booking_id = ANY (existing) AND n.booking IS NOT NULL
                AND (r.booking->>'party_size', r.booking->>'channel')
                    IS DISTINCT FROM (n.booking->>'party_size', n.booking->>'channel')
        ) AS given_up;
        DELETE FROM assignment_pipeline.booking_table_assignments WHERE booking_id = ANY (existing);
        UPDATE assignment_pipeline.assignment_records r
        SET ({RECORD_BESIDES_KEY}, start_at, updated_at) = ROW({n.RECORD_BESIDES_KEY}, n.start_at, moment)
        FROM unnest(records) AS n
        WHERE r.booking_id = n.booking_id AND r.booking_id = ANY (existing);
    END IF;
    WITH recorded AS (
        INSERT INTO assignment_pipeline.assignment_records ({RECORD}, start_at, created_at, updated_at)
        SELECT {RECORD}, start_at, moment, moment FROM unnest(records)
        WHERE booking_id <> ALL (existing)
    ), seated AS (
        INSERT INTO assignment_pipeline.booking_table_assignments ({SEAT})
        SELECT {SEAT} FROM unnest(seats)
    ), stepped AS (
        INSERT INTO assignment_pipeline.booking_assignment_state_history
        SELECT * FROM jsonb_populate_recordset(
            jsonb_populate_record(NULL::assignment_pipeline.booking_assignment_state_history, doc->'steps'->0), doc->'steps'->1
        )
    ), attempted AS (
        INSERT INTO assignment_pipeline.booking_assignment_attempts
        SELECT * FROM jsonb_populate_recordset(NULL::assignment_pipeline.booking_assignment_attempts, doc->'attempts')
    )
    INSERT INTO assignment_pipeline.observability_events ({EVENT})  -- As `tell` does.
    SELECT {EVENT} FROM jsonb_populate_recordset(
        jsonb_populate_record(NULL::assignment_pipeline.observability_events, doc->'events'->0), doc->'events'->1
    )
    ON CONFLICT DO NOTHING;
    IF doc ? 'stepless' THEN
        INSERT INTO assignment_pipeline.assignment_stepless_changes (change_id, booking_id, created_at)
        SELECT change_id, booking_id, moment
        FROM jsonb_to_recordset(doc->'stepless') AS s(change_id text, booking_id text);
    END IF;

    IF freed IS NOT NULL THEN
        IF standalone THEN
            policies := (
                SELECT jsonb_object_agg(id, policy) FROM assignment_pipeline.restaurants
                WHERE id IN (SELECT place->>'restaurant_id' FROM jsonb_array_elements(freed) AS place)
            );
        END IF;
        PERFORM assignment_pipeline.wake(freed, ids, policies, moment);
    END IF;

    -- Update our own bookings: what somebody has changed about them, and the state. Insert those that were only passed in.
    IF standalone THEN
        IF doc ? 'requests' THEN
            UPDATE assignment_pipeline.bookings b SET {p.SET_REQUEST}
            FROM jsonb_to_recordset(doc->'requests') AS p({TYPED_BOOKING})
            WHERE b.id = p.id AND b.id = ANY (booked);
        END IF;
        IF booked <> '{}' THEN
            UPDATE assignment_pipeline.bookings b SET
                assignment_state = n.state, assignment_state_version = n.version, assignment_strategy = n.strategy,
                status = coalesce(doc->'guest_status'->>n.booking_id, b.status)
            FROM unnest(records) AS n
            WHERE b.id = n.booking_id AND b.id = ANY (booked);
        END IF;
        IF cardinality(booked) < cardinality(ids) THEN
            INSERT INTO assignment_pipeline.bookings (
                {STORED_BOOKING}, assignment_state, assignment_state_version, assignment_strategy, created_at
            )
            SELECT {n.NEW_BOOKING}, n.state, n.version, n.strategy, moment
            FROM unnest(records) AS n
            WHERE n.booking IS NOT NULL AND n.booking_id <> ALL (booked);
        END IF;
    END IF;
    RETURN NULL;
END
$$;
