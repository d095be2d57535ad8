-- Calls that others were in the way of, by how: the same booking at work elsewhere, more at once than the restaurant
-- allows, tables that others took first, a circuit that is open, a lock manager that is away.
SELECT
    $__timeGroupAlias(created_at, $__interval),
    coalesce(context->>'reason', replace(event_type, 'coordinator.', '')) AS metric,
    count(*) AS "calls"
FROM assignment_pipeline.observability_events
WHERE $__timeFilter(created_at)
    AND restaurant_id IN (${restaurant:sqlstring})
    AND source = 'assignment.coordinator'
    AND (
        context->>'reason' IN ('lock_contention', 'rate_limited', 'conflict', 'circuit_open')
        OR event_type = 'coordinator.lock_unavailable'
    )
GROUP BY 1, 2
ORDER BY 1, 2
