"""Whatever the candidate does, callers and rows are as with legacy alone: on files and on a real server."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import os
import sqlite3
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from assignment_pipeline import (
    AsyncCoordinator,
    Booking,
    Coordinator,
    Decision,
    FixedFlags,
    FloorPlan,
    LegacyResult,
    Mode,
    Occupied,
    Table,
    TimeWindow,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.domain.result import Plan
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.rollout.shadow import Shadow
from assignment_pipeline.testing import FakeClock

NOON = dt.datetime(2031, 5, 1, 12, tzinfo=dt.UTC)
VENUE = Venue(
    "R1",
    "UTC",
    FloorPlan([Table(f"T{number}", 2 + number % 3) for number in range(6)], [("T0", "T1"), ("T1", "T2")]),
    VenuePolicy(),
)
APART = {"assignment_schema", "observability_events", "assignment_shadow_bundles", "assignment_shadow_cases"}
"""What a shadow may write; every other row is to be as if there were none."""

SEATS = "CREATE TABLE legacy_seats (booking_id TEXT, table_id TEXT, start_at TEXT, end_at TEXT)"


class LegacyDownError(Exception):
    """Legacy's own."""


class HostWithLegacy(StandaloneHost):
    """The host of a file in which legacy keeps its seats."""

    def occupied(self, connection, restaurant_id, window):
        rows = connection.execute("SELECT * FROM legacy_seats").fetchall()
        return [seat for row in rows if (seat := seat_of(row)).window.overlaps(window)]


def seat_of(row):
    start, end = (dt.datetime.fromisoformat(str(moment)) for moment in (row[2], row[3]))
    return Occupied(table_id=row[1], window=TimeWindow(start, end), booking_id=row[0])


class FileSite:
    """A database file, with a legacy planner that writes to it over a connection of its own."""

    mark = "?"

    def __init__(self, path, clock):
        self.path = path
        init(path, standalone=True)
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=10, check_same_thread=False)
        self.connection.execute(SEATS)
        self.host = HostWithLegacy(clock)
        self.store = SQLiteStore(path, host=self.host, clock=clock, synchronous="OFF")
        self.store.write(lambda connection: self.host.put_venue(connection, VENUE))

    def seats(self):
        return [seat_of(row) for row in self.connection.execute("SELECT * FROM legacy_seats").fetchall()]

    def put(self, booking):
        self.store.write(lambda connection: self.host.put_booking(connection, booking))

    def legacy(self, booking):
        """First fit; every fifth booking breaks it."""
        if int(booking.id[1:]) % 5 == 4:
            raise LegacyDownError(booking.id)
        window = VENUE.blocked(VENUE.turn(booking))
        busy = {seat.table_id for seat in self.seats() if seat.window.overlaps(window)}
        for table in VENUE.floor.tables:
            if table.id not in busy and table.capacity >= booking.party_size:
                values = (booking.id, table.id, window.start.isoformat(), window.end.isoformat())
                marks = ", ".join([self.mark] * 4)
                self.connection.execute(f"INSERT INTO legacy_seats VALUES ({marks})", values)
                self.put(attrs.evolve(booking, status="confirmed"))
                return LegacyResult((table.id,))
        return LegacyResult()

    def rows(self):
        tables = self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").fetchall()
        names = [name for (name,) in tables if name not in APART]
        return {name: sorted(self.connection.execute(f"SELECT * FROM {name}").fetchall(), key=str) for name in names}

    def close(self):
        self.store.close()
        self.connection.close()


