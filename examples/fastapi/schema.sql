-- The application's own tables. The pipeline's are beside them, in a schema of their own.

CREATE TABLE restaurants (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    timezone text NOT NULL,
    revision bigint NOT NULL DEFAULT 1  -- of its floor: the trigger below counts it up
);

CREATE TABLE dining_tables (
    restaurant_id uuid NOT NULL REFERENCES restaurants (id),
    label text NOT NULL,
    seats integer NOT NULL,
    room text,
    next_to text,  -- the label of a table that it can be pushed up to
    in_use boolean NOT NULL DEFAULT true,
    PRIMARY KEY (restaurant_id, label)
);

CREATE FUNCTION count_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE restaurants SET revision = revision + 1 WHERE id IN (old.restaurant_id, new.restaurant_id);
    RETURN NULL;
END
$$;

CREATE TRIGGER dining_tables_changed AFTER INSERT OR UPDATE OR DELETE ON dining_tables
FOR EACH ROW EXECUTE FUNCTION count_revision();

CREATE TABLE bookings (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    restaurant_id uuid NOT NULL REFERENCES restaurants (id),
    guest text NOT NULL,
    party_size integer NOT NULL,
    start_at timestamptz NOT NULL,
    status text NOT NULL DEFAULT 'pending',  -- confirmed, cancelled, declined
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX bookings_pending ON bookings (start_at, id) WHERE status = 'pending';

-- Tables that are taken for a while: given away by the planner that is being replaced, the staff, or the pipeline.
CREATE TABLE seats (
    restaurant_id uuid NOT NULL,
    label text NOT NULL,
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL,
    booking_id uuid REFERENCES bookings (id),
    given_by text NOT NULL CHECK (given_by IN ('legacy', 'staff', 'pipeline')),
    FOREIGN KEY (restaurant_id, label) REFERENCES dining_tables (restaurant_id, label)
);

CREATE INDEX seats_span ON seats (restaurant_id, end_at);

CREATE INDEX seats_booking ON seats (booking_id);
