"""What a host answers, and what it leaves undone: seen on every store, sync and async."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import re
import sqlite3
import time
import uuid

import attrs
import pytest

from assignment_pipeline import (
    AsyncCoordinator,
    Booking,
    Coordinator,
    FixedFlags,
    FloorPlan,
    LegacyResult,
    Mode,
    Occupied,
    Outcome,
    Settings,
    Table,
    TimeWindow,
    Venue,
)
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.adapters.sqlite import SQLiteStore, init
from assignment_pipeline.errors import HostContradictionError, HostError
from tests.contract.rows import AT, HOUSE, NO_ROWS, ROWS, TABLES, ForgetsWaiting, RowHost, awaiting, book, state_of

TWO_HOURS = dt.timedelta(hours=2)
ACTIVE = FixedFlags(Mode.ACTIVE)


class Heard(list):
    """A sink that keeps what it is told."""

    inline = True

    def emit(self, events):
        self.extend(events)


class SQLiteRig:
    """A host's tables in a file, with the pipeline's beside them."""

    def __init__(self, path):
        self.path = path
        init(path)
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript(TABLES)
        self.connection.execute(ROWS)
        self.open = []

    def host(self, kind):
        return kind()

    def coordinator(self, host, **options):
        store = SQLiteStore(self.path, host=host)
        made = Coordinator(store, flags=ACTIVE, **options)
        self.open += [made, store]
        return made

    def close(self):
        for one in self.open:
            one.close()
        self.connection.close()


@functools.cache
def schema_in(conninfo):
    """The schema of the pipeline's tables in a database: made once."""
    from tests.servers.postgres_harness import fresh  # noqa: PLC0415

    fresh(conninfo, "a_hosts")
    return "a_hosts"


class PostgresRig(SQLiteRig):
    """The same in two schemas of a database, which are emptied for each."""

    def __init__(self, conninfo):
        import psycopg  # noqa: PLC0415

        from tests.servers.postgres_harness import empty  # noqa: PLC0415

        self.conninfo, self.schema, self.prefix = conninfo, schema_in(conninfo), "theirs"
        self.connection = psycopg.connect(conninfo, autocommit=True)
        empty(self.connection, self.schema, standalone=False)
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {self.prefix}; SET search_path = {self.prefix}")
        for statements in (TABLES, NO_ROWS, ROWS, "RESET search_path"):
            self.connection.execute(statements)
        self.open = []

    def host(self, kind):
        made = kind()
        made.mark, made.prefix = "%s", f"{self.prefix}."
        return made

    def coordinator(self, host, **options):
        from assignment_pipeline.adapters.postgres import PostgresStore  # noqa: PLC0415

        store = PostgresStore(self.conninfo, host=host, schema=self.schema)
        made = Coordinator(store, flags=ACTIVE, **options)
        self.open += [made, store]
        return made


class _Blocking:
    """An async coordinator whose calls are run to their end, one by one."""

    def __init__(self, coordinator, store, runner):
        self._coordinator, self._store, self._runner = coordinator, store, runner

    def __getattr__(self, name):
        method = getattr(self._coordinator, name)
        if not asyncio.iscoroutinefunction(method):
            return method

        def call(*arguments, **options):
            return self._runner.run(method(*arguments, **options))

        return call

    def close(self):
        self._runner.run(self._coordinator.close())
        self._runner.run(self._store.close())


class AsyncPostgresRig(PostgresRig):
    """The same for asyncio."""

    def __init__(self, conninfo):
        super().__init__(conninfo)
        self.runner = asyncio.Runner()

    def asking(self, host):
        made = awaiting(type(host))()
        made.mark, made.prefix = host.mark, host.prefix
        return made

    def coordinator(self, host, **options):
        from assignment_pipeline.adapters.postgres import AsyncPostgresStore  # noqa: PLC0415

        store = AsyncPostgresStore(self.conninfo, host=self.asking(host), schema=self.schema)
        made = _Blocking(AsyncCoordinator(store, flags=ACTIVE, **options), store, self.runner)
        self.open.append(made)
        return made

    def close(self):
        super().close()
        self.runner.close()


