-- What came of each comparison with the shadow: those that were dropped or could not be compared count here, too.
SELECT
    $__timeGroupAlias(created_at, $__interval),
    replace(event_type, 'shadow.', '') || CASE context->>'candidate' WHEN 'legacy' THEN ' (reverse)' ELSE '' END AS metric,
    sum(CASE event_type WHEN 'shadow.dropped' THEN coalesce((context->>'count')::bigint, 1) ELSE 1 END) AS "bookings"
FROM assignment_pipeline.observability_events
WHERE $__timeFilter(created_at)
    AND restaurant_id IN (${restaurant:sqlstring})
    AND source = 'assignment.shadow'
GROUP BY 1, 2
ORDER BY 1, 2
