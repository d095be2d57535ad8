"""What a commit on SQLite does not read again, as nothing has been committed since it was loaded."""

from __future__ import annotations

import contextlib
import random
import sqlite3

import attrs
import pytest

from assignment_pipeline import Coordinator, FixedFlags, Mode, TimeWindow
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, writer
from assignment_pipeline.adapters.sqlite.connections import Kind
from assignment_pipeline.adapters.sqlite.opening import data_version
from assignment_pipeline.domain.record import CommitPreconditions
from assignment_pipeline.errors import AssignmentPipelineError, StaleRecordError, StaleRolloutError, TableConflictError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import LoadQuery
from assignment_pipeline.testing import FakeClock
from assignment_pipeline.testing.store_harness import CONFIRM, DINNER, HOUR, make_booking, make_change, make_venue

BOOKING = make_booking("b-1")
SEAT = """
INSERT INTO booking_table_assignments
    (booking_id, table_id, restaurant_id, start_at, end_at, turn_start_at, turn_end_at, movable)
VALUES ('other', 'T1', 'r-1', :start, :end, :start, :end, 1)
"""
BLOCK = "INSERT INTO table_blocks VALUES ('x', 'r-1', 'T1', :start, :end, NULL, NULL, :start)"
TIMES = {"start": f"{DINNER:%Y-%m-%d %H:%M:%S}", "end": f"{DINNER + HOUR:%Y-%m-%d %H:%M:%S}"}

MEANWHILE = {
    "seat": (SEAT, TableConflictError),
    "block": (BLOCK, TableConflictError),
    "generation": ("UPDATE assignment_rollout SET generation = 7", StaleRolloutError),
    "party": ("UPDATE bookings SET party_size = 5", StaleRecordError),
    "floor": ("UPDATE restaurants SET version = 'other'", StaleRecordError),
    "tables": ("DELETE FROM restaurants", StaleRecordError),
    "record": ("UPDATE assignment_records SET version = 9 WHERE booking_id = 'b-1'", StaleRecordError),
    "schedule": ("UPDATE assignment_records SET next_attempt_at = :start WHERE booking_id = 'b-1'", StaleRecordError),
    "pinned": ("UPDATE assignment_records SET pinned = 1 WHERE booking_id = 'b-1'", StaleRecordError),
}
"""What somebody writes between a load and the commit that it was made for, and what the commit says."""

PENDING = (Trigger.VERIFY, Trigger.ENQUEUE)


@pytest.fixture
def waiting(store):
    """A booking that waits."""
    host = store.checked_host.host
    store.put_venue(make_venue())
    store.write(lambda connection: host.put_booking(connection, BOOKING))
    store.commit([make_change(BOOKING, *PENDING)])
    return BOOKING


def planned(store, booking=BOOKING):
    """A change that seats it, as planned on what is loaded now."""
    context = store.load(LoadQuery(restaurant_id="r-1", bookings=(booking,)))
    record = context.records.get(booking.id)
    preconditions = CommitPreconditions(
        booking=context.bookings.get(booking.id),
        venue_version=context.venue.version,
        next_attempt_at=record.next_attempt_at if record else None,
        pinned=False,
        generation=context.generation,
    )
    triggers = (Trigger.BEGIN, Trigger.SEAT, Trigger.CONFIRM) if record else CONFIRM
    return make_change(
        booking, *triggers, before=record, tables=("T1",), venue=context.venue, preconditions=preconditions
    )


def test_nothing_is_read_again(sqlite_statements, store, waiting):
    """Who committed last was ourselves, and before the load: of all that was read, only who sits is asked once more."""
    change = planned(store)
    sqlite_statements.clear()
    store.commit([change])
    read = [one.strip() for one in sqlite_statements if one.strip().startswith("SELECT")]
    assert [one.split("FROM")[1].split()[0] for one in read] == ["booking_table_assignments"], read
    assert "booking_table_assignments_sitting" in read[0]
    assert store.load(LoadQuery(restaurant_id="r-1", booking_ids=("b-1",))).records["b-1"] == change.record


def by_another_connection(store, path, statement):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement, TIMES)


def by_another_store(store, path, statement):
    with SQLiteStore(path, host=StandaloneHost()) as other:
        other.write(lambda connection: connection.execute(statement, TIMES))


def by_the_same_store(store, path, statement):
    store.write(lambda connection: connection.execute(statement, TIMES))


def behind_a_checkpoint(store, path, statement):
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement, TIMES)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.parametrize(
    "write",
    [by_another_connection, by_another_store, by_the_same_store, behind_a_checkpoint],
    ids=lambda one: one.__name__,
)
@pytest.mark.parametrize("what", MEANWHILE)
def test_what_was_written_since_is_noticed(store, path, waiting, write, what):
    """Whoever has written, on whatever connection, the commit finds what the plan did not know."""
    statement, error = MEANWHILE[what]
    change = planned(store)
    write(store, path, statement)
    with pytest.raises(error):
        store.commit([change])


