-- Tables that legacy gave away twice are taken all the same: the constraint leaves them out, the commit does not.
ALTER TABLE assignment_pipeline.booking_table_assignments
    ADD COLUMN conflicted boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT booking_table_assignments_once,
    ADD CONSTRAINT booking_table_assignments_once EXCLUDE USING gist
        (restaurant_id WITH =, table_id WITH =, tstzrange(start_at, end_at) WITH &&) WHERE (NOT conflicted);

CREATE OR REPLACE VIEW assignment_pipeline.record_documents AS
SELECT
    r.booking_id, r.restaurant_id, r.owner, r.state, r.version, r.strategy, r.attempts, r.retries, r.deliveries,
    r.holds, r.next_attempt_at, r.pinned, r.reason, r.booking,
    (
        SELECT json_agg(
            json_build_array(a.table_id, a.start_at, a.end_at, a.turn_start_at, a.turn_end_at, a.conflicted)
            ORDER BY a.table_id
        )
        FROM assignment_pipeline.booking_table_assignments a WHERE a.booking_id = r.booking_id
    ) AS seats
FROM assignment_pipeline.assignment_records r;

-- What legacy was handed and has not answered is due as well.
DROP INDEX assignment_pipeline.assignment_records_due;
CREATE INDEX assignment_records_due ON assignment_pipeline.assignment_records (next_attempt_at, booking_id)
WHERE (owner = 'pipeline' OR state = 'assignment_in_progress') AND next_attempt_at IS NOT NULL;