@pytest.fixture(params=["sqlite", "postgres", "async postgres"])
def rig(request, tmp_path):
    """A host's own tables, and a store beside them."""
    if request.param == "sqlite":
        made = SQLiteRig(tmp_path / "backend.db")
    else:
        kind = PostgresRig if request.param == "postgres" else AsyncPostgresRig
        made = kind(request.getfixturevalue("postgres_database"))
    with contextlib.closing(made):
        yield made


# -- A booking that waits again ---------------------------------------------------------------------------------------


def test_who_is_requeued_keeps_the_tables_where_the_row_would_not_say_so(rig):
    """A commit that would leave a guest waiting behind a settled row is refused, and nothing of it stays."""
    host = rig.host(ForgetsWaiting)
    book(host, rig.connection, "b-1")
    coordinator = rig.coordinator(host)
    tables = coordinator.assign_id("b-1", HOUSE).tables
    with pytest.raises(HostContradictionError, match=r"ForgetsWaiting\.on_commit has to write .* 'pending'") as raised:
        coordinator.requeue("b-1", actor="anna")
    assert (raised.value.booking_id, raised.value.status) == ("b-1", "confirmed")
    assert coordinator.record("b-1").tables == tables
    assert state_of(host, rig.connection, "b-1") == ("booked", ", ".join(tables))


def test_who_asks_for_what_does_not_fit_keeps_the_tables_as_well(rig):
    """The same holds for a booking that is changed and would have to wait."""
    host = rig.host(ForgetsWaiting)
    book(host, rig.connection, "b-1")
    coordinator = rig.coordinator(host)
    coordinator.assign_id("b-1", HOUSE)
    booking = host.booking(rig.connection, "b-1")
    with pytest.raises(HostContradictionError):
        coordinator.reassign(attrs.evolve(booking, party_size=40), keep=False)
    assert coordinator.record("b-1").state == "confirmed"


def test_who_is_requeued_is_seated_again(rig):
    """With a word for each state, the row waits, and the sweep seats the guest."""
    host = rig.host(RowHost)
    book(host, rig.connection, "b-1")
    coordinator = rig.coordinator(host)
    coordinator.assign_id("b-1", HOUSE)
    assert coordinator.requeue("b-1", actor="anna").outcome is Outcome.RETRY
    assert state_of(host, rig.connection, "b-1") == ("open", None)
    (result,) = coordinator.sweep().results
    assert result.outcome is Outcome.CONFIRMED
    assert state_of(host, rig.connection, "b-1")[0] == "booked"


def test_a_guest_who_has_cancelled_may_be_requeued(rig):
    """A row that says cancelled is no contradiction: the sweep closes the booking."""
    host = rig.host(ForgetsWaiting)
    book(host, rig.connection, "b-1")
    coordinator = rig.coordinator(host)
    coordinator.assign_id("b-1", HOUSE)
    host.rows(rig.connection, "UPDATE @reservations SET state = 'cancelled'")
    coordinator.requeue("b-1", actor="anna")
    coordinator.sweep()
    assert coordinator.record("b-1").state == "cancelled"


def test_the_same_holds_in_memory():
    """The store in memory is the reference: it refuses, and undoes what the hook has done."""

    class Deaf(MemoryHost):
        def on_commit(self, connection, changes):
            super().on_commit(connection, [change for change in changes if change.guest_status != "pending"])

    coordinator = Coordinator(MemoryStore(Deaf(Venue("v", "UTC", FloorPlan([Table("T1", 2)])))), flags=ACTIVE)
    coordinator.assign(Booking("b", "v", 2, AT))
    with pytest.raises(HostContradictionError):
        coordinator.requeue("b", actor="anna")
    assert coordinator.record("b").tables == ("T1",)
    coordinator.close()


# -- Answers that are none --------------------------------------------------------------------------------------------


