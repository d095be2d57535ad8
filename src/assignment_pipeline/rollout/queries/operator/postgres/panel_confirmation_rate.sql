-- The confirmation rate of a day in stretches of five minutes.
SELECT
    date_bin('5 minutes', created_at, '1970-01-01 00:00:00+00') AS time,
    100.0 * count(*) FILTER (WHERE status = 'confirmed') / count(*) AS confirmation_rate
FROM assignment_pipeline.bookings
WHERE created_at > now() - interval '24 hours'
GROUP BY 1
ORDER BY 1;
