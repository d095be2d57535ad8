-- Functions for the SQL of hosts and operators.

-- A booking's id as a host's key, or null if it is none. With it, a join from our side can use an index of the host.
CREATE FUNCTION assignment_pipeline.as_uuid(id text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS 'SELECT CASE WHEN id ~ ''^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'' THEN id::uuid END';

CREATE FUNCTION assignment_pipeline.as_bigint(id text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS 'SELECT CASE WHEN id ~ ''^(0|[1-9][0-9]{0,17})$'' THEN id::bigint END';

-- The start of the time bucket of a time. Weeks begin on Mondays, as in TimescaleDB, which has its own function.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
        WHERE p.proname = 'time_bucket' AND d.classid = 'pg_catalog.pg_proc'::regclass
    ) THEN
        CREATE FUNCTION assignment_pipeline.time_bucket(bucket_width interval, ts timestamptz) RETURNS timestamptz
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
        AS 'SELECT pg_catalog.date_bin(bucket_width, ts, ''2000-01-03 00:00:00+00'')';
    END IF;
END
$$;
