-- How many calls ended in an error, in stretches of five minutes. A store that is down cannot count its own failures.
SELECT
    date_bin('5 minutes', created_at, '1970-01-01 00:00:00+00') AS time,
    count(*) AS calls,
    count(*) FILTER (WHERE event_type = 'coordinator.error') AS errors,
    round(100.0 * count(*) FILTER (WHERE event_type = 'coordinator.error') / count(*), 2) AS percent_errors
FROM assignment_pipeline.observability_events
WHERE source = 'assignment.coordinator' AND context->>'outcome' IS NOT NULL
    AND created_at > now() - interval '24 hours'
GROUP BY 1
ORDER BY 1;
