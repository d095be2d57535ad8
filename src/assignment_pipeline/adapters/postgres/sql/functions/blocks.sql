-- Tables out of service.

-- Take a table out of service; an id counts once. Returns the bookings that have the table for part of that time.
CREATE FUNCTION assignment_pipeline.block(doc jsonb) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off SET lock_timeout = '10s' AS $$
DECLARE
    one record;
BEGIN
    SELECT * INTO one FROM jsonb_populate_record(NULL::assignment_pipeline.table_blocks, doc->'block');
    PERFORM assignment_pipeline.lock_restaurants(jsonb_build_array(one.restaurant_id));
    INSERT INTO assignment_pipeline.table_blocks ({BLOCK}, created_at)
    VALUES ({one.BLOCK}, coalesce((doc->>'now')::timestamptz, now()))
    ON CONFLICT (id) DO NOTHING;
    PERFORM assignment_pipeline.tell(doc->'events');
    RETURN (
        SELECT json_agg(booking_id) FROM (
            SELECT booking_id FROM assignment_pipeline.booking_table_assignments
            WHERE restaurant_id = one.restaurant_id AND table_id = one.table_id
                AND start_at > one.start_at - interval '36 hours' AND start_at < one.end_at AND end_at > one.start_at
            UNION
            SELECT booking_id FROM assignment_pipeline.booking_table_assignments a
            WHERE restaurant_id = one.restaurant_id AND table_id = one.table_id
                AND seated_at IS NOT NULL AND left_at IS NULL
                AND assignment_pipeline.occupied(a, coalesce((doc->>'now')::timestamptz, now()))
                    && tstzrange(one.start_at, one.end_at)
        ) AS there
    );
END
$$;

-- Put a table back into service, and make the bookings due that may use it. Returns whether there was such a block.
CREATE FUNCTION assignment_pipeline.unblock(doc jsonb) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off SET lock_timeout = '10s' AS $$
DECLARE
    moment timestamptz := coalesce((doc->>'now')::timestamptz, now());
    restaurant text := doc->>'restaurant_id';
    policies jsonb := doc->'policies';
    freed jsonb;
BEGIN
    PERFORM assignment_pipeline.lock_restaurants(jsonb_build_array(restaurant));
    WITH ended AS (
        DELETE FROM assignment_pipeline.table_blocks WHERE id = doc->>'id' AND restaurant_id = restaurant RETURNING *
    )
    SELECT jsonb_agg(ended) INTO freed FROM ended;
    IF freed IS NULL THEN
        RETURN false;
    END IF;
    IF (doc->>'standalone')::boolean THEN
        policies := (SELECT jsonb_object_agg(id, policy) FROM assignment_pipeline.restaurants WHERE id = restaurant);
    END IF;
    PERFORM assignment_pipeline.tell(doc->'events');
    PERFORM assignment_pipeline.wake(freed, '{}', policies, moment);
    RETURN true;
END
$$;
