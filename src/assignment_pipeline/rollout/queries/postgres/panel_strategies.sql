-- What found the tables of the bookings that came in and have some.
SELECT strategy, count(*) AS "bookings"
FROM assignment_pipeline.assignment_records
WHERE $__timeFilter(created_at)
    AND restaurant_id IN (${restaurant:sqlstring})
    AND state IN ('assigned', 'confirmed')
    AND strategy IS NOT NULL
GROUP BY 1
ORDER BY 2 DESC
