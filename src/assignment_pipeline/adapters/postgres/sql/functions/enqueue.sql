-- Enqueue a booking from SQL, in the host's transaction, for drivers without `joined`. The sweep assigns the booking when
-- *after* has passed, unless it was assigned by then. Returns whether the booking is new; an existing record stays as it is.
-- The function refuses every value that `Booking` refuses, because a row that cannot be read stops every reader.
CREATE FUNCTION assignment_pipeline.enqueue(
    id text, restaurant_id text, party_size integer, start_at timestamptz, end_at timestamptz DEFAULT NULL,
    seating text DEFAULT 'any', zone text DEFAULT NULL, accessible boolean DEFAULT false,
    status text DEFAULT 'pending', after interval DEFAULT '1 minute', channel text DEFAULT NULL
) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s' AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    first_minute constant timestamptz := '1970-01-01 00:00Z';
    last_minute constant timestamptz := '9998-12-31 23:59Z';
    broken text := CASE
        WHEN NOT assignment_pipeline.is_name(id)
            THEN 'id: expected a non-empty text of at most 200 printable characters'
        WHEN NOT assignment_pipeline.is_name(restaurant_id)
            THEN 'restaurant_id: expected a non-empty text of at most 200 printable characters'
        WHEN party_size IS NULL OR party_size NOT BETWEEN 1 AND 500
            THEN 'party_size: expected a whole number from 1 to 500'
        WHEN start_at IS NULL OR start_at NOT BETWEEN first_minute AND last_minute
            THEN 'start_at: expected a time in the years 1970 to 9998'
        WHEN date_trunc('minute', start_at, 'UTC') <> start_at THEN 'start_at: expected a whole minute'
        WHEN end_at > last_minute THEN 'end_at: expected a time in the years 1970 to 9998'
        WHEN end_at <= start_at OR end_at > start_at + interval '24 hours'
            THEN 'end_at: expected a time at most 24 hours after start_at'
        WHEN date_trunc('minute', end_at, 'UTC') <> end_at THEN 'end_at: expected a whole minute'
        WHEN seating IS NULL OR seating COLLATE "C" NOT IN ('any', 'indoor', 'outdoor', 'bar')
            THEN 'seating: expected any, indoor, outdoor or bar'
        WHEN zone IS NOT NULL AND NOT assignment_pipeline.is_name(zone)
            THEN 'zone: expected a non-empty text of at most 200 printable characters'
        WHEN accessible IS NULL THEN 'accessible: expected true or false'
        WHEN NOT assignment_pipeline.is_name(status)
            THEN 'status: expected a non-empty text of at most 200 printable characters'
        WHEN after IS NULL OR after NOT BETWEEN interval '0' AND interval '100 years'
            THEN 'after: expected a time to wait, of at most 100 years'
        WHEN channel IS NOT NULL AND NOT assignment_pipeline.is_name(channel)
            THEN 'channel: expected a non-empty text of at most 200 printable characters'
    END;
    booking jsonb;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION '%', broken USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF EXISTS (SELECT FROM assignment_pipeline.assignment_records r WHERE r.booking_id = enqueue.id COLLATE "C") THEN
        RETURN false;
    END IF;
    booking := jsonb_build_object({NAMED_BOOKING});
    -- Stale, where somebody else was faster: then it has its record.
    RETURN assignment_pipeline.commit(jsonb_build_object(
        'standalone', EXISTS (SELECT FROM assignment_pipeline.assignment_schema s WHERE s.part = 'standalone'),
        'restaurants', jsonb_build_array(restaurant_id),
        'ids', jsonb_build_array(id),
        'changes', jsonb_build_array(jsonb_build_object(
            'booking_id', id, 'restaurant_id', restaurant_id, 'stepless', gen_random_uuid(), 'planned', false
        )),
        'stepless', jsonb_build_array(jsonb_build_object('change_id', gen_random_uuid(), 'booking_id', id)),
        'records', jsonb_build_array('{NEW_RECORD}'::jsonb || jsonb_build_object(
            'booking_id', id, 'restaurant_id', restaurant_id, 'next_attempt_at', moment + after, 'waiting_since', moment,
            'booking', booking, 'start_at', start_at
        ))
    )) IS NULL;
END
$$;
