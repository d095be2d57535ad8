"""Locks are not truth: with a lock manager that grants everything to everyone, nobody is double-seated."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from assignment_pipeline import Booking, FloorPlan, Outcome, Table, Venue
from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.ports import RecordQuery
from tests.integration.unlocked import unlocked

THREADS = 8
PROCESSES = 4
EVENING = dt.datetime(2031, 5, 2, 18, 0, tzinfo=dt.UTC)
FLOOR = FloorPlan([Table(f"T{n}", 2 + n % 3) for n in range(6)], [(f"T{n}", f"T{n + 1}") for n in range(5)])
VENUE = Venue("R1", "UTC", FLOOR)
BOOKINGS = [Booking(f"B{n:02}", "R1", 1 + n % 5, EVENING + dt.timedelta(minutes=15 * (n % 7))) for n in range(40)]


def hurry(store, seed):
    """Assign every booking, in an order of one's own, until each is settled."""
    worker = unlocked(store)
    for step in range(len(BOOKINGS)):
        booking = BOOKINGS[(step * 7 + seed * 3) % len(BOOKINGS)]
        while worker.assign(booking, trigger="manual").outcome is Outcome.RETRY:
            pass


def check(records):
    """No table twice at one time, no party over its tables' seats, and as many seated as can be."""
    capacity = {table.id: table.capacity for table in FLOOR.tables}
    seated = [record for record in records if record.allocation]
    for record in seated:
        assert sum(capacity[table] for table in record.tables) >= record.booking.party_size
    windows = [(table, record.allocation.blocked, record.booking_id) for record in seated for table in record.tables]
    for number, (table, window, booking_id) in enumerate(windows):
        for other, span, holder in windows[:number]:
            assert table != other or not window.overlaps(span), (table, booking_id, holder)
    assert len(records) == len(BOOKINGS)
    assert len({table for table, *_ in windows}) == len(FLOOR.tables)


def all_records(store):
    return store.records(RecordQuery(limit=1_000)).records


def standalone(path):
    """A new database with the venue and its bookings."""
    init(path, standalone=True)
    host = StandaloneHost()
    store = SQLiteStore(path, host=host)
    store.write(lambda connection: host.put_venue(connection, VENUE))
    store.write(lambda connection: [host.put_booking(connection, booking) for booking in BOOKINGS])
    return store


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    if request.param == "memory":
        yield MemoryStore(MemoryHost(VENUE), clock=SystemClock())
    else:
        with standalone(tmp_path / "day.db") as store:
            yield store


def test_threads_race_and_nobody_is_double_seated(store):
    """Eight workers want all forty bookings each."""
    barrier = threading.Barrier(THREADS)

    def work(seed):
        barrier.wait()
        hurry(store, seed)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(work, range(THREADS)))
    check(all_records(store))


def test_rivals_reach_for_the_same_tables(store):
    """Nine parties of four at six tables, at the same moment, on twenty evenings."""
    for day in range(20):
        start = EVENING + dt.timedelta(days=day + 1)
        rivals = [Booking(f"{day}-{n}", "R1", 4, start) for n in range(9)]
        with ThreadPoolExecutor(len(rivals)) as pool:
            results = list(pool.map(unlocked(store).assign, rivals))
        tables = [table for result in results for table in result.tables]
        assert len(tables) == len(set(tables))


def _process(path, seed):
    with SQLiteStore(path, host=StandaloneHost()) as store:
        hurry(store, seed)


def test_processes_race_and_nobody_is_double_seated(tmp_path):
    """Four processes on one file, each wanting every booking."""
    path = tmp_path / "day.db"
    with standalone(path) as store:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])  # What all of them import is imported once.
        workers = [context.Process(target=_process, args=(path, seed)) for seed in range(PROCESSES)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(100)
            assert worker.exitcode == 0
        check(all_records(store))
    connection = sqlite3.connect(path)
    gaps = connection.execute(
        "SELECT booking_id FROM booking_assignment_state_history GROUP BY booking_id HAVING max(version) != count(*)"
    ).fetchall()
    connection.close()
    assert gaps == []
