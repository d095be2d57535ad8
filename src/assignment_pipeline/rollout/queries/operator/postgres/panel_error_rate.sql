-- Errors among all events, in stretches of five minutes. Some seven events make one booking: a fifth of all
-- bookings failing reads as 3 %. `calls_with_errors` counts by call.
SELECT
    date_bin('5 minutes', created_at, '1970-01-01 00:00:00+00') AS time,
    count(*) FILTER (WHERE event_type LIKE '%error%' OR event_type LIKE '%failure%') AS errors,
    count(*) AS total
FROM assignment_pipeline.observability_events
WHERE source LIKE 'assignment.%' AND created_at > now() - interval '24 hours'
GROUP BY 1
ORDER BY 1;
