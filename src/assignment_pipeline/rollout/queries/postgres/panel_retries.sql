-- Calls after which the same booking has to be tried again, by why.
SELECT
    $__timeGroupAlias(created_at, $__interval),
    coalesce(context->>'reason', 'none') AS metric,
    count(*) AS "retries"
FROM assignment_pipeline.observability_events
WHERE $__timeFilter(created_at)
    AND restaurant_id IN (${restaurant:sqlstring})
    AND source = 'assignment.coordinator'
    AND context->>'outcome' = 'retry'
GROUP BY 1, 2
ORDER BY 1, 2
