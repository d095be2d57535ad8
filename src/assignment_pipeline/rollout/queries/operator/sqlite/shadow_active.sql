-- Is the shadow at work? There should be transitions, of the last hour.
SELECT event_type, count(*) AS event_count, min(created_at) AS first_seen, max(created_at) AS last_seen
FROM observability_events
WHERE source = 'assignment.state_machine' AND created_at > datetime('now', '-1 hour')
GROUP BY event_type;
