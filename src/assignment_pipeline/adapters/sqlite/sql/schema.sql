-- The pipeline's tables in SQLite, as this version of the library makes them. The tables of `StandaloneHost` are in
-- `standalone.sql`. Times are text in UTC that sorts as time does, flags are 0 or 1, and the rest is as in PostgreSQL.

-- The version of each part: `pipeline` is this file, `standalone` the other one.
CREATE TABLE assignment_schema (
    part TEXT PRIMARY KEY NOT NULL,
    version INTEGER NOT NULL,
    changed_at TEXT NOT NULL  -- when `db init` made this version
) WITHOUT ROWID;


-- ---- Assignments ----------------------------------------------------------------------------------------------------

-- One row for each booking that the pipeline knows: where its assignment stands.
CREATE TABLE assignment_records (
    booking_id TEXT PRIMARY KEY NOT NULL,
    restaurant_id TEXT NOT NULL,
    owner TEXT NOT NULL,  -- who answers for its tables: pipeline or legacy
    state TEXT NOT NULL,
    version INTEGER NOT NULL,  -- counts its transitions
    strategy TEXT,  -- what found its tables
    attempts INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,  -- claims of it since something last came of one
    holds INTEGER NOT NULL,  -- holds that have expired
    next_attempt_at TEXT,  -- when the sweep takes it up
    waiting_since TEXT,  -- since when it waits for tables or a person
    pinned INTEGER NOT NULL,  -- it may not be moved
    reason TEXT,
    booking TEXT,  -- as the pipeline last dealt with it: JSON
    start_at TEXT,  -- when that booking starts
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) WITHOUT ROWID;

-- What is due: what the pipeline has to do, and what legacy was handed and has not answered.
CREATE INDEX assignment_records_due ON assignment_records (next_attempt_at, booking_id)
WHERE (owner = 'pipeline' OR state = 'assignment_in_progress') AND next_attempt_at IS NOT NULL;

-- Claims that ended without an answer: few, and looked at by every sweep.
CREATE INDEX assignment_records_claimed ON assignment_records (next_attempt_at)
WHERE deliveries > 0 AND next_attempt_at IS NOT NULL;

-- What a sweep looks at in turn: reviews, and what might be due but is neither settled nor due.
CREATE INDEX assignment_records_unfinished ON assignment_records (booking_id)
WHERE {UNFINISHED};

-- Bookings that may take tables that come free, near a time.
CREATE INDEX assignment_records_waiting ON assignment_records (restaurant_id, start_at)
WHERE owner = 'pipeline' AND state IN ({WAKEABLE});

-- Pages of a restaurant's records in a state.
CREATE INDEX assignment_records_queue ON assignment_records (restaurant_id, state, booking_id);

-- How many reviews are open, for the metrics.
CREATE INDEX assignment_records_reviews ON assignment_records (restaurant_id)
WHERE state = 'manual_review';

-- Which tables a booking has, and when. SQLite has no constraint against overlaps: the commit looks, and no other
-- commit is in between. Tables that legacy gave away twice are taken all the same.
CREATE TABLE booking_table_assignments (
    booking_id TEXT NOT NULL,
    table_id TEXT NOT NULL,
    restaurant_id TEXT NOT NULL,
    start_at TEXT NOT NULL,  -- the blocked window: the turn with its buffers
    end_at TEXT NOT NULL,
    turn_start_at TEXT NOT NULL,  -- when the party sits
    turn_end_at TEXT NOT NULL,
    movable INTEGER NOT NULL,  -- owned by the pipeline and not pinned, as the record says
    conflicted INTEGER NOT NULL DEFAULT 0,  -- others had some of that when legacy took it
    seated_at TEXT,  -- when the party sat down
    left_at TEXT,  -- when it left; a party that sits has only the first
    utc_offset_minutes INTEGER,  -- local time less UTC at the turn's start, as read when it got the table
    PRIMARY KEY (booking_id, table_id),
    CHECK (end_at > start_at)
) WITHOUT ROWID;

-- What is taken in a time, without a look at the table. A booking blocks at most a turn of 24 hours between two buffers
-- of 6, so that queries enter the index 36 hours ahead.
CREATE INDEX booking_table_assignments_span
ON booking_table_assignments (restaurant_id, start_at, end_at, table_id, booking_id, movable);

-- The parties that sit: few, and looked at by each plan and each commit.
CREATE INDEX booking_table_assignments_sitting ON booking_table_assignments (restaurant_id, table_id, booking_id)
WHERE seated_at IS NOT NULL AND left_at IS NULL;

-- Every transition of every record, in order. Versions have no gaps.
CREATE TABLE booking_assignment_state_history (
    booking_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    restaurant_id TEXT NOT NULL,
    change_id TEXT NOT NULL,  -- the commit that made it
    from_state TEXT NOT NULL,
    to_state TEXT NOT NULL,
    "trigger" TEXT NOT NULL,
    reason TEXT,
    actor TEXT,  -- the person who asked for it, if one did
    tables TEXT NOT NULL,  -- JSON
    seated_at TEXT,  -- when the party sat down at them
    left_at TEXT,  -- when it left them
    turn_start_at TEXT,  -- its turn at them
    turn_end_at TEXT,
    blocked_start_at TEXT,  -- for how long they are kept from others
    blocked_end_at TEXT,
    created_at TEXT NOT NULL,
    PRIMARY KEY (booking_id, version)
);

