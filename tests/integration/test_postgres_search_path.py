"""What others put on the search path, and what two deployments in one database have to do with each other: nothing."""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
from pathlib import Path

import pytest

psycopg = pytest.importorskip("psycopg")
from psycopg import sql  # noqa: E402

import assignment_pipeline.adapters.postgres as adapter  # noqa: E402
from assignment_pipeline import Coordinator, FixedFlags, Mode, TimeWindow  # noqa: E402
from assignment_pipeline.adapters.postgres import (  # noqa: E402
    PostgresLockManager,
    PostgresStore,
    StandaloneHost,
    bookings_view,
    check,
    init,
)
from assignment_pipeline.domain.metrics import MetricsQuery  # noqa: E402
from assignment_pipeline.domain.rollout import RolloutRevision  # noqa: E402
from assignment_pipeline.domain.shadow import ShadowBundle, ShadowVerdict, StoredCase  # noqa: E402
from assignment_pipeline.ports import RecordQuery, Wanted  # noqa: E402
from assignment_pipeline.testing.checker import check as check_tables  # noqa: E402
from assignment_pipeline.testing.checker import read  # noqa: E402
from assignment_pipeline.testing.store_harness import HOUR, MINUTE, QUEUE, make_booking, make_change, make_venue  # noqa: E402
from tests.servers.postgres import database  # noqa: E402

FUNCTIONS = """
SELECT p.proname, p.proconfig, p.proacl::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %s AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""
PINNED = "search_path=pg_catalog, pg_temp"


@pytest.fixture
def schema():
    """A schema's name that nobody has used."""
    return f"It's {secrets.token_hex(4)}"


def test_every_function_pins_its_search_path(postgres_database, schema):
    """Each function finds names in the server's own schema, and nobody may execute one who was not granted it."""
    init(postgres_database, standalone=True, schema=schema)
    with psycopg.connect(postgres_database) as connection:
        found = connection.execute(FUNCTIONS, (schema,)).fetchall()
    assert {name for name, *_ in found} == {
        name for part in adapter.schema.PARTS.values() for name in part.function_names
    }
    assert [name for name, config, _ in found if PINNED not in (config or ())] == []
    assert [name for name, _, acl in found if acl is None or re.search(r"[{,]=X", acl)] == []


# -- What others plant ------------------------------------------------------------------------------------------------

TYPES = (
    *("text", "varchar", "smallint", "integer", "bigint", "double precision", "numeric", "boolean", "uuid"),
    *("jsonb", "json", "timestamptz", "interval", "text[]", "tstzrange", "tstzmultirange"),
)
PLANT = """
DO $plant$
DECLARE
    types text[] := {types}::text[];
    lists text[] := ARRAY[''] || types;
    given text;
    name text;
    a text;
    b text;
BEGIN
    FOREACH a IN ARRAY types LOOP
        FOREACH b IN ARRAY types LOOP
            lists := lists || format('%s, %s', a, b);
            EXECUTE format(
                'CREATE FUNCTION planted.met(%s, %s) RETURNS boolean LANGUAGE plpgsql AS '
                '$$BEGIN RAISE EXCEPTION ''planted'' USING ERRCODE = ''PL001''; END$$', a, b
            );
            FOREACH name IN ARRAY {operators}::text[] LOOP
                EXECUTE format(
                    'CREATE OPERATOR planted.%s (FUNCTION = planted.met, LEFTARG = %s, RIGHTARG = %s)', name, a, b
                );
            END LOOP;
        END LOOP;
    END LOOP;
    FOR name IN
        SELECT DISTINCT proname FROM pg_proc
        WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY ({names}::text[])
    LOOP
        FOREACH given IN ARRAY lists LOOP
            EXECUTE format(
                'CREATE FUNCTION planted.%I(%s) RETURNS text LANGUAGE plpgsql AS '
                '$$BEGIN RAISE EXCEPTION ''planted: %s'' USING ERRCODE = ''PL001''; END$$', name, given, name
            );
        END LOOP;
    END LOOP;
END
$plant$
"""
OPERATORS = ("=", "<>", "<", ">", "<=", ">=", "+", "-", "*", "/", "||", "->", "->>", "#>>", "?", "&&", "~")


def plant(where):
    """Functions and operators with the names of those that our SQL calls, which fit what they get more exactly."""
    texts = [
        path.read_text("utf-8") for path in Path(adapter.__file__).parent.rglob("*") if path.suffix in {".py", ".sql"}
    ]
    names = sorted({name for text in texts for name in re.findall(r"\b([a-z_]+)\s*\(", text)})
    statement = sql.SQL(PLANT).format(
        types=sql.Literal(list(TYPES)), operators=sql.Literal(list(OPERATORS)), names=sql.Literal(names)
    )
    with psycopg.connect(where, autocommit=True) as connection:
        connection.execute("SET search_path = pg_catalog; CREATE SCHEMA planted")
        connection.execute(statement)


@pytest.fixture(scope="module")
def planted(postgres_database):
    """A database whose search path has what somebody planted, for every session."""
    with database(postgres_database) as made:
        with psycopg.connect(made, autocommit=True) as connection:
            connection.execute("CREATE EXTENSION btree_gist")
            (name,) = connection.execute("SELECT current_database()").fetchone()
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET search_path = planted, public").format(sql.Identifier(name))
            )
        plant(made)
        yield made


def test_what_is_planted_would_be_called(planted):
    """The trap works: what names no schema, and does not fit exactly, calls what was planted."""
    with psycopg.connect(planted, autocommit=True) as connection:
        for careless in ("SELECT to_json(now())", "SELECT 'a'::varchar = 'a'::text", "SELECT hashtextextended('a', 1)"):
            with pytest.raises(psycopg.Error, match="planted"):
                connection.execute(careless)


