-- Why bookings went to a person.
SELECT context->>'reason' AS "reason", count(DISTINCT booking_id) AS "bookings"
FROM assignment_pipeline.observability_events
WHERE $__timeFilter(created_at)
    AND restaurant_id IN (${restaurant:sqlstring})
    AND source = 'assignment.state_machine'
    AND context->>'to' = 'manual_review'
    AND context->>'mode' IS DISTINCT FROM 'shadow'
GROUP BY 1
ORDER BY 2 DESC
