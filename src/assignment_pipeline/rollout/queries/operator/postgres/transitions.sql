-- One booking's way.
SELECT version, from_state, to_state, "trigger", reason, actor, tables, created_at
FROM assignment_pipeline.booking_assignment_state_history
WHERE booking_id = :'booking'
ORDER BY version;
