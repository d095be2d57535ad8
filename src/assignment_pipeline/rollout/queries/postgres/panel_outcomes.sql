-- How calls came out, by what the flags said: what the pipeline decided, and what it left to legacy.
SELECT
    coalesce(context->>'mode', 'person') AS "mode",
    context->>'outcome' AS "outcome",
    context->>'reason' AS "reason",
    count(*) AS "calls",
    count(DISTINCT booking_id) AS "bookings"
FROM assignment_pipeline.observability_events
WHERE $__timeFilter(created_at)
    AND restaurant_id IN (${restaurant:sqlstring})
    AND source = 'assignment.coordinator'
    AND context->>'outcome' IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY 4 DESC
