-- What `StandaloneHost` keeps: the restaurants and bookings of a host that has no tables of its own.

CREATE TABLE restaurants (
    id TEXT PRIMARY KEY NOT NULL,
    timezone TEXT NOT NULL,
    version TEXT NOT NULL,  -- another one after each change of the floor or the policy
    policy TEXT NOT NULL,  -- JSON
    floor TEXT NOT NULL DEFAULT '{}'  -- JSON: what the floor says beside its tables: zones, groups
);

CREATE TABLE table_inventory (
    restaurant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    position INTEGER NOT NULL,  -- the floor's order
    label TEXT,  -- what people call it; null where that is its id
    capacity INTEGER NOT NULL,
    min_party_size INTEGER NOT NULL,
    max_party_size INTEGER NOT NULL,
    zone TEXT,
    seating TEXT NOT NULL,
    accessible INTEGER NOT NULL,
    active INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    offer TEXT,  -- to whom it is given without a person: always, on_request, last, staff; null for what its zone says
    held_until_minutes INTEGER,  -- before an arrival, from when on it is given to everybody
    counter TEXT,  -- whose seat it is
    communal TEXT,  -- the communal table whose seat it is
    tags TEXT NOT NULL,  -- JSON
    PRIMARY KEY (restaurant_id, id)
) WITHOUT ROWID;

-- Tables that stand side by side, and can be joined.
CREATE TABLE table_adjacencies (
    restaurant_id TEXT NOT NULL,
    table_a TEXT NOT NULL,
    table_b TEXT NOT NULL,
    PRIMARY KEY (restaurant_id, table_a, table_b)
) WITHOUT ROWID;

-- Combinations that the restaurant itself names, each with a capacity of its own.
CREATE TABLE table_combinations (
    restaurant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    position INTEGER NOT NULL,  -- the floor's order
    tables TEXT NOT NULL,  -- JSON
    capacity INTEGER NOT NULL,
    min_party_size INTEGER,
    max_party_size INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    PRIMARY KEY (restaurant_id, id)
) WITHOUT ROWID;

-- The guests' bookings; each commit writes into them how they stand.
CREATE TABLE bookings (
    id TEXT PRIMARY KEY NOT NULL,
    restaurant_id TEXT NOT NULL,
    party_size INTEGER NOT NULL,
    start_at TEXT NOT NULL,
    end_at TEXT,
    seating_preference TEXT NOT NULL DEFAULT 'any',
    zone TEXT,
    accessible INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'pending',
    channel TEXT,  -- how it was taken
    assignment_state TEXT,  -- none until the pipeline has a record of it
    assignment_state_version INTEGER,
    assignment_strategy TEXT,
    created_at TEXT NOT NULL  -- for people: nothing is sorted or looked for by it
) WITHOUT ROWID;

-- The bookings that nobody enqueued: of all restaurants, and by restaurant, for the sweep looks for those of the
-- restaurants in charge.
CREATE INDEX bookings_unassigned ON bookings (start_at, id)
WHERE status = 'pending' AND assignment_state IS NULL;

CREATE INDEX bookings_waiting ON bookings (restaurant_id, start_at, id)
WHERE status = 'pending' AND assignment_state IS NULL;
