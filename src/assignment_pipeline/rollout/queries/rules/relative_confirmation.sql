-- How far the pipeline's share of those seated, of all who asked, lies above legacy's, in an hour at least; nothing, of
-- fewer than ten on either side. Legacy proves nothing, so that proved refusals count here.
WITH own AS (
    SELECT DISTINCT ON (h.booking_id) h.to_state = 'assigned' AS seated, h.to_state = 'cancelled' AS withdrawn
    FROM assignment_pipeline.booking_assignment_state_history h
    JOIN assignment_pipeline.assignment_records r ON r.booking_id = h.booking_id AND r.owner = 'pipeline'
    WHERE h.to_state IN ({OUTCOMES}) AND h.actor IS NULL
        AND h.created_at >= now() - greatest({over}, interval '1 hour') - interval '5 minutes' AND h.created_at < now() - interval '5 minutes'
    ORDER BY h.booking_id, h.version
),
legacy AS (
    SELECT DISTINCT ON (booking_id) context->>'result' = 'succeeded' AS seated
    FROM assignment_pipeline.observability_events
    WHERE event_type = 'auto_assign.summary' AND booking_id IS NOT NULL
        AND created_at >= now() - greatest({over}, interval '1 hour') - interval '5 minutes' AND created_at < now() - interval '5 minutes'
    ORDER BY booking_id, created_at, id
)
SELECT
    (SELECT avg(seated::integer) FROM own WHERE NOT withdrawn) - (SELECT avg(seated::integer) FROM legacy) AS value
WHERE (SELECT count(*) FROM own WHERE NOT withdrawn) >= 10 AND (SELECT count(*) FROM legacy) >= 10