WRONG = {
    "booking gives a row": (
        "booking",
        lambda *_: ("b-1", HOUSE),
        r"\.booking: expected a Booking or None, got a tuple",
    ),
    "venue gives a floor": ("venue", lambda *_: "tasca", r"\.venue: expected a Venue.*, got a str"),
    "occupied gives rows": (
        "occupied",
        lambda *_: [("B1", AT)],
        r"\.occupied: expected a list of Occupied.* a tuple in",
    ),
    "occupied gives none": ("occupied", lambda *_: None, r"\.occupied: expected a list of Occupied values, got None"),
    "occupied gives one": (
        "occupied",
        lambda *_: Occupied(table_id="B1", window=TimeWindow(AT, AT + TWO_HOURS)),
        "got an Occupied",
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_an_answer_of_another_kind_is_refused_by_the_method_that_gave_it(rig, mistake):
    """Nobody is seated on an answer that cannot be read, and the sentence names the method."""
    method, answer, sentence = WRONG[mistake]
    kind = type("Mistaken", (RowHost,), {method: lambda self, *arguments: answer(*arguments)})
    host = rig.host(kind)
    book(host, rig.connection, "b-1")
    coordinator = rig.coordinator(host)
    with pytest.raises(HostError, match=sentence):
        coordinator.assign_id("b-1", HOUSE)
    assert coordinator.record("b-1") is None


def test_a_booking_of_another_id_is_refused(rig):
    """A host that finds the wrong row does not have another guest's booking seated."""

    class Confused(RowHost):
        def booking(self, connection, booking_id):
            return super().booking(connection, "b-2")

    host = rig.host(Confused)
    book(host, rig.connection, "b-2")
    with pytest.raises(HostError, match=r"\.booking: expected the booking that was asked for, 'b-1'"):
        rig.coordinator(host).assign_id("b-1", HOUSE)


def test_a_table_of_legacys_that_is_no_text_keeps_everybody_off(rig):
    """A forgotten ``str()`` seats nobody on legacy's table."""

    class Forgetful(RowHost):
        def occupied(self, connection, restaurant_id, window):
            return [Occupied(table_id=uuid.UUID(int=1), window=window)]

    host = rig.host(Forgetful)
    book(host, rig.connection, "b-1")
    with pytest.raises(ValueError, match="table_id: expected a non-empty text"):
        rig.coordinator(host).assign_id("b-1", HOUSE)


# -- Sync and async ---------------------------------------------------------------------------------------------------


class _Async(RowHost):
    async def booking(self, connection, booking_id):
        return super().booking(connection, booking_id)


class _Partial(RowHost):
    def __init__(self):
        async def occupied(connection, restaurant_id, window):
            return ()

        self.occupied = functools.partial(occupied)


class _Called:
    async def __call__(self, connection, changes):
        return None


class _Callable(RowHost):
    on_commit = _Called()


@pytest.mark.parametrize("kind", [_Async, _Partial, _Callable])
def test_a_sync_store_refuses_an_async_host_where_it_is_wired(tmp_path, kind):
    """Coroutines that nobody would run are refused, however they are written."""
    for make in (lambda host: SQLiteStore(tmp_path / "a.db", host=host), MemoryStore):
        with pytest.raises(TypeError, match=r"is a coroutine function, which nobody awaits here"):
            make(kind())


def test_a_sync_store_refuses_an_answer_that_somebody_would_have_to_await(tmp_path):
    """A decorated coroutine is seen when it answers, and nothing is written."""

    async def later(*_):
        return None

    class Decorated(RowHost):
        def on_commit(self, connection, changes):
            return later()

    rig = SQLiteRig(tmp_path / "backend.db")
    with contextlib.closing(rig):
        host = rig.host(Decorated)
        book(host, rig.connection, "b-1")
        coordinator = rig.coordinator(host)
        with pytest.raises(TypeError, match=r"Decorated\.on_commit answered a coroutine"):
            coordinator.assign_id("b-1", HOUSE)
        assert coordinator.record("b-1") is None


@pytest.mark.parametrize("host", [None, RowHost, object(), {"booking": 1}])
def test_what_is_no_host_is_refused(tmp_path, host):
    """A class instead of a host, or something else, is named where it is handed in."""
    with pytest.raises(TypeError, match=r"^host: expected a Host"):
        SQLiteStore(tmp_path / "a.db", host=host)


async def _legacy(booking):
    return LegacyResult(["T1"])


class _AsyncLegacy:
    async def __call__(self, booking):
        return LegacyResult(["T1"])


VENUE = Venue("v", "UTC", FloorPlan([Table("T1", 2)]))


@pytest.mark.parametrize("legacy", [_legacy, _AsyncLegacy(), functools.partial(_legacy)])
def test_a_sync_coordinator_refuses_an_async_planner_where_it_is_wired(legacy):
    """A planner that nobody would await is refused when it is wired, and when it is passed with a call."""
    with pytest.raises(TypeError, match=r"^legacy: .* is a coroutine function, which nobody awaits here"):
        Coordinator.in_memory(VENUE, legacy=legacy)
    with (
        Coordinator.in_memory(VENUE, flags=FixedFlags(Mode.OFF)) as coordinator,
        pytest.raises(TypeError, match=r"^legacy: "),
    ):
        coordinator.assign(Booking("b", "v", 2, AT), legacy=legacy)


def test_a_planner_that_answers_a_coroutine_is_never_taken_for_one_that_has_answered():
    """A planner behind a decorator is found at its first answer: the caller is told."""

    def decorated(booking):
        return _legacy(booking)

    with (
        Coordinator.in_memory(VENUE, flags=FixedFlags(Mode.OFF), legacy=decorated) as coordinator,
        pytest.raises(TypeError, match=r"^legacy .* answered a coroutine"),
    ):
        coordinator.assign(Booking("b", "v", 2, AT))


def test_a_sync_coordinator_refuses_an_async_store_and_async_locks():
    """What only asyncio can use says which coordinator to use."""

    class Store:
        async def load(self, query):
            return None

        async def commit(self, changes):
            return None

    class Locks:
        async def acquire(self, wanted, *, ttl):
            return None

        async def release(self, leases):
            return None

    with pytest.raises(TypeError, match=r"^store: .* Use AsyncCoordinator"):
        Coordinator(Store())
    for name in ("locks", "limiter"):
        with pytest.raises(TypeError, match=rf"^{name}: .* Use AsyncCoordinator"):
            Coordinator.in_memory(VENUE, **{name: Locks()})


def test_an_async_coordinator_takes_sync_ports():
    """A sync planner, store and locks run in threads."""

    async def main():
        made = AsyncCoordinator.in_memory(
            VENUE, flags=FixedFlags(Mode.OFF), legacy=lambda booking: LegacyResult(["T1"])
        )
        async with made as coordinator:
            return await coordinator.assign(Booking("b", "v", 2, AT))

    assert asyncio.run(main()).tables == ("T1",)


class _Row:
    """A row of the host's, as an ORM makes it."""

    id, restaurant_id = "b", "v"


MISWIRED = {
    "flags": (Mode.ACTIVE, r"^flags: expected a FlagResolver, such as FixedFlags\(Mode.ACTIVE\), got a Mode"),
    "locks": (object(), r"^locks: expected a LockManager"),
    "engine": (object(), r"^engine: expected an Engine"),
    "settings": ({"max_holds": 2}, r"^settings: expected a Settings, got a dict"),
    "sinks": ([print], r"^sinks: expected EventSinks"),
    "clock": (dt.datetime, r"^clock: expected a Clock"),
    "legacy": ("planner", r"^legacy: expected a function"),
}


@pytest.mark.parametrize("name", MISWIRED)
@pytest.mark.parametrize("kind", [Coordinator, AsyncCoordinator])
def test_what_does_not_fit_is_named_where_it_is_handed_in(kind, name):
    """A wrong argument is refused by its name, with what to pass instead."""
    value, sentence = MISWIRED[name]
    with pytest.raises(TypeError, match=sentence):
        kind.in_memory(VENUE, **{name: value})


CALLS = {
    "assign": lambda c, row: c.assign(row),
    "reassign": lambda c, row: c.reassign(row),
    "enqueue": lambda c, row: c.enqueue(row),
    "preview": lambda c, row: c.preview(row),
    "assign_many": lambda c, row: c.assign_many([row]),
    "observe": lambda c, row: c.observe(row, LegacyResult()),
    "place": lambda c, row: c.place(row, ["T1"], actor="anna"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_row_for_a_booking_is_refused(name):
    """An object of the host's ORM is told from a Booking where it is handed in."""
    with (
        Coordinator.in_memory(VENUE) as coordinator,
        pytest.raises(TypeError, match=r"^booking: expected a Booking, got a _Row. Make one of your row"),
    ):
        CALLS[name](coordinator, _Row())


@pytest.mark.parametrize("name", ["confirm", "cancel", "assign_id", "record", "history", "show"])
def test_an_id_that_is_no_text_is_refused(name):
    """A UUID is named as such, not taken for an unknown booking."""
    with (
        Coordinator.in_memory(VENUE) as coordinator,
        pytest.raises(ValueError, match=r"booking_id: expected the id as text, .* characters, got an? UUID"),
    ):
        getattr(coordinator, name)(uuid.UUID(int=1), *(["v"] if name == "assign_id" else []))


LOOKS = ("review_queue", "review_cases", "floor", "day", "audit", "due", "over", "conflicts", "learned_turns", "blocks")


@pytest.mark.parametrize("name", LOOKS)
def test_a_restaurant_is_looked_at_by_its_text(name):
    """A number is no restaurant where nobody is: PostgreSQL would say that its tables are of another version."""
    with (
        Coordinator.in_memory(VENUE) as coordinator,
        pytest.raises(ValueError, match=r"restaurant_id: expected the id as text, .* characters, got an int, 7"),
    ):
        getattr(coordinator, name)(7)


OTHER_ARGUMENTS = {
    "sweep": (lambda c: c.sweep(limit=1.5), "limit: expected a whole number of at most 1000000, got 1.5"),
    "huge sweep": (lambda c: c.sweep(limit=10**30), "limit: expected a whole number of at most 1000000, got 1000"),
    "queue": (lambda c: c.review_queue(limit="5"), "limit: expected a whole number of at most 1000000, got '5'"),
    "page": (lambda c: c.review_queue(after=5), "after: expected the `next` of a page of reviews, got 5"),
    "venue": (lambda c: c.put_venue(VENUE.floor), "venue: expected a Venue, got a FloorPlan"),
    "deadline": (
        lambda c: c.assign(Booking("b-1", VENUE.id, 2, dt.datetime(2031, 5, 2, 18, tzinfo=dt.UTC)), deadline=0.1),
        "deadline: expected a timedelta, got a float",
    ),
}


@pytest.mark.parametrize("what", OTHER_ARGUMENTS)
def test_an_argument_of_another_kind_is_refused_by_its_name(what):
    """At once, and not only where no table is free, or in the words of one database."""
    call, sentence = OTHER_ARGUMENTS[what]
    with (
        Coordinator.in_memory(VENUE) as coordinator,
        pytest.raises((ValueError, TypeError), match=f"^{re.escape(sentence)}"),
    ):
        call(coordinator)


def test_an_engine_for_an_address_is_refused():
    """What is no address is named where it is handed in."""
    with pytest.raises(TypeError, match=r"^path: expected the name of a file, got an object"):
        SQLiteStore(object(), host=MemoryHost())


# -- Values -----------------------------------------------------------------------------------------------------------

WINDOW = TimeWindow(AT, AT + TWO_HOURS)
VALUES = {
    "a table's id": (
        lambda: Occupied(table_id=uuid.UUID(int=1), window=WINDOW),
        "^table_id: expected",
    ),
    "a window": (lambda: Occupied(table_id="T1", window=(AT, AT)), "^window: expected a TimeWindow, got a tuple"),
    "who sits there": (lambda: Occupied(table_id="T1", window=WINDOW, booking_id=7), "^booking_id: expected"),
    "whether it moves": (lambda: Occupied(table_id="T1", window=WINDOW, movable=1), "^movable: expected true or false"),
    "legacy's tables": (lambda: LegacyResult([uuid.UUID(int=1)]), "^tables: expected a non-empty text"),
    "no tables": (lambda: LegacyResult(None), "expected several, such as a list of them, got None"),
    "a time": (
        lambda: Booking("b", "v", 2, "2026-12-05T20:00:00+00:00"),
        "^start_at: expected a datetime.* a str",
    ),
    "a floor": (lambda: Venue("v", "UTC", [Table("T1", 2)]), "^floor: expected a FloorPlan, got a list"),
    "tables": (lambda: FloorPlan(["T1"]), "^tables: expected a Table, got a str"),
}


@pytest.mark.parametrize("value", VALUES)
def test_every_value_of_a_hosts_is_looked_at(value):
    """A value of the wrong kind is refused by its name where it is made."""
    make, sentence = VALUES[value]
    with pytest.raises(ValueError, match=sentence):
        make()


# -- Floors -----------------------------------------------------------------------------------------------------------


class StaleVersion(RowHost):
    """Forgets to count its version up."""

    def venue(self, connection, restaurant_id, known_version):
        found = super().venue(connection, restaurant_id, None)
        return None if known_version == "1" else attrs.evolve(found, version="1")


def test_nobody_is_seated_at_a_table_that_is_gone(rig):
    """Where the version did not follow the floor, the commit still looks whether the tables are there."""
    host = rig.host(StaleVersion)
    for number in range(3):
        book(host, rig.connection, f"b-{number}")
    coordinator = rig.coordinator(host)
    assert coordinator.assign_id("b-0", HOUSE).tables == ("A1",)
    host.rows(rig.connection, "DELETE FROM @dining_tables WHERE label IN ('B1', 'B2')")
    host.rows(rig.connection, "INSERT INTO @dining_tables VALUES ('tasca', 'C1', 3)")
    assert coordinator.assign_id("b-1", HOUSE).tables == ("C1",)


# -- Tables that the floor does not have -------------------------------------------------------------------------------


def test_a_taken_table_that_the_floor_does_not_have_is_told_of_once(rig):
    """The seat blocks nothing, and that is an event: not silence, and no flood."""
    heard = Heard()
    host = rig.host(RowHost)
    times = (AT.isoformat(), (AT + TWO_HOURS).isoformat())
    host.rows(rig.connection, "INSERT INTO @legacy_seats VALUES ('tasca', 'b1', ?, ?, NULL)", *times)
    coordinator = rig.coordinator(host, sinks=[heard])
    for number in range(3):
        book(host, rig.connection, f"b-{number}")
        coordinator.assign_id(f"b-{number}", HOUSE)
    coordinator.flush()
    told = [event for event in heard if event.type == "coordinator.host_fault"]
    assert [(event.restaurant_id, event.context["reason"], event.context["tables"]) for event in told] == [
        (HOUSE, "unknown_table", ("b1",))
    ]


# -- Rows that are not there yet --------------------------------------------------------------------------------------


def test_a_confirmation_that_came_before_the_row_is_told_again(rig):
    """A host that assigns before it commits has its row taken along by the sweep."""
    host = rig.host(RowHost)
    coordinator = rig.coordinator(host, settings=Settings(orphan_after=dt.timedelta(milliseconds=1)))
    result = coordinator.assign(Booking("b-1", HOUSE, 2, AT))
    assert result.outcome is Outcome.CONFIRMED
    book(host, rig.connection, "b-1")
    _sweep_until(coordinator, lambda: state_of(host, rig.connection, "b-1")[0] != "open")
    assert state_of(host, rig.connection, "b-1") == ("booked", ", ".join(result.tables))
    _sweep_until(coordinator, lambda: coordinator.record("b-1").next_attempt_at is None)
    assert coordinator.record("b-1").state == "confirmed"


def test_a_row_that_never_comes_is_told_of_and_left(rig):
    """After some looks the sweep says so, and takes nobody's tables."""
    heard = Heard()
    host = rig.host(RowHost)
    settings = Settings(orphan_after=dt.timedelta(milliseconds=1))
    coordinator = rig.coordinator(host, settings=settings, sinks=[heard])
    tables = coordinator.assign(Booking("b-1", HOUSE, 2, AT)).tables
    _sweep_until(coordinator, lambda: coordinator.record("b-1").next_attempt_at is None)
    coordinator.flush()
    assert [event.context["reason"] for event in heard if event.type == "coordinator.host_fault"] == ["not_taken"]
    assert coordinator.record("b-1").tables == tables


@pytest.mark.parametrize("gone", ["b-0", "b" * 200], ids=["short", "long"])
def test_a_row_that_is_gone_is_told_of_once_and_keeps_its_tables(rig, gone):
    """Where somebody waits for them; a row that `booking` does not find today takes no guest's table away."""
    heard = Heard()
    host = rig.host(RowHost)
    coordinator = rig.coordinator(host, sinks=[heard])
    names = (gone, "b-1", "b-2", "b-3")
    for name in names:
        book(host, rig.connection, name)
    for name in names[:3]:
        assert coordinator.assign_id(name, HOUSE).tables
    host.rows(rig.connection, "DELETE FROM @reservations WHERE id = ?", gone)
    for _ in range(2):
        coordinator.enqueue(host.booking(rig.connection, "b-3"))
        coordinator.assign_id("b-3", HOUSE)
        coordinator.requeue("b-3", actor="anna")
        assert [one.outcome for one in coordinator.sweep().results] == ["manual_review"]
    coordinator.flush()
    told = [event for event in heard if event.type == "coordinator.host_fault"]
    assert [(event.booking_id, event.context["reason"]) for event in told] == [(gone, "row_gone")]
    assert told[0].context["tables"] == coordinator.record(gone).tables != ()
    assert coordinator.cancel(gone, HOUSE).outcome == "cancelled"
    assert [(one.booking_id, one.outcome) for one in coordinator.sweep().results] == [("b-3", "confirmed")]


def _sweep_until(coordinator, done):
    for _ in range(50):
        coordinator.sweep()
        if done():
            return
        time.sleep(0.01)
    pytest.fail("the sweep never came to it")


def test_a_host_without_code_for_commits_is_left_alone(rig):
    """Where the host writes its rows itself, a row that is not there is its own affair."""
    kind = type("Silent", (RowHost,), {"on_commit": None})
    host = rig.host(kind)
    if isinstance(rig, AsyncPostgresRig):
        pytest.skip("the rig's async hosts have code for commits")
    coordinator = rig.coordinator(host)
    coordinator.assign(Booking("b-1", HOUSE, 2, AT))
    assert coordinator.record("b-1").next_attempt_at is None


def test_a_record_that_waits_behind_a_settled_row_is_told_of(rig):
    """What the two do not agree on is an event, not silence."""
    heard = Heard()
    host = rig.host(RowHost)
    settings = Settings(orphan_after=dt.timedelta(milliseconds=1))
    coordinator = rig.coordinator(host, settings=settings, sinks=[heard])
    book(host, rig.connection, "b-1")
    booking = host.booking(rig.connection, "b-1")
    coordinator.enqueue(booking)
    host.rows(rig.connection, "UPDATE @reservations SET state = 'booked'")
    _sweep_until(coordinator, lambda: coordinator.record("b-1").next_attempt_at is None)
    coordinator.flush()
    assert [event.context["reason"] for event in heard if event.type == "coordinator.host_fault"] == ["host_settled"]


MISSING = {
    "booking": "SELECT coverz FROM reservations",
    "venue": "SELECT seats FROM dining_tablez",
    "occupied": "SELECT from_tim FROM legacy_seats",
    "unassigned": "SELECT * FROM reservations WHERE stat = 'open'",
    "on_commit": "INSERT INTO reservations (idd) VALUES ('b-1')",
}


@pytest.mark.parametrize("method", MISSING)
def test_a_query_of_the_hosts_for_what_is_not_there_is_the_hosts(tmp_path, method):
    """SQLite's "no such column" names the host's method; the pipeline's own schema is all there."""

    def mistaken(_self, connection, *_):
        return connection.execute(MISSING[method]).fetchall()

    kind = type("Taverna", (RowHost,), {method: mistaken})
    rig = SQLiteRig(tmp_path / "day.db")
    with contextlib.closing(rig):
        book(RowHost(), rig.connection, "b-1")
        coordinator = rig.coordinator(kind())
        sentence = rf"^Taverna\.{method}: expected a query for tables and columns that are there, .*no such|has no"
        listed = functools.partial(coordinator.store.unassigned, AT - TWO_HOURS, 9)
        asked = listed if method == "unassigned" else functools.partial(coordinator.assign_id, "b-1", HOUSE)
        with pytest.raises(HostError, match=sentence):
            asked()
        assert coordinator.record("b-1") is None
