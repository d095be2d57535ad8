-- How assignments came out, by the hour, of those that guests have not cancelled: 95 % confirmed and less than 10 % in
-- review is what to expect.
SELECT
    date_trunc('hour', created_at) AS hour,
    count(*) AS bookings,
    count(*) FILTER (WHERE state = 'confirmed') AS confirmed,
    count(*) FILTER (WHERE state = 'manual_review') AS in_review,
    round(100.0 * count(*) FILTER (WHERE state = 'confirmed') / count(*), 2) AS percent_confirmed
FROM assignment_pipeline.assignment_records
WHERE state <> 'cancelled' AND created_at > now() - interval '24 hours'
GROUP BY 1
ORDER BY 1 DESC;
