-- What waits for a person, the longest first.
SELECT records.restaurant_id, records.booking_id, records.reason, records.attempts, max(history.created_at) AS since
FROM assignment_records AS records
JOIN booking_assignment_state_history AS history ON history.booking_id = records.booking_id
WHERE records.state = 'manual_review'
GROUP BY records.restaurant_id, records.booking_id, records.reason, records.attempts
ORDER BY since;
