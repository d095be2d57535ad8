-- The host's own tables, beside the schema that the library keeps its records in.

CREATE TABLE IF NOT EXISTS houses (
    slug text PRIMARY KEY,
    timezone text NOT NULL,
    revision integer NOT NULL DEFAULT 1  -- of its floor; to be counted up with every change of it
);

CREATE TABLE IF NOT EXISTS dining_tables (
    house text NOT NULL REFERENCES houses (slug),
    label text NOT NULL,
    seats integer NOT NULL,
    PRIMARY KEY (house, label)
);

CREATE TABLE IF NOT EXISTS reservations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    house text NOT NULL REFERENCES houses (slug),
    guest text NOT NULL,
    covers integer NOT NULL,
    starts_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'open',  -- open, booked, declined, cancelled
    sits_at text  -- the tables' labels, for the guest's confirmation
);

CREATE INDEX IF NOT EXISTS reservations_open ON reservations (starts_at) WHERE status = 'open';

INSERT INTO houses (slug, timezone) VALUES ('tasca', 'Europe/Lisbon'), ('bodega', 'Europe/Madrid')
ON CONFLICT DO NOTHING;

INSERT INTO dining_tables (house, label, seats)
SELECT slug, 'T' || number, 2 * number FROM houses, generate_series(1, 3) AS number
ON CONFLICT DO NOTHING;
