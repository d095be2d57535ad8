-- The bookings that came in and wait for a person now, and how many per cent of all that came in they are.
SELECT
    count(*) FILTER (WHERE state = 'manual_review') AS "waiting",
    100.0 * count(*) FILTER (WHERE state = 'manual_review') / nullif(count(*), 0) AS "share"
FROM assignment_pipeline.assignment_records
WHERE $__timeFilter(created_at)
    AND restaurant_id IN (${restaurant:sqlstring})
    AND owner = 'pipeline'
