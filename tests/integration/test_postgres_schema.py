"""Making the tables in PostgreSQL, and finding them."""

from __future__ import annotations

import secrets
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import attrs
import pytest

psycopg = pytest.importorskip("psycopg")
from psycopg.conninfo import make_conninfo  # noqa: E402

from assignment_pipeline.adapters.postgres import (  # noqa: E402
    PIPELINE,
    STANDALONE,
    PostgresStore,
    StandaloneHost,
    check,
    init,
    versions,
)
from assignment_pipeline.adapters.postgres.schema import PARTS  # noqa: E402
from assignment_pipeline.adapters.schema_parts import Part  # noqa: E402
from assignment_pipeline.coordinator import Coordinator  # noqa: E402
from assignment_pipeline.domain.result import Mode  # noqa: E402
from assignment_pipeline.errors import SchemaMismatchError, StoreUnavailableError  # noqa: E402
from assignment_pipeline.ports import RecordQuery  # noqa: E402
from assignment_pipeline.rollout.flags import FixedFlags  # noqa: E402
from assignment_pipeline.testing.store_harness import make_booking, make_venue  # noqa: E402
from tests.servers.postgres import database  # noqa: E402


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


def without(folder, file, *lines):
    """*file* as an earlier release may have had it, without those lines."""
    text = file.read_text("utf-8")
    for line in lines:
        assert line in text
        text = text.replace(line, "")
    earlier = folder / file.name
    earlier.write_text(text, encoding="utf-8")
    return earlier


CATALOG = """
SELECT table_name || '.' || column_name, concat_ws(' ', data_type, collation_name, is_nullable, column_default)
FROM information_schema.columns WHERE table_schema = %(schema)s
UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = %(schema)s
UNION ALL SELECT conrelid::regclass || ' ' || conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = to_regnamespace(quote_ident(%(schema)s))
UNION ALL SELECT oid::regprocedure::text, pg_get_functiondef(oid) FROM pg_proc
WHERE pronamespace = to_regnamespace(quote_ident(%(schema)s))
UNION ALL SELECT viewname, definition FROM pg_views WHERE schemaname = %(schema)s
"""


def catalog(database, schema):
    """All that is in a schema, whatever its name is and in whatever order the columns stand."""
    with psycopg.connect(database) as connection:
        rows = connection.execute(CATALOG, {"schema": schema}).fetchall()
    return {(name.replace(schema, ""), definition.replace(schema, "")) for name, definition in rows}


def test_an_earlier_release_becomes_this_one(postgres_database, schema, tmp_path, monkeypatch):
    """Its tables are migrated with what is in them, and functions and views made anew; several may do it at once."""
    now = PARTS[PIPELINE]
    files = {file.name: file for file in now.functions}
    files["blocks.sql"] = without(
        tmp_path, files["blocks.sql"], "    PERFORM assignment_pipeline.tell(doc->'events');\n"
    )
    files["rollout.sql"] = without(tmp_path, files["rollout.sql"], ", r.updated_at AS created_at")
    index = "CREATE INDEX table_blocks_span ON assignment_pipeline.table_blocks (restaurant_id, end_at);\n"
    deliveries = "    deliveries integer NOT NULL DEFAULT 0,\n"
    earlier = Part(without(tmp_path, now.tables, index, deliveries), [*files.values()])
    change = tmp_path / "pipeline_2.sql"
    change.write_text(
        "ALTER TABLE assignment_pipeline.assignment_shadow_cases ADD COLUMN deliveries integer NOT NULL DEFAULT 0;\n"
        "DROP VIEW assignment_pipeline.record_documents;\n" + index,
        encoding="utf-8",
    )
    monkeypatch.setitem(PARTS, PIPELINE, earlier)
    init(postgres_database, standalone=True, schema=schema)
    host = StandaloneHost(schema=schema)
    with psycopg.connect(postgres_database) as connection:
        host.put_venue(connection, make_venue())
    monkeypatch.setitem(PARTS, PIPELINE, attrs.evolve(now, migrations=[change]))
    with pytest.raises(SchemaMismatchError, match="expected version 2 of the pipeline schema, found version 1: bring"):
        check(postgres_database, schema=schema)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: init(postgres_database, schema=schema), range(3)))
    check(postgres_database, standalone=True, schema=schema)
    monkeypatch.setitem(PARTS, PIPELINE, now)
    fresh = f"fresh {schema}"
    init(postgres_database, standalone=True, schema=fresh)
    assert catalog(postgres_database, schema) == catalog(postgres_database, fresh)
    assert versions(postgres_database, schema=schema) == {"pipeline": 2, "standalone": 1}
    with psycopg.connect(postgres_database) as connection:
        connection.execute(f'UPDATE "{schema}".assignment_schema SET version = 1')
    with (
        PostgresStore(postgres_database, host=host, schema=schema) as store,
        Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator,
    ):
        assert coordinator.assign(make_booking("new")).outcome == "confirmed"