-- Outcomes, for the metrics: a row or two for each booking.
CREATE INDEX booking_assignment_state_history_outcomes
ON booking_assignment_state_history (created_at)
WHERE {to_state IN OUTCOMES};

-- Who had tables at a restaurant around a time.
CREATE INDEX booking_assignment_state_history_turns
ON booking_assignment_state_history (restaurant_id, turn_start_at)
WHERE turn_start_at IS NOT NULL;

-- Changes without a transition: they leave no history row to be known by.
CREATE TABLE assignment_stepless_changes (
    change_id TEXT PRIMARY KEY NOT NULL,
    booking_id TEXT NOT NULL,
    created_at TEXT NOT NULL
) WITHOUT ROWID;

-- What each planning of a booking came to.
CREATE TABLE booking_assignment_attempts (
    booking_id TEXT NOT NULL,
    attempt_no INTEGER NOT NULL,
    restaurant_id TEXT NOT NULL,
    strategy TEXT,
    result TEXT NOT NULL,
    reason TEXT,
    metadata TEXT NOT NULL,  -- JSON
    created_at TEXT NOT NULL
);

CREATE INDEX booking_assignment_attempts_booking
ON booking_assignment_attempts (booking_id, attempt_no);

-- For the metrics.
CREATE INDEX booking_assignment_attempts_created ON booking_assignment_attempts (created_at);

-- Tables out of service.
CREATE TABLE table_blocks (
    id TEXT PRIMARY KEY NOT NULL,
    restaurant_id TEXT NOT NULL,
    table_id TEXT NOT NULL,
    start_at TEXT NOT NULL,
    end_at TEXT NOT NULL,
    reason TEXT,
    actor TEXT,
    created_at TEXT NOT NULL,
    CHECK (end_at > start_at)
);

-- Blocks may last for months, so that they are found by their end.
CREATE INDEX table_blocks_span ON table_blocks (restaurant_id, end_at);

-- Locks of workers.
CREATE TABLE assignment_leases (
    "key" TEXT NOT NULL,
    slot INTEGER NOT NULL,
    owner TEXT NOT NULL,
    nonce TEXT NOT NULL,  -- only the holder has it
    expires_at TEXT NOT NULL,
    PRIMARY KEY ("key", slot)
) WITHOUT ROWID;


-- ---- Events ---------------------------------------------------------------------------------------------------------

-- What happened, for people, dashboards and metrics. The row ids are the order in which it was written.
CREATE TABLE observability_events (
    id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    source TEXT NOT NULL,
    event_type TEXT NOT NULL,
    severity TEXT NOT NULL,
    restaurant_id TEXT,
    booking_id TEXT,
    context TEXT NOT NULL  -- JSON
);

-- What happened in a time; an event that comes again has the same time. Ids are drawn: an index on them alone would have
-- each commit write pages all over it.
CREATE UNIQUE INDEX observability_events_created ON observability_events (created_at, id);

-- What happened to one booking.
CREATE INDEX observability_events_booking ON observability_events (booking_id)
WHERE booking_id IS NOT NULL;

-- What the legacy planner did, for the metrics: by time, and by booking.
CREATE INDEX observability_events_legacy ON observability_events (created_at)
WHERE event_type = 'auto_assign.summary';

CREATE INDEX observability_events_legacy_booking
ON observability_events (booking_id, created_at, id)
WHERE event_type = 'auto_assign.summary';

-- The rollout's own: few, and looked for among all others.
CREATE INDEX observability_events_rollout ON observability_events (created_at)
WHERE source = 'assignment.rollout';


-- ---- The rollout ----------------------------------------------------------------------------------------------------

-- What is in force: one row. Each commit compares its generation.
CREATE TABLE assignment_rollout (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL,
    phase TEXT,
    settings TEXT NOT NULL,  -- JSON
    updated_at TEXT
);

INSERT INTO assignment_rollout (id, generation, settings) VALUES (1, 0, '{}');

-- What was ever in force, who changed it, and why.
CREATE TABLE assignment_rollout_history (
    generation INTEGER PRIMARY KEY,
    phase TEXT,
    settings TEXT NOT NULL,  -- JSON
    actor TEXT,
    reason TEXT,
    forced INTEGER NOT NULL DEFAULT 0,  -- it went past a gate that had not passed
    evidence TEXT,  -- JSON: the numbers it was decided on
    created_at TEXT NOT NULL
);

-- What shadow runs found: bundles to look at, and to run again.
CREATE TABLE assignment_shadow_bundles (
    id TEXT PRIMARY KEY NOT NULL,
    captured_at TEXT NOT NULL,
    restaurant_id TEXT NOT NULL,
    booking_id TEXT NOT NULL,
    verdict TEXT NOT NULL,
    kind TEXT,
    cost_difference REAL,
    candidate TEXT NOT NULL,
    document TEXT NOT NULL  -- JSON
);

CREATE INDEX assignment_shadow_bundles_captured ON assignment_shadow_bundles (captured_at DESC, id);

-- Shadow runs that wait for a worker.
CREATE TABLE assignment_shadow_cases (
    id TEXT PRIMARY KEY NOT NULL,
    captured_at TEXT NOT NULL,
    restaurant_id TEXT NOT NULL,
    booking_id TEXT NOT NULL,
    document TEXT NOT NULL,  -- JSON
    deliveries INTEGER NOT NULL DEFAULT 0,
    claimed_until TEXT  -- none until a worker has taken it
);

CREATE INDEX assignment_shadow_cases_captured ON assignment_shadow_cases (captured_at, id);
