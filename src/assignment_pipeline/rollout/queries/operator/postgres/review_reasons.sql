-- Why bookings went to a person, in a day.
SELECT context->>'reason' AS reason, count(*) AS count
FROM assignment_pipeline.observability_events
WHERE source = 'assignment.state_machine' AND context->>'to' = 'manual_review'
    AND created_at > now() - interval '24 hours'
GROUP BY 1
ORDER BY 2 DESC;
