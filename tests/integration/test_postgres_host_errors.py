"""What callers hear where a connection goes away under host code, or others hold it up: never the driver's error."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import time

import pytest

psycopg = pytest.importorskip("psycopg")

from assignment_pipeline import (  # noqa: E402
    AsyncCoordinator,
    Booking,
    Coordinator,
    FixedFlags,
    Mode,
    Occupied,
    Settings,
    TimeWindow,
)
from assignment_pipeline.adapters.memory import MemorySink  # noqa: E402
from assignment_pipeline.adapters.postgres import AsyncPostgresStore, PostgresStore  # noqa: E402
from assignment_pipeline.errors import HostError, StoreUnavailableError  # noqa: E402
from assignment_pipeline.ports import RecordQuery  # noqa: E402
from assignment_pipeline.testing.store_harness import make_venue  # noqa: E402
from tests.servers import postgres_harness  # noqa: E402

SCHEMA = "host_errors"
START = (dt.datetime.now(dt.UTC) + dt.timedelta(days=3)).replace(hour=18, minute=0, second=0, microsecond=0)
HOUR = dt.timedelta(hours=1)


class OwnError(Exception):
    """What a host makes of the driver's errors."""


class Host:
    """One that reads with each question, and whose session somebody ends at one of them, once or always."""

    def __init__(self, admin=None, at=None, *, always=False, wraps=False):
        self.admin, self.at, self.always, self.wraps = admin, at, always, wraps

    def read(self, connection, what):
        if what == self.at:
            self.at = what if self.always else None
            end(self.admin, connection)
        try:
            connection.execute("SELECT 1")
        except psycopg.Error as error:
            if self.wraps:
                raise OwnError(what) from error
            raise

    def booking(self, connection, booking_id):
        self.read(connection, "booking")
        return Booking(booking_id, "r-1", 2, START)

    def venue(self, connection, restaurant_id, known_version):
        self.read(connection, "venue")
        venue = make_venue()
        return None if venue.version == known_version else venue

    def occupied(self, connection, restaurant_id, window):
        self.read(connection, "occupied")
        return [Occupied(table_id="T9", window=window)]

    def unassigned(self, connection, since, limit):
        self.read(connection, "unassigned")
        return []

    def on_commit(self, connection, changes):
        self.read(connection, "on_commit")


class Yields(Host):
    """The same, one by one, as the host in the documentation does."""

    def occupied(self, connection, restaurant_id, window):
        yield Occupied(table_id="T9", window=window)
        self.read(connection, "occupied")

    def unassigned(self, connection, since, limit):
        self.read(connection, "unassigned")
        yield from ()


class Awaits(Host):
    """The same, for asyncio."""

    async def read(self, connection, what):
        if what == self.at:
            self.at = what if self.always else None
            end(self.admin, connection)
        await connection.execute("SELECT 1")

    async def booking(self, connection, booking_id):
        await self.read(connection, "booking")
        return Booking(booking_id, "r-1", 2, START)

    async def venue(self, connection, restaurant_id, known_version):
        await self.read(connection, "venue")
        venue = make_venue()
        return None if venue.version == known_version else venue

    async def occupied(self, connection, restaurant_id, window):
        yield Occupied(table_id="T9", window=window)
        await self.read(connection, "occupied")

    async def unassigned(self, connection, since, limit):
        await self.read(connection, "unassigned")
        return []

    async def on_commit(self, connection, changes):
        await self.read(connection, "on_commit")


def end(admin, connection):
    admin.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))


