-- name: outcomes
-- How assignments came out: see `domain.metrics.Outcomes`. Who is seated has been `assigned`, whatever came later, so
-- that `confirmed` need not be looked for; what people did does not count. Each booking is entered once, by the first
-- outcome it ever had; then its last one within five minutes is what counts.
WITH firsts AS (
    SELECT h.booking_id, h.restaurant_id, h.created_at,
        datetime(substr(h.created_at, 1, 19), '+5 minutes') || substr(h.created_at, 20) AS settled_at
    FROM booking_assignment_state_history AS h INDEXED BY booking_assignment_state_history_outcomes
    WHERE {h.to_state IN OUTCOMES}
        AND h.created_at >= :settling_since AND h.created_at < :settling_until
        AND (h.actor IS NULL OR h.to_state = 'cancelled')
        AND (:restaurant IS NULL OR h.restaurant_id = :restaurant)
        AND NOT EXISTS (
            SELECT 1 FROM booking_assignment_state_history AS earlier
            WHERE earlier.booking_id = h.booking_id AND earlier.version < h.version
                AND earlier.to_state IN ({OUTCOMES})
                AND (earlier.actor IS NULL OR earlier.to_state = 'cancelled')
        )
),
-- Only the first answer of legacy's about a booking enters it, and its last within five minutes counts.
answers AS (
    SELECT e.booking_id, e.restaurant_id, e.created_at,
        datetime(substr(e.created_at, 1, 19), '+5 minutes') || substr(e.created_at, 20) AS settled_at
    FROM observability_events AS e INDEXED BY observability_events_legacy
    WHERE e.event_type = 'auto_assign.summary' AND e.booking_id IS NOT NULL
        AND e.created_at >= :settling_since AND e.created_at < :settling_until
        AND (:restaurant IS NULL OR e.restaurant_id = :restaurant)
        AND NOT EXISTS (
            SELECT 1 FROM observability_events AS earlier INDEXED BY observability_events_legacy_booking
            WHERE earlier.event_type = 'auto_assign.summary' AND earlier.booking_id = e.booking_id
                AND (earlier.created_at, earlier.id) < (e.created_at, e.id)
        )
),
-- What waits for too long has no outcome yet. Its record says so; or its calls alone, where each of them ends in `retry`
-- before anything is written.
late AS (
    SELECT r.restaurant_id, r.created_at AS called_at
    FROM assignment_records AS r
    WHERE (r.owner = 'pipeline' OR r.state = 'assignment_in_progress') AND r.next_attempt_at IS NOT NULL
        AND r.owner = 'pipeline'
        AND r.state IN ({UNSETTLED})
        AND r.created_at >= :late_since AND r.created_at < :late_until
        AND (:restaurant IS NULL OR r.restaurant_id = :restaurant)
        AND NOT EXISTS (
            SELECT 1 FROM booking_assignment_state_history AS h
            WHERE h.booking_id = r.booking_id
                AND h.to_state IN ({OUTCOMES})
                AND (h.actor IS NULL OR h.to_state = 'cancelled')
        )
    UNION ALL
    SELECT min(ended.restaurant_id), min(CASE WHEN ended.is_again THEN ended.created_at END)
    FROM (
        SELECT e.booking_id, e.restaurant_id, e.created_at,
            json_extract(e.context, '$.mode') IS 'active' AND json_extract(e.context, '$.outcome') = 'retry' AS is_again
        FROM observability_events AS e INDEXED BY observability_events_created
        WHERE e.created_at >= :late_since AND e.created_at < :until
            AND e.source = 'assignment.coordinator' AND e.event_type <> 'coordinator.lock_contention'
            AND e.booking_id IS NOT NULL AND json_extract(e.context, '$.outcome') IS NOT NULL
            AND (:restaurant IS NULL OR e.restaurant_id = :restaurant)
    ) AS ended
    GROUP BY ended.booking_id
    HAVING min(CASE WHEN ended.is_again THEN ended.created_at END) < :late_until
        AND max(CASE WHEN ended.is_again THEN ended.created_at END) = max(ended.created_at)
        AND NOT EXISTS (SELECT 1 FROM assignment_records AS r WHERE r.booking_id = ended.booking_id)
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
    JOIN assignment_records AS r ON r.booking_id = f.booking_id
    JOIN booking_assignment_state_history AS last ON last.booking_id = f.booking_id AND last.version = (
        SELECT max(n.version) FROM booking_assignment_state_history AS n
        WHERE n.booking_id = f.booking_id AND n.created_at <= f.settled_at
            AND n.to_state IN ({OUTCOMES})
            AND (n.actor IS NULL OR n.to_state = 'cancelled')
    )
    WHERE r.owner = 'pipeline' OR NOT EXISTS (
        SELECT 1 FROM observability_events AS e INDEXED BY observability_events_legacy_booking
        WHERE e.event_type = 'auto_assign.summary' AND e.booking_id = f.booking_id
    )
    UNION ALL
    SELECT a.restaurant_id, a.settled_at, 'legacy', json_extract(last.context, '$.mode'),
        CASE
            WHEN EXISTS (
                SELECT 1 FROM booking_assignment_state_history AS h
                WHERE h.booking_id = a.booking_id AND h.to_state = 'cancelled' AND h.created_at <= a.settled_at
            ) THEN 'withdrawn'
            WHEN json_extract(last.context, '$.result') = 'succeeded' THEN 'confirmed'
            WHEN json_extract(last.context, '$.result') = 'exhausted' THEN 'review'
            WHEN json_extract(last.context, '$.result') = 'error' THEN 'failed'
            ELSE 'withdrawn'
        END
    FROM answers AS a
    JOIN observability_events AS last ON last.rowid = (
        SELECT n.rowid FROM observability_events AS n INDEXED BY observability_events_legacy_booking
        WHERE n.event_type = 'auto_assign.summary' AND n.booking_id = a.booking_id AND n.created_at <= a.settled_at
        ORDER BY n.created_at DESC, n.id DESC LIMIT 1
    )
    UNION ALL
    SELECT restaurant_id, datetime(substr(called_at, 1, 19), '+15 minutes') || substr(called_at, 20), 'pipeline', 'active', 'unsettled'
    FROM late
)
SELECT
    (CAST(strftime('%s', substr(settled_at, 1, 19)) AS INTEGER) - :start) / :width AS bucket, owner, mode,
    sum(outcome = 'confirmed'), sum(outcome = 'review'), sum(outcome = 'failed'), sum(outcome = 'infeasible'),
    sum(outcome = 'withdrawn'), sum(outcome = 'unsettled'),
    CASE WHEN :each THEN restaurant_id END AS restaurant