def test_nothing_calls_what_others_planted(planted):
    """Whatever is on the search path: tables are made, bookings assigned, swept, measured and checked by our own."""
    schema = "evening"
    init(planted, standalone=True, schema=schema)
    check(planted, standalone=True, schema=schema)
    host = StandaloneHost(schema=schema)
    with (
        PostgresStore(planted, host=host, schema=schema) as store,
        PostgresLockManager(planted, schema=schema) as locks,
        Coordinator(store, locks=locks, limiter=locks, flags=FixedFlags(Mode.ACTIVE), sinks=(store,)) as coordinator,
    ):
        store.write(lambda connection: host.put_venue(connection, make_venue()))
        store.revise(RolloutRevision(generation=1, phase="production-100"))
        start = make_booking().start_at
        first, second, third = (make_booking(f"b-{n}", at=start) for n in range(3))
        store.write(lambda connection: host.put_booking(connection, third))
        assert coordinator.assign(first).outcome == "confirmed"
        assert coordinator.assign_id("b-2", "r-1").outcome == "confirmed"
        coordinator.enqueue(second)
        with psycopg.connect(planted) as connection:
            coordinator.joined(connection).guard("r-1")
            assert coordinator.joined(connection).enqueue(make_booking("b-4", at=start)) is not None
            statement = f"SELECT {schema}.enqueue('b-5', 'r-1', 2, '{start}')"
            assert connection.execute(statement).fetchone() == (True,)
        coordinator.sweep()
        coordinator.cancel("b-0")
        window = TimeWindow(start, start + HOUR)
        block = coordinator.block("r-1", "T1", window, actor="anna", reason="maintenance").block
        coordinator.unblock("r-1", block.id, actor="anna")
        coordinator.review_queue()
        coordinator.reoptimize("r-1", start.date())
        coordinator.watch_rollout()
        store.put_back(store.due(10), MINUTE)
        store.waiting(), store.unassigned(start - HOUR, 5), store.unassigned(start - HOUR, 5, ["r-1"])
        (
            store.records(RecordQuery(unfinished=True)),
            store.records(RecordQuery()),
            store.restaurants(),
            store.revisions(),
        )
        (
            store.knows(make_change(make_booking(), *QUEUE)),
            store.blocked("r-1", start),
            store.history("b-2"),
            store.booking("b-2"),
        )
        since = store.now().replace(microsecond=0) - dt.timedelta(days=1)
        query = MetricsQuery(since=since)
        store.measure(query), store.series(query, HOUR), store.seen(query), store.alarms()
        facts = {"restaurant_id": "r-1", "booking_id": "b-9", "document": {}}
        store.keep_bundle(
            ShadowBundle(id="s-1", captured_at=since, verdict=ShadowVerdict.MATCH, **facts), most=5, since=since
        )
        store.bundles(restaurant_id="r-1", verdict=ShadowVerdict.MATCH), store.bundle("s-1")
        store.put_cases([StoredCase(id="c-1", captured_at=since, **facts)], most=5)
        assert len(store.claim_cases(5, for_=MINUTE)) == 1
        store.drop_cases(["c-1"]), store.answered_since("r-1", since)
        locks.release(locks.acquire([Wanted("key")], ttl=MINUTE))
    assert list(check_tables(read(planted, schema=schema))) == []


def test_a_view_of_the_hosts_bookings_calls_nothing_planted(planted):
    """The view over a host's table compares keys by the server's own operators, of whatever type they are."""
    init(planted, schema="embedded")
    for kind in ("varchar(40)", "bigint", "uuid"):
        with psycopg.connect(planted, autocommit=True) as connection:
            connection.execute("DROP VIEW IF EXISTS embedded.bookings; DROP TABLE IF EXISTS public.reservations")
            connection.execute(
                f"CREATE TABLE public.reservations (id {kind}, restaurant_id text, party_size integer, "
                "start_at timestamptz, status text, created_at timestamptz)"
            )
        words = {"booked": "confirmed"}
        bookings_view(planted, "public.reservations", statuses=words, schema="embedded", apply=True)
        with psycopg.connect(planted, autocommit=True) as connection:
            connection.execute("INSERT INTO public.reservations (status) VALUES ('booked')")
            assert connection.execute("SELECT status FROM embedded.bookings").fetchall() == [("confirmed",)]


# -- Two deployments --------------------------------------------------------------------------------------------------


def test_deployments_in_one_database_do_not_wait_for_each_other(postgres_database):
    """While one schema has a restaurant, a lease's key and the rollout locked, another one's go on."""
    one, other = (f"house_{secrets.token_hex(4)}" for _ in range(2))
    for schema in (one, other):
        init(postgres_database, standalone=True, schema=schema)
    host = StandaloneHost(schema=other)
    wanted = {"owner": "me", "ttl": "1 min", "wanted": [{"key": "k", "slots": 1, "nonce": "n"}]}
    with (
        psycopg.connect(postgres_database) as holder,
        PostgresStore(postgres_database, host=host, schema=other) as store,
        PostgresLockManager(postgres_database, schema=other) as locks,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
    ):
        store.write(lambda connection: host.put_venue(connection, make_venue()))
        holder.execute(f"SELECT {one}.lock_restaurants('[\"r-1\"]')")
        holder.execute(f"SELECT {one}.acquire(%s)", (json.dumps(wanted),))
        result = coordinator.assign(make_booking())
        assert (result.outcome, result.reason) == ("confirmed", None)
        store.revise(RolloutRevision(generation=1, phase="rollback"))
        locks.release(locks.acquire([Wanted("k")], ttl=MINUTE))
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        assert holder.execute(waiting).fetchone() == (3,)
