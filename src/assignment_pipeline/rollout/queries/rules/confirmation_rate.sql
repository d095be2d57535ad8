-- Confirmed, of the assignments that settled in the time that the alert looks at; nothing, of fewer than ten.
-- Each booking's first outcome counts, five minutes old; not what people did, what was withdrawn, or proved infeasible;
-- and what has waited for fifteen minutes without any.
SELECT count(*) FILTER (WHERE state = 'assigned') / count(*)::double precision AS value
FROM (
    (SELECT DISTINCT ON (h.booking_id) h.to_state AS state, h.reason
    FROM assignment_pipeline.booking_assignment_state_history h
    JOIN assignment_pipeline.assignment_records r ON r.booking_id = h.booking_id AND r.owner = 'pipeline'
    WHERE h.to_state IN ({OUTCOMES}) AND h.actor IS NULL
        AND h.created_at >= now() - {over} - interval '5 minutes' AND h.created_at < now() - interval '5 minutes'
    ORDER BY h.booking_id, h.version)
    UNION ALL
    SELECT 'unsettled', NULL FROM assignment_pipeline.assignment_records r
    WHERE r.owner = 'pipeline' AND r.next_attempt_at IS NOT NULL
        AND r.state IN ({UNSETTLED})
        AND r.created_at >= now() - {over} - interval '15 minutes' AND r.created_at < now() - interval '15 minutes'
        AND NOT EXISTS (
            SELECT FROM assignment_pipeline.booking_assignment_state_history h WHERE h.booking_id = r.booking_id
                AND h.to_state IN ({OUTCOMES}) AND h.actor IS NULL
        )
) AS outcomes
WHERE state <> 'cancelled' AND coalesce(reason, '') NOT IN ({PROVED}, {NOT_ITS_FAULT})
HAVING count(*) >= 10