FROM found GROUP BY bucket, owner, mode, restaurant;

-- name: calls
-- What calls came to: the pipeline's in earnest and in shadow, and those of legacy's planner. See `domain.metrics.Calls`.
WITH told AS (
    SELECT
        (CAST(strftime('%s', substr(created_at, 1, 19)) AS INTEGER) - :start) / :width AS bucket,
        CASE source WHEN 'auto_assign' THEN 'legacy' ELSE 'pipeline' END AS owner,
        json_extract(context, '$.mode') AS mode,
        booking_id,
        event_type = 'coordinator.lock_contention' AS is_contended,
        event_type = 'coordinator.retry' AS is_retry,
        CASE source
            WHEN 'assignment.coordinator' THEN json_extract(context, '$.outcome') IS NOT NULL
            ELSE event_type NOT IN ('shadow.dropped', 'shadow.incomparable')
        END AS is_call,
        CASE source
            WHEN 'assignment.coordinator' THEN event_type = 'coordinator.error'
            WHEN 'assignment.shadow'
                THEN event_type IN ('shadow.pipeline_error', 'shadow.both_error', 'shadow.timeout')
            ELSE coalesce(json_extract(context, '$.result') = 'error', 0)
        END AS is_error
    FROM observability_events INDEXED BY observability_events_created
    WHERE created_at >= :since AND created_at < :until
        AND booking_id IS NOT NULL AND (:restaurant IS NULL OR restaurant_id = :restaurant)
        AND (
            (source = 'assignment.coordinator' AND json_extract(context, '$.mode') = 'active')
            OR (source = 'assignment.shadow' AND json_extract(context, '$.mode') = 'shadow')
            OR event_type = 'auto_assign.summary'
        )
)
SELECT
    bucket, owner, mode,
    count(DISTINCT CASE WHEN is_call OR is_error THEN booking_id END),
    count(DISTINCT CASE WHEN is_error THEN booking_id END),
    sum(is_call), sum(is_error), sum(is_contended), sum(is_retry)
FROM told GROUP BY bucket, owner, mode;

