-- What shadow runs leave: bundles to look at and run again, and cases that wait for a worker.

CREATE TABLE assignment_pipeline.assignment_shadow_bundles (
    id text COLLATE "C" PRIMARY KEY,
    captured_at timestamptz NOT NULL,
    restaurant_id text COLLATE "C" NOT NULL,
    booking_id text COLLATE "C" NOT NULL,
    verdict text NOT NULL,
    kind text,
    cost_difference double precision,
    document jsonb NOT NULL
);

CREATE INDEX assignment_shadow_bundles_captured
ON assignment_pipeline.assignment_shadow_bundles (captured_at DESC, id);

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
