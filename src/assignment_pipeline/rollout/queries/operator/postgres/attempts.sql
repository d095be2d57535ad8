-- Every planning for one booking, with the parts of the cost, or the rules that turned tables away.
SELECT attempt_no, result, strategy, reason, metadata, created_at
FROM assignment_pipeline.booking_assignment_attempts
WHERE booking_id = :'booking'
ORDER BY attempt_no;