-- name: latency
-- How long calls took, by nearest rank: the smallest duration that so many of a hundred do not exceed.
WITH durations AS (
    SELECT
        CASE source WHEN 'auto_assign' THEN 'legacy' ELSE 'pipeline' END AS owner,
        json_extract(context, '$.mode') AS mode,
        json_extract(context, '$.duration_ms') AS duration
    FROM observability_events INDEXED BY observability_events_created
    WHERE created_at >= :since AND created_at < :until
        AND (:restaurant IS NULL OR restaurant_id = :restaurant)
        AND json_extract(context, '$.duration_ms') IS NOT NULL
        AND (
            (
                source = 'assignment.coordinator' AND json_extract(context, '$.mode') = 'active'
                AND json_extract(context, '$.outcome') IN ({PLANNED})
            )
            OR (source = 'assignment.shadow' AND json_extract(context, '$.mode') = 'shadow')
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
    sum(CASE event_type WHEN 'shadow.dropped' THEN coalesce(json_extract(context, '$.count'), 1) ELSE 1 END),
    count(*) FILTER (WHERE event_type = 'shadow.mismatch' AND json_extract(context, '$.better')),
    count(*) FILTER (
        WHERE event_type = 'shadow.incomparable' AND json_extract(context, '$.kind') IN ('unreadable_answer', 'unknown_tables')
    ),
    count(*) FILTER (WHERE event_type = 'shadow.incomparable' AND json_extract(context, '$.kind') = 'legacy_tables_taken'),
    coalesce(json_extract(context, '$.candidate'), 'pipeline') AS candidate
FROM observability_events INDEXED BY observability_events_created
WHERE source = 'assignment.shadow' AND created_at >= :since AND created_at < :until
    AND (:restaurant IS NULL OR restaurant_id = :restaurant)
GROUP BY event_type, candidate;

-- name: volume
-- Bookings that were assigned, by the pipeline or in shadow by legacy, and those of them with an event within the
-- five minutes after. No shadow runs for those that were handed over.
WITH bookings AS (
    SELECT
        booking_id, json_extract(context, '$.mode') AS mode,
        max(
            created_at < :settling_until AND CASE json_extract(context, '$.mode')
                WHEN 'active' THEN source = 'assignment.coordinator' AND coalesce(
                    json_extract(context, '$.outcome') IN ({PLANNED}), 0
                )
                ELSE event_type = 'auto_assign.summary' AND json_extract(context, '$.reason') IS NOT 'handed_over'
            END
        ) AS is_asked,
        max(
            source = 'assignment.state_machine'
            OR (source = 'assignment.shadow' AND event_type <> 'shadow.dropped' AND json_extract(context, '$.mode') = 'shadow')
        ) AS is_told
    FROM observability_events INDEXED BY observability_events_created
    WHERE created_at >= :settling_since AND created_at < :until AND booking_id IS NOT NULL
        AND (:restaurant IS NULL OR restaurant_id = :restaurant)
        AND json_extract(context, '$.mode') IN ('active', 'shadow')
    GROUP BY booking_id, mode
)
SELECT mode, sum(is_asked), sum(is_asked AND is_told) FROM bookings GROUP BY mode HAVING sum(is_asked) > 0;

-- name: attempts
-- Plannings that were recorded, and the bookings that they were for.
SELECT count(*), count(DISTINCT booking_id)
FROM booking_assignment_attempts INDEXED BY booking_assignment_attempts_created
WHERE created_at >= :since AND created_at < :until AND (:restaurant IS NULL OR restaurant_id = :restaurant);

-- name: strategies
-- What found tables.
SELECT strategy, count(*)
FROM booking_assignment_attempts INDEXED BY booking_assignment_attempts_created
WHERE created_at >= :since AND created_at < :until AND (:restaurant IS NULL OR restaurant_id = :restaurant)
    AND result = 'success' AND strategy IS NOT NULL
GROUP BY strategy;

-- name: reasons
-- Why assignments went to a person.
SELECT reason, count(*)
FROM booking_assignment_state_history INDEXED BY booking_assignment_state_history_outcomes
WHERE {to_state IN OUTCOMES} AND to_state = 'manual_review'
    AND created_at >= :since AND created_at < :until AND (:restaurant IS NULL OR restaurant_id = :restaurant)
    AND actor IS NULL AND reason IS NOT NULL
GROUP BY reason;

-- name: review
-- Who waits for a person, now, and of whom the sweep has told that it is for too long.
SELECT count(*), count(*) FILTER (WHERE EXISTS (
    SELECT 1 FROM observability_events told INDEXED BY observability_events_booking
    WHERE told.booking_id = r.booking_id AND told.event_type = 'coordinator.review_overdue'
        AND told.created_at >= r.waiting_since
))
FROM assignment_records r INDEXED BY assignment_records_reviews
WHERE r.state = 'manual_review' AND (:restaurant IS NULL OR r.restaurant_id = :restaurant);

-- name: overdue
-- What the sweep should have taken up, and what it has taken up in vain: among the few that are not settled.
SELECT
    count(*) FILTER (WHERE next_attempt_at < :overdue), min(next_attempt_at) FILTER (WHERE next_attempt_at < :overdue),
    count(*) FILTER (WHERE deliveries >= 3)
FROM assignment_records
WHERE (owner = 'pipeline' OR state = 'assignment_in_progress') AND next_attempt_at IS NOT NULL
    AND (:restaurant IS NULL OR restaurant_id = :restaurant);

-- name: lost
-- Outcomes that the history knows, and the events that tell of them.
SELECT
    (
        SELECT count(*) FROM booking_assignment_state_history INDEXED BY booking_assignment_state_history_outcomes
        WHERE {to_state IN OUTCOMES}
            AND created_at >= :since AND created_at < :until AND (:restaurant IS NULL OR restaurant_id = :restaurant)
    ),
    (
        SELECT count(*) FROM observability_events INDEXED BY observability_events_created
        WHERE source = 'assignment.state_machine'
            AND json_extract(context, '$.to') IN ({OUTCOMES})
            AND coalesce(json_extract(context, '$.mode'), '') <> 'shadow'
            AND created_at >= :since AND created_at < :until AND (:restaurant IS NULL OR restaurant_id = :restaurant)
    );

-- name: book
-- Who seated those that arrive in a window, by service day: the local date five hours ago, for an evening ends late.
SELECT
    date(
        datetime(substr(t.turn_start_at, 1, 19), (coalesce(t.utc_offset_minutes, 0) - 300) || ' minutes')
    ) AS service_day,
    count(DISTINCT CASE WHEN r.owner = 'pipeline' AND r.strategy IS NOT 'legacy' THEN t.booking_id END),
    count(DISTINCT t.booking_id)
FROM json_each(:restaurants) AS asked
JOIN booking_table_assignments AS t INDEXED BY booking_table_assignments_span
    ON t.restaurant_id = asked.value
    AND t.start_at >= datetime(substr(:since, 1, 19), '-36 hours') AND t.start_at < :until
JOIN assignment_records AS r ON r.booking_id = t.booking_id
WHERE t.turn_start_at >= :since AND t.turn_start_at < :until
GROUP BY service_day;

-- name: ran
-- What ran at each restaurant, by what the flags said to it: the pipeline's own transitions, and legacy's answers.
SELECT restaurant_id, CASE source WHEN 'auto_assign' THEN 'legacy' ELSE 'pipeline' END AS owner,
    json_extract(context, '$.mode') AS mode, count(DISTINCT booking_id)
FROM observability_events INDEXED BY observability_events_created
WHERE created_at >= :since AND created_at < :until AND (:restaurant IS NULL OR restaurant_id = :restaurant)
    AND restaurant_id IS NOT NULL AND booking_id IS NOT NULL AND json_extract(context, '$.mode') IS NOT NULL
    AND (
        event_type = 'auto_assign.summary'
        OR (
            event_type = 'booking.assignment_state_transition' AND json_extract(context, '$.actor') IS NULL
            AND json_extract(context, '$.rehearsed') IS NULL
        )
    )
GROUP BY restaurant_id, owner, mode;

-- name: seen
-- All events.
SELECT source, event_type, json_extract(context, '$.mode') AS mode, count(*), max(created_at)
FROM observability_events INDEXED BY observability_events_created
WHERE created_at >= :since AND created_at < :until AND (:restaurant IS NULL OR restaurant_id = :restaurant)
GROUP BY source, event_type, mode;

-- name: events_of
-- The events of some types: oldest first.
SELECT id, created_at, source, event_type, severity, restaurant_id, booking_id, context
FROM observability_events INDEXED BY observability_events_created
WHERE created_at >= :since AND created_at < :until AND (:restaurant IS NULL OR restaurant_id = :restaurant)
    AND event_type IN (SELECT value FROM json_each(:types))
ORDER BY created_at, id;

-- name: alarms
-- What alerts were last told to do: the newest first.
SELECT id, created_at, source, event_type, severity, restaurant_id, booking_id, context
FROM observability_events INDEXED BY observability_events_rollout
WHERE source = 'assignment.rollout' AND event_type IN ('rollout.alert_firing', 'rollout.alert_resolved')
ORDER BY created_at DESC, id DESC LIMIT 1000;
