"""What the page on Supabase says: on a server with its roles and schemas, through pgbouncer in transaction mode."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from pathlib import Path

import pytest

psycopg = pytest.importorskip("psycopg")
from psycopg.conninfo import make_conninfo  # noqa: E402

from assignment_pipeline import Booking, Coordinator, FixedFlags, Mode  # noqa: E402
from assignment_pipeline.adapters.postgres import (  # noqa: E402
    PostgresLockManager,
    PostgresStore,
    bookings_view,
    check_grants,
    examine_security,
    grants,
    init,
)
from assignment_pipeline.ports import RecordQuery  # noqa: E402
from assignment_pipeline.testing.store_harness import make_venue  # noqa: E402
from tests.servers.pgbouncer import pooled  # noqa: E402
from tests.servers.postgres import database  # noqa: E402

PAGE = (Path(__file__).parents[2] / "docs/how-to/supabase.md").read_text(encoding="utf-8")
SQL = re.findall(r"^```sql\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
EXTENSION, ROLE, POLICIES, TRIGGER, EDITOR = SQL

PLATFORM = """
CREATE SCHEMA extensions; CREATE SCHEMA auth;
CREATE ROLE anon NOLOGIN; CREATE ROLE authenticated NOLOGIN;
GRANT USAGE ON SCHEMA public, extensions TO anon, authenticated;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated;
CREATE FUNCTION auth.uid() RETURNS text LANGUAGE sql STABLE AS $$SELECT current_setting('request.guest', true)$$;
GRANT USAGE ON SCHEMA auth TO authenticated;
"""
"""What a project has from the beginning."""

PROJECT = """
CREATE TABLE public.reservations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), restaurant_id text NOT NULL, party_size integer NOT NULL,
    start_at timestamptz NOT NULL, status text NOT NULL DEFAULT 'pending',
    created_at timestamptz NOT NULL DEFAULT now(), guest text NOT NULL
);
ALTER TABLE public.reservations ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.reservations TO authenticated USING (guest = auth.uid()) WITH CHECK (guest = auth.uid());
"""
"""What its owner has made: guests see and make their own bookings."""

MADE = "INSERT INTO public.reservations (restaurant_id, party_size, start_at, guest) VALUES ('r-1', 2, %s, %s)"

BOOKING = """
SELECT id::text, restaurant_id, party_size, start_at, status FROM public.reservations WHERE id::text = %s
"""


class Host:
    """The project's own tables, as a backend reads them."""

    def booking(self, connection, booking_id):
        row = connection.execute(BOOKING, (booking_id,)).fetchone()
        return row and Booking(id=row[0], restaurant_id=row[1], party_size=row[2], start_at=row[3], status=row[4])

    def venue(self, connection, restaurant_id, known_version):
        venue = make_venue(restaurant_id)
        return None if venue.version == known_version else venue

    def occupied(self, connection, restaurant_id, window):
        return []

    def unassigned(self, connection, since, limit):
        return []

    def on_commit(self, connection, changes):
        for change in changes:
            values = (change.guest_status, change.record.booking_id)
            connection.execute(
                "UPDATE public.reservations SET status = coalesce(%s, status) WHERE id::text = %s", values
            )


@pytest.fixture
def project(postgres_database, views_can_heed_policies):
    """A project's database, its roles by names of the test's own, and how each connects through the pooler."""
    names = {name: f"{name}_{secrets.token_hex(4)}" for name in ("anon", "authenticated", "app")}
    password = secrets.token_hex(8)

    def ours(text):
        text = re.sub(rf"\b({'|'.join(names)})\b", lambda found: names[found[1]], text)
        return text.replace("a long one", password)

    with database(postgres_database) as made, psycopg.connect(made, autocommit=True) as connection:
        connection.execute(ours(PLATFORM))
        connection.execute(ours(PROJECT))
        try:
            yield made, connection, names, ours, password
        finally:
            for name in names.values():
                if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is not None:
                    connection.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_the_page_holds(project):
    """A guest's booking that came by the API is assigned by a worker behind the pooler, and nothing of ours is open."""
    at, owner, names, ours, password = project
    owner.execute(EXTENSION)
    init(at)
    bookings_view(at, "public.reservations", apply=True)
    home = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'btree_gist'"
    assert owner.execute(home).fetchone() == ("extensions",)
    owner.execute(ours(ROLE))
    owner.execute(grants(at, names["app"], "worker"))
    owner.execute(ours(POLICIES))
    owner.execute(ours(TRIGGER))
    assert check_grants(at, names["app"], "worker") == ()
    assert examine_security(at) == ()
    guests_insert(at, names)
    try:
        behind = pooled(make_conninfo(at, user=names["app"], password=password))
        with (
            behind as worker,
            PostgresStore(worker, host=Host()) as store,
            PostgresLockManager(worker) as locks,
            Coordinator(
                store, locks=locks, limiter=locks, flags=FixedFlags(Mode.ACTIVE, max_parallel=5), sinks=(store,)
            ) as coordinator,
        ):
            coordinator.sweep()
            assert [record.state for record in store.records(RecordQuery()).records] == ["confirmed"] * 2
    except LookupError as error:
        pytest.skip(str(error))
    with psycopg.connect(at) as editor:
        cursor = editor.execute(EDITOR)
        cursor.nextset()
        assert cursor.fetchall() == [("confirmed", 2)]


def guests_insert(at, names):
    """Two guests make a booking each, as the API would; neither sees the other's, nor anything of ours."""
    refused = psycopg.errors.InsufficientPrivilege
    start = (dt.datetime.now(dt.UTC) + dt.timedelta(days=2)).replace(hour=11, minute=0, second=0, microsecond=0)
    for guest in ("Guest 12", "Guest 13"):
        with psycopg.connect(at) as connection:
            connection.execute(f"SET LOCAL ROLE {names['authenticated']}")
            connection.execute("SELECT set_config('request.guest', %s, true)", (guest,))
            values = (start, guest)
            connection.execute(MADE, values)
            assert connection.execute("SELECT guest FROM public.reservations").fetchall() == [(guest,)]
            for cannot in (
                "SELECT * FROM assignment_pipeline.assignment_records",
                "SELECT * FROM assignment_pipeline.bookings",
                "SELECT assignment_pipeline.enqueue('b-9', 'r-1', 2, now())",
            ):
                with pytest.raises(refused), connection.transaction():
                    connection.execute(cannot)


def test_a_worker_without_a_policy_finds_no_booking(project):
    """As the page warns: row-level security hides the rows of your table, and says nothing."""
    _, owner, names, ours, _ = project
    owner.execute(MADE, (dt.datetime.now(dt.UTC), "Guest 12"))
    owner.execute(ours(ROLE))
    owner.execute(f"GRANT SELECT ON public.reservations TO {names['app']}")
    count = "SELECT count(*) FROM public.reservations"
    with owner.transaction(force_rollback=True):
        owner.execute(f"SET LOCAL ROLE {names['app']}")
        assert owner.execute(count).fetchone() == (0,)
    owner.execute(ours(POLICIES))
    with owner.transaction(force_rollback=True):
        owner.execute(f"SET LOCAL ROLE {names['app']}")
        assert owner.execute(count).fetchone() == (1,)
