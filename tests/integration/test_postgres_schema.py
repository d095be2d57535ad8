"""Making the tables in PostgreSQL, and finding them."""

from __future__ import annotations

import secrets
import subprocess
import sys

import pytest

psycopg = pytest.importorskip("psycopg")
from psycopg.conninfo import make_conninfo  # noqa: E402

from assignment_pipeline.adapters.postgres import (  # noqa: E402
    SCHEMA_VERSION,
    PostgresStore,
    StandaloneHost,
    check,
    init,
)
from assignment_pipeline.adapters.postgres import schema as migrations  # noqa: E402
from assignment_pipeline.adapters.postgres.codec import commit_facts, document  # noqa: E402
from assignment_pipeline.coordinator import Coordinator  # noqa: E402
from assignment_pipeline.domain.result import Mode  # noqa: E402
from assignment_pipeline.errors import SchemaMismatchError, StoreUnavailableError  # noqa: E402
from assignment_pipeline.ports import RecordQuery  # noqa: E402
from assignment_pipeline.rollout.flags import FixedFlags  # noqa: E402
from assignment_pipeline.testing.contracts.harness import CONFIRM, make_booking, make_change, make_venue  # noqa: E402
from assignment_pipeline.testing.postgres import database  # noqa: E402


@pytest.fixture
def schema():
    """A schema's name that nobody has used."""
    return f"Chez Zoë {secrets.token_hex(4)}"


def tables(database, schema):
    with psycopg.connect(database) as connection:
        statement = "SELECT relname, oid FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%s))"
        return dict(connection.execute(statement, (schema,)).fetchall())


def test_it_may_be_repeated(postgres_database, schema):
    """The second time changes nothing, and our own host's tables may be added later."""
    init(postgres_database, schema=schema)
    before = tables(postgres_database, schema)
    assert "assignment_records" in before
    assert "restaurants" not in before
    init(postgres_database, schema=schema)
    assert tables(postgres_database, schema) == before
    check(postgres_database, schema=schema)
    with pytest.raises(SchemaMismatchError, match="standalone schema, found none"):
        check(postgres_database, standalone=True, schema=schema)
    init(postgres_database, standalone=True, schema=schema)
    assert before.items() <= tables(postgres_database, schema).items()
    check(postgres_database, standalone=True, schema=schema)


def test_processes_may_do_it_at_once(postgres_database, schema):
    """Each of several processes that start at the same moment finds it done, or does it."""
    script = """if True:
        import sys
        from assignment_pipeline.adapters.postgres import init
        init(sys.argv[1], standalone=True, schema=sys.argv[2])
    """
    command = [sys.executable, "-c", script, postgres_database, schema]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    assert [process.communicate(timeout=60)[1] for process in started] == [""] * 4
    check(postgres_database, standalone=True, schema=schema)


def test_a_newer_schema_is_left_alone(postgres_database, schema):
    """What a newer version has made is neither changed nor used."""
    init(postgres_database, schema=schema)
    with psycopg.connect(postgres_database) as connection:
        connection.execute(f'UPDATE "{schema}".assignment_schema SET version = 99')
    for use in (init, check):
        with pytest.raises(SchemaMismatchError, match="found version 99"):
            use(postgres_database, schema=schema)


def test_what_is_not_ours_is_left_alone(postgres_database, schema):
    """Where a table of a host has one of our names, nothing is made at all."""
    with psycopg.connect(postgres_database) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
        connection.execute(f'CREATE TABLE "{schema}".table_blocks (id int)')
    with pytest.raises(SchemaMismatchError, match="nothing but ours"):
        init(postgres_database, schema=schema)
    assert set(tables(postgres_database, schema)) == {"table_blocks"}


def test_a_store_without_tables_says_so(postgres_database, schema):
    """A store whose tables nobody has made raises at its first use, and works once they are."""
    with PostgresStore(postgres_database, host=StandaloneHost(schema=schema), schema=schema) as store:
        for ask in (store.check_schema, lambda: store.records(RecordQuery())):
            with pytest.raises(SchemaMismatchError, match="found none"):
                ask()
        init(postgres_database, standalone=True, schema=schema)
        assert store.records(RecordQuery()).records == ()


def test_a_server_that_is_away_is_unavailable():
    """Where nobody listens, that is said, and soon."""
    nobody = "postgresql://anna:secret@127.0.0.1:9/bookings"
    with pytest.raises(StoreUnavailableError) as told:
        init(nobody)
    assert "127.0.0.1:9" in str(told.value)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("path", ["", "nowhere"])
