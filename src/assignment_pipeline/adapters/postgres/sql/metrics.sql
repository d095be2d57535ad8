-- name: outcomes
-- How assignments came out: see `domain.metrics.Outcomes`. Who is seated has been `assigned`, whatever came later, so
-- that `confirmed` need not be looked for; what people did does not count. Each booking is entered once, by the first
-- outcome it ever had; then its last one within five minutes is what counts.
WITH firsts AS (
    SELECT h.booking_id, h.restaurant_id, h.created_at,
        h.created_at + interval '5 minutes' AS settled_at
    FROM assignment_pipeline.booking_assignment_state_history AS h
    WHERE h.to_state IN ({OUTCOMES})
        AND h.created_at >= %(settling_since)s::timestamptz AND h.created_at < %(settling_until)s::timestamptz
        AND (h.actor IS NULL OR h.to_state = 'cancelled')
        AND (%(restaurant)s::text IS NULL OR h.restaurant_id = %(restaurant)s::text)
        AND NOT EXISTS (
            SELECT FROM assignment_pipeline.booking_assignment_state_history AS earlier
            WHERE earlier.booking_id = h.booking_id AND earlier.version < h.version
                AND earlier.to_state IN ({OUTCOMES})
                AND (earlier.actor IS NULL OR earlier.to_state = 'cancelled')
        )
),
-- Only the first answer of legacy's about a booking enters it, and its last within five minutes counts.
answers AS (
    SELECT e.booking_id, e.restaurant_id, e.created_at,
        e.created_at + interval '5 minutes' AS settled_at
    FROM assignment_pipeline.observability_events AS e
    WHERE e.event_type = 'auto_assign.summary' AND e.booking_id IS NOT NULL
        AND e.created_at >= %(settling_since)s::timestamptz AND e.created_at < %(settling_until)s::timestamptz
        AND (%(restaurant)s::text IS NULL OR e.restaurant_id = %(restaurant)s::text)
        AND NOT EXISTS (
            SELECT FROM assignment_pipeline.observability_events AS earlier
            WHERE earlier.event_type = 'auto_assign.summary' AND earlier.booking_id = e.booking_id
                AND (earlier.created_at, earlier.id) < (e.created_at, e.id)
        )
),
-- What waits for too long has no outcome yet. Its record says so; or its calls alone, where each of them ends in `retry`
-- before anything is written.
late AS (
    SELECT r.restaurant_id, r.created_at AS called_at
    FROM assignment_pipeline.assignment_records AS r
    WHERE (r.owner = 'pipeline' OR r.state = 'assignment_in_progress') AND r.next_attempt_at IS NOT NULL
        AND r.owner = 'pipeline'
        AND r.state IN ({UNSETTLED})
        AND r.created_at >= %(late_since)s::timestamptz AND r.created_at < %(late_until)s::timestamptz
        AND (%(restaurant)s::text IS NULL OR r.restaurant_id = %(restaurant)s::text)
        AND NOT EXISTS (
            SELECT FROM assignment_pipeline.booking_assignment_state_history AS h
            WHERE h.booking_id = r.booking_id
                AND h.to_state IN ({OUTCOMES})
                AND (h.actor IS NULL OR h.to_state = 'cancelled')
        )
    UNION ALL
    SELECT min(ended.restaurant_id), min(CASE WHEN ended.is_again THEN ended.created_at END)
    FROM (
        SELECT e.booking_id, e.restaurant_id, e.created_at,
            e.context->>'mode' IS NOT DISTINCT FROM 'active' AND e.context->>'outcome' = 'retry' AS is_again
        FROM assignment_pipeline.observability_events AS e
        WHERE e.created_at >= %(late_since)s::timestamptz AND e.created_at < %(until)s::timestamptz
            AND e.source = 'assignment.coordinator' AND e.event_type <> 'coordinator.lock_contention'
            AND e.booking_id IS NOT NULL AND e.context->>'outcome' IS NOT NULL
            AND (%(restaurant)s::text IS NULL OR e.restaurant_id = %(restaurant)s::text)
    ) AS ended
    GROUP BY ended.booking_id
    HAVING min(CASE WHEN ended.is_again THEN ended.created_at END) < %(late_until)s::timestamptz
        AND max(CASE WHEN ended.is_again THEN ended.created_at END) = max(ended.created_at)
        AND NOT EXISTS (SELECT FROM assignment_pipeline.assignment_records AS r WHERE r.booking_id = ended.booking_id)
),
found AS (
    SELECT f.restaurant_id, f.settled_at, r.owner, CASE r.owner WHEN 'pipeline' THEN 'active' END AS mode,
        CASE
            WHEN last.to_state = 'cancelled' OR last.reason IN ({NOT_ITS_FAULT}) THEN 'withdrawn'
            WHEN last.to_state = 'assigned' THEN 'confirmed'
            WHEN last.to_state = 'failed' THEN 'failed'
            WHEN last.reason IN ({PROVED}) THEN 'infeasible'
            ELSE 'review'
        END AS outcome
    FROM firsts AS f
    JOIN assignment_pipeline.assignment_records AS r ON r.booking_id = f.booking_id
    CROSS JOIN LATERAL (
        SELECT n.to_state, n.reason FROM assignment_pipeline.booking_assignment_state_history AS n
        WHERE n.booking_id = f.booking_id AND n.created_at <= f.settled_at
            AND n.to_state IN ({OUTCOMES})
            AND (n.actor IS NULL OR n.to_state = 'cancelled')
        ORDER BY n.version DESC LIMIT 1
    ) AS last
    WHERE r.owner = 'pipeline' OR NOT EXISTS (
        SELECT FROM assignment_pipeline.observability_events AS e
        WHERE e.event_type = 'auto_assign.summary' AND e.booking_id = f.booking_id
    )
    UNION ALL
    SELECT a.restaurant_id, a.settled_at, 'legacy', last.context->>'mode',
        CASE
            WHEN EXISTS (
                SELECT FROM assignment_pipeline.booking_assignment_state_history AS h
                WHERE h.booking_id = a.booking_id AND h.to_state = 'cancelled' AND h.created_at <= a.settled_at
            ) THEN 'withdrawn'
            WHEN last.context->>'result' = 'succeeded' THEN 'confirmed'
            WHEN last.context->>'result' = 'exhausted' THEN 'review'
            WHEN last.context->>'result' = 'error' THEN 'failed'
            ELSE 'withdrawn'
        END
    FROM answers AS a
    CROSS JOIN LATERAL (
        SELECT n.context FROM assignment_pipeline.observability_events AS n
        WHERE n.event_type = 'auto_assign.summary' AND n.booking_id = a.booking_id AND n.created_at <= a.settled_at
        ORDER BY n.created_at DESC, n.id DESC LIMIT 1
    ) AS last
    UNION ALL
    SELECT restaurant_id, called_at + interval '15 minutes', 'pipeline', 'active', 'unsettled' FROM late
)
SELECT
    floor((extract(epoch FROM settled_at) - %(start)s::numeric) / %(width)s::numeric)::bigint AS bucket, owner, mode,
    count(*) FILTER (WHERE outcome = 'confirmed'), count(*) FILTER (WHERE outcome = 'review'), count(*) FILTER (WHERE outcome = 'failed'), count(*) FILTER (WHERE outcome = 'infeasible'),
    count(*) FILTER (WHERE outcome = 'withdrawn'), count(*) FILTER (WHERE outcome = 'unsettled'),
    CASE WHEN %(each)s::boolean THEN restaurant_id END AS restaurant
