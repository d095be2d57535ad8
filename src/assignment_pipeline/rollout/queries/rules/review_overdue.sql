-- Bookings of which the sweep has told that they wait for a person for too long, and that still do.
SELECT count(*) AS value
FROM assignment_pipeline.assignment_records r
WHERE r.state = 'manual_review' AND EXISTS (
    SELECT FROM assignment_pipeline.observability_events told
    WHERE told.booking_id = r.booking_id AND told.event_type = 'coordinator.review_overdue'
        AND told.created_at >= r.waiting_since
)