class ServerSite(FileSite):
    """The same, in a schema of a server."""

    mark = "%s"

    def __init__(self, conninfo, schema, clock, *, pool_size=2):
        import psycopg  # noqa: PLC0415 - an extra

        from assignment_pipeline.adapters import postgres  # noqa: PLC0415

        site = self

        class Host(postgres.StandaloneHost):
            def occupied(self, connection, restaurant_id, window):
                rows = connection.execute(f"SELECT * FROM {schema}.legacy_seats").fetchall()
                return [seat for row in rows if (seat := seat_of(row)).window.overlaps(window)]

        postgres.init(conninfo, standalone=True, schema=schema)
        self.conninfo, self.schema = conninfo, schema
        self.connection = psycopg.connect(conninfo, autocommit=True)
        self.connection.execute(f"CREATE TABLE {schema}.{SEATS.removeprefix('CREATE TABLE ')}")
        self.connection.execute(f"SET search_path = {schema}")
        self.host = Host(clock, schema=schema)
        self.store = postgres.PostgresStore(
            conninfo, host=self.host, clock=clock, schema=schema, pool_size=pool_size, patience=dt.timedelta(seconds=2)
        )
        self.store.write(lambda connection: site.host.put_venue(connection, VENUE))

    def rows(self):
        found = self.connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", (self.schema,)
        ).fetchall()
        names = [name for (name,) in found if name not in APART]
        return {name: sorted(self.connection.execute(f"SELECT * FROM {name}").fetchall(), key=str) for name in names}


@pytest.fixture
def clock():
    return FakeClock(NOON)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def site_at(request, tmp_path_factory):
    """Makes sites that begin alike, each at a clock; on a file, and on a server."""
    made = []
    if request.param == "postgres":
        database = request.getfixturevalue("postgres_database")

    def make(clock) -> FileSite:
        name = f"shadow_{os.getpid()}_{time.monotonic_ns()}"
        folder = tmp_path_factory.mktemp("site")
        site = FileSite(folder / name, clock) if request.param == "sqlite" else ServerSite(database, name, clock)
        made.append(site)
        return site

    yield make
    for site in made:
        site.close()  # A second time, for those of one test.


@pytest.fixture
def sites(site_at, clock):
    """Makes sites that begin alike, at the test's clock."""
    made = []

    def make() -> FileSite:
        made.append(site_at(clock))
        return made[-1]

    yield make
    for site in made:
        site.close()


@pytest.fixture(scope="module")
def alone(site_at):
    """What callers get with legacy alone, and the rows that it leaves."""
    clock = FakeClock(NOON)
    site = site_at(clock)
    told, coordinator = played(site, Mode.OFF, clock=clock)
    coordinator.close()
    return told, site.rows()


@pytest.fixture(scope="module")
def alone_in_asyncio(site_at):
    """The same, for coroutines."""
    clock = FakeClock(NOON)
    site = site_at(clock)
    return asyncio.run(played_in_asyncio(site, Mode.OFF, clock=clock)), site.rows()


def bookings(count=12):
    start = NOON + dt.timedelta(hours=7)
    return [
        Booking(f"B{number}", "R1", 1 + number % 4, start + dt.timedelta(minutes=15 * (number % 3)))
        for number in range(count)
    ]


# -- Candidates that nobody would want ----------------------------------------------------------------------------


class Raises:
    def plan(self, *_: Any) -> Any:
        raise ZeroDivisionError


class Exits:
    def plan(self, *_: Any) -> Any:
        raise SystemExit


class Hangs:
    """Never comes back, for as long as the test runs."""

    over = threading.Event()

    def plan(self, *_: Any) -> Any:
        self.over.wait(60)
        raise ZeroDivisionError


class Spins(Hangs):
    """The same, and computes all the while."""

    def plan(self, *_: Any) -> Any:
        while not self.over.is_set():
            pass
        raise ZeroDivisionError


class Invents(TableEngine):
    """Tables that are nowhere."""

    def plan(self, request, floor, budget=None):
        return Decision(plan=Plan(("T98", "T99"), 0.0, {}, "magic"))


class Overlaps(TableEngine):
    """The table that somebody has already, for everybody."""

    def plan(self, request, floor, budget=None):
        return Decision(plan=Plan(("T0",), 0.0, {}, "magic"))


class Hoards(TableEngine):
    """Answers that grow, and hold on to ever more."""

    grown = 0

    def plan(self, request, floor, budget=None):
        Hoards.grown += 1_000
        plan = Plan(("T5",), float(Hoards.grown), {f"part-{n}": 1.0 for n in range(Hoards.grown)}, "magic")
        return Decision(plan=plan, runners_up=(plan,) * 10)


