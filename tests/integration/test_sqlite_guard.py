"""A host that gives tables away beside the pipeline, in SQLite, behind the guard."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from assignment_pipeline import Booking, Coordinator, FixedFlags, Mode, Occupied, TimeWindow
from assignment_pipeline.adapters.sqlite import SQLiteStore, init
from assignment_pipeline.errors import StoreUnavailableError
from assignment_pipeline.testing.store_harness import make_venue

START = (dt.datetime.now(dt.UTC) + dt.timedelta(days=3)).replace(hour=9, minute=0, second=0, microsecond=0)
TURN = dt.timedelta(hours=2)
SLOTS = 24
TAKEN = """
SELECT table_id FROM booking_table_assignments
WHERE restaurant_id = 'r-1' AND table_id = 'T1' AND start_at < ? AND end_at > ?
"""
STAFFS = "SELECT table_id, start_at, end_at FROM staff WHERE start_at < ? AND end_at > ?"
TWICE = """
SELECT a.booking_id FROM booking_table_assignments a
JOIN staff s ON s.table_id = a.table_id AND s.start_at < a.end_at AND s.end_at > a.start_at
"""


def text(moment):
    return moment.strftime("%Y-%m-%d %H:%M:%S")


class Host:
    """Whose staff write into a table of its own."""

    def booking(self, connection, booking_id):
        return None

    def venue(self, connection, restaurant_id, known_version):
        venue = make_venue(tables=1)
        return None if venue.version == known_version else venue

    def occupied(self, connection, restaurant_id, window):
        rows = connection.execute(STAFFS, (text(window.end), text(window.start)))
        times = lambda *texts: TimeWindow(*(dt.datetime.fromisoformat(f"{each}+00:00") for each in texts))  # noqa: E731
        return [Occupied(table_id=table, window=times(start, end)) for table, start, end in rows]

    def unassigned(self, connection, since, limit):
        return []


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "host.db"
    init(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE staff (table_id TEXT, start_at TEXT, end_at TEXT)")
    return path


@pytest.fixture
def coordinator(database):
    with SQLiteStore(database, host=Host(), synchronous="OFF") as store:
        yield Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), shadow=None)


@pytest.fixture
def staff(database):
    """Opens the staff's connections."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(
            contextlib.closing(sqlite3.connect(database, isolation_level=None, timeout=20, check_same_thread=False))
        )


def seat(coordinator, connection, start, look=lambda: None):
    """What the staff do: guard, look, write; whether they took T1."""
    span = (text(start + TURN), text(start))
    connection.execute("BEGIN IMMEDIATE")
    coordinator.joined(connection).guard("r-1")
    free = not connection.execute(TAKEN, span).fetchall() and not connection.execute(STAFFS, span).fetchall()
    look()
    if free:
        connection.execute("INSERT INTO staff VALUES ('T1', ?, ?)", (text(start), text(start + TURN)))
    connection.execute("COMMIT")
    return free


def test_an_assignment_waits_for_the_guard(coordinator, staff):
    """What the staff have seen free stays free until they have written; then the pipeline sees what they wrote."""
    with ThreadPoolExecutor(1) as pool:
        asked = []

        def meanwhile():
            asked.append(pool.submit(coordinator.assign, Booking("b-1", "r-1", 2, START)))
            threading.Event().wait(0.2)
            assert not asked[0].done()

        assert seat(coordinator, staff(), START, meanwhile)
        result = asked[0].result(20)
    assert (result.outcome, result.tables) == ("manual_review", ())


def test_nobody_is_seated_twice_beside_the_staff(coordinator, staff, database):
    """Two of the staff and two workers go for the same table at the same times, one slot after the other."""
    slots = [START + number * TURN * 2 for number in range(SLOTS)]
    connections = [staff(), staff()]
    ready = threading.Barrier(4)

    def assign(worker):
        ready.wait()
        return [coordinator.assign(Booking(f"b-{worker}-{text(at)}", "r-1", 2, at)).tables for at in slots]

    def give(connection):
        ready.wait()
        return [seat(coordinator, connection, at) for at in slots]

    with ThreadPoolExecutor(4) as pool:
        ours = [pool.submit(assign, worker) for worker in range(2)]
        theirs = [pool.submit(give, connection) for connection in connections]
        seated = sum(bool(tables) for one in ours for tables in one.result(60))
        given = sum(sum(one.result(60)) for one in theirs)
    assert seated + given == SLOTS
    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert connection.execute(TWICE).fetchall() == []


def test_a_guard_that_comes_too_late_is_refused(coordinator, staff):
    """What the transaction has read is older than what the pipeline has given since: it hears so, and what to do."""
    connection = staff()
    connection.execute("BEGIN")
    assert not connection.execute(TAKEN, (text(START + TURN), text(START))).fetchall()
    assert coordinator.assign(Booking("b-1", "r-1", 2, START)).tables == ("T1",)
    with pytest.raises(StoreUnavailableError, match="roll back, and begin it with BEGIN IMMEDIATE"):
        coordinator.joined(connection).guard("r-1")
    connection.execute("ROLLBACK")
    assert not seat(coordinator, connection, START)
