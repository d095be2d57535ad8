-- Of the bookings that legacy has answered for, for how many per cent the shadow chose the same, as good, or better. An
-- error of the shadow's, or no answer in time, does not agree.
SELECT
    $__timeGroupAlias(created_at, $__interval),
    100.0 * avg((
        event_type IN ('shadow.match', 'shadow.equivalent')
        OR (event_type = 'shadow.mismatch' AND coalesce((context->>'better')::boolean, false))
    )::integer) AS "agreement"
FROM assignment_pipeline.observability_events
WHERE $__timeFilter(created_at)
    AND restaurant_id IN (${restaurant:sqlstring})
    AND source = 'assignment.shadow'
    AND context->>'mode' = 'shadow'
    AND event_type IN (
        'shadow.match', 'shadow.equivalent', 'shadow.mismatch', 'shadow.pipeline_error', 'shadow.timeout'
    )
GROUP BY 1
ORDER BY 1
