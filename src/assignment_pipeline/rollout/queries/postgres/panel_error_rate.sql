-- Of the calls, how many per cent ended in an error: a store that could not be reached, a commit whose answer was lost,
-- a schema that does not fit; for the legacy planner, that it raised. A store that is down cannot count its own.
SELECT
    $__timeGroupAlias(created_at, $__interval),
    CASE source WHEN 'auto_assign' THEN 'legacy' ELSE 'pipeline' END AS metric,
    100.0 * avg((event_type LIKE '%error%' OR coalesce(context->>'result' = 'error', false))::integer) AS "errors"
FROM assignment_pipeline.observability_events
WHERE $__timeFilter(created_at)
    AND restaurant_id IN (${restaurant:sqlstring})
    AND (
        source = 'auto_assign'
        OR (source = 'assignment.coordinator' AND context->>'outcome' IS NOT NULL AND context->>'mode' <> 'off')
    )
GROUP BY 1, 2
ORDER BY 1, 2