@pytest.fixture(scope="module")
def admin(postgres_database):
    """A session that nobody ends."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def database(postgres_database):
    postgres_harness.fresh(postgres_database, SCHEMA)
    return postgres_database


@pytest.fixture
def empty(database, admin):
    postgres_harness.empty(admin, SCHEMA, standalone=False)
    return database


@pytest.fixture
def sink():
    return MemorySink()


@pytest.fixture
def opened(empty, sink):
    """Opens a coordinator over a store with that host."""
    stores = []

    def open_(host, **how):
        stores.append(PostgresStore(empty, host=host, schema=SCHEMA, **how))
        return Coordinator(stores[-1], flags=FixedFlags(Mode.ACTIVE), sinks=(sink,), shadow=None)

    yield open_
    for store in stores:
        store.close()


QUESTIONS = ["booking", "venue", "occupied", "on_commit"]


@pytest.mark.parametrize("wraps", [False, True], ids=["the driver's", "its own"])
@pytest.mark.parametrize(("kind", "question"), [*((Host, one) for one in QUESTIONS), (Yields, "occupied")])
def test_a_session_that_ends_under_the_host_is_made_good(opened, admin, kind, question, wraps):
    """Where it happens once, nobody notices: the look or the commit is made again."""
    coordinator = opened(kind(admin, question, wraps=wraps))
    result = coordinator.assign(Booking("b-1", "r-1", 2, START))
    assert result.outcome == "confirmed"


@pytest.mark.parametrize("wraps", [False, True], ids=["the driver's", "its own"])
@pytest.mark.parametrize(("kind", "question"), [*((Host, one) for one in QUESTIONS), (Yields, "occupied")])
def test_sessions_that_always_end_are_an_outage(opened, admin, kind, question, wraps):
    """Then the answer is to come again, and names what the server said."""
    coordinator = opened(kind(admin, question, always=True, wraps=wraps))
    result = coordinator.assign(Booking("b-1", "r-1", 2, START))
    assert (result.outcome, result.reason) == ("retry", "store_unavailable")


@pytest.mark.parametrize("kind", [Host, Yields])
def test_other_calls_are_no_exception(opened, admin, kind):
    """The sweep and a block ask hosts for several, too."""
    host = kind(admin, "unassigned", always=True)
    coordinator = opened(host)
    with pytest.raises(StoreUnavailableError):
        coordinator.store.unassigned(START, 10)
    host.at = "occupied"
    with pytest.raises(StoreUnavailableError):
        coordinator.block("r-1", "T1", TimeWindow(START, START + HOUR), actor="anna", reason="maintenance")
    host.at, host.always = "occupied", False
    assert coordinator.block("r-1", "T1", TimeWindow(START, START + HOUR), actor="anna", reason="maintenance").block


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("always", [False, True])
def test_the_same_holds_in_asyncio(empty, admin, question, always):
    """With coroutines, and an async generator for those that are several."""

    async def main():
        store = AsyncPostgresStore(empty, host=Awaits(admin, question, always=always), schema=SCHEMA)
        async with store, AsyncCoordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), shadow=None) as worker:
            return await worker.assign(Booking("b-1", "r-1", 2, START))

    result = asyncio.run(main())
    assert result.outcome == ("retry" if always else "confirmed")


def test_a_joined_transaction_that_ends_is_an_outage(opened, empty, admin):
    """Inside the host's own transaction there is no second try: it is gone."""
    coordinator = opened(Yields(admin, "occupied", always=True))
    with psycopg.connect(empty) as connection, pytest.raises(StoreUnavailableError):
        coordinator.store.joined(connection).load(_query())


WRONG = {
    "UndefinedColumn (42703)": "SELECT seats FROM pg_class",
    "UndefinedTable (42P01)": "SELECT * FROM no_such_table",
    "InsufficientPrivilege (42501)": "SET LOCAL ROLE pg_read_all_stats; SELECT rolpassword FROM pg_authid",
}


class Wrong(Host):
    """One whose SQL of one method the server does not take."""

    def __init__(self, question, sql):
        super().__init__()
        self.question, self.sql, self.asked = question, sql, 0

    def read(self, connection, what):
        if what == self.question:
            self.asked += 1
            connection.execute(self.sql)


class WrongAwaits(Awaits):
    """The same, for asyncio."""

    def __init__(self, question, sql):
        super().__init__()
        self.question, self.sql, self.asked = question, sql, 0

    async def read(self, connection, what):
        if what == self.question:
            self.asked += 1
            await connection.execute(self.sql)


@pytest.mark.parametrize("said", WRONG)
@pytest.mark.parametrize("question", QUESTIONS)
def test_sql_of_the_hosts_that_the_server_does_not_take_names_the_host(opened, question, said):
    """In one line with the server's code, and without another try; nothing is written."""
    host = Wrong(question, WRONG[said])
    coordinator = opened(host)
    with pytest.raises(HostError) as raised:
        coordinator.assign(Booking("b-1", "r-1", 2, START))
    sentence = "expected a query for tables and columns that are there, and that it may use"
    assert str(raised.value) == f"Wrong.{question}: {sentence}, got {said}."
    assert isinstance(raised.value.__cause__, psycopg.Error)
    assert host.asked == 1
    host.question = None
    assert coordinator.store.records(RecordQuery()).records == ()


@pytest.mark.parametrize("said", WRONG)
@pytest.mark.parametrize("question", QUESTIONS)
def test_it_does_in_asyncio(empty, question, said):
    """With coroutines, and an async generator for those that are several."""

    async def main():
        store = AsyncPostgresStore(empty, host=WrongAwaits(question, WRONG[said]), schema=SCHEMA)
        async with store, AsyncCoordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), shadow=None) as worker:
            await worker.assign(Booking("b-1", "r-1", 2, START))

    with pytest.raises(HostError, match=rf"^WrongAwaits\.{question}: expected a query .*, got {re.escape(said)}\.$"):
        asyncio.run(main())


