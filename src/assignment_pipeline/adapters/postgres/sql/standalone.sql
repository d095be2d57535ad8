-- The tables of `StandaloneHost`: restaurants and bookings for a host without tables of its own.

CREATE TABLE assignment_pipeline.restaurants (
    id text COLLATE "C" PRIMARY KEY,
    timezone text NOT NULL,
    policy jsonb NOT NULL,
    floor jsonb NOT NULL DEFAULT '{}',  -- what the floor says beside its tables: zones, groups
    version text NOT NULL  -- another one after each change of the floor or the policy
);

CREATE TABLE assignment_pipeline.table_inventory (
    restaurant_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    position integer NOT NULL,  -- the floor's order
    label text,  -- what people call it; null where that is its id
    capacity integer NOT NULL,
    min_party_size integer NOT NULL,
    max_party_size integer NOT NULL,
    zone text,
    seating text NOT NULL,
    accessible boolean NOT NULL,
    active boolean NOT NULL,
    priority integer NOT NULL,
    offer text,  -- to whom it is given without a person: always, on_request, last, staff; null for what its zone says
    held_until_minutes integer,  -- before an arrival, from when on it is given to everybody
    counter text,  -- whose seat it is
    communal text,  -- the communal table whose seat it is
    tags jsonb NOT NULL,
    PRIMARY KEY (restaurant_id, id)
);

-- Tables that stand side by side, and can be joined.
CREATE TABLE assignment_pipeline.table_adjacencies (
    restaurant_id text COLLATE "C" NOT NULL,
    table_a text COLLATE "C" NOT NULL,
    table_b text COLLATE "C" NOT NULL,
    PRIMARY KEY (restaurant_id, table_a, table_b)
);

-- Combinations that the restaurant names, each with a capacity of its own.
CREATE TABLE assignment_pipeline.table_combinations (
    restaurant_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    position integer NOT NULL,  -- the floor's order
    tables jsonb NOT NULL,
    capacity integer NOT NULL,
    min_party_size integer,
    max_party_size integer NOT NULL,
    priority integer NOT NULL,
    PRIMARY KEY (restaurant_id, id)
);

-- The guests' bookings. Each commit updates their state.
CREATE TABLE assignment_pipeline.bookings (
    id text COLLATE "C" PRIMARY KEY,
    restaurant_id text COLLATE "C" NOT NULL,
    party_size integer NOT NULL,
    start_at timestamptz NOT NULL,
    end_at timestamptz,
    seating_preference text NOT NULL DEFAULT 'any',
    zone text,
    accessible boolean NOT NULL DEFAULT false,
    status text NOT NULL DEFAULT 'pending',
    channel text,  -- how it was taken
    assignment_state text,  -- none until the pipeline has a record of it
    assignment_state_version bigint,
    assignment_strategy text,
    created_at timestamptz NOT NULL
);

-- The bookings that nobody enqueued: of all restaurants, and by restaurant, for the sweep looks for those of the
-- restaurants in charge.
CREATE INDEX bookings_unassigned ON assignment_pipeline.bookings (start_at, id)
WHERE status = 'pending' AND assignment_state IS NULL;

CREATE INDEX bookings_waiting ON assignment_pipeline.bookings (restaurant_id, start_at, id)
WHERE status = 'pending' AND assignment_state IS NULL;

CREATE INDEX bookings_created ON assignment_pipeline.bookings (created_at);
