-- Of the bookings that were assigned, how many per cent have tables: by the last outcome of each, next to what the
-- legacy planner reaches. Without those that guests have cancelled since, and those that are proved to fit nowhere.
WITH outcomes AS (
    SELECT DISTINCT ON (source, booking_id)
        created_at,
        booking_id,
        CASE source WHEN 'auto_assign' THEN 'legacy' ELSE 'pipeline' END AS planner,
        coalesce(context->>'outcome', context->>'result') IN ('confirmed', 'succeeded') AS seated
    FROM assignment_pipeline.observability_events
    WHERE $__timeFilter(created_at)
        AND restaurant_id IN (${restaurant:sqlstring})
        AND context->>'reason' IS DISTINCT FROM 'infeasible'
        AND (
            (
                source = 'assignment.coordinator' AND context->>'mode' = 'active'
                AND context->>'outcome' IN ('confirmed', 'assigned', 'retry', 'manual_review', 'failed')
            )
            OR (source = 'auto_assign' AND context->>'result' <> 'unknown')
        )
    ORDER BY source, booking_id, position DESC
)
SELECT $__timeGroupAlias(created_at, $__interval), planner AS metric, 100.0 * avg(seated::integer) AS "confirmed"
FROM outcomes
WHERE NOT EXISTS (
    SELECT FROM assignment_pipeline.assignment_records r
    WHERE r.booking_id = outcomes.booking_id AND r.state = 'cancelled'
)
GROUP BY 1, 2
ORDER BY 1, 2
