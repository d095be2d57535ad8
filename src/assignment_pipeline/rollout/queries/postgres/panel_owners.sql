-- Where the bookings that came in stand now, by who answers for them: the pipeline, or legacy.
SELECT owner, state, count(*) AS "bookings"
FROM assignment_pipeline.assignment_records
WHERE $__timeFilter(created_at)
    AND restaurant_id IN (${restaurant:sqlstring})
GROUP BY 1, 2
ORDER BY 1, 3 DESC
