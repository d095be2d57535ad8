"""How much one `assign` does: function calls, effects and statements, counted. No test here takes the time."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import itertools
import sqlite3
import sys
import tracemalloc

import pytest

from assignment_pipeline import (
    AsyncCoordinator,
    Booking,
    Coordinator,
    FixedFlags,
    FloorPlan,
    Mode,
    PacingRule,
    Table,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.adapters.sqlite.codec import booking_of_row, record_of
from assignment_pipeline.adapters.sqlite.opening import FileConnection
from assignment_pipeline.flow.effects import Port
from assignment_pipeline.handlers import SyncHandler
from assignment_pipeline.planning import base
from assignment_pipeline.ports import LoadQuery

pytestmark = pytest.mark.usefixtures("as_shipped")

EVENING = dt.datetime(2031, 6, 6, 17, tzinfo=dt.UTC)
SEATS = (2, 2, 4, 4, 6)
PARTIES = (2, 2, 2, 3, 4, 4, 5, 6)


def restaurant(tables):
    """Rows of five tables that join."""
    names = [f"T{number:03}" for number in range(tables)]
    joined = [(one, other) for number, (one, other) in enumerate(itertools.pairwise(names)) if number % 5 != 4]
    floor = FloorPlan([Table(name, SEATS[number % 5]) for number, name in enumerate(names)], adjacent=joined)
    return Venue("chez-nous", "Europe/Paris", floor)


def guest(number):
    """A booking of the evening, each number another."""
    return Booking(
        f"b-{number}", "chez-nous", PARTIES[number % 8], EVENING + number * 7 % 17 * dt.timedelta(minutes=15)
    )


def half_full(coordinator, bookings):
    """The same coordinator, with so many seated and all that is done only once behind it."""
    for number in range(bookings):
        assert coordinator.assign(guest(number)).outcome == "confirmed"
    return coordinator


def entered_by(work):
    """The file of each Python function that *work* enters; a generator counts each time that it goes on."""
    files = []

    def profile(frame, event, _):
        if event == "call":
            files.append(frame.f_code.co_filename)

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return files


def calls_of(work):
    """How many functions it enters."""
    return len(entered_by(work))


def test_files_of_one_assign():
    """It runs through so few files of ours: more is more to read for who wants to follow it."""
    coordinator = half_full(Coordinator.in_memory(restaurant(10), sinks=()), 5)
    last = guest(5)
    files = {name for name in entered_by(lambda: coordinator.assign(last)) if "/assignment_pipeline/" in name}
    assert len(files) <= 25, sorted(files)


def test_other_days_cost_nothing_in_memory():
    """An assignment under caps on arrivals, and a cancellation, look at none of the bookings of other days."""
    policy = VenuePolicy(pacing=[PacingRule(minutes=15, covers=200)])
    venue = restaurant(10)
    counts = []
    for days in (0, 30):
        coordinator = half_full(
            Coordinator.in_memory(Venue(venue.id, venue.timezone, venue.floor, policy), sinks=()), 5
        )
        for day in range(1, days + 1):
            coordinator.assign(Booking(f"other-{day}", venue.id, 2, EVENING + day * dt.timedelta(days=3)))

        last = guest(5)

        def come_and_go(coordinator=coordinator, last=last):
            coordinator.assign(last)
            coordinator.cancel(last.id, venue.id)

        counts.append(calls_of(come_and_go))
    assert counts[1] - counts[0] < 20, counts


def test_function_calls_of_one_assign():
    """At sixty tables and forty parties it enters some three hundred and fifty functions."""
    coordinator = half_full(Coordinator.in_memory(restaurant(60), sinks=()), 40)
    last = guest(40)
    assert calls_of(lambda: coordinator.assign(last)) <= 370


def test_allocations_of_one_decision():
    """It makes some kilobytes on its way, hardly more at a larger restaurant, and keeps next to nothing of them."""
    peaks = {}
    for tables in (20, 200):
        coordinator = half_full(Coordinator.in_memory(restaurant(tables), sinks=()), tables * 2 // 3)
        found = []
        for number in range(300, 320):  # What is kept from one to the next is there behind the first few.
            tracemalloc.start()
            coordinator.preview(guest(number))
            kept, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            found.append((peak, kept))
        peaks[tables], kept = map(min, zip(*found, strict=True))
        assert kept <= 1_000, found
    assert peaks[20] <= 9_000, peaks
    assert peaks[200] <= 17_000, peaks


def at_once(work):
    """What a coroutine comes to that waits for nothing, without a loop."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


def test_function_calls_of_one_assign_for_asyncio():
    """Hardly more than for threads: what answers from memory is asked at once."""
    coordinator = AsyncCoordinator.in_memory(restaurant(60), sinks=())
    for number in range(40):
        assert at_once(coordinator.assign(guest(number))).outcome == "confirmed"
    last = guest(40)
    assert calls_of(lambda: at_once(coordinator.assign(last))) <= 390


def test_a_longer_history_costs_no_calls():
    """Bookings of other days are no work: not to load what an assignment looks at, nor to commit it."""
    calls = []
    for days in (0, 20):
        coordinator = Coordinator.in_memory(restaurant(10), sinks=())
        for day in range(1, days + 1):
            for number in range(5):
                then = EVENING + dt.timedelta(days=day)
                coordinator.assign(Booking(f"d-{day}-{number}", "chez-nous", 2, then))
        half_full(coordinator, 5)
        calls.append(calls_of(lambda made=coordinator: made.assign(guest(5))))
    assert calls[1] - calls[0] <= 20