FROM found GROUP BY bucket, owner, mode, restaurant;

-- name: calls
-- What calls came to: the pipeline's in earnest and in shadow, and those of legacy's planner. See `domain.metrics.Calls`.
WITH told AS (
    SELECT
        floor((extract(epoch FROM created_at) - %(start)s::numeric) / %(width)s::numeric)::bigint AS bucket,
        CASE source WHEN 'auto_assign' THEN 'legacy' ELSE 'pipeline' END AS owner,
        context->>'mode' AS mode,
        booking_id,
        event_type = 'coordinator.lock_contention' AS is_contended,
        event_type = 'coordinator.retry' AS is_retry,
        CASE source
            WHEN 'assignment.coordinator' THEN context->>'outcome' IS NOT NULL
            ELSE event_type NOT IN ('shadow.dropped', 'shadow.incomparable')
        END AS is_call,
        CASE source
            WHEN 'assignment.coordinator' THEN event_type = 'coordinator.error'
            WHEN 'assignment.shadow'
                THEN event_type IN ('shadow.pipeline_error', 'shadow.both_error', 'shadow.timeout')
            ELSE coalesce(context->>'result' = 'error', false)
        END AS is_error
    FROM assignment_pipeline.observability_events
    WHERE created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz
        AND booking_id IS NOT NULL AND (%(restaurant)s::text IS NULL OR restaurant_id = %(restaurant)s::text)
        AND (
            (source = 'assignment.coordinator' AND context->>'mode' = 'active')
            OR (source = 'assignment.shadow' AND context->>'mode' = 'shadow')
            OR event_type = 'auto_assign.summary'
        )
)
SELECT
    bucket, owner, mode,
    count(DISTINCT CASE WHEN is_call OR is_error THEN booking_id END),
    count(DISTINCT CASE WHEN is_error THEN booking_id END),
    count(*) FILTER (WHERE is_call), count(*) FILTER (WHERE is_error), count(*) FILTER (WHERE is_contended), count(*) FILTER (WHERE is_retry)
