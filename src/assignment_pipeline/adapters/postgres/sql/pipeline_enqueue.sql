-- For hosts with a driver that the library has no `joined` for: a booking's row, and that it wants tables, in one
-- transaction of the host's, whatever speaks SQL to the server. The sweep sees to it once *after* has passed, unless it
-- was assigned by then. Whether it is new is the answer; a booking that has a record is left as it is.
CREATE FUNCTION assignment_pipeline.enqueue(
    id text, restaurant_id text, party_size integer, start_at timestamptz, end_at timestamptz DEFAULT NULL,
    seating text DEFAULT 'any', zone text DEFAULT NULL, accessible boolean DEFAULT false,
    status text DEFAULT 'pending', after interval DEFAULT '1 minute'
) RETURNS boolean
LANGUAGE plpgsql SET lock_timeout = '10s' AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    broken text := CASE
        WHEN coalesce(id, '') = '' THEN 'id: expected some text'
        WHEN coalesce(restaurant_id, '') = '' THEN 'restaurant_id: expected some text'
        WHEN coalesce(party_size, 0) < 1 THEN 'party_size: expected 1 or more'
        WHEN start_at IS NULL OR date_trunc('minute', start_at) <> start_at THEN 'start_at: expected a whole minute'
        WHEN end_at <= start_at THEN 'end_at: expected a time after start_at'
        WHEN date_trunc('minute', end_at) <> end_at THEN 'end_at: expected a whole minute'
        WHEN seating IS NULL OR seating NOT IN ('any', 'indoor', 'outdoor', 'bar')
            THEN 'seating: expected any, indoor, outdoor or bar'
        WHEN accessible IS NULL THEN 'accessible: expected true or false'
        WHEN coalesce(status, '') = '' THEN 'status: expected some text'
        WHEN after IS NULL OR after < interval '0' THEN 'after: expected a time to wait'
    END;
    booking jsonb;
BEGIN
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION '%', broken USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF EXISTS (SELECT FROM assignment_pipeline.assignment_records r WHERE r.booking_id = enqueue.id) THEN
        RETURN false;
    END IF;
    booking := jsonb_build_object(
        'id', id, 'restaurant_id', restaurant_id, 'party_size', party_size, 'start_at', start_at, 'end_at', end_at,
        'seating', seating, 'zone', zone, 'accessible', accessible, 'status', status
    );
    -- Stale, where somebody else was faster: then it has its record.
    RETURN assignment_pipeline.commit(jsonb_build_object(
        'standalone', EXISTS (SELECT FROM assignment_pipeline.assignment_schema s WHERE s.part = 'standalone'),
        'restaurants', jsonb_build_array(restaurant_id),
        'ids', jsonb_build_array(id),
        'rivals', '[]'::jsonb,
        'changes', jsonb_build_array(jsonb_build_object(
            'booking_id', id, 'restaurant_id', restaurant_id, 'stepless', gen_random_uuid(), 'planned', false
        )),
        'stepless', jsonb_build_array(jsonb_build_object('change_id', gen_random_uuid(), 'booking_id', id)),
        'records', jsonb_build_array(jsonb_build_object(
            'booking_id', id, 'restaurant_id', restaurant_id, 'owner', 'pipeline', 'state', 'created', 'version', 0,
            'attempts', 0, 'retries', 0, 'deliveries', 0, 'holds', 0, 'next_attempt_at', moment + after,
            'pinned', false, 'booking', booking, 'start_at', start_at
        ))
    )) IS NULL;
END
$$;