def test_a_second_commit_is_held_against_the_first(store, waiting):
    """Of two changes that were planned on the same state, one lands."""
    change, rival = planned(store), planned(store, make_booking("b-2"))
    store.commit([change])
    with pytest.raises(TableConflictError):
        store.commit([rival])


def test_moves_in_one_commit_are_held_against_each_other(store, waiting):
    """Two bookings of one change set cannot have one table, though nothing of it was there when it was loaded."""
    others = [make_booking(f"b-{number}") for number in (2, 3)]
    query = LoadQuery(restaurant_id="r-1", bookings=tuple(others))
    context = store.load(query)
    with pytest.raises(TableConflictError):
        store.commit([make_change(one, *CONFIRM, tables=("T1",), venue=context.venue) for one in others])
    store.load(query)
    store.commit(
        [
            make_change(one, *CONFIRM, tables=(f"T{number}",), venue=context.venue)
            for number, one in enumerate(others, 1)
        ]
    )
    records = store.load(LoadQuery(restaurant_id="r-1", bookings=tuple(others))).records
    swapped = [
        make_change(one, Trigger.MOVE, before=records[one.id], tables=tables, venue=context.venue)
        for one, tables in zip(others, (("T2",), ("T1",)), strict=True)
    ]
    store.commit(swapped)
    found = store.load(LoadQuery(restaurant_id="r-1", bookings=tuple(others))).records
    assert {name: record.tables for name, record in found.items()} == {"b-2": ("T2",), "b-3": ("T1",)}


def test_a_commit_for_another_time_looks_for_itself(store, waiting):
    """What was loaded for one evening says nothing about the next."""
    tomorrow = make_booking("b-1", at=DINNER + 24 * HOUR)
    store.commit([make_change(make_booking("b-9", at=tomorrow.start_at), *CONFIRM, tables=("T1",))])
    change = planned(store)
    late = make_change(
        tomorrow, Trigger.BEGIN, Trigger.SEAT, before=make_change(BOOKING, *PENDING).record, tables=("T1",)
    )
    assert change.record.tables == late.record.tables
    with pytest.raises(TableConflictError):
        store.commit([late])


def test_one_caller_needs_one_connection(store, waiting):
    """Who has the answer to a commit reads on the connection that has written it: it is back by then."""
    for number in range(100):
        booking = make_booking("b-1", at=DINNER + number * HOUR)
        assert store.load(LoadQuery(restaurant_id="r-1", bookings=(booking,))).records
        store.write(lambda connection: None)
    assert len(store._connections._idle[Kind.WRITE]) == 1


def test_what_a_commit_leaves_is_known(sqlite_statements, store, waiting):
    """Behind commits of ours, the next load of that evening reads no seats, no blocks, no floor and no generation."""
    change = planned(store)
    query = LoadQuery(restaurant_id="r-1", bookings=(make_booking("b-2"),))
    for made, left in ((change, ["T1"]), (make_change(BOOKING, Trigger.CANCEL, before=change.record), [])):
        store.commit([made])
        sqlite_statements.clear()
        assert [row.table_id for row in store.load(query).taken] == left
        tables = [
            one.split("FROM", 1)[1].split()[0] for one in map(str.strip, sqlite_statements) if one.startswith("SELECT")
        ]
        assert tables == ["json_each('[\"b-2\"]')", "bookings", "booking_table_assignments"], tables
        assert "booking_table_assignments_sitting" in sqlite_statements[-2]


