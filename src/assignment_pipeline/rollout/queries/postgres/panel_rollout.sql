-- What the rollout did, the last first: changes of phase, gates, alerts, and flags that could not be read.
SELECT created_at AS "time", replace(event_type, 'rollout.', '') AS "what", severity, context::text AS "details"
FROM assignment_pipeline.observability_events
WHERE $__timeFilter(created_at)
    AND source = 'assignment.rollout'
ORDER BY created_at DESC
LIMIT 50
