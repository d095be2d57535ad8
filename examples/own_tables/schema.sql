-- The host's own tables, as they were before this library came: other names, other types, local times.

CREATE TABLE houses (
    slug TEXT PRIMARY KEY,
    timezone TEXT NOT NULL,
    revision INTEGER NOT NULL DEFAULT 1  -- of its floor: the triggers below count it up
);

CREATE TABLE dining_tables (
    house TEXT NOT NULL REFERENCES houses (slug),
    label TEXT NOT NULL,
    seats INTEGER NOT NULL,
    room TEXT,
    next_to TEXT,  -- the label of a table that it can be pushed up to
    in_use INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (house, label)
);

CREATE TRIGGER dining_tables_added AFTER INSERT ON dining_tables
BEGIN UPDATE houses SET revision = revision + 1 WHERE slug = new.house; END;

CREATE TRIGGER dining_tables_changed AFTER UPDATE ON dining_tables
BEGIN UPDATE houses SET revision = revision + 1 WHERE slug IN (old.house, new.house); END;

CREATE TRIGGER dining_tables_removed AFTER DELETE ON dining_tables
BEGIN UPDATE houses SET revision = revision + 1 WHERE slug = old.house; END;

CREATE TABLE reservations (
    id BLOB PRIMARY KEY,  -- a UUID's 16 bytes
    house TEXT NOT NULL REFERENCES houses (slug),
    guest TEXT NOT NULL,
    covers INTEGER NOT NULL,
    on_date TEXT NOT NULL,  -- 2031-05-02
    at_time TEXT NOT NULL,  -- 20:00
    timezone TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'open',  -- open, booked, declined, cancelled
    sits_at TEXT  -- the tables' labels, for the guest's confirmation
);

CREATE INDEX reservations_open ON reservations (on_date, at_time) WHERE status = 'open';

-- What the planner writes that is being replaced.
CREATE TABLE legacy_seats (
    reservation_id BLOB,
    house TEXT NOT NULL REFERENCES houses (slug),
    table_label TEXT NOT NULL,
    on_date TEXT NOT NULL,
    from_time TEXT NOT NULL,
    minutes INTEGER NOT NULL
);

CREATE INDEX legacy_seats_house ON legacy_seats (house, on_date);
