-- Bookings that still wait for a person, and about which the sweep has said that they have waited for too long.
SELECT count(*) AS value
FROM assignment_pipeline.assignment_records r
WHERE r.state = 'manual_review' AND EXISTS (
    SELECT FROM assignment_pipeline.observability_events told
    WHERE told.booking_id = r.booking_id AND told.event_type = 'coordinator.review_overdue'
        AND told.created_at >= r.waiting_since
)
