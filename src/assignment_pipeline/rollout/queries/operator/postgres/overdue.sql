-- What the sweep should have seen to. Nothing, if it runs.
SELECT count(*) AS overdue, min(next_attempt_at) AS since
FROM assignment_pipeline.assignment_records
WHERE owner = 'pipeline' AND next_attempt_at < now() - interval '5 minutes'
HAVING count(*) > 0;
