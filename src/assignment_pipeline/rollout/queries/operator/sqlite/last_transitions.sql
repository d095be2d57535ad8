-- The last ten transitions. Nothing means that the pipeline has done nothing.
SELECT
    created_at, booking_id, json_extract(context, '$.from') AS from_state, json_extract(context, '$.to') AS to_state,
    json_extract(context, '$.mode') AS mode
FROM observability_events
WHERE source = 'assignment.state_machine'
ORDER BY created_at DESC
LIMIT 10;
