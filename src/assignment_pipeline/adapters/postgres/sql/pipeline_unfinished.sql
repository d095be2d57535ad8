-- What a sweep looks at in turn: reviews, and what is neither settled nor due.
CREATE INDEX assignment_records_unfinished ON assignment_pipeline.assignment_records (booking_id)
WHERE owner = 'pipeline' AND (
    state = 'manual_review' OR (
        next_attempt_at IS NULL
        AND state IN ('created', 'capacity_verified', 'assignment_pending', 'assignment_in_progress')
    )
);