def test_effects_of_one_assign(monkeypatch):
    """One snapshot, one plan and one commit; the rest is asked of this process."""
    asked = collections.Counter()
    answer = SyncHandler.__call__

    def counted(handler, effect):
        asked[type(effect).__name__] += 1
        return answer(handler, effect)

    coordinator = half_full(Coordinator.in_memory(restaurant(10), sinks=()), 5)
    monkeypatch.setattr(SyncHandler, "__call__", counted)
    assert coordinator.assign(guest(5)).outcome == "confirmed"
    assert {name: asked[name] for name in ("LoadContext", "MakePlan", "Commit")} == {
        "LoadContext": 1,
        "MakePlan": 1,
        "Commit": 1,
    }
    assert asked.total() <= 7


@pytest.fixture
def on_sqlite(tmp_path):
    """A coordinator over a file, of a restaurant with twenty tables."""
    host = StandaloneHost()
    init(tmp_path / "one.sqlite3", standalone=True)
    with SQLiteStore(tmp_path / "one.sqlite3", host=host) as store:
        store.write(lambda connection: host.put_venue(connection, restaurant(20)))
        yield Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=())


@pytest.mark.parametrize("parties", [2, 8])
def test_statements_of_one_assign_on_sqlite(sqlite_statements, on_sqlite, parties):
    """As many at a restaurant with eight parties as with two: of the evening, only what is not known yet is read."""
    half_full(on_sqlite, parties)
    sqlite_statements.clear()
    assert on_sqlite.assign(guest(parties)).outcome == "confirmed"
    assert len(sqlite_statements) <= 30, sqlite_statements


def test_statements_of_a_day_on_sqlite(sqlite_statements, on_sqlite):
    """A day is looked at once and begun once: each further booking costs its fifteen rows, and two questions."""
    on_sqlite.assign(guest(0))
    counts = []
    for numbers in (range(1, 3), range(3, 11)):
        sqlite_statements.clear()
        results = on_sqlite.assign_many([guest(number) for number in numbers])
        assert {result.outcome for result in results} == {"confirmed"}
        counts.append(len(sqlite_statements))
    assert (counts[1] - counts[0]) / 6 <= 17, counts


@pytest.mark.parametrize("others_write", [False, True])
def test_other_days_are_not_read_on_sqlite(on_sqlite, tmp_path, monkeypatch, others_write):
    """SQLite takes as many steps for an assignment where the restaurant has bookings on thirty other days."""
    steps = []
    execute = FileConnection.execute

    def counted(connection, *statement):
        connection.set_progress_handler(lambda: steps.append(connection), 1)
        return execute(connection, *statement)

    monkeypatch.setattr(FileConnection, "execute", counted)
    counts = []
    for days, evening in ((range(0), range(5)), (range(30), range(5, 10))):
        for day in days:
            on_sqlite.assign(Booking(f"other-{day}", "chez-nous", 2, EVENING + (day + 2) * dt.timedelta(days=1)))
        *before, last = evening
        for number in before:
            on_sqlite.assign(guest(number))
        if others_write:
            with contextlib.closing(sqlite3.connect(tmp_path / "one.sqlite3")) as other, other:
                other.execute(f"PRAGMA user_version = {len(days) + 1}")
        steps.clear()
        assert on_sqlite.assign(guest(last)).outcome == "confirmed"
        counts.append(len(steps))
        for number in evening:
            on_sqlite.cancel(f"b-{number}")
    assert counts[0] > 500
    assert counts[1] - counts[0] < 20, counts


def test_what_is_taken_is_looked_at_once_for_all_who_come_together(monkeypatch):
    """Behind each decision, only the tables that it took are."""
    looked_at = []
    add = base._add_spans
    monkeypatch.setattr(
        base, "_add_spans", lambda spans, bits, rows: looked_at.append(len(rows)) or add(spans, bits, rows)
    )
    coordinator = half_full(Coordinator.in_memory(restaurant(60), sinks=()), 20)
    looked_at.clear()
    coordinator.assign_many([guest(number) for number in range(20, 40)])
    taken = coordinator.store.load(LoadQuery(restaurant_id="chez-nous", bookings=(guest(40),))).taken
    assert sum(looked_at) <= len(taken), looked_at


def test_a_day_is_read_at_once_and_decoded_once(sqlite_statements, on_sqlite):
    """What is as it was at the last look, by its whole row, is no work again: one new party is one record to decode."""
    for cache in (record_of, booking_of_row):
        cache.cache_clear()
    half_full(on_sqlite, 8)
    store = on_sqlite._wiring.ports[Port.STORE]
    day = restaurant(20).service_day(EVENING.date())

    def decoded():
        before = [cache.cache_info().misses for cache in (record_of, booking_of_row)]
        context = store.load(LoadQuery(restaurant_id="chez-nous", day=day))
        after = [cache.cache_info().misses for cache in (record_of, booking_of_row)]
        return len(context.records), [later - earlier for earlier, later in zip(before, after, strict=True)]

    assert decoded()[0] == 8
    assert decoded() == (8, [0, 0])
    assert on_sqlite.assign(guest(8)).outcome == "confirmed"
    assert decoded() == (9, [1, 1])
    sqlite_statements.clear()
    assert decoded() == (9, [0, 0])
    assert len(sqlite_statements) <= 12, sqlite_statements