FROM told GROUP BY bucket, owner, mode;

-- name: latency
-- How long calls took, by nearest rank: the smallest duration that so many of a hundred do not exceed.
WITH durations AS (
    SELECT
        CASE source WHEN 'auto_assign' THEN 'legacy' ELSE 'pipeline' END AS owner,
        context->>'mode' AS mode,
        (context->>'duration_ms')::double precision AS duration
    FROM assignment_pipeline.observability_events
    WHERE created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz
        AND (%(restaurant)s::text IS NULL OR restaurant_id = %(restaurant)s::text)
        AND context->>'duration_ms' IS NOT NULL
        AND (
            (
                source = 'assignment.coordinator' AND context->>'mode' = 'active'
                AND context->>'outcome' IN ({PLANNED})
            )
            OR (source = 'assignment.shadow' AND context->>'mode' = 'shadow')
            OR event_type = 'auto_assign.summary'
        )
),
ranked AS (
    SELECT
        owner, mode, duration,
        row_number() OVER (PARTITION BY owner, mode ORDER BY duration) AS place,
        count(*) OVER (PARTITION BY owner, mode) AS number
    FROM durations
)
SELECT
    owner, mode, max(number),
    max(CASE WHEN place = (number * 50 + 99) / 100 THEN duration END),
    max(CASE WHEN place = (number * 95 + 99) / 100 THEN duration END),
    max(CASE WHEN place = (number * 99 + 99) / 100 THEN duration END)
FROM ranked GROUP BY owner, mode;

-- name: agreement
-- The shadow's verdicts, and how many of them the pipeline did better. Dropped cases come as a count.
-- Those of a candidate that is legacy stand apart. Of what cannot be compared, what legacy has answered that nobody can read, and tables that it gave away twice.
SELECT event_type,
    sum(CASE event_type WHEN 'shadow.dropped' THEN coalesce((context->>'count')::bigint, 1) ELSE 1 END),
    count(*) FILTER (WHERE event_type = 'shadow.mismatch' AND (context->>'better')::boolean),
    count(*) FILTER (
        WHERE event_type = 'shadow.incomparable' AND context->>'kind' IN ('unreadable_answer', 'unknown_tables')
    ),
    count(*) FILTER (WHERE event_type = 'shadow.incomparable' AND context->>'kind' = 'legacy_tables_taken'),
    coalesce(context->>'candidate', 'pipeline') AS candidate
