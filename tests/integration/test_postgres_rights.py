"""What roles of the server may do: each does its whole part with what `grants` prints, and is refused the rest."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
import secrets

import pytest

psycopg = pytest.importorskip("psycopg")
from psycopg import sql  # noqa: E402
from psycopg.conninfo import make_conninfo  # noqa: E402

from assignment_pipeline import Coordinator, FixedFlags, Mode, TimeWindow  # noqa: E402
from assignment_pipeline.adapters.postgres import (  # noqa: E402
    PostgresLockManager,
    PostgresStore,
    Purpose,
    StandaloneHost,
    bookings_view,
    check_grants,
    grants,
    init,
)
from assignment_pipeline.adapters.postgres.purposes import FUNCTIONS, TABLES  # noqa: E402
from assignment_pipeline.adapters.postgres.schema import PARTS  # noqa: E402
from assignment_pipeline.domain.events import Event, EventType, Source  # noqa: E402
from assignment_pipeline.domain.metrics import MetricsQuery  # noqa: E402
from assignment_pipeline.domain.rollout import RolloutRevision  # noqa: E402
from assignment_pipeline.domain.shadow import ShadowBundle, ShadowVerdict, StoredCase  # noqa: E402
from assignment_pipeline.errors import (  # noqa: E402
    InvalidValueError,
    LockManagerUnavailableError,
    MissingRightsError,
    SchemaMismatchError,
)
from assignment_pipeline.ports import Wanted  # noqa: E402
from assignment_pipeline.rollout import queries  # noqa: E402
from assignment_pipeline.rollout.doctor import examine  # noqa: E402
from assignment_pipeline.testing.store_harness import HOUR, MINUTE, make_booking, make_venue  # noqa: E402

REFUSED = psycopg.errors.InsufficientPrivilege
HAPPENED = ("booking_assignment_state_history", "booking_assignment_attempts", "observability_events")
FACTS = {"restaurant_id": "r-1", "booking_id": "b-9", "document": {}}


@pytest.fixture
def schema(postgres_database):
    """A standalone schema with a restaurant, whose name needs quoting."""
    made = f"Zoë's {secrets.token_hex(4)}"
    init(postgres_database, standalone=True, schema=made)
    host = StandaloneHost(schema=made)
    with PostgresStore(postgres_database, host=host, schema=made) as store:
        store.write(lambda connection: host.put_venue(connection, make_venue()))
    return made


@pytest.fixture
def new_role(postgres_database):
    """Makes roles of the test's own; the answer is a role's name, and how it connects."""
    names = []

    def make():
        name, password = f"Role's {secrets.token_hex(4)}", secrets.token_hex(8)
        statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), password)
        with psycopg.connect(postgres_database, autocommit=True) as connection:
            connection.execute(statement)
        names.append(name)
        return name, make_conninfo(postgres_database, user=name, password=password)

    yield make
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        for name in names:
            connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


@pytest.fixture
def role_of(postgres_database, schema, new_role):
    """Makes a role for a purpose: what is printed for it is run, twice."""

    def make(purpose):
        name, at = new_role()
        with psycopg.connect(postgres_database, autocommit=True) as connection:
            for _ in range(2):
                connection.execute(grants(postgres_database, name, purpose, schema=schema))
        return name, at

    return make


@contextlib.contextmanager
def working(at, schema):
    """The store, the locks and the coordinator of a process that connects so."""
    with (
        PostgresStore(at, host=StandaloneHost(schema=schema), schema=schema) as store,
        PostgresLockManager(at, schema=schema) as locks,
        Coordinator(store, locks=locks, limiter=locks, flags=FixedFlags(Mode.ACTIVE), sinks=(store,)) as coordinator,
    ):
        yield store, locks, coordinator


def refuses(at, schema, *statements):
    """Make sure that the server refuses each of these, in which {} is the schema."""
    with psycopg.connect(at, autocommit=True) as connection:
        for statement in statements:
            with pytest.raises(REFUSED):
                connection.execute(sql.SQL(statement).format(sql.Identifier(schema)))


def refuses_to_rewrite(at, schema):
    """Make sure that what happened can be added to, and not changed."""
    for table in HAPPENED:
        refuses(at, schema, f"UPDATE {{}}.{table} SET created_at = now()", f"DELETE FROM {{}}.{table}")
        refuses(at, schema, f"TRUNCATE {{}}.{table}")


def test_the_table_of_rights_has_all_there_is(postgres_database, schema):
    """Every table, view and function of ours is granted to somebody, or kept from all on purpose."""
    statement = """
    SELECT relname FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = %s)
        AND relkind IN ('r', 'v', 'm')
    """
    with psycopg.connect(postgres_database) as connection:
        assert {name for (name,) in connection.execute(statement, (schema,))} == set(TABLES)
    assert {name for part in PARTS.values() for name in part.function_names} == set(FUNCTIONS)


@pytest.mark.parametrize("purpose", Purpose)
def test_what_is_printed_is_what_is_checked(postgres_database, schema, new_role, purpose):
    """A new role lacks things, one that was granted what is printed lacks none, and what is more is named."""
    name, _ = new_role()
    assert f"{name} lacks USAGE on {schema}" in check_grants(postgres_database, name, purpose, schema=schema)
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(grants(postgres_database, name, purpose, schema=schema))
        assert check_grants(postgres_database, name, purpose, schema=schema) == ()
        history = sql.SQL("GRANT UPDATE, DELETE ON {}.booking_assignment_state_history TO {}")
        connection.execute(history.format(sql.Identifier(schema), sql.Identifier(name)))
        assert check_grants(postgres_database, name, purpose, schema=schema) == (
            f"{name} has DELETE on booking_assignment_state_history, which no {purpose} needs",
            f"{name} has UPDATE on booking_assignment_state_history, which no {purpose} needs",
        )
        connection.execute(grants(postgres_database, name, purpose, schema=schema))
        assert check_grants(postgres_database, name, purpose, schema=schema) == ()
        quoted = (sql.Identifier(schema), sql.Identifier(name))
        connection.execute(sql.SQL("ALTER TABLE {}.assignment_records OWNER TO {}").format(*quoted))
        (owns,) = check_grants(postgres_database, name, purpose, schema=schema)
        assert "owns the tables" in owns
        connection.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(sql.Identifier(name)))


def test_a_superuser_or_nobody(postgres_database, schema):
    """No grant binds a superuser, and a role that is not there is no role."""
    with psycopg.connect(postgres_database) as connection:
        (name,) = connection.execute("SELECT rolname FROM pg_roles WHERE rolsuper LIMIT 1").fetchone()
    (sentence,) = check_grants(postgres_database, name, "worker", schema=schema)
    assert sentence == f"{name} is a superuser: no grant binds it"
    with pytest.raises(InvalidValueError, match="expected a role of the server, got 'nobody-of-ours'"):
        check_grants(postgres_database, "nobody-of-ours", "worker", schema=schema)
    with pytest.raises(SchemaMismatchError, match="found none"):
        grants(postgres_database, name, "worker", schema="nowhere")


def test_a_worker_works(schema, role_of):
    """A worker assigns, sweeps, cancels and works on shadow cases, and cannot rewrite what happened or steer."""
    _, at = role_of(Purpose.WORKER)
    start = make_booking().start_at
    with working(at, schema) as (store, _, coordinator):
        assert coordinator.assign(make_booking("b-1", at=start)).outcome == "confirmed"
        coordinator.enqueue(make_booking("b-2", at=start))
        with psycopg.connect(at) as connection:
            coordinator.joined(connection).guard("r-1")
            coordinator.joined(connection).enqueue(make_booking("b-3", at=start))
        assert coordinator.sweep(limit=100) is not None
        store.put_back(store.due(10), MINUTE)
        coordinator.cancel("b-1")
        window = TimeWindow(start, start + HOUR)
        block = coordinator.block("r-1", "T1", window, actor="anna", reason="maintenance").block
        coordinator.unblock("r-1", block.id, actor="anna")
        since = store.now().replace(microsecond=0) - dt.timedelta(days=1)
        store.keep_bundle(
            ShadowBundle(id="s-1", captured_at=since, verdict=ShadowVerdict.MATCH, **FACTS), most=5, since=since
        )
        store.put_cases([StoredCase(id="c-1", captured_at=since, **FACTS)], most=5)
        assert len(store.claim_cases(5, for_=MINUTE)) == 1
        store.drop_cases(["c-1"])
        assert examine(store, {})[0].health == "good"
        with pytest.raises(MissingRightsError, match="permission denied for function revise"):
            store.revise(RolloutRevision(generation=1, phase="rollback"))
        host = StandaloneHost(schema=schema)
        with pytest.raises(REFUSED):
            store.write(lambda connection: host.put_venue(connection, make_venue(tables=2)))
    refuses_to_rewrite(at, schema)
    refuses(at, schema, "UPDATE {}.assignment_rollout SET generation = 9", "DROP TABLE {}.assignment_leases")
    refuses(at, schema, "CREATE TABLE {}.mine ()", "DELETE FROM {}.assignment_records", "DELETE FROM {}.bookings")


def test_an_application_takes_bookings(schema, role_of):
    """A web application has its floor and its bookings, assigns, and does what staff do; it does not sweep or steer."""
    _, at = role_of(Purpose.WEB)
    host = StandaloneHost(schema=schema)
    start = make_booking().start_at
    with working(at, schema) as (store, _, coordinator):
        store.write(lambda connection: host.put_venue(connection, make_venue(tables=3)))
        store.write(lambda connection: host.put_booking(connection, make_booking("b-1", at=start)))
        assert coordinator.assign_id("b-1", "r-1").outcome == "confirmed"
        coordinator.pin("b-1", actor="anna")
        coordinator.enqueue(make_booking("b-2", at=start))
        coordinator.reassign(make_booking("b-1", at=start + HOUR))
        coordinator.cancel("b-1")
        with psycopg.connect(at) as connection:
            statement = sql.SQL("SELECT {}.enqueue('b-3', 'r-1', 2, %s)").format(sql.Identifier(schema))
            assert connection.execute(statement, (start,)).fetchone() == (True,)
        store.put_cases([StoredCase(id="c-1", captured_at=store.now(), **FACTS)], most=5)
        for cannot in (
            lambda: store.due(10),
            lambda: store.claim_cases(5, for_=MINUTE),
            lambda: store.revise(RolloutRevision(generation=1, phase="rollback")),
        ):
            with pytest.raises(MissingRightsError):
                cannot()
    refuses_to_rewrite(at, schema)


def test_an_operator_steers(schema, role_of):
    """An operator moves the rollout, measures, sweeps by hand, and clears away old events; history stays."""
    _, at = role_of(Purpose.OPERATOR)
    with working(at, schema) as (store, _, coordinator):
        assert store.revise(RolloutRevision(generation=1, phase="production-100")).generation == 1
        assert coordinator.assign(make_booking("b-1")).outcome == "confirmed"
        coordinator.sweep()
        coordinator.watch_rollout()
        coordinator.review_queue()
        store.measure(MetricsQuery(since=store.now() - HOUR)), store.revisions(), store.bundles()
    with psycopg.connect(at) as connection:
        connection.execute(queries.operator("forget-old-events", "postgres", schema=schema))
    refuses(at, schema, "DELETE FROM {}.booking_assignment_state_history", "DELETE FROM {}.assignment_rollout_history")


def test_a_reader_reads(postgres_database, schema, role_of):
    """A reader runs the queries for operators, and sees no bundles, no cases and no leases; it changes nothing."""
    with working(postgres_database, schema) as (_, _, coordinator):
        coordinator.assign(make_booking("b-1"))
    _, at = role_of(Purpose.READER)
    with psycopg.connect(at, autocommit=True) as connection:
        for name in queries.names():
            text = re.sub(r":'\w+'", "'b-1'", queries.operator(name, "postgres", schema=schema))
            if name == "forget-old-events":
                with pytest.raises(REFUSED):
                    connection.execute(text)
            else:
                connection.execute(text)
    for hidden in ("assignment_shadow_bundles", "assignment_shadow_cases", "assignment_leases"):
        refuses(at, schema, f"SELECT * FROM {{}}.{hidden}")
    refuses(at, schema, "SELECT {}.commit('{{}}')", "SELECT {}.enqueue('b-9', 'r-1', 2, now())")
    refuses(at, schema, "SELECT {}.due(now(), '1 s', 1, 'longest_wait', 10)")
    refuses(at, schema, "DELETE FROM {}.bookings", "INSERT INTO {}.observability_events (id) VALUES ('x')")
    refuses_to_rewrite(at, schema)


OPERATOR = r"`assignment-pipeline db grants` prints with `--as operator`\."
WRITERS = r"prints with `--as web` or `--as worker` or `--as operator`\."


@pytest.mark.parametrize(
    ("purpose", "steering", "telling"),
    [
        (Purpose.WEB, OPERATOR, None),
        (Purpose.WORKER, OPERATOR, None),
        (Purpose.OPERATOR, None, None),
        (Purpose.READER, OPERATOR, WRITERS),
    ],
)
def test_who_watches_may_roll_back(schema, role_of, purpose, steering, telling):
    """A role that could not roll back, or tell of an alert, is named what it lacks before any alert fires."""
    _, at = role_of(purpose)
    with working(at, schema) as (store, _, _):
        for steers, expected in ((True, steering), (False, telling)):
            refused = pytest.raises(MissingRightsError, match=expected) if expected else contextlib.nullcontext()
            with refused:
                store.require_rights(steers=steers)
        generation = store.rollout().generation
        if steering:
            with pytest.raises(MissingRightsError, match=r"function revise: grant it what .*" + OPERATOR):
                store.revise(RolloutRevision(generation=generation + 1, phase="rollback"))


def test_a_reader_is_told_whose_rights_it_takes(schema, role_of):
    """What it is refused is granted for other purposes: more of its own would change nothing."""
    _, at = role_of(Purpose.READER)
    with working(at, schema) as (store, _, _):
        with pytest.raises(MissingRightsError, match=r"table assignment_shadow_bundles: grant it what .*" + WRITERS):
            store.bundles()
        with pytest.raises(MissingRightsError, match=WRITERS):
            store.emit((Event("e-1", store.now(), Source.ROLLOUT, EventType.ALERT_FIRING),))


def test_a_reader_of_an_embedded_schema(postgres_database, new_role):
    """Where `bookings` is a view over the host's table, a reader reads it, and not the table."""
    schema, table = f"embedded_{secrets.token_hex(4)}", f"reservations_{secrets.token_hex(4)}"
    init(postgres_database, schema=schema)
    name, at = new_role()
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(
            f"CREATE TABLE {table} (id bigint PRIMARY KEY, restaurant_id text, party_size integer, "
            "start_at timestamptz, status text, created_at timestamptz)"
        )
        bookings_view(postgres_database, table, schema=schema, apply=True)
        connection.execute(grants(postgres_database, name, Purpose.READER, schema=schema))
    assert check_grants(postgres_database, name, Purpose.READER, schema=schema) == ()
    with psycopg.connect(at, autocommit=True) as connection:
        assert connection.execute(f"SELECT count(*) FROM {schema}.bookings").fetchone() == (0,)
        with pytest.raises(REFUSED):
            connection.execute(f"SELECT * FROM {table}")


def test_a_role_without_rights_is_told_so(schema, new_role):
    """It says in one line what is missing and what to do, and not that the store is away."""
    _, at = new_role()
    with working(at, schema) as (store, locks, coordinator):
        with pytest.raises(MissingRightsError) as told:
            store.check_schema()
        assert re.fullmatch(
            r"The database role lacks a right: postgresql://\S+: permission denied for schema .*: "
            r"grant it what `assignment-pipeline db grants` prints\.",
            str(told.value),
        )
        with pytest.raises(LockManagerUnavailableError, match="permission denied"):
            locks.acquire([Wanted("key")], ttl=MINUTE)
        (finding, *_) = examine(store, {})
        assert (finding.check, finding.health) == ("schema", "wrong")
        assert "db grants" in finding.fix
        assert coordinator.assign(make_booking()).outcome == "retry"


def test_who_may_not_make_tables_is_told_so(new_role):
    """Whoever makes the tables needs another right, which is named."""
    _, at = new_role()
    with pytest.raises(MissingRightsError, match=r"permission denied for database .*CREATE on the database"):
        init(at, schema=f"new_{secrets.token_hex(4)}")
