-- Is the shadow at work? There should be transitions, of the last hour.
SELECT event_type, count(*) AS event_count, min(created_at) AS first_seen, max(created_at) AS last_seen
FROM assignment_pipeline.observability_events
WHERE source = 'assignment.state_machine' AND created_at > now() - interval '1 hour'
GROUP BY event_type;
