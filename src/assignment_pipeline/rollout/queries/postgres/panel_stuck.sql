-- Bookings that the sweep should have taken up five minutes ago or earlier. Anything but none: it is not running.
SELECT count(*) AS "stuck"
FROM assignment_pipeline.assignment_records
WHERE owner = 'pipeline'
    AND next_attempt_at < now() - interval '5 minutes'
    AND restaurant_id IN (${restaurant:sqlstring})