@pytest.mark.parametrize("public", [True, False])
def test_a_search_path_that_leads_nowhere(postgres_database, schema, path, public):
    """Where it names no schema that is there, the extension goes to the public one, or to ours if there is none."""
    with database(postgres_database) as made:
        if not public:
            with psycopg.connect(made) as connection:
                connection.execute("DROP SCHEMA public")
        where = make_conninfo(made, options=f"-c search_path={path}")
        for each in (schema, "evening"):
            init(where, standalone=True, schema=each)
            check(where, standalone=True, schema=each)
        host = StandaloneHost(schema="evening")
        with (
            PostgresStore(where, host=host, schema="evening") as store,
            Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
        ):
            store.write(lambda connection: host.put_venue(connection, make_venue()))
            assert coordinator.assign(make_booking("b-1")).outcome == "confirmed"
        with psycopg.connect(where) as connection:
            home = "SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = %s"
            assert connection.execute(home, ("btree_gist",)).fetchone() == ("public" if public else schema,)


def test_times_fall_into_buckets(postgres_database, schema):
    """Where the server has no time_bucket, the schema has: weeks begin on Mondays."""
    init(postgres_database, schema=schema)
    with psycopg.connect(postgres_database) as connection:
        connection.execute("SET timezone TO 'UTC'")
        connection.execute(f'SET search_path TO "{schema}"')
        found = connection.execute(
            """
            SELECT time_bucket('5 minutes', t)::text, time_bucket('1 week', t)::text
            FROM (VALUES ('2031-05-01 12:34:56+00'::timestamptz)) AS times(t)
            """
        ).fetchone()
    assert found == ("2031-05-01 12:30:00+00", "2031-04-28 00:00:00+00")


@pytest.mark.parametrize("version", range(1, SCHEMA_VERSION + 1))
def test_older_tables_are_brought_up_to_date(postgres_database, schema, version, monkeypatch):
    """From each version that there has been, with what is in them; several processes may do it at once."""
    older = {part: files[:version] for part, files in migrations.MIGRATIONS.items()}
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "MIGRATIONS", older)
        init(postgres_database, standalone=True, schema=schema)
    host = StandaloneHost(schema=schema)
    booking = make_booking("old")
    with psycopg.connect(postgres_database) as connection:
        host.put_venue(connection, make_venue())
        facts = commit_facts([make_change(booking, *CONFIRM, tables=("T1",))])
        facts |= {"standalone": True, "rivals": [], "guest_status": {"old": "confirmed"}}
        connection.execute(f'SELECT "{schema}".commit(%s)', (document(facts),))
    if version < SCHEMA_VERSION:
        with pytest.raises(SchemaMismatchError, match=f"found version {version}"):
            check(postgres_database, schema=schema)
    script = "import sys; from assignment_pipeline.adapters.postgres import init; "
    script += "init(sys.argv[1], standalone=True, schema=sys.argv[2])"
    command = [sys.executable, "-c", script, postgres_database, schema]
    started = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate(timeout=60)[1] for process in started] == [""] * 3
    check(postgres_database, standalone=True, schema=schema)
    with (
        PostgresStore(postgres_database, host=host, schema=schema) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
    ):
        assert coordinator.record("old").tables == ("T1",)
        assert coordinator.assign(booking).reason == "terminal_state"
        assert coordinator.assign(make_booking("new")).outcome == "confirmed"


def test_the_documented_search_path_serves_queries(postgres_database, schema):
    """With it, bookings, events and time buckets are found under their bare names; a literal width is an interval."""
    init(postgres_database, standalone=True, schema=schema)
    host = StandaloneHost(schema=schema)
    with (
        PostgresStore(postgres_database, host=host, schema=schema) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
    ):
        store.write(lambda connection: host.put_venue(connection, make_venue()))
        for number in range(3):
            coordinator.assign(make_booking(f"b-{number}"))
    with psycopg.connect(postgres_database) as connection:
        connection.execute(f'SET search_path TO "{schema}", public')
        confirmed = connection.execute(
            """
            SELECT time_bucket('5 minutes', created_at) AS time, COUNT(*) FILTER (WHERE status = 'confirmed'), COUNT(*)
            FROM bookings WHERE created_at > NOW() - INTERVAL '24 hours' GROUP BY 1 ORDER BY 1
            """
        ).fetchall()
        transitions = connection.execute(
            "SELECT COUNT(*) FROM observability_events WHERE source = 'assignment.state_machine'"
            " AND context->>'to' = 'confirmed' AND created_at > NOW() - INTERVAL '1 hour'"
        ).fetchone()
    assert sum(count for _, count, _ in confirmed) == sum(total for *_, total in confirmed) == 3
    assert all(moment.minute % 5 == moment.second == 0 for moment, *_ in confirmed)
    assert transitions == (3,)