class Writes(TableEngine):
    """Calls whatever can be called, of all that it can get hold of, by the names of what writes."""

    tried: list[str]
    NAMES = ("commit", "emit", "write", "block", "unblock", "due", "keep_bundle", "put_cases", "claim_cases", "tell")

    def __init__(self):
        super().__init__()
        self.tried = []
        self.seen = 0

    def plan(self, request, floor, budget=None):
        known, todo = set(), [request, floor, budget]
        while todo:
            one = todo.pop()
            if id(one) in known or isinstance(one, str | int | float | type | type(time) | None):
                continue
            known.add(id(one))
            self.seen += 1
            for name in self.NAMES:
                if callable(getattr(one, name, None)):
                    self.tried.append(name)
                    getattr(one, name)([])
            if isinstance(one, dict):
                todo += [*one.keys(), *one.values()]
            elif isinstance(one, list | tuple | set | frozenset):
                todo += one
            else:
                todo += [getattr(one, name, None) for name in getattr(type(one), "__slots__", ())]
                todo += getattr(one, "__dict__", {}).values()
        return super().plan(request, floor)


CANDIDATES: dict[str, Callable[[], Any]] = {
    "raises": Raises,
    "exits": Exits,
    "hangs": Hangs,
    "spins": Spins,
    "invents": Invents,
    "overlaps": Overlaps,
    "hoards": Hoards,
    "writes": Writes,
    "sound": TableEngine,
}

SHORT = Shadow(deadline=dt.timedelta(seconds=0.2), keep_bytes=20_000, spares=2)
PATIENT = attrs.evolve(SHORT, deadline=dt.timedelta(seconds=5))


def played(site, mode, engine=None, shadow=PATIENT, **options):
    """What callers get for a day of bookings: answers, or what was raised; and the coordinator."""
    told = []
    coordinator = Coordinator(
        site.store,
        flags=FixedFlags(mode),
        legacy=site.legacy,
        engine=engine,
        shadow=shadow,
        sinks=(),
        clock=options.pop("clock", None),
        **options,
    )
    for booking in bookings():
        site.put(booking)
        try:
            result = coordinator.assign(booking)
        except Exception as error:  # noqa: BLE001 - it is what is compared
            told.append((type(error), error.args))
        else:
            told.append((result.outcome, result.tables, result.legacy, result.handled, result.record))
    return told, coordinator


@pytest.mark.parametrize("name", CANDIDATES)
def test_callers_and_rows_are_as_with_legacy_alone(sites, alone, name, clock):
    """Results, exceptions and every row, whatever the candidate does; and its verdicts tell of it."""
    beside = sites()
    expected, rows = alone
    engine = CANDIDATES[name]()
    Hangs.over = threading.Event()
    Hoards.grown = 0
    try:
        shadow = SHORT if name in ("hangs", "spins") else PATIENT
        actual, coordinator = played(beside, Mode.SHADOW, engine, shadow, clock=clock)
        assert actual == expected
        assert any(isinstance(one[0], type) for one in actual), "legacy never raised: the example shows too little"
        assert coordinator.shadow.flush(30)
        assert beside.rows() == rows
    finally:
        Hangs.over.set()
    counts = coordinator.shadow.counts
    assert counts.offered == len(bookings())
    if name in ("hangs", "spins"):
        assert counts.timeouts == 1 + SHORT.spares
        assert counts.abandoned <= 1 + SHORT.spares
    else:
        assert sum(counts.verdicts.values()) == len(bookings())
        assert counts.lost == 0
    if name in ("raises", "exits", "invents"):
        assert set(counts.verdicts) == {"pipeline_error", "both_error"}
    if name == "overlaps":
        assert counts.verdicts["pipeline_error"] > 3
    if name == "writes":
        assert engine.seen > 100
        assert engine.tried == []
    if name == "hoards":
        assert all(len(str(beside.store.bundle(one.id).document)) <= 30_000 for one in beside.store.bundles())
    coordinator.close()
    assert beside.rows() == rows


