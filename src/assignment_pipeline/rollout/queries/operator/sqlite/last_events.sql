-- The last twenty things of an hour.
SELECT created_at, source, event_type, severity, restaurant_id, booking_id, context
FROM observability_events
WHERE created_at > datetime('now', '-1 hour')
ORDER BY created_at DESC
LIMIT 20;
