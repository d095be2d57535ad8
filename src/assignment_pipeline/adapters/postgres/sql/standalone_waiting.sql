-- The bookings that nobody enqueued, by restaurant: the sweep looks for those of the restaurants in charge.
CREATE INDEX bookings_waiting ON assignment_pipeline.bookings (restaurant_id, start_at, id)
WHERE status = 'pending' AND assignment_state IS NULL;
