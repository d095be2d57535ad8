"""What SQLite does for the store's statements: nothing on the hot path reads a whole table."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
import sqlite3

import pytest

from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost
from assignment_pipeline.adapters.sqlite.writer import LOCK
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.ports import LoadQuery, RecordQuery
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.store_harness import (
    CONFIRM,
    DINNER,
    HOUR,
    QUEUE,
    REVIEW,
    make_booking,
    make_change,
    make_venue,
)

DAY = dt.timedelta(days=1)
STATEMENTS = {"SELECT", "INSERT", "UPDATE", "DELETE"}


class Listening(StandaloneHost):
    """A host that notes the statements run on the connections that it is handed."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def listen(self, connection):
        connection.set_trace_callback(self.heard.append)

    def booking(self, connection, booking_id):
        self.listen(connection)
        return super().booking(connection, booking_id)

    def venue(self, connection, restaurant_id, known_version):
        self.listen(connection)
        return super().venue(connection, restaurant_id, known_version)

    def on_commit(self, connection, changes):
        self.listen(connection)
        super().on_commit(connection, changes)

    def unassigned(self, connection, since, limit):
        self.listen(connection)
        return super().unassigned(connection, since, limit)


@pytest.fixture(scope="module", params=["without statistics", "with statistics"])
def worked(request, empty_database, tmp_path_factory):
    """A file with some months of bookings in it, and every statement that a day's work takes there."""
    path = shutil.copy(empty_database, tmp_path_factory.mktemp("plans"))
    host = Listening()
    with SQLiteStore(path, host=host, clock=FakeClock(DINNER - HOUR), synchronous="OFF") as store:
        work(store, host, statistics=request.param == "with statistics")
    return path, [one for one in dict.fromkeys(host.heard) if one.split()[0] in STATEMENTS]


@pytest.fixture(scope="module")
def plans(worked):
    """Each step of each statement's plan, by statement."""
    return explain(*worked, "QUERY PLAN")


def work(store, host, *, statistics):
    """A day's work, after some months of others."""

    def commit(booking_id, day, *triggers, before=None, **how):
        change = make_change(make_booking(booking_id, at=DINNER + day * DAY), *triggers, before=before, **how)
        store.commit([change])
        return change.record

    for day in range(-60, 60):
        for table in (1, 2, 3):
            commit(f"b-{day}-{table}", day, *CONFIRM, tables=(f"T{table}",))
        commit(f"p-{day}", day, *QUEUE, next_attempt_at=DINNER)
        commit(f"m-{day}", day, *REVIEW, reason="no_fit")
    if statistics:
        store.write(lambda connection: connection.execute("ANALYZE").fetchall())
    host.heard.clear()

    store.load(LoadQuery(restaurant_id="r-1", bookings=(make_booking("new"),), booking_ids=("b-0-1",)))
    seated = commit("new", 0, *CONFIRM, tables=("T4",))
    moved = commit("new", 0, Trigger.MOVE, before=seated, tables=("T4",), venue=make_venue(post_buffer_minutes=30))
    commit("new", 0, Trigger.CANCEL, before=moved)
    store.knows(make_change(make_booking("new"), *QUEUE))
    assert {due.booking_id for due in store.due(5)} == {"m-0", "p-0"}  # Of all that wait, who waits for that evening.
    store.history("new")
    store.unassigned(DINNER, 10)
    store.records(RecordQuery(booking_ids=("new", "b-0-1")))
    store.records(RecordQuery(restaurant_id="r-1", states=(AssignmentState.MANUAL_REVIEW,), after="m-1", limit=10))


def explain(path, statements, how=""):
    """What SQLite says of each statement: the steps of its plan, or of its program."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = {one: connection.execute(f"EXPLAIN {how} {one}").fetchall() for one in statements}
    return {one: [row[-1 if how else 1] for row in found] for one, found in rows.items()}


NO_TABLES = ("json_each", "VIRTUAL TABLE", "CONSTANT ROW", "subquery")


def test_no_table_is_scanned(plans):
    """Every table is entered through an index; only lists that we hand over, and what was found, are read whole."""
    assert len(plans) > 20
    scans = {
        statement: steps
        for statement, steps in plans.items()
        if statement != LOCK  # It reads nothing.
        and any(step.startswith("SCAN") and not any(name in step for name in NO_TABLES) for step in steps)
    }
    assert scans == {}


def test_no_table_is_made_to_write_a_row(worked):
    """A list of three states in the condition of an index would have SQLite make one for each row."""
    path, statements = worked
    programs = explain(path, [one for one in statements if one.split()[0] == "INSERT"])
    assert len(programs) > 10
    assert [one for one, steps in programs.items() if "OpenEphemeral" in steps] == []


def test_seats_are_looked_up_between_two_times(plans):
    """A restaurant's past and future are left out on both sides, and the index has all that is asked for."""
    steps = [step for steps in plans.values() for step in steps if "booking_table_assignments_span" in step]
    assert len(steps) >= 3
    for step in steps:
        assert "COVERING INDEX" in step
        assert "restaurant_id=? AND start_at>? AND start_at<?" in step


def test_waking_looks_only_near_what_was_freed(plans):
    """Who waits for another evening is not looked at."""
    steps = [step for steps in plans.values() for step in steps if "assignment_records_waiting" in step]
    assert steps
    assert all("restaurant_id=? AND start_at>? AND start_at<?" in step for step in steps)


def test_the_sweep_reads_what_is_due(plans):
    """What is not due costs nothing."""
    steps = [step for steps in plans.values() for step in steps if "assignment_records_due" in step]
    assert steps
    assert all("next_attempt_at<?" in step for step in steps)
