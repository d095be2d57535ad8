-- What the pipeline keeps. The schema's name is replaced where another one is wanted.
-- Identifiers sort by code point, as Python sorts them, whatever the database's language is.

CREATE TABLE assignment_pipeline.assignment_records (
    booking_id text COLLATE "C" PRIMARY KEY,
    restaurant_id text COLLATE "C" NOT NULL,
    owner text NOT NULL,
    state text NOT NULL,
    version bigint NOT NULL,
    strategy text,
    attempts bigint NOT NULL,
    retries bigint NOT NULL,
    deliveries bigint NOT NULL,
    holds bigint NOT NULL,
    next_attempt_at timestamptz,
    pinned boolean NOT NULL,
    reason text,
    booking jsonb,  -- as the pipeline last dealt with it
    start_at timestamptz,  -- when that booking starts
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

CREATE INDEX assignment_records_due ON assignment_pipeline.assignment_records (next_attempt_at, booking_id)
WHERE owner = 'pipeline' AND next_attempt_at IS NOT NULL;

CREATE INDEX assignment_records_waiting ON assignment_pipeline.assignment_records (restaurant_id, start_at)
WHERE owner = 'pipeline' AND state IN ('assignment_pending', 'manual_review');

CREATE INDEX assignment_records_queue ON assignment_pipeline.assignment_records (restaurant_id, state, booking_id);

-- The constraint is the last guard: the commit has looked before, under its restaurant's lock.
CREATE TABLE assignment_pipeline.booking_table_assignments (
    booking_id text COLLATE "C" NOT NULL,
    table_id text COLLATE "C" NOT NULL,
    restaurant_id text COLLATE "C" NOT NULL,
    start_at timestamptz NOT NULL,  -- the blocked window
    end_at timestamptz NOT NULL,
    turn_start_at timestamptz NOT NULL,
    turn_end_at timestamptz NOT NULL,
    movable boolean NOT NULL,  -- owned by the pipeline and not pinned, as the record says
    PRIMARY KEY (booking_id, table_id),
    CHECK (end_at > start_at),
    CONSTRAINT booking_table_assignments_once EXCLUDE USING gist
        (restaurant_id WITH =, table_id WITH =, tstzrange(start_at, end_at) WITH &&)
);

CREATE INDEX booking_table_assignments_span
ON assignment_pipeline.booking_table_assignments (restaurant_id, start_at);

CREATE TABLE assignment_pipeline.booking_assignment_state_history (
    booking_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    restaurant_id text COLLATE "C" NOT NULL,
    change_id text COLLATE "C" NOT NULL,
    from_state text NOT NULL,
    to_state text NOT NULL,
    "trigger" text NOT NULL,
    reason text,
    actor text,
    tables jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (booking_id, version)
);

CREATE INDEX booking_assignment_state_history_change
ON assignment_pipeline.booking_assignment_state_history (change_id);

-- Changes without a transition leave no history row to be known by.
CREATE TABLE assignment_pipeline.assignment_stepless_changes (
    change_id text COLLATE "C" PRIMARY KEY,
    booking_id text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE assignment_pipeline.booking_assignment_attempts (
    booking_id text COLLATE "C" NOT NULL,
    attempt_no bigint NOT NULL,
    restaurant_id text COLLATE "C" NOT NULL,
    strategy text,
    result text NOT NULL,
    reason text,
    metadata jsonb NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE INDEX booking_assignment_attempts_booking
ON assignment_pipeline.booking_assignment_attempts (booking_id, attempt_no);

CREATE TABLE assignment_pipeline.observability_events (
    id text COLLATE "C" PRIMARY KEY,
    position bigint GENERATED ALWAYS AS IDENTITY,  -- the order in which they were told
    created_at timestamptz NOT NULL,
    source text NOT NULL,
    event_type text NOT NULL,
    severity text NOT NULL,
    restaurant_id text COLLATE "C",
    booking_id text COLLATE "C",
    context jsonb NOT NULL
);

CREATE INDEX observability_events_created ON assignment_pipeline.observability_events (created_at);

CREATE TABLE assignment_pipeline.table_blocks (
    id text COLLATE "C" PRIMARY KEY,
    restaurant_id text COLLATE "C" NOT NULL,
    table_id text COLLATE "C" NOT NULL,
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL,
    reason text,
    actor text,
    created_at timestamptz NOT NULL,
    CHECK (end_at > start_at)
);

-- Blocks may last for months, so that they are found by their end.
CREATE INDEX table_blocks_span ON assignment_pipeline.table_blocks (restaurant_id, end_at);

-- Leases cost no flush, and a crash of the server ends them, as it ends the connections of their holders.
CREATE UNLOGGED TABLE assignment_pipeline.assignment_leases (
    "key" text COLLATE "C" NOT NULL,
    slot integer NOT NULL,
    owner text NOT NULL,
    nonce text COLLATE "C" NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY ("key", slot)
);

CREATE TABLE assignment_pipeline.assignment_rollout (
    id integer PRIMARY KEY CHECK (id = 1),
    generation bigint NOT NULL,
    settings jsonb NOT NULL,
    updated_at timestamptz
);

INSERT INTO assignment_pipeline.assignment_rollout (id, generation, settings) VALUES (1, 0, '{}');

CREATE TABLE assignment_pipeline.assignment_rollout_history (
    generation bigint PRIMARY KEY,
    settings jsonb NOT NULL,
    actor text,
    reason text,
    evidence jsonb,  -- the numbers it was decided on
    created_at timestamptz NOT NULL
);

-- A record with its tables, as the store reads it.
CREATE VIEW assignment_pipeline.record_documents AS
SELECT
    r.booking_id, r.restaurant_id, r.owner, r.state, r.version, r.strategy, r.attempts, r.retries, r.deliveries,
    r.holds, r.next_attempt_at, r.pinned, r.reason, r.booking,
    (
        SELECT json_agg(
            json_build_array(a.table_id, a.start_at, a.end_at, a.turn_start_at, a.turn_end_at) ORDER BY a.table_id
        )
        FROM assignment_pipeline.booking_table_assignments a WHERE a.booking_id = r.booking_id
    ) AS seats
FROM assignment_pipeline.assignment_records r;

-- The guide's queries group by it; TimescaleDB brings its own. Weeks begin on Mondays, as there.
DO $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
        WHERE p.proname = 'time_bucket' AND d.classid = 'pg_catalog.pg_proc'::regclass
    ) THEN
        CREATE FUNCTION assignment_pipeline.time_bucket(bucket_width interval, ts timestamptz) RETURNS timestamptz
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        AS 'SELECT pg_catalog.date_bin(bucket_width, ts, ''2000-01-03 00:00:00+00'')';
    END IF;
END
$$;
