-- What the metrics are found by: see `metrics.sql`. Each index has a row or two for a booking.

CREATE INDEX booking_assignment_state_history_outcomes
ON assignment_pipeline.booking_assignment_state_history (created_at)
WHERE to_state IN ('assigned', 'manual_review', 'failed', 'cancelled');

CREATE INDEX observability_events_legacy ON assignment_pipeline.observability_events (created_at)
WHERE event_type = 'auto_assign.summary';

CREATE INDEX observability_events_legacy_booking
ON assignment_pipeline.observability_events (booking_id, created_at, id)
WHERE event_type = 'auto_assign.summary';

CREATE INDEX observability_events_rollout ON assignment_pipeline.observability_events (created_at)
WHERE source = 'assignment.rollout';

CREATE INDEX booking_assignment_attempts_created ON assignment_pipeline.booking_assignment_attempts (created_at);

CREATE INDEX assignment_records_reviews ON assignment_pipeline.assignment_records (restaurant_id)
WHERE state = 'manual_review';
