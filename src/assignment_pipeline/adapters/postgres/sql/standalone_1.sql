-- What `StandaloneHost` keeps: the bookings and floors of a host that has no tables of its own.

CREATE TABLE assignment_pipeline.restaurants (
    id text COLLATE "C" PRIMARY KEY,
    timezone text NOT NULL,
    policy jsonb NOT NULL,
    version text NOT NULL
);

CREATE TABLE assignment_pipeline.table_inventory (
    restaurant_id text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    position integer NOT NULL,  -- the floor's order
    capacity integer NOT NULL,
    min_party_size integer NOT NULL,
    max_party_size integer NOT NULL,
    zone text,
    seating text NOT NULL,
    accessible boolean NOT NULL,
    active boolean NOT NULL,
    priority integer NOT NULL,
    tags jsonb NOT NULL,
    PRIMARY KEY (restaurant_id, id)
);

CREATE TABLE assignment_pipeline.table_adjacencies (
    restaurant_id text COLLATE "C" NOT NULL,
    table_a text COLLATE "C" NOT NULL,
    table_b text COLLATE "C" NOT NULL,
    PRIMARY KEY (restaurant_id, table_a, table_b)
);

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
    assignment_state text,  -- none until the pipeline has a record of it
    assignment_state_version bigint,
    assignment_strategy text,
    created_at timestamptz NOT NULL
);

CREATE INDEX bookings_unassigned ON assignment_pipeline.bookings (start_at, id)
WHERE status = 'pending' AND assignment_state IS NULL;

CREATE INDEX bookings_created ON assignment_pipeline.bookings (created_at);

-- A booking, as the store reads it.
CREATE VIEW assignment_pipeline.booking_documents AS
SELECT id, restaurant_id, party_size, start_at, end_at, seating_preference AS seating, zone, accessible, status
FROM assignment_pipeline.bookings;

-- A restaurant with its floor, as the store reads it.
CREATE VIEW assignment_pipeline.venue_documents AS
SELECT
    r.id, r.timezone, r.policy, r.version,
    (
        SELECT json_agg(t ORDER BY t.position) FROM assignment_pipeline.table_inventory t
        WHERE t.restaurant_id = r.id
    ) AS tables,
    (
        SELECT json_agg(json_build_array(p.table_a, p.table_b)) FROM assignment_pipeline.table_adjacencies p
        WHERE p.restaurant_id = r.id
    ) AS adjacent,
    (
        SELECT json_agg(c ORDER BY c.position) FROM assignment_pipeline.table_combinations c
        WHERE c.restaurant_id = r.id
    ) AS combinations
FROM assignment_pipeline.restaurants r;
