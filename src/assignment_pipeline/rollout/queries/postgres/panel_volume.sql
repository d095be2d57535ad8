-- Bookings with an event, those of them with transitions of the pipeline (in shadow, too), and those that
-- the legacy planner has dealt with. Where the pipeline or its shadow is on, the first two are the same.
SELECT
    $__timeGroupAlias(created_at, $__interval),
    count(DISTINCT booking_id) AS "bookings",
    count(DISTINCT booking_id) FILTER (WHERE source = 'assignment.state_machine') AS "with transitions",
    count(DISTINCT booking_id) FILTER (WHERE event_type = 'auto_assign.summary') AS "by legacy"
FROM assignment_pipeline.observability_events
WHERE $__timeFilter(created_at)
    AND restaurant_id IN (${restaurant:sqlstring})
GROUP BY 1
ORDER BY 1
