-- Of the bookings that could be compared, for how many per cent the shadow chose what legacy chose, or as good.
SELECT
    $__timeGroupAlias(created_at, $__interval),
    100.0 * avg((event_type IN ('shadow.match', 'shadow.equivalent'))::integer) AS "agreement"
FROM assignment_pipeline.observability_events
WHERE $__timeFilter(created_at)
    AND restaurant_id IN (${restaurant:sqlstring})
    AND source = 'assignment.shadow'
    AND event_type NOT IN ('shadow.dropped', 'shadow.incomparable')
GROUP BY 1
ORDER BY 1