class Evenings:
    """What goes on at two restaurants, drawn by a seed; each happening is a method."""

    def __init__(self, seed, opened):
        self.draw, self.clock = random.Random(seed), FakeClock(DINNER - 2 * HOUR)
        self.store, self.other = opened(clock=self.clock), opened(clock=self.clock)
        for name in ("r-1", "r-2"):
            self.store.put_venue(make_venue(name, tables=8))
        self.own, self.beside = (
            Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(), clock=self.clock, shadow=None)
            for store in (self.store, self.other)
        )

    def booking(self):
        at = DINNER + self.draw.randrange(-2, 6) * HOUR / 2
        place = self.draw.choice(["r-1", "r-1", "r-1", "r-2"])
        return make_booking(f"{place}-{self.draw.randrange(40)}", restaurant_id=place, at=at)

    def assign(self):
        self.own.assign(self.booking())

    def assign_many(self):
        bookings = (self.booking() for _ in range(3))
        self.own.assign_many([*{booking.id: booking for booking in bookings}.values()])

    def assign_beside(self):
        self.beside.assign(self.booking())

    def cancel(self):
        booking = self.booking()
        self.own.cancel(booking.id, booking.restaurant_id)

    def sit(self):
        booking = self.booking()
        record = self.own.record(booking.id)
        if record is not None and record.tables:
            with contextlib.suppress(AssignmentPipelineError):
                self.own.seated(booking.id, actor="anna")

    def block(self):
        window = TimeWindow(DINNER, DINNER + HOUR)
        with contextlib.suppress(AssignmentPipelineError):
            self.own.block(self.booking().restaurant_id, "T2", window, actor="anna", reason="maintenance")

    def change_row(self):
        booking = self.booking()
        self.store.write(lambda connection: StandaloneHost().put_booking(connection, booking))

    def go_on(self):
        self.clock.advance(HOUR / 4)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_known_is_what_is_read(opened, seed):
    """Whatever happens, here and in another process, a load that knows something answers as one that reads all."""
    evenings = Evenings(seed, opened)
    happens = [evenings.assign] * 6
    happens += [evenings.assign_many, evenings.assign_beside, evenings.assign_beside, evenings.cancel, evenings.sit]
    happens += [evenings.block, evenings.change_row, evenings.go_on]
    for _ in range(60):
        evenings.draw.choice(happens)()
        booking = evenings.booking()
        day = TimeWindow(DINNER, DINNER + HOUR) if evenings.draw.random() < 0.3 else None
        query = LoadQuery(restaurant_id=booking.restaurant_id, bookings=(booking,), day=day)
        known = evenings.store.load(query)
        (read,) = evenings.store.load_all([query])
        assert sorted(known.taken, key=repr) == sorted(read.taken, key=repr)
        assert attrs.evolve(known, taken=read.taken) == read


def test_code_in_a_commit_may_write_anything(opened, path):
    """What was given as ``on_commit`` may block a table: behind it, all is read again."""
    store = opened(on_commit=lambda connection, changes: connection.execute(BLOCK, TIMES))
    store.put_venue(make_venue())
    store.load(LoadQuery(restaurant_id="r-1", bookings=(BOOKING,)))
    store.commit([make_change(BOOKING, *CONFIRM, tables=("T2",))])
    context = store.load(LoadQuery(restaurant_id="r-1", bookings=(BOOKING,)))
    assert sorted(row.table_id for row in context.taken) == ["T1", "T2"]


@pytest.mark.parametrize("again", ["as it was", "as a new one"])
def test_a_commit_says_nothing_of_the_next(store, waiting, again):
    """A record that was written is looked up again: the same step is not made twice."""
    change = planned(store)
    store.commit([change])
    if again == "as a new one":
        change = make_change(BOOKING, *CONFIRM, tables=("T2",))
    with pytest.raises(StaleRecordError):
        store.commit([change])


def test_what_is_pinned_is_known_to_be(store, waiting):
    """A booking that may not be moved is none to move at the next load, either."""
    store.commit([attrs.evolve(change, record=attrs.evolve(change.record, pinned=True)) for change in [planned(store)]])
    context = store.load(LoadQuery(restaurant_id="r-1", bookings=(make_booking("b-2"),)))
    assert [row.movable for row in context.taken] == [False]


def test_what_did_not_land_is_not_known(monkeypatch, store, waiting):
    """A transaction that is undone at its very end leaves nothing known."""
    change = planned(store)
    with monkeypatch.context() as patched:
        patched.setattr(writer, "COMMIT", "RELEASE nothing")
        with pytest.raises(RuntimeError, match="must not commit"):
            store.commit([change])
    assert store.load(LoadQuery(restaurant_id="r-1", bookings=(BOOKING,))).taken == ()
    store.commit([planned(store)])


def test_sqlite_changes_its_version_of_the_data_as_documented(path, store):
    """For a connection, with each commit of another one; with none of its own, nor with what is rolled back."""
    with (
        store._connections.lend(Kind.WRITE) as connection,
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        versions = [data_version(connection)]
        connection.execute("UPDATE assignment_rollout SET generation = generation + 1")
        versions.append(data_version(connection))
        other.execute("BEGIN")
        other.execute("UPDATE assignment_rollout SET generation = generation + 1")
        other.execute("ROLLBACK")
        versions.append(data_version(connection))
        assert len(set(versions)) == 1
        for _ in range(3):
            other.execute("UPDATE assignment_rollout SET generation = generation + 1")
            versions.append(data_version(connection))
        assert len(set(versions)) == 4
        connection.execute("BEGIN")
        before = data_version(connection)
        other.execute("UPDATE assignment_rollout SET generation = generation + 1")
        assert data_version(connection) == before  # The snapshot is as it was.
        connection.execute("ROLLBACK")
        assert data_version(connection) != before