def test_the_sweep_names_the_host_for_each_booking_and_goes_on(opened):
    """One line each, without what the server quotes."""
    host = Wrong(None, "")
    settings = Settings(orphan_after=dt.timedelta(milliseconds=1))
    coordinator = Coordinator(
        opened(host).store, flags=FixedFlags(Mode.ACTIVE), sinks=(), shadow=None, settings=settings
    )
    coordinator.enqueue(Booking("b-1", "r-1", 2, START))
    time.sleep(0.01)
    host.question, host.sql = "on_commit", WRONG["UndefinedColumn (42703)"]
    [(booking_id, line)] = coordinator.sweep().errors
    assert booking_id == "b-1"
    assert re.fullmatch(r"HostError \(42703\): Wrong\.on_commit: .*, got UndefinedColumn \(42703\)\.", line)


def test_a_right_that_the_pipelines_role_lacks_is_named_as_that(empty, admin, sink):
    """It is no outage, though calls answer as in one: the event says what is missing, and what grants it."""
    admin.execute("DROP ROLE IF EXISTS host_errors_poor")
    admin.execute("CREATE ROLE host_errors_poor LOGIN PASSWORD 'poor'")
    try:
        poor = psycopg.conninfo.make_conninfo(empty, user="host_errors_poor", password="poor")  # noqa: S106 - for a moment
        with PostgresStore(poor, host=Host(), schema=SCHEMA) as store:
            worker = Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(sink,), shadow=None)
            result = worker.assign(Booking("b-1", "r-1", 2, START))
    finally:
        admin.execute("DROP ROLE host_errors_poor")
    assert result.outcome == "retry"
    said = _error_of(sink)
    assert "The database role lacks a right" in said
    assert "unavailable" not in said.replace("store_unavailable", "")


def _query():
    from assignment_pipeline.ports import LoadQuery  # noqa: PLC0415 - one test asks it

    return LoadQuery(restaurant_id="r-1", bookings=(Booking("b-1", "r-1", 2, START),))


def test_a_row_that_the_hosts_own_transaction_holds_is_named(opened, empty, sink):
    """The commit waits for it, and then says in one sentence what is in the way and what to do."""

    class Mirrors(Host):
        def on_commit(self, connection, changes):
            connection.execute("SET LOCAL lock_timeout = '50ms'")
            connection.execute("UPDATE mirror SET state = 'seated'")

    with psycopg.connect(empty, autocommit=True) as own:
        own.execute("DROP TABLE IF EXISTS mirror")
        own.execute("CREATE TABLE mirror AS SELECT 'b-1' AS id, 'new' AS state")
        own.execute("BEGIN")
        own.execute("UPDATE mirror SET state = 'called'")
        result = opened(Mirrors()).assign(Booking("b-1", "r-1", 2, START))
        own.execute("ROLLBACK")
    assert (result.outcome, result.reason) == ("retry", "store_unavailable")
    said = _error_of(sink)
    assert "host code waited too long for a row of mirror that another transaction holds: commit it" in said


def test_the_restaurants_lock_that_the_hosts_own_transaction_holds_is_named(opened, empty, admin, sink):
    """The same, where the host has joined its transaction, and assigns before it commits."""
    coordinator = opened(Host())
    with psycopg.connect(empty) as own:
        for name in ("begin_commit(jsonb, jsonb)", "commit(jsonb)"):
            admin.execute(f"ALTER FUNCTION {SCHEMA}.{name} SET lock_timeout = '50ms'")
        try:
            coordinator.joined(own).enqueue(Booking("b-1", "r-1", 2, START))
            result = coordinator.assign(Booking("b-2", "r-1", 2, START))
        finally:
            for name in ("begin_commit(jsonb, jsonb)", "commit(jsonb)"):
                admin.execute(f"ALTER FUNCTION {SCHEMA}.{name} SET lock_timeout = '10s'")
        pid = own.info.backend_pid
    assert (result.outcome, result.reason) == ("retry", "store_unavailable")
    said = _error_of(sink)
    assert (
        f"waited 50ms for the commit lock of restaurant 'r-1', which another transaction holds (session {pid}, " in said
    )
    assert "commit it or roll it back" in said


def _error_of(sink):
    [event] = [event for event in sink.events if event.type == "coordinator.error"]
    return str(event.context)


def test_a_transaction_that_host_code_leaves_idle_is_ended_once(opened, empty):
    """The server ends it in time; it is not left idle over and over again."""
    seen = []

    def dawdle(connection, changes):
        seen.append(len(changes))
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = '100ms'")
        time.sleep(0.5)
        connection.execute("SELECT 1")

    result = opened(Host(), on_commit=dawdle).assign(Booking("b-1", "r-1", 2, START))
    assert (result.outcome, result.reason) == ("retry", "store_unavailable")
    assert seen == [1]


def test_what_host_code_raises_itself_is_raised(opened, empty):
    """With a connection that works, an error is the host's, whatever it is."""

    class Wrong(Host):
        def occupied(self, connection, restaurant_id, window):
            yield from connection.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        opened(Wrong()).assign(Booking("b-1", "r-1", 2, START))
