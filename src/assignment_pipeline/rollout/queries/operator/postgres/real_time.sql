-- Who was at work in the last hour: the pipeline's events, legacy's, and the bookings that they were about.
SELECT
    count(*) FILTER (WHERE source = 'assignment.state_machine') AS coordinator_events,
    count(*) FILTER (WHERE event_type = 'auto_assign.summary') AS legacy_events,
    count(DISTINCT booking_id) AS unique_bookings
FROM assignment_pipeline.observability_events
WHERE created_at > now() - interval '1 hour';
