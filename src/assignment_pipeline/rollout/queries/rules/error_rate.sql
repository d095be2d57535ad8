-- Bookings that met an error, of those that the pipeline was called for in the time that the alert looks at; nothing, of fewer than ten.
SELECT
    count(DISTINCT booking_id) FILTER (WHERE event_type = 'coordinator.error')
        / count(DISTINCT booking_id)::double precision AS value
FROM assignment_pipeline.observability_events
WHERE created_at >= now() - {over} AND source = 'assignment.coordinator'
    AND context->>'mode' = 'active' AND (context->>'outcome' IS NOT NULL OR event_type = 'coordinator.error')
HAVING count(DISTINCT booking_id) >= 10
