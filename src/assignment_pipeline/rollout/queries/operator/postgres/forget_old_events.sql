-- Nothing is deleted by itself. Events are the most, some seven for each booking; not those of the last weeks, which
-- gates and alerts count.
DELETE FROM assignment_pipeline.observability_events WHERE created_at < now() - interval '90 days';
