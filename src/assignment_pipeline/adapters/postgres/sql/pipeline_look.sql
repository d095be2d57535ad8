-- `load` for bookings that are at hand, at a restaurant of a standalone host whose venue the caller knows: it has worked
-- out itself what time to look at, and one query answers. Null, where the venue has another version by now.
CREATE FUNCTION assignment_pipeline.look(
    restaurant text, known_version text, told timestamptz, ids text[], span_start timestamptz, span_end timestamptz
) RETURNS text
LANGUAGE plpgsql STABLE SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan SET jit = off AS $$
BEGIN
    RETURN (
        SELECT json_build_object(
            'now', coalesce(told, now()),
            'generation', (SELECT generation FROM assignment_pipeline.assignment_rollout WHERE id = 1),
            'venue', v.version,
            'records', (
                SELECT json_agg(d) FROM assignment_pipeline.record_documents d WHERE d.booking_id = ANY (ids)
            ),
            'bookings', (SELECT json_agg(b) FROM assignment_pipeline.booking_documents b WHERE b.id = ANY (ids)),
            'taken', json_build_array(
                (
                    SELECT json_agg(json_build_array(table_id, start_at, end_at, booking_id, movable))
                    FROM assignment_pipeline.booking_table_assignments
                    WHERE restaurant_id = restaurant AND start_at > span_start - interval '36 hours'
                        AND start_at < span_end AND end_at > span_start
                ),
                (
                    SELECT json_agg(json_build_array(table_id, start_at, end_at, reason))
                    FROM assignment_pipeline.table_blocks
                    WHERE restaurant_id = restaurant AND end_at > span_start AND start_at < span_end
                )
            )
        )
        FROM assignment_pipeline.restaurants v WHERE v.id = restaurant AND v.version = known_version
    );
END
$$;
