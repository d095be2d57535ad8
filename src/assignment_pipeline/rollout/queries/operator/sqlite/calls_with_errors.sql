-- How many calls ended in an error, in stretches of five minutes. A store that is down cannot count its own failures.
SELECT
    strftime('%Y-%m-%d %H:', created_at) || printf('%02d', strftime('%M', created_at) / 5 * 5) AS time,
    count(*) AS calls,
    count(*) FILTER (WHERE event_type = 'coordinator.error') AS errors,
    round(100.0 * count(*) FILTER (WHERE event_type = 'coordinator.error') / count(*), 2) AS percent_errors
FROM observability_events
WHERE source = 'assignment.coordinator' AND json_extract(context, '$.outcome') IS NOT NULL
    AND created_at > datetime('now', '-24 hours')
GROUP BY 1
ORDER BY 1;
