"""What PostgreSQL does for the store's statements: nothing on the hot path reads a whole table or index."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import json

import pytest

psycopg = pytest.importorskip("psycopg")
from psycopg.conninfo import make_conninfo  # noqa: E402

from assignment_pipeline import Coordinator, FixedFlags, Mode  # noqa: E402
from assignment_pipeline.adapters.postgres import PostgresLockManager, PostgresStore, StandaloneHost, init  # noqa: E402
from assignment_pipeline.domain.windows import TimeWindow  # noqa: E402
from assignment_pipeline.lifecycle import AssignmentState, Trigger  # noqa: E402
from assignment_pipeline.ports import LoadQuery, RecordQuery, Wanted  # noqa: E402
from assignment_pipeline.testing import FakeClock  # noqa: E402
from assignment_pipeline.testing.store_harness import (  # noqa: E402
    CONFIRM,
    DINNER,
    HOUR,
    QUEUE,
    REVIEW,
    make_block,
    make_booking,
    make_change,
    make_venue,
)

SCHEMA = "plans"
DAY = dt.timedelta(days=1)
LISTENING = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_format": "json",
    "client_min_messages": "log",
}


class Listener:
    """
    Hears the plans of a database's statements.

    Attributes:
        plans: What was heard.
    """

    def __init__(self, database):
        options = " ".join(f"-c {name}={value}" for name, value in LISTENING.items())
        self.conninfo = make_conninfo(database, options=options)
        self.plans = []

    def hear(self, notice):
        _, _, plan = (notice.message_primary or "").partition("plan:\n")
        if plan:
            self.plans.append(json.loads(plan))

    def attach(self, connection):
        connection.add_notice_handler(self.hear)

    def scans(self):
        """Each scan of a table: how, of what, by what, and how many rows came of it or were thrown away."""
        for heard in self.plans:
            waiting = [heard["Plan"]]
            while waiting:
                node = waiting.pop()
                waiting += node.get("Plans", [])
                if "Relation Name" in node and node["Node Type"].endswith("Scan") and node["Actual Loops"]:
                    read = sum(
                        node.get(rows, 0)
                        for rows in ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
                    )
                    yield node["Node Type"], node["Relation Name"], read * node["Actual Loops"], heard["Query Text"]


@pytest.fixture(scope="module", params=["without statistics", "with statistics"])
def listener(request, postgres_database):
    """One that has heard all that a day's work takes, among some months of bookings."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        if not connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()[0]:
            pytest.skip("only a superuser may listen to plans")
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        init(postgres_database, standalone=True, schema=SCHEMA)
        clock, host = FakeClock(DINNER - HOUR), StandaloneHost(schema=SCHEMA)
        with PostgresStore(postgres_database, host=host, clock=clock, schema=SCHEMA) as store:
            store.write(lambda connection: host.put_venue(connection, make_venue()))
            months(store)
        if request.param == "with statistics":
            connection.execute("ANALYZE")
    listener = Listener(postgres_database)
    with PostgresStore(listener.conninfo, host=host, clock=clock, schema=SCHEMA, pool_size=1) as store:
        store.check_schema()
        store.write(listener.attach)
        work(store)
    return listener


def commit(store, booking_id, day, *triggers, before=None, **how):
    change = make_change(make_booking(booking_id, at=DINNER + day * DAY), *triggers, before=before, **how)
    store.commit([change])
    return change.record


def months(store):
    for day in range(-60, 60):
        changes = [
            make_change(make_booking(f"b-{day}-{table}", at=DINNER + day * DAY), *CONFIRM, tables=(f"T{table}",))
            for table in (1, 2, 3)
        ]
        booking = make_booking(f"p-{day}", at=DINNER + day * DAY)
        changes.append(make_change(booking, *QUEUE, next_attempt_at=DINNER))
        booking = make_booking(f"m-{day}", at=DINNER + day * DAY)
        changes.append(make_change(booking, *REVIEW, reason="no_fit"))
        store.commit(changes)
        store.block([make_block(f"k-{day}", "T4", at=DINNER + day * DAY + 5 * HOUR)], ())


def work(store):
    """A day's work: each statement of the store's, and twice, for the plan that stays."""
    for name in ("new", "newer"):
        store.load(LoadQuery(restaurant_id="r-1", bookings=(make_booking(name),), booking_ids=("b-0-1",)))
        store.load(LoadQuery(restaurant_id="r-1", day=TimeWindow(DINNER - HOUR, DINNER + HOUR)))
        seated = commit(store, name, 0, *CONFIRM, tables=("T4",))
        moved = commit(store, name, 0, Trigger.MOVE, before=seated, tables=("T4",), venue=make_venue())
        commit(store, name, 0, Trigger.CANCEL, before=moved)
        store.knows(make_change(make_booking(name), *QUEUE))
        assert {due.booking_id for due in store.due(5)} <= {"m-0", "p-0"}  # Of all that wait, who waits for then.
        store.history(name)
        store.booking(name)
        store.unassigned(DINNER, 10)
        store.records(RecordQuery(booking_ids=(name, "b-0-1")))
        store.records(RecordQuery(restaurant_id="r-1", states=(AssignmentState.MANUAL_REVIEW,), after="m-1", limit=10))
        block = make_block(f"k-{name}", "T3")
        store.block([block], ())
        store.unblock([block], ())


def test_no_table_is_read_whole(listener):
    """There is an index for every question, whatever the statistics say, or before there are any."""
    scans = list(listener.scans())
    assert {relation for _, relation, _, _ in scans} >= {
        "assignment_records",
        "booking_assignment_state_history",
        "booking_table_assignments",
        "bookings",
        "restaurants",
        "table_blocks",
    }
    assert [scan for scan in scans if scan[0] == "Seq Scan"] == []


def test_little_is_read(listener):
    """Nor is a whole index: of 600 bookings a statement reads those nearby, or at most those that wait."""
    assert [scan for scan in listener.scans() if scan[2] > 200] == []


def test_rows_read_by_one_assignment(listener):
    """Those of its booking and its evening, and twice the blocks to come, however many bookings there are besides."""
    store = PostgresStore(listener.conninfo, host=StandaloneHost(schema=SCHEMA), schema=SCHEMA, pool_size=1)
    with store, Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=()) as coordinator:
        store.write(listener.attach)
        for day in (1, 2):  # The first reads the restaurant.
            listener.plans.clear()
            result = coordinator.assign(make_booking(f"one-{day}", at=DINNER + day * DAY))
            assert result.outcome == "confirmed", result
    read = collections.Counter()
    for _, relation, rows, _ in listener.scans():
        read[relation] += rows
    assert 0 < read.pop("table_blocks") <= 2 * 60
    assert 0 < read.total() <= 25, read


def test_leases_are_found_by_their_key(listener, postgres_database):
    """A lock is taken and let go of without a look at the others."""
    listener.plans.clear()
    with contextlib.closing(PostgresLockManager(listener.conninfo, schema=SCHEMA, pool_size=1)) as locks:
        with locks._pool._lend() as connection:
            listener.attach(connection)
        leases = locks.acquire([Wanted("a"), Wanted("b", 3)], ttl=HOUR)
        locks.release(leases)
    scans = list(listener.scans())
    assert scans
    assert [scan for scan in scans if scan[0] == "Seq Scan"] == []
