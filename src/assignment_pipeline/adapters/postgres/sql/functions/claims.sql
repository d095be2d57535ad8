-- Claims: a sweep claims the bookings that are due, so that no other sweep deals with them meanwhile.

-- Claim due bookings. Restaurants take turns; at one restaurant, expired holds come first, and then the *wanted* order: see
-- domain.wake_order.in_turn. Only the longest due, *considered* many, are put in order. A booking whose last claim never
-- ended is claimed alone: if it kills its workers, the other bookings of the sweep do not suffer. A claim that ends too far
-- in the future comes from a clock that was ahead: such a booking is due now. Rows that another session has locked are
-- skipped.
CREATE FUNCTION assignment_pipeline.due(
    told timestamptz, claim interval, most integer, wanted text, considered integer
) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    moment timestamptz := coalesce(told, now());
    answer text;
BEGIN
    UPDATE assignment_pipeline.assignment_records r SET next_attempt_at = moment
    FROM (
        SELECT booking_id FROM assignment_pipeline.assignment_records
        WHERE deliveries > 0 AND next_attempt_at > moment + 2 * claim
            AND (owner = 'pipeline' OR state = 'assignment_in_progress')
        FOR NO KEY UPDATE SKIP LOCKED
    ) AS ahead
    WHERE r.booking_id = ahead.booking_id;
    WITH ready AS (
        SELECT r.booking_id, r.next_attempt_at, r.deliveries, ordered.turn
        FROM (
            SELECT booking_id, next_attempt_at, row_number() OVER (
                PARTITION BY restaurant_id
                ORDER BY
                    state <> 'assigned',
                    CASE wanted WHEN 'soonest_arrival' THEN coalesce(start_at, 'infinity') END,
                    CASE wanted WHEN 'largest_party' THEN -coalesce((booking->>'party_size')::integer, 0) END,
                    coalesce(waiting_since, '-infinity'), next_attempt_at, booking_id
            ) AS turn
            FROM (
                SELECT * FROM assignment_pipeline.assignment_records
                WHERE (owner = 'pipeline' OR state = 'assignment_in_progress') AND next_attempt_at <= moment
                ORDER BY next_attempt_at, booking_id LIMIT considered
            ) AS due
            ORDER BY turn, next_attempt_at, booking_id
        ) AS ordered
        JOIN assignment_pipeline.assignment_records r ON r.booking_id = ordered.booking_id
        WHERE (r.owner = 'pipeline' OR r.state = 'assignment_in_progress') AND r.next_attempt_at <= moment
        ORDER BY ordered.turn, ordered.next_attempt_at, ordered.booking_id
        LIMIT most FOR NO KEY UPDATE OF r SKIP LOCKED
    ), first AS (
        SELECT booking_id, deliveries FROM ready ORDER BY turn, next_attempt_at, booking_id LIMIT 1
    ), chosen AS (
        SELECT ready.booking_id, ready.next_attempt_at, ready.turn FROM ready, first
        WHERE CASE WHEN first.deliveries > 0 THEN ready.booking_id = first.booking_id ELSE ready.deliveries = 0 END
    ), claimed AS (
        UPDATE assignment_pipeline.assignment_records r
        SET next_attempt_at = moment + claim, deliveries = r.deliveries + 1
        FROM chosen WHERE r.booking_id = chosen.booking_id
        RETURNING r.booking_id, r.restaurant_id, r.deliveries, r.version, r.next_attempt_at AS until,
            chosen.next_attempt_at AS was_due, chosen.turn
    )
    SELECT json_agg(
        json_build_array(booking_id, restaurant_id, deliveries, version, until) ORDER BY turn, was_due, booking_id
    ) INTO answer
    FROM claimed;
    RETURN answer;
END
$$;

-- Return claims. A claim is a booking with its deliveries, its record's version and when the claim ends: while that is still
-- so, or was moved by less than *woken* by tables that came free, the booking is due again *after* that span. A newer claim
-- stays, and only the delivery does not count; what was committed since is left as it is. See ports.Due.given_back. This takes
-- no lock of a restaurant: a busy lock is often the reason for returning the claim.
CREATE FUNCTION assignment_pipeline.put_back(told timestamptz, claims jsonb, after interval, woken interval) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
DECLARE
    moment timestamptz := coalesce(told, now());
BEGIN
    WITH given AS (
        SELECT booking_id, deliveries, version, until
        FROM jsonb_to_recordset(claims) AS c(booking_id text, deliveries integer, version bigint, until timestamptz)
    ), held AS (
        SELECT
            r.booking_id,
            r.deliveries > 0 AND r.next_attempt_at >= given.until AND r.next_attempt_at < given.until + woken AS is_there,
            r.deliveries > given.deliveries AS is_over
        FROM given JOIN assignment_pipeline.assignment_records r ON r.booking_id = given.booking_id
        WHERE r.version = given.version
        ORDER BY r.booking_id FOR NO KEY UPDATE OF r SKIP LOCKED
    )
    UPDATE assignment_pipeline.assignment_records r SET
        deliveries = r.deliveries - 1,
        next_attempt_at = CASE WHEN held.is_there THEN moment + after ELSE r.next_attempt_at END
    FROM held WHERE r.booking_id = held.booking_id AND (held.is_there OR held.is_over);
END
$$;
