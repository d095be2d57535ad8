-- Of the bookings that were called for, how many per cent met an error: a store that could not be reached, a commit
-- whose answer was lost, a shadow or a legacy planner that raised. A store that is down cannot count its own. An alert
-- fires above 5 %.
SELECT
    {time},
    CASE WHEN owner = 'legacy' THEN 'legacy' WHEN mode = 'shadow' THEN 'shadow' ELSE 'pipeline' END AS metric,
    100.0 * sum(failing) / sum(bookings) AS "errors"
FROM {calls}
WHERE bookings > 0
GROUP BY 1, 2
ORDER BY 1, 2
