"""Inside a transaction of the host's: what it commits is there, what it rolls back never was."""

from __future__ import annotations

import datetime as dt
import sqlite3

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    Booking,
    Coordinator,
    FixedFlags,
    FloorPlan,
    Mode,
    Outcome,
    StoreUnavailableError,
    Table,
    Venue,
)
from assignment_pipeline.adapters.memory import MemorySink
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.domain.adoption import LegacySeat

TOMORROW = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) + dt.timedelta(days=1)
BOOKING = Booking("B1", "R1", 2, TOMORROW)


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "day.db"
    init(path, standalone=True)
    host = StandaloneHost()
    with SQLiteStore(path, host=host) as store:
        venue = Venue("R1", "UTC", FloorPlan([Table("T1", 2)]))
        store.write(lambda connection: host.put_venue(connection, venue))
        yield store


@pytest.fixture
def sink():
    return MemorySink()


@pytest.fixture
def coordinator(store, sink):
    return Coordinator(store, flags=FixedFlags(Mode.ACTIVE), sinks=(sink,))


@pytest.fixture
def connection(tmp_path):
    connection = sqlite3.connect(tmp_path / "day.db", isolation_level=None)
    yield connection
    connection.close()


def test_enqueued_inside_assigned_after(coordinator, connection):
    """The one path: the booking and its place in the queue are one transaction, the tables another."""
    connection.execute("BEGIN IMMEDIATE")
    record = coordinator.joined(connection).enqueue(BOOKING)
    assert record.state is AssignmentState.CREATED
    assert coordinator.record("B1") is None
    connection.execute("COMMIT")
    assert coordinator.record("B1") == record
    assert coordinator.assign(BOOKING).outcome is Outcome.CONFIRMED


def test_what_the_host_rolls_back_never_was(coordinator, connection, sink):
    """No record, and nobody is told."""
    connection.execute("BEGIN IMMEDIATE")
    coordinator.joined(connection).enqueue(BOOKING)
    connection.execute("ROLLBACK")
    assert coordinator.record("B1") is None
    assert coordinator.assign(BOOKING).outcome is Outcome.CONFIRMED
    told = len(sink.events)
    connection.execute("BEGIN IMMEDIATE")
    assert coordinator.joined(connection).cancel("B1").outcome is Outcome.CANCELLED
    connection.execute("ROLLBACK")
    assert coordinator.record("B1").state is AssignmentState.CONFIRMED
    assert len(sink.events) == told


def test_a_cancellation_that_cannot_be_written_raises(coordinator, connection):
    """The host must not commit its own half: its snapshot is older than what others have written since."""
    coordinator.assign(BOOKING)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM assignment_records").fetchone()
    coordinator.enqueue(Booking("B2", "R1", 2, TOMORROW))
    with pytest.raises(StoreUnavailableError):
        coordinator.joined(connection).cancel("B1")
    connection.execute("ROLLBACK")
    assert coordinator.record("B1").state is AssignmentState.CONFIRMED


def test_adopted_inside(coordinator, connection):
    """What legacy seats in the host's transaction is taken with its commit, and not before; twice given away, too."""
    seats = [LegacySeat(attrs.evolve(BOOKING, id=name, status="confirmed"), ("T1",)) for name in ("L1", "L2")]
    connection.execute("BEGIN IMMEDIATE")
    assert coordinator.joined(connection).adopt(seats).conflicted == ("L2",)
    assert coordinator.record("L1") is None
    connection.execute("COMMIT")
    assert coordinator.adopt(seats).known == ("L1", "L2")
    assert coordinator.assign(BOOKING).outcome is not Outcome.CONFIRMED


def test_a_store_without_connections_says_so():
    """There is nothing to join."""
    venue = Venue("R1", "UTC", FloorPlan([Table("T1", 2)]))
    with pytest.raises(TypeError, match="expected a store with connections"):
        Coordinator.in_memory(venue).joined(None)
