-- Bookings that have waited for a person for longer than the alert allows.
SELECT count(*) AS value
FROM assignment_pipeline.assignment_records
WHERE state = 'manual_review' AND waiting_since < now() - {over}
