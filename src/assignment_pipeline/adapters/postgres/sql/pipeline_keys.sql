-- A booking's id as a host's key, or null where it is none: by it, an index of the host's is found from our side.
CREATE FUNCTION assignment_pipeline.as_uuid(id text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT CASE WHEN id ~ ''^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'' THEN id::uuid END';

CREATE FUNCTION assignment_pipeline.as_bigint(id text) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT CASE WHEN id ~ ''^(0|[1-9][0-9]{0,17})$'' THEN id::bigint END';
