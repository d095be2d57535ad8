-- The last twenty things of an hour.
SELECT created_at, source, event_type, severity, restaurant_id, booking_id, context
FROM assignment_pipeline.observability_events
WHERE created_at > now() - interval '1 hour'
ORDER BY created_at DESC
LIMIT 20;
