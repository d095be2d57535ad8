-- The pipeline's tables in PostgreSQL, as this version of the library makes them. The functions are in `functions`; the
-- tables of `StandaloneHost` are in `standalone.sql`. Another schema's name may replace this one's. Identifiers sort by code
-- point, as in Python, in every language of the database.

-- The version of each part: `pipeline` is this file, `standalone` the other one.
CREATE TABLE assignment_pipeline.assignment_schema (
    part text PRIMARY KEY,
    version integer NOT NULL,
    changed_at timestamptz NOT NULL  -- when `db init` made this version
);


-- ---- Assignments ----------------------------------------------------------------------------------------------------

-- One row for each booking that the pipeline knows: where its assignment stands.
CREATE TABLE assignment_pipeline.assignment_records (
    booking_id text COLLATE "C" PRIMARY KEY,
    restaurant_id text COLLATE "C" NOT NULL,
    owner text NOT NULL,  -- who answers for its tables: pipeline or legacy
    state text NOT NULL,
    version bigint NOT NULL,  -- counts its transitions
    strategy text,  -- what found its tables
    attempts bigint NOT NULL,
    retries bigint NOT NULL,
    deliveries bigint NOT NULL,  -- claims of it since something last came of one
    holds bigint NOT NULL,  -- holds that have expired
    next_attempt_at timestamptz,  -- when the sweep takes it up
    waiting_since timestamptz,  -- since when it waits for tables or a person
    pinned boolean NOT NULL,  -- it may not be moved
    reason text,
    booking jsonb,  -- as the pipeline last dealt with it
    start_at timestamptz,  -- when that booking starts
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Due bookings: those of the pipeline, and those that legacy was handed and has not answered.
CREATE INDEX assignment_records_due ON assignment_pipeline.assignment_records (next_attempt_at, booking_id)
WHERE (owner = 'pipeline' OR state = 'assignment_in_progress') AND next_attempt_at IS NOT NULL;

-- Claims that ended without an answer. There are few, and every sweep reads them.
CREATE INDEX assignment_records_claimed ON assignment_pipeline.assignment_records (next_attempt_at)
WHERE deliveries > 0 AND next_attempt_at IS NOT NULL;

-- Bookings that sweeps check in turn: reviews, and others that are neither settled nor due.
CREATE INDEX assignment_records_unfinished ON assignment_pipeline.assignment_records (booking_id)
WHERE {UNFINISHED};

-- Bookings that may take tables that come free, near a time.
CREATE INDEX assignment_records_waiting ON assignment_pipeline.assignment_records (restaurant_id, start_at)
WHERE owner = 'pipeline' AND state IN ({WAKEABLE});

-- Pages of a restaurant's records in a state.
CREATE INDEX assignment_records_queue ON assignment_pipeline.assignment_records (restaurant_id, state, booking_id);

-- How many reviews are open, for the metrics.
CREATE INDEX assignment_records_reviews ON assignment_pipeline.assignment_records (restaurant_id)
WHERE state = 'manual_review';

-- Which tables a booking has, and when. The constraint is the last guard against two parties at one table: the commit has
-- checked before, under its restaurant's lock. Tables that legacy gave away twice are kept, too. The constraint ignores
-- them; the commit does not.
CREATE TABLE assignment_pipeline.booking_table_assignments (
    booking_id text COLLATE "C" NOT NULL,
    table_id text COLLATE "C" NOT NULL,
    restaurant_id text COLLATE "C" NOT NULL,
    start_at timestamptz NOT NULL,  -- the blocked window: the turn with its buffers
    end_at timestamptz NOT NULL,
    turn_start_at timestamptz NOT NULL,  -- when the party sits
    turn_end_at timestamptz NOT NULL,
    movable boolean NOT NULL,  -- owned by the pipeline and not pinned, as the record says
    conflicted boolean NOT NULL DEFAULT false,  -- others had some of that when legacy took it
    seated_at timestamptz,  -- when the party sat down
    left_at timestamptz,  -- when it left; a party that sits has only the first
    utc_offset_minutes bigint,  -- local time less UTC at the turn's start, as read when it got the table
    PRIMARY KEY (booking_id, table_id),
    CHECK (end_at > start_at),
    CONSTRAINT booking_table_assignments_once EXCLUDE USING gist
        (restaurant_id WITH =, table_id WITH =, tstzrange(start_at, end_at) WITH &&) WHERE (NOT conflicted)
);

-- The taken tables of a time span. A booking blocks at most a turn of 24 hours between two buffers of 6, so queries start
-- 36 hours earlier in the index.
CREATE INDEX booking_table_assignments_span
ON assignment_pipeline.booking_table_assignments (restaurant_id, start_at);

-- The parties that sit: few, and looked at by each plan and each commit.
CREATE INDEX booking_table_assignments_sitting
ON assignment_pipeline.booking_table_assignments (restaurant_id, table_id, booking_id)
WHERE seated_at IS NOT NULL AND left_at IS NULL;

-- Every transition of every record, in order. Versions have no gaps.
CREATE TABLE assignment_pipeline.booking_assignment_state_history (
    booking_id text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    restaurant_id text COLLATE "C" NOT NULL,
    change_id text COLLATE "C" NOT NULL,  -- the commit that made it
    from_state text NOT NULL,
    to_state text NOT NULL,
    "trigger" text NOT NULL,
    reason text,
    actor text,  -- the person who asked for it, if one did
    tables jsonb NOT NULL,
    seated_at timestamptz,  -- when the party sat down at them
    left_at timestamptz,  -- when it left them
    turn_start_at timestamptz,  -- its turn at them
    turn_end_at timestamptz,
    blocked_start_at timestamptz,  -- for how long they are kept from others
    blocked_end_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (booking_id, version)
);

-- Outcomes, for the metrics: a row or two for each booking.
CREATE INDEX booking_assignment_state_history_outcomes
ON assignment_pipeline.booking_assignment_state_history (created_at)
WHERE to_state IN ({OUTCOMES});

-- Who had tables at a restaurant around a time.
CREATE INDEX booking_assignment_state_history_turns
ON assignment_pipeline.booking_assignment_state_history (restaurant_id, turn_start_at)
WHERE turn_start_at IS NOT NULL;

-- Changes without a transition: they have no history row with their id.
CREATE TABLE assignment_pipeline.assignment_stepless_changes (
    change_id text COLLATE "C" PRIMARY KEY,
    booking_id text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL
);

-- The result of each planning of a booking.
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

-- Without a key, no row could be deleted any more where a publication of yours has all tables.
ALTER TABLE assignment_pipeline.booking_assignment_attempts REPLICA IDENTITY FULL;

-- For the metrics.
CREATE INDEX booking_assignment_attempts_created ON assignment_pipeline.booking_assignment_attempts (created_at);

-- Tables out of service.
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

-- Blocks may last for months, so queries find them by their end.
CREATE INDEX table_blocks_span ON assignment_pipeline.table_blocks (restaurant_id, end_at);

-- Locks of workers. The table is unlogged, so leases need no flush. A crash of the server deletes them, and ends the
-- connections of their holders as well.
CREATE UNLOGGED TABLE assignment_pipeline.assignment_leases (
    "key" text COLLATE "C" NOT NULL,
    slot integer NOT NULL,
    owner text NOT NULL,
    nonce text COLLATE "C" NOT NULL,  -- only the holder has it
    expires_at timestamptz NOT NULL,
    PRIMARY KEY ("key", slot)
);


-- ---- Events ---------------------------------------------------------------------------------------------------------

-- What happened, for people, dashboards and metrics.
CREATE TABLE assignment_pipeline.observability_events (
    id text COLLATE "C" NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,  -- the order in which they were written
    created_at timestamptz NOT NULL,
    source text NOT NULL,
    event_type text NOT NULL,
    severity text NOT NULL,
    restaurant_id text COLLATE "C",
    booking_id text COLLATE "C",
    context jsonb NOT NULL
);

-- No event stands there twice: it always has the same booking, or none. The first index also finds what happened to one.
CREATE UNIQUE INDEX observability_events_booking ON assignment_pipeline.observability_events (booking_id, id);

CREATE UNIQUE INDEX observability_events_others ON assignment_pipeline.observability_events (id) WHERE booking_id IS NULL;

-- As for the attempts.
ALTER TABLE assignment_pipeline.observability_events REPLICA IDENTITY FULL;

CREATE INDEX observability_events_created ON assignment_pipeline.observability_events (created_at);

-- What the legacy planner did, for the metrics: by time, and by booking.
CREATE INDEX observability_events_legacy ON assignment_pipeline.observability_events (created_at)
WHERE event_type = 'auto_assign.summary';

CREATE INDEX observability_events_legacy_booking
ON assignment_pipeline.observability_events (booking_id, created_at, id)
WHERE event_type = 'auto_assign.summary';

-- Events of the rollout. They are few among all others.
CREATE INDEX observability_events_rollout ON assignment_pipeline.observability_events (created_at)
WHERE source = 'assignment.rollout';


-- ---- The rollout ----------------------------------------------------------------------------------------------------

-- The revision in force: one row. Each commit compares its generation.
CREATE TABLE assignment_pipeline.assignment_rollout (
    id integer PRIMARY KEY CHECK (id = 1),
    generation bigint NOT NULL,
    phase text,
    settings jsonb NOT NULL,
    updated_at timestamptz
);

INSERT INTO assignment_pipeline.assignment_rollout (id, generation, settings) VALUES (1, 0, '{}');

-- All revisions, who made them, and why.
CREATE TABLE assignment_pipeline.assignment_rollout_history (
    generation bigint PRIMARY KEY,
    phase text,
    settings jsonb NOT NULL,
    actor text,
    reason text,
    forced boolean NOT NULL DEFAULT false,  -- it went past a gate that had not passed
    evidence jsonb,  -- the numbers it was decided on
    created_at timestamptz NOT NULL
);

-- The results of shadow runs: bundles to read, and to run again.
CREATE TABLE assignment_pipeline.assignment_shadow_bundles (
    id text COLLATE "C" PRIMARY KEY,
    captured_at timestamptz NOT NULL,
    restaurant_id text COLLATE "C" NOT NULL,
    booking_id text COLLATE "C" NOT NULL,
    verdict text NOT NULL,
    kind text,
    cost_difference double precision,
    candidate text NOT NULL,
    document jsonb NOT NULL
);

CREATE INDEX assignment_shadow_bundles_captured
ON assignment_pipeline.assignment_shadow_bundles (captured_at DESC, id);

-- Shadow runs that wait for a worker.
CREATE TABLE assignment_pipeline.assignment_shadow_cases (
    id text COLLATE "C" PRIMARY KEY,
    captured_at timestamptz NOT NULL,
    restaurant_id text COLLATE "C" NOT NULL,
    booking_id text COLLATE "C" NOT NULL,
    document jsonb NOT NULL,
    deliveries integer NOT NULL DEFAULT 0,
    claimed_until timestamptz  -- none until a worker has taken it
);

CREATE INDEX assignment_shadow_cases_captured
ON assignment_pipeline.assignment_shadow_cases (captured_at, id);
