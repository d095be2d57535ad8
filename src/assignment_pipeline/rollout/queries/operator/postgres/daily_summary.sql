-- How the bookings of a week came out, by the day, as the guests see it.
SELECT
    created_at::date AS date,
    count(*) FILTER (WHERE status = 'confirmed') AS confirmed,
    count(*) FILTER (WHERE assignment_state = 'manual_review') AS manual_review,
    count(*) AS total,
    round(100.0 * count(*) FILTER (WHERE status = 'confirmed') / count(*), 2) AS confirmation_rate
FROM assignment_pipeline.bookings
WHERE created_at > now() - interval '7 days'
GROUP BY 1
ORDER BY 1 DESC;
