-- What the store reads of the tables of `StandaloneHost`.

-- A booking, as the store reads it.
CREATE VIEW assignment_pipeline.booking_documents AS
SELECT {STORED_AS_BOOKING} FROM assignment_pipeline.bookings;

-- A restaurant with its floor, as the store reads it.
CREATE VIEW assignment_pipeline.venue_documents AS
SELECT
    r.id, r.timezone, r.policy, r.floor, r.version,
    (
        SELECT json_agg(t ORDER BY t.position) FROM assignment_pipeline.table_inventory t
        WHERE t.restaurant_id = r.id
    ) AS tables,
    (
        SELECT json_agg(json_build_array(p.table_a, p.table_b)) FROM assignment_pipeline.table_adjacencies p
        WHERE p.restaurant_id = r.id
    ) AS adjacent,
    (
        SELECT json_agg(c ORDER BY c.position) FROM assignment_pipeline.table_combinations c
        WHERE c.restaurant_id = r.id
    ) AS combinations
FROM assignment_pipeline.restaurants r;
