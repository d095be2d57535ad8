-- How many bookings of a day wait for a person.
SELECT count(*) AS manual_review_count
FROM bookings
WHERE assignment_state = 'manual_review' AND created_at > datetime('now', '-24 hours');