async def played_in_asyncio(site, mode, engine=None, shadow=PATIENT, *, clock):
    """The answers of `played` for coroutines, once the shadow is through."""
    answers = []
    options = {"flags": FixedFlags(mode), "legacy": site.legacy, "engine": engine, "shadow": shadow, "sinks": ()}
    async with AsyncCoordinator(site.store, clock=clock, **options) as coordinator:
        for booking in bookings():
            site.put(booking)
            try:
                result = await coordinator.assign(booking)
            except LegacyDownError as error:
                answers.append(error.args)
            else:
                answers.append((result.outcome, result.tables, result.legacy, result.handled, result.record))
        assert await asyncio.to_thread(coordinator.shadow.flush, 30)
        assert coordinator.shadow.counts.offered == (len(bookings()) if mode is Mode.SHADOW else 0)
    return answers


@pytest.mark.parametrize("name", ["raises", "hangs", "invents", "writes"])
def test_asyncio_callers_are_as_with_legacy_alone(sites, alone_in_asyncio, name, clock):
    """The same for coroutines, over a store that is called in threads."""
    beside = sites()
    expected, rows = alone_in_asyncio
    Hangs.over = threading.Event()
    shadow = SHORT if name == "hangs" else PATIENT
    try:
        actual = asyncio.run(played_in_asyncio(beside, Mode.SHADOW, CANDIDATES[name](), shadow, clock=clock))
        assert actual == expected
        assert beside.rows() == rows
    finally:
        Hangs.over.set()


def test_shadow_events_are_found_by_the_guides_query(sites, clock):
    """As many bookings as legacy was run for, each with its transitions, in shadow mode."""
    site = sites()
    _, coordinator = played(site, Mode.SHADOW, clock=clock)
    assert coordinator.shadow.flush(15)
    coordinator.close()
    if hasattr(site.store, "flush"):
        site.store.flush()
    rows = site.connection.execute(
        "SELECT event_type, COUNT(*) AS event_count, COUNT(DISTINCT booking_id) FROM observability_events"
        " WHERE source = 'assignment.state_machine' GROUP BY event_type"
    ).fetchall()
    [(kind, count, distinct)] = rows
    assert kind == "booking.assignment_state_transition"
    assert count >= distinct == len(bookings())
    contexts = told(site, "booking.assignment_state_transition")
    assert {(one["mode"], one["rehearsed"]) for one in contexts} == {("shadow", True)}
    verdicts = site.connection.execute(
        "SELECT COUNT(*) FROM observability_events WHERE source = 'assignment.shadow'"
    ).fetchone()
    assert verdicts == (len(bookings()),)


def test_what_was_answered_is_let_go_of(sites, clock):
    """Nothing of a case stays in memory once it has been seen to."""
    kept = []

    class Remembers(TableEngine):
        def plan(self, request, floor, budget=None):
            kept.append(weakref.ref(floor.occupancy))
            return super().plan(request, floor)

    _, coordinator = played(sites(), Mode.SHADOW, Remembers(), clock=clock)
    assert coordinator.shadow.flush(15)
    coordinator.close()
    time.sleep(0.1)
    assert len(kept) >= len(bookings())
    assert [one for one in kept if one() is not None] == []


def test_a_worker_takes_the_cases_from_the_store(sites, alone, clock):
    """The process that took the bookings plans nothing; another one does, once each."""
    site = sites()
    expected, rows = alone
    actual, coordinator = played(site, Mode.SHADOW, Raises(), shadow=Shadow(runs="worker"), clock=clock)
    assert actual == expected
    assert coordinator.shadow.flush(10)
    assert coordinator.shadow.counts.stored == len(bookings())
    assert coordinator.shadow.counts.verdicts == {}
    coordinator.close()
    worker = Coordinator(site.store, flags=FixedFlags(Mode.OFF), sinks=(), clock=clock)
    assert worker.shadow.work(5) == 5
    assert worker.shadow.work() == len(bookings()) - 5
    assert worker.shadow.work() == 0
    assert sum(worker.shadow.counts.verdicts.values()) == len(bookings())
    assert worker.shadow.counts.verdicts["legacy_error"] == 2
    worker.close()
    assert site.rows() == rows


