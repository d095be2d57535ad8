-- Tables out of service.

-- Take tables of a restaurant out of service; an id counts once. Returns the bookings that have one of them for part of its
-- time.
CREATE FUNCTION assignment_pipeline.block(doc jsonb) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off SET lock_timeout = '10s' AS $$
DECLARE
    one record;
    there text[] := '{}';
BEGIN
    PERFORM assignment_pipeline.lock_restaurants(jsonb_build_array(doc->'blocks'->0->'restaurant_id'));
    INSERT INTO assignment_pipeline.table_blocks ({BLOCK}, created_at)
    SELECT {b.BLOCK}, coalesce((doc->>'now')::timestamptz, now())
    FROM jsonb_populate_recordset(NULL::assignment_pipeline.table_blocks, doc->'blocks') AS b
    ON CONFLICT (id) DO NOTHING;
    PERFORM assignment_pipeline.tell(doc->'events');
    FOR one IN SELECT * FROM jsonb_populate_recordset(NULL::assignment_pipeline.table_blocks, doc->'blocks')
    LOOP
        there := there || ARRAY (
            SELECT booking_id FROM assignment_pipeline.booking_table_assignments
            WHERE restaurant_id = one.restaurant_id AND table_id = one.table_id
                AND start_at > one.start_at - interval '36 hours' AND start_at < one.end_at AND end_at > one.start_at
            UNION
            SELECT booking_id FROM assignment_pipeline.booking_table_assignments a
            WHERE restaurant_id = one.restaurant_id AND table_id = one.table_id
                AND seated_at IS NOT NULL AND left_at IS NULL
                AND assignment_pipeline.occupied(a, coalesce((doc->>'now')::timestamptz, now()))
                    && tstzrange(one.start_at, one.end_at)
        );
    END LOOP;
    RETURN (SELECT json_agg(DISTINCT id) FROM unnest(there) AS id);
END
$$;

-- Put tables of a restaurant back into service, and make the bookings due that may use them. Returns whether there was one
-- of the blocks.
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
        DELETE FROM assignment_pipeline.table_blocks
        WHERE id IN (SELECT jsonb_array_elements_text(doc->'ids')) AND restaurant_id = restaurant RETURNING *
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
