-- Bookings that several workers were at in a day: how often one was turned away, the worst first.
SELECT restaurant_id, booking_id, count(*) AS turned_away, min(created_at) AS first_seen, max(created_at) AS last_seen
FROM observability_events
WHERE event_type = 'coordinator.lock_contention' AND created_at > datetime('now', '-24 hours')
GROUP BY restaurant_id, booking_id
ORDER BY turned_away DESC, booking_id
LIMIT 20;
