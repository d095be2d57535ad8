"""The store inside a transaction of the host's, however the host came to its connection."""

from __future__ import annotations

import contextlib

import attrs
import pytest

psycopg = pytest.importorskip("psycopg")
from psycopg.conninfo import conninfo_to_dict  # noqa: E402
from psycopg.rows import dict_row  # noqa: E402

from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost  # noqa: E402
from assignment_pipeline.coordinator import Coordinator  # noqa: E402
from assignment_pipeline.domain.adoption import LegacySeat  # noqa: E402
from assignment_pipeline.domain.result import Mode  # noqa: E402
from assignment_pipeline.errors import StaleRecordError, StoreUnavailableError, TableConflictError  # noqa: E402
from assignment_pipeline.lifecycle import AssignmentState  # noqa: E402
from assignment_pipeline.ports import LoadQuery, RecordQuery  # noqa: E402
from assignment_pipeline.rollout.flags import FixedFlags  # noqa: E402
from assignment_pipeline.testing.contracts.sinks import event  # noqa: E402
from assignment_pipeline.testing.store_harness import CONFIRM, DINNER, QUEUE, make_booking, make_change, make_venue  # noqa: E402
from tests.servers.postgres_harness import fresh  # noqa: E402

SCHEMA = "joined"


@pytest.fixture
def store(postgres_database):
    """A store in a schema of its own."""
    fresh(postgres_database, SCHEMA, standalone=True)
    host = StandaloneHost(schema=SCHEMA)
    with PostgresStore(postgres_database, host=host, schema=SCHEMA) as store:
        store.write(lambda connection: host.put_venue(connection, make_venue()))
        yield store


@pytest.fixture
def connection(postgres_database):
    """The host's connection, whose rows are dictionaries."""
    with psycopg.connect(postgres_database, row_factory=dict_row) as connection:
        yield connection


def enqueue(booking_id="b-1"):
    return make_change(make_booking(booking_id), *QUEUE, next_attempt_at=DINNER)


def seat(booking_id="b-1"):
    return make_change(make_booking(booking_id), *CONFIRM, tables=("T1",))


def ids(store):
    return [record.booking_id for record in store.records(RecordQuery()).records]


@contextlib.contextmanager
def in_psycopg(database):
    with psycopg.connect(database, autocommit=True) as connection, connection.transaction():
        yield connection


@contextlib.contextmanager
def in_psycopg_with_raw_cursors(database):
    with psycopg.connect(database, cursor_factory=psycopg.RawCursor) as connection, connection.transaction():
        yield connection


@contextlib.contextmanager
def in_sqlalchemy(database):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    engine = sqlalchemy.create_engine("postgresql+psycopg://", connect_args=conninfo_to_dict(database))
    with contextlib.ExitStack() as stack:
        stack.callback(engine.dispose)
        yield stack.enter_context(engine.begin())


@contextlib.contextmanager
def in_a_session(database):
    sqlalchemy = pytest.importorskip("sqlalchemy")
    orm = pytest.importorskip("sqlalchemy.orm")
    engine = sqlalchemy.create_engine("postgresql+psycopg://", connect_args=conninfo_to_dict(database))
    with contextlib.ExitStack() as stack:
        stack.callback(engine.dispose)
        session = stack.enter_context(orm.Session(engine))
        stack.enter_context(session.begin())
        yield session