FROM assignment_pipeline.observability_events
WHERE source = 'assignment.shadow' AND created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz
    AND (%(restaurant)s::text IS NULL OR restaurant_id = %(restaurant)s::text)
GROUP BY event_type, candidate;

-- name: volume
-- Bookings that were assigned, by the pipeline or in shadow by legacy, and those of them with an event within the
-- five minutes after. No shadow runs for those that were handed over.
WITH bookings AS (
    SELECT
        booking_id, context->>'mode' AS mode,
        bool_or(
            created_at < %(settling_until)s::timestamptz AND CASE context->>'mode'
                WHEN 'active' THEN source = 'assignment.coordinator' AND coalesce(
                    context->>'outcome' IN ({PLANNED}), false
                )
                ELSE event_type = 'auto_assign.summary' AND context->>'reason' IS DISTINCT FROM 'handed_over'
            END
        ) AS is_asked,
        bool_or(
            source = 'assignment.state_machine'
            OR (source = 'assignment.shadow' AND event_type <> 'shadow.dropped' AND context->>'mode' = 'shadow')
        ) AS is_told
    FROM assignment_pipeline.observability_events
    WHERE created_at >= %(settling_since)s::timestamptz AND created_at < %(until)s::timestamptz AND booking_id IS NOT NULL
        AND (%(restaurant)s::text IS NULL OR restaurant_id = %(restaurant)s::text)
        AND context->>'mode' IN ('active', 'shadow')
    GROUP BY booking_id, mode
)
SELECT mode, count(*) FILTER (WHERE is_asked), count(*) FILTER (WHERE is_asked AND is_told) FROM bookings GROUP BY mode HAVING count(*) FILTER (WHERE is_asked) > 0;

-- name: attempts
-- Plannings that were recorded, and the bookings that they were for.
SELECT count(*), count(DISTINCT booking_id)
FROM assignment_pipeline.booking_assignment_attempts
WHERE created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz AND (%(restaurant)s::text IS NULL OR restaurant_id = %(restaurant)s::text);

-- name: strategies
-- What found tables.
SELECT strategy, count(*)
FROM assignment_pipeline.booking_assignment_attempts
WHERE created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz AND (%(restaurant)s::text IS NULL OR restaurant_id = %(restaurant)s::text)
    AND result = 'success' AND strategy IS NOT NULL
GROUP BY strategy;

-- name: reasons
-- Why assignments went to a person.
SELECT reason, count(*)
FROM assignment_pipeline.booking_assignment_state_history
WHERE to_state IN ({OUTCOMES}) AND to_state = 'manual_review'
    AND created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz AND (%(restaurant)s::text IS NULL OR restaurant_id = %(restaurant)s::text)
    AND actor IS NULL AND reason IS NOT NULL
GROUP BY reason;

-- name: review
-- Who waits for a person, now, and of whom the sweep has told that it is for too long.
SELECT count(*), count(*) FILTER (WHERE EXISTS (
    SELECT FROM assignment_pipeline.observability_events told
    WHERE told.booking_id = r.booking_id AND told.event_type = 'coordinator.review_overdue'
        AND told.created_at >= r.waiting_since
))
FROM assignment_pipeline.assignment_records r
WHERE r.state = 'manual_review' AND (%(restaurant)s::text IS NULL OR r.restaurant_id = %(restaurant)s::text);

-- name: overdue
-- What the sweep should have taken up, and what it has taken up in vain: among the few that are not settled.
SELECT
    count(*) FILTER (WHERE next_attempt_at < %(overdue)s::timestamptz),
    to_json(min(next_attempt_at) FILTER (WHERE next_attempt_at < %(overdue)s::timestamptz)),
    count(*) FILTER (WHERE deliveries >= 3)
FROM assignment_pipeline.assignment_records
WHERE (owner = 'pipeline' OR state = 'assignment_in_progress') AND next_attempt_at IS NOT NULL
    AND (%(restaurant)s::text IS NULL OR restaurant_id = %(restaurant)s::text);

