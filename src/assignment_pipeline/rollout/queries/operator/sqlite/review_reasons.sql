-- Why bookings went to a person, in a day.
SELECT json_extract(context, '$.reason') AS reason, count(*) AS count
FROM observability_events
WHERE source = 'assignment.state_machine' AND json_extract(context, '$.to') = 'manual_review'
    AND created_at > datetime('now', '-24 hours')
GROUP BY 1
ORDER BY 2 DESC;
