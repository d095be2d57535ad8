-- How many bookings of a day wait for a person.
SELECT count(*) AS manual_review_count
FROM assignment_pipeline.bookings
WHERE assignment_state = 'manual_review' AND created_at > now() - interval '24 hours';