@contextlib.contextmanager
def in_django(database):
    django = pytest.importorskip("django.db")
    transaction = pytest.importorskip("django.db.transaction")
    settings = pytest.importorskip("django.conf").settings
    if not settings.configured:
        facts = conninfo_to_dict(database)
        names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
        given = {name: facts.get(key, "") for name, key in names.items()}
        settings.configure(DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", **given}})
    connection = django.connections["default"]
    try:
        with transaction.atomic():
            yield connection
    finally:
        connection.close()


@pytest.fixture(params=[in_psycopg, in_psycopg_with_raw_cursors, in_sqlalchemy, in_a_session, in_django])
def transaction(request, postgres_database):
    """Opens a transaction as a host does, with each of the libraries that it may use."""
    return lambda: request.param(postgres_database)


def test_what_is_joined_lands_with_the_host(store, transaction):
    """Until the host commits nobody else sees it; it sees itself."""
    with transaction() as connection:
        joined = store.joined(connection)
        joined.commit([enqueue()])
        joined.emit([event("e-1")])
        assert ids(joined) == ["b-1"]
        assert ids(store) == []
    assert ids(store) == ["b-1"]
    assert store.booking("b-1") == make_booking()


def test_what_is_joined_goes_with_the_host(store, transaction):
    """When the host rolls back, it never was."""
    with contextlib.suppress(ZeroDivisionError), transaction() as connection:
        store.joined(connection).commit([enqueue()])
        raise ZeroDivisionError
    assert ids(store) == []


def test_the_coordinator_joins(store, transaction):
    """A booking is enqueued inside, and assigned after."""
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator:
        with transaction() as connection:
            record = coordinator.joined(connection).enqueue(make_booking())
            assert record.state is AssignmentState.CREATED
        assert coordinator.assign(make_booking()).outcome == "confirmed"
        with transaction() as connection:
            assert coordinator.joined(connection).cancel("b-1").outcome == "cancelled"
        assert store.booking("b-1").status == "cancelled"


def test_what_legacy_has_seated_is_adopted_inside(store, transaction):
    """What it gave away twice, too; and both are taken for whoever comes later."""
    seats = [LegacySeat(make_booking(name, status="confirmed"), ("T1",)) for name in ("l-1", "l-2")]
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator:
        with transaction() as connection:
            assert coordinator.joined(connection).adopt(seats).conflicted == ("l-2",)
            assert ids(store) == []
        assert coordinator.adopt(seats).known == ("l-1", "l-2")
        with pytest.raises(TableConflictError):
            coordinator.place(make_booking(), ["T1"], actor="anna")
        coordinator.cancel("l-1")
        assert coordinator.takeover("l-2", actor="anna").tables == ("T1",)


def test_every_question_can_be_asked(store, connection):
    """It answers as the store does, from inside the transaction."""
    store.commit([seat()])
    joined = store.joined(connection)
    joined.check_schema()
    change = enqueue("b-2")
    joined.commit([change])
    context = joined.load(LoadQuery(restaurant_id="r-1", booking_ids=("b-1", "b-2")))
    assert set(context.records) == set(context.bookings) == {"b-1", "b-2"}
    assert [taken.table_id for taken in context.taken] == ["T1"]
    assert joined.knows(change)
    assert [step.version for step in joined.history("b-2")] == [1, 2]
    assert joined.booking("b-2") == make_booking("b-2")
    assert joined.unassigned(DINNER, 10) == ()
    assert joined.due(10) == ()


def test_what_is_refused_leaves_the_transaction(store, connection):
    """A call that raises leaves nothing of itself, and the host goes on."""
    store.commit([seat()])
    joined = store.joined(connection)
    joined.commit([enqueue("b-2")])
    with pytest.raises(TableConflictError):
        joined.commit([seat("b-3")])
    with pytest.raises(StaleRecordError):
        joined.commit([enqueue("b-2")])
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        joined._do(lambda: broken(store))
    connection.commit()
    assert ids(store) == ["b-1", "b-2"]


def broken(store):
    yield store._work.reads.ask("SELECT 'no number'::integer")


def test_a_read_that_fails_leaves_the_transaction(store, connection, postgres_database):
    """What the host has written itself is still there when it commits."""
    joined = store.joined(connection)
    joined.commit([enqueue()])
    connection.execute("SET LOCAL statement_timeout = '100ms'")
    with psycopg.connect(postgres_database) as other:
        other.execute(f"LOCK TABLE {SCHEMA}.table_blocks")
        with pytest.raises(StoreUnavailableError):
            joined.blocked("r-1", DINNER)
    connection.commit()
    assert ids(store) == ["b-1"]


def test_what_a_host_swallows_is_told_of(store, connection):
    """Its code has met an error in the middle, and goes on: what it was part of is undone, and the rest stays."""
    clumsy = PostgresStore(connection.info.dsn, host=StandaloneHost(schema=SCHEMA), schema=SCHEMA, on_commit=swallow)
    with clumsy:
        joined = clumsy.joined(connection)
        store.joined(connection).commit([enqueue()])
        with pytest.raises(RuntimeError, match="must not go on after an error"):
            joined.commit([enqueue("b-2")])
        connection.commit()
    assert ids(store) == ["b-1"]


def swallow(connection, _):
    with contextlib.suppress(psycopg.Error):
        connection.execute("SELECT 1 / 0")


class Asked(StandaloneHost):
    """A host with venues of its own, whose versions are numbers."""


def test_a_venue_that_never_came_about_is_forgotten(store, connection, postgres_database):
    """The transaction that it was read in has been rolled back, and another has written the same version."""
    host = Asked(schema=SCHEMA)
    large, small = (attrs.evolve(make_venue(tables=tables), version="2") for tables in (8, 2))
    with PostgresStore(postgres_database, host=host, schema=SCHEMA) as asking:
        host.put_venue(connection, large)
        assert asking.joined(connection).load(LoadQuery(restaurant_id="r-1")).venue == large
        connection.rollback()
        asking.write(lambda connection: host.put_venue(connection, small))
        assert asking.load(LoadQuery(restaurant_id="r-1")).venue == small


def test_a_connection_without_a_transaction_is_refused(store, postgres_database):
    """What lands by itself would not land with the host."""
    with (
        psycopg.connect(postgres_database, autocommit=True) as connection,
        pytest.raises(ValueError, match="transaction open"),
    ):
        store.joined(connection).commit([enqueue()])
    assert ids(store) == []


def test_a_connection_in_pipeline_mode_is_refused(store, postgres_database):
    """There, answers come when somebody asks for them, and each call of ours needs its own at once."""
    with (
        psycopg.connect(postgres_database) as connection,
        connection.pipeline(),
        pytest.raises(ValueError, match="outside of pipeline mode"),
    ):
        store.joined(connection).commit([enqueue()])
    assert ids(store) == []


def test_a_snapshot_of_the_past_is_refused(store, postgres_database):
    """Whoever sees the database as it was cannot compare with how it is."""
    with psycopg.connect(postgres_database) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(ValueError, match="READ COMMITTED, got repeatable read"):
            store.joined(connection).commit([enqueue()])


def test_other_connections_are_refused(store):
    """What holds no connection of the driver's is named."""
    with pytest.raises(TypeError, match=r"expected a psycopg Connection.* got an object"):
        store.joined(object())
