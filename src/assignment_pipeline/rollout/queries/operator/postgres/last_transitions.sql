-- The last ten transitions. Nothing means that the pipeline has done nothing.
SELECT
    created_at, booking_id, context->>'from' AS from_state, context->>'to' AS to_state,
    context->>'mode' AS mode
FROM assignment_pipeline.observability_events
WHERE source = 'assignment.state_machine'
ORDER BY created_at DESC
LIMIT 10;
