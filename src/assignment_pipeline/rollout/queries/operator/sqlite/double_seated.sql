-- Is anybody at a table that somebody else has? Nothing, ever; what legacy had given away twice before it was adopted is
-- marked as such.
SELECT one.restaurant_id, one.table_id, one.booking_id, other.booking_id AS other_booking_id
FROM booking_table_assignments AS one
JOIN booking_table_assignments AS other
    ON other.restaurant_id = one.restaurant_id AND other.table_id = one.table_id
    AND other.booking_id > one.booking_id
    AND other.start_at < one.end_at AND other.end_at > one.start_at
    AND NOT one.conflicted AND NOT other.conflicted;