def test_functions_and_views_that_are_gone_are_named_and_made_anew(postgres_database, schema):
    """They hold no data: `init` makes them as they were, and keeps them from everybody else."""
    init(postgres_database, standalone=True, schema=schema)
    before, own = catalog(postgres_database, schema), f'"{schema}"'
    parts = [PARTS[PIPELINE], PARTS[STANDALONE]]
    views = [name for part in parts for name in part.view_names]
    functions = [name for part in parts for name in dict.fromkeys(part.function_names)]
    host = StandaloneHost(schema=schema)
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        for name in ("revise", "rollout_in_force"):
            connection.execute(f"DROP {'FUNCTION' if name in functions else 'VIEW'} {own}.{name}")
        with pytest.raises(SchemaMismatchError, match=r"found no rollout_in_force, revise\(\): make them anew with "):
            check(postgres_database, schema=schema)
        check(postgres_database, schema=schema, whole=False)
        with (
            PostgresStore(postgres_database, host=host, schema=schema) as store,
            pytest.raises(SchemaMismatchError, match="found no rollout_in_force, revise"),
        ):
            store.check_schema()
        for kind, names in (("VIEW", views), ("FUNCTION", functions)):
            for name in names:
                connection.execute(f"DROP {kind} IF EXISTS {own}.{name} CASCADE")
    with pytest.raises(SchemaMismatchError) as refused:
        check(postgres_database, standalone=True, schema=schema)
    pipeline = PARTS[PIPELINE]
    expected = [*pipeline.view_names, *(f"{name}()" for name in dict.fromkeys(pipeline.function_names))]
    assert refused.value.found == f"no {', '.join(expected)}"
    init(postgres_database, schema=schema)
    check(postgres_database, standalone=True, schema=schema)
    assert catalog(postgres_database, schema) == before
    with psycopg.connect(postgres_database) as connection:
        statement = "SELECT has_function_privilege('public', p.oid, 'EXECUTE') FROM pg_proc p WHERE proname = 'revise'"
        assert not any(may for (may,) in connection.execute(statement + f" AND pronamespace = '{own}'::regnamespace"))


def test_each_table_that_is_gone_is_named(postgres_database, schema):
    """It held data: `init` makes none in its place, and says so."""
    init(postgres_database, standalone=True, schema=schema)
    gone, kept = [], PARTS[PIPELINE].table_names[1:]  # Without the first, no version is known.
    assert len(kept) > 10
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        for name in kept:
            connection.execute(f'DROP TABLE "{schema}".{name} CASCADE')
            gone.append(name)
            for call in (check, init):
                with pytest.raises(SchemaMismatchError) as refused:
                    call(postgres_database, schema=schema)
                assert refused.value.found.startswith(f"no {', '.join(gone)}")
                assert refused.value.remedy.startswith("restore the tables from a backup")


def test_a_migration_that_fails_changes_nothing(postgres_database, schema, tmp_path, monkeypatch):
    """All of an update is there, or nothing."""
    init(postgres_database, schema=schema)
    before = catalog(postgres_database, schema)
    change = tmp_path / "pipeline_2.sql"
    change.write_text(
        "DROP INDEX assignment_pipeline.table_blocks_span; ALTER TABLE assignment_pipeline.table_blocks ADD id int;"
    )
    monkeypatch.setitem(PARTS, PIPELINE, attrs.evolve(PARTS[PIPELINE], migrations=[change]))
    with pytest.raises(psycopg.errors.DuplicateColumn):
        init(postgres_database, schema=schema)
    assert catalog(postgres_database, schema) == before
    assert versions(postgres_database, schema=schema) == {"pipeline": 1}


def test_a_schema_of_an_unreleased_build_is_left_alone(postgres_database, schema):
    """It is named as what it is, with what to do about it; nothing is made or changed."""
    with psycopg.connect(postgres_database) as connection:
        connection.execute(f'CREATE SCHEMA "{schema}"')
        connection.execute(
            f'CREATE TABLE "{schema}".assignment_schema (part text PRIMARY KEY, version integer NOT NULL)'
        )
        connection.execute(f"INSERT INTO \"{schema}\".assignment_schema VALUES ('pipeline', 1), ('standalone', 3)")
    before = catalog(postgres_database, schema)
    with PostgresStore(postgres_database, host=StandaloneHost(schema=schema), schema=schema) as store:
        uses = (
            lambda: init(postgres_database, standalone=True, schema=schema),
            lambda: check(postgres_database, schema=schema),
            lambda: versions(postgres_database, schema=schema),
            store.check_schema,
            lambda: store.records(RecordQuery()),
        )
        for use in uses:
            with pytest.raises(SchemaMismatchError) as told:
                use()
            assert str(told.value).endswith(
                f"expected version 1 of the pipeline schema, found that of a build before the first release: "
                f'drop the schema "{schema}" with all that is in it, and run `assignment-pipeline db init`; '
                "its data is not carried over."
            )
    assert catalog(postgres_database, schema) == before


def test_rows_may_be_deleted_from_tables_that_are_published(postgres_database, schema):
    """As forgetting old events does, also where a host copies every table that there is to another database."""
    init(postgres_database, standalone=True, schema=schema)
    with psycopg.connect(postgres_database) as connection:
        kept = connection.execute(
            "SELECT oid::regclass::text FROM pg_class"
            " WHERE relnamespace = quote_ident(%s)::regnamespace AND relkind = 'r' AND relpersistence = 'p'",
            (schema,),
        ).fetchall()
        connection.execute(
            f"CREATE PUBLICATION p_{schema[-8:]} FOR TABLE {', '.join(name for (name,) in kept)}".encode()
        )
        for (name,) in kept:
            connection.execute(f"DELETE FROM {name}".encode())
        connection.rollback()
    assert len(kept) > 10


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
