-- How the bookings of a day came out, by the hour in which they were made: as the guests
-- see it, cancelled ones included.
SELECT
    date_trunc('hour', created_at) AS hour,
    count(*) FILTER (WHERE status = 'confirmed') AS confirmed,
    count(*) FILTER (WHERE assignment_state = 'manual_review') AS manual_review,
    count(*) AS total,
    round(100.0 * count(*) FILTER (WHERE status = 'confirmed') / count(*), 2) AS confirmation_rate
FROM assignment_pipeline.bookings
WHERE created_at > now() - interval '24 hours'
GROUP BY 1
ORDER BY 1 DESC;
