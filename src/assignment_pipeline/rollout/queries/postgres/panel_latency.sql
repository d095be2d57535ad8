-- How long an assignment took, in milliseconds, from the call to its answer: the median, and what one in twenty and one
-- in a hundred exceeded.
SELECT
    $__timeGroupAlias(created_at, $__interval),
    percentile_disc(0.50) WITHIN GROUP (ORDER BY (context->>'duration_ms')::double precision) AS "p50",
    percentile_disc(0.95) WITHIN GROUP (ORDER BY (context->>'duration_ms')::double precision) AS "p95",
    percentile_disc(0.99) WITHIN GROUP (ORDER BY (context->>'duration_ms')::double precision) AS "p99"
FROM assignment_pipeline.observability_events
WHERE $__timeFilter(created_at)
    AND restaurant_id IN (${restaurant:sqlstring})
    AND source = 'assignment.coordinator'
    AND context->>'mode' = 'active'
    AND context->>'outcome' IN ({PLANNED})
    AND context->>'duration_ms' IS NOT NULL
GROUP BY 1
ORDER BY 1