def test_the_shadow_has_connections_of_its_own(postgres_database, clock):
    """A caller with the only connection of the pool in its hands is not waited for, nor kept waiting."""
    site = ServerSite(postgres_database, f"shadow_{time.monotonic_ns()}", clock, pool_size=1)
    try:
        coordinator = Coordinator(
            site.store,
            flags=FixedFlags(Mode.SHADOW),
            legacy=lambda booking: LegacyResult(("T0",)),
            sinks=(),
            clock=clock,
        )
        site.put(bookings()[0])
        with site.store._pool._lend():
            coordinator.assign(bookings()[0])
            assert coordinator.shadow.flush(10)
            assert sum(coordinator.shadow.counts.verdicts.values()) == 1
        coordinator.close()
    finally:
        site.close()


def test_an_async_store_is_read_on_a_loop_of_its_own(postgres_database, clock):
    """The caller's loop is not asked, and sees the verdict all the same."""
    import psycopg  # noqa: PLC0415

    from assignment_pipeline.adapters import postgres  # noqa: PLC0415

    schema = f"shadow_{time.monotonic_ns()}"
    postgres.init(postgres_database, standalone=True, schema=schema)

    async def main():
        host = postgres.AsyncStandaloneHost(clock, schema=schema)
        async with postgres.AsyncPostgresStore(postgres_database, host=host, clock=clock, schema=schema) as store:
            await store.write(lambda connection: host.put_venue(connection, VENUE))

            async def legacy(booking):
                await asyncio.sleep(0)
                return LegacyResult(("T0",))

            async with AsyncCoordinator(
                store, flags=FixedFlags(Mode.SHADOW), legacy=legacy, sinks=(), clock=clock
            ) as coordinator:
                result = await coordinator.assign(bookings()[1])
                assert (result.reason, result.legacy) == ("shadow", LegacyResult(("T0",)))
                assert await coordinator.observe(bookings()[2], LegacyResult())
                assert await asyncio.to_thread(coordinator.shadow.flush, 10)
                counts = coordinator.shadow.counts
                assert sum(counts.verdicts.values()) == 2
                assert counts.lost == 0
                kinds = {bundle.kind for bundle in await asyncio.to_thread(store.bundles)}
                assert kinds == {"tables", "pipeline_only"}

                async with await psycopg.AsyncConnection.connect(postgres_database) as connection:
                    assert await coordinator.joined(connection).observe(bookings()[3], LegacyDownError())
                assert await asyncio.to_thread(coordinator.shadow.flush, 10)
                assert counts.verdicts["legacy_error"] == 1

    asyncio.run(main())


def test_a_full_queue_drops_and_tells(sites, clock):
    """The caller is not kept, and what was dropped is counted, in events too."""
    site = sites()
    Hangs.over = threading.Event()
    shadow = Shadow(capacity=2, deadline=dt.timedelta(seconds=0.2), spares=0)
    try:
        began = time.monotonic()
        _, coordinator = played(site, Mode.SHADOW, Hangs(), shadow=shadow, clock=clock)
        assert time.monotonic() - began < 5
        assert coordinator.shadow.flush(10)
        counts = coordinator.shadow.counts
        assert (counts.timeouts, counts.dropped) == (1, len(bookings()) - 1)
        coordinator.close()
        assert sum(one["count"] for one in told(site, "shadow.dropped")) == counts.dropped
        assert len(told(site, "shadow.timeout")) == 1
    finally:
        Hangs.over.set()


def told(site, kind):
    import json  # noqa: PLC0415

    if hasattr(site.store, "flush"):
        site.store.flush()
    rows = site.connection.execute(
        f"SELECT context FROM observability_events WHERE event_type = {site.mark}", (kind,)
    ).fetchall()
    return [json.loads(one) if isinstance(one, str) else one for (one,) in rows]


