-- Errors among all events, in stretches of five minutes. Some seven events make one booking: a fifth of all
-- bookings failing reads as 3 %. `calls_with_errors` counts by call.
SELECT
    strftime('%Y-%m-%d %H:', created_at) || printf('%02d', strftime('%M', created_at) / 5 * 5) AS time,
    count(*) FILTER (WHERE event_type LIKE '%error%' OR event_type LIKE '%failure%') AS errors,
    count(*) AS total
FROM observability_events
WHERE source LIKE 'assignment.%' AND created_at > datetime('now', '-24 hours')
GROUP BY 1
ORDER BY 1;