-- name: lost
-- Outcomes that the history knows, and the events that tell of them.
SELECT
    (
        SELECT count(*) FROM assignment_pipeline.booking_assignment_state_history
        WHERE to_state IN ({OUTCOMES})
            AND created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz AND (%(restaurant)s::text IS NULL OR restaurant_id = %(restaurant)s::text)
    ),
    (
        SELECT count(*) FROM assignment_pipeline.observability_events
        WHERE source = 'assignment.state_machine'
            AND context->>'to' IN ({OUTCOMES})
            AND coalesce(context->>'mode', '') <> 'shadow'
            AND created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz AND (%(restaurant)s::text IS NULL OR restaurant_id = %(restaurant)s::text)
    );

-- name: book
-- Who seated those that arrive in a window, by service day: the local date five hours ago, for an evening ends late.
SELECT
    (
        (t.turn_start_at AT TIME ZONE 'UTC'::text)
        + make_interval(mins => (coalesce(t.utc_offset_minutes, 0) - 300)::integer)
    )::date::text AS service_day,
    count(DISTINCT t.booking_id) FILTER (WHERE r.owner = 'pipeline' AND r.strategy IS DISTINCT FROM 'legacy'),
    count(DISTINCT t.booking_id)
FROM assignment_pipeline.booking_table_assignments AS t
JOIN assignment_pipeline.assignment_records AS r ON r.booking_id = t.booking_id
WHERE t.restaurant_id = ANY (%(restaurants)s::text[])
    AND t.start_at >= %(since)s::timestamptz - interval '36 hours' AND t.start_at < %(until)s::timestamptz
    AND t.turn_start_at >= %(since)s::timestamptz AND t.turn_start_at < %(until)s::timestamptz
GROUP BY service_day;

-- name: ran
-- What ran at each restaurant, by what the flags said to it: the pipeline's own transitions, and legacy's answers.
SELECT restaurant_id, CASE source WHEN 'auto_assign' THEN 'legacy' ELSE 'pipeline' END AS owner,
    context->>'mode' AS mode, count(DISTINCT booking_id)
FROM assignment_pipeline.observability_events
WHERE created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz AND (%(restaurant)s::text IS NULL OR restaurant_id = %(restaurant)s::text)
    AND restaurant_id IS NOT NULL AND booking_id IS NOT NULL AND context->>'mode' IS NOT NULL
    AND (
        event_type = 'auto_assign.summary'
        OR (
            event_type = 'booking.assignment_state_transition' AND context->>'actor' IS NULL
            AND context->>'rehearsed' IS NULL
        )
    )
GROUP BY restaurant_id, owner, mode;

-- name: seen
-- All events.
SELECT source, event_type, context->>'mode' AS mode, count(*), to_json(max(created_at))
FROM assignment_pipeline.observability_events
WHERE created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz AND (%(restaurant)s::text IS NULL OR restaurant_id = %(restaurant)s::text)
GROUP BY source, event_type, mode;

-- name: events_of
-- The events of some types: oldest first, by id as SQLite sorts it.
SELECT id, to_json(created_at), source, event_type, severity, restaurant_id, booking_id, context
FROM assignment_pipeline.observability_events
WHERE created_at >= %(since)s::timestamptz AND created_at < %(until)s::timestamptz AND (%(restaurant)s::text IS NULL OR restaurant_id = %(restaurant)s::text)
    AND event_type = ANY (%(types)s::text[])
ORDER BY observability_events.created_at, observability_events.id COLLATE "C";

-- name: alarms
-- What alerts were last told to do: the newest first.
SELECT id, to_json(created_at), source, event_type, severity, restaurant_id, booking_id, context
FROM assignment_pipeline.observability_events
WHERE source = 'assignment.rollout' AND event_type IN ('rollout.alert_firing', 'rollout.alert_resolved')
ORDER BY created_at DESC, id DESC LIMIT 1000;