FORKS = """
import datetime as dt, os, sys, threading
from assignment_pipeline import *
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
venue = Venue("R1", "UTC", FloorPlan([Table("T1", 2)]))
coordinator = Coordinator(
    MemoryStore(MemoryHost(venue)), flags=FixedFlags(Mode.SHADOW), legacy=lambda b: LegacyResult(), sinks=()
)
tomorrow = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) + dt.timedelta(days=1)
coordinator.assign(Booking("B1", "R1", 2, tomorrow))
assert coordinator.shadow.flush(10)
coordinator.shadow._lock.acquire()
coordinator.shadow._wake._cond.acquire()
if os.fork() == 0:
    coordinator.assign(Booking("B2", "R1", 2, tomorrow))
    done = coordinator.shadow.flush(10) and coordinator.shadow.counts.verdicts == {"mismatch": 1}
    os._exit(0 if done else 1)
threading.Timer(30, os._exit, (3,)).start()
_, status = os.wait()
os._exit(1 if status else 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_has_a_shadow_of_its_own():
    """With threads of its own, whatever the parent's held."""
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_cases_come_one_after_another_without_losing_count():
    """From many callers at one time, none is lost."""
    from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore  # noqa: PLC0415

    store = MemoryStore(MemoryHost(VENUE), clock=FakeClock(NOON))
    coordinator = Coordinator(
        store,
        flags=FixedFlags(Mode.SHADOW),
        legacy=lambda booking: LegacyResult(),
        sinks=(),
        shadow=Shadow(shadow_workers=3),
        clock=FakeClock(NOON),
    )
    numbers = itertools.count()

    def call():
        for _ in range(50):
            coordinator.assign(Booking(f"N{next(numbers)}", "R1", 2, NOON + dt.timedelta(hours=8)))

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert coordinator.shadow.flush(30)
    counts = coordinator.shadow.counts
    assert counts.offered == 200
    assert sum(counts.verdicts.values()) + counts.dropped == 200
    coordinator.close()
    coordinator.assign(Booking("N-late", "R1", 2, NOON + dt.timedelta(hours=8)))
    assert coordinator.shadow.flush(10)
    assert coordinator.shadow.counts.offered == 201
    assert sum(counts.verdicts.values()) + counts.dropped == 201
    coordinator.close()


def test_what_legacy_does_in_a_transaction_is_observed(sites, clock):
    """Inside the host's own, and before it is committed; a rolled back one leaves no row but the events."""
    site = sites()
    before = site.rows()
    coordinator = Coordinator(site.store, flags=FixedFlags(Mode.SHADOW), sinks=(), clock=clock)
    off = Coordinator(site.store, flags=FixedFlags(Mode.OFF), sinks=(), clock=clock)
    site.connection.execute("BEGIN")
    assert coordinator.joined(site.connection).observe(bookings()[1], LegacyResult(("T0",)))
    assert not off.joined(site.connection).observe(bookings()[1], LegacyResult(("T0",)))
    assert coordinator.joined(site.connection).observe(bookings()[2], LegacyDownError())
    site.connection.execute("ROLLBACK")
    assert coordinator.shadow.flush(20)
    assert dict(coordinator.shadow.counts.verdicts) == {"mismatch": 1, "legacy_error": 1}
    assert off.shadow.counts.offered == 0
    assert site.rows() == before
    assert {one["result"] for one in told(site, "auto_assign.summary")} == {"succeeded", "error"}
    coordinator.close()


def test_a_worker_that_dies_leaves_its_cases_to_the_next(sites, clock):
    """A case that was taken and not seen to is handed out again, three times at most."""
    site = sites()
    coordinator = Coordinator(
        site.store,
        flags=FixedFlags(Mode.SHADOW),
        legacy=lambda booking: LegacyResult(("T0",)),
        sinks=(),
        clock=clock,
        shadow="worker",
    )
    coordinator.assign(bookings()[0])
    assert coordinator.shadow.flush(20)
    for _ in range(3):
        [case] = site.store.claim_cases(10, for_=dt.timedelta(minutes=1))
        clock.advance(dt.timedelta(minutes=1))
    assert case.deliveries == 3
    assert coordinator.shadow.work() == 1
    assert len(told(site, "shadow.timeout")) == 1
    assert site.store.claim_cases(10, for_=dt.timedelta(minutes=1)) == ()
    coordinator.close()
