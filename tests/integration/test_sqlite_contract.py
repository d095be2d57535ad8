"""The SQLite adapters keep what the ports promise."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from assignment_pipeline.adapters.sqlite import SQLiteLockManager, SQLiteStore, StandaloneHost, init
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange, Attempt
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.ports import Occupied, OnCommit
from assignment_pipeline.testing import (
    AssignmentStoreContract,
    EventSinkContract,
    FakeClock,
    LockManagerContract,
    StoreHarness,
)


class OccupyingHost(StandaloneHost):
    """A standalone host at which the staff seats people, too."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.seats: list[tuple[str, Occupied]] = []
        self.hooks: list[OnCommit] = []

    def occupied(self, connection: sqlite3.Connection, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        return [seat for where, seat in self.seats if where == restaurant_id and seat.window.overlaps(window)]

    def on_commit(self, connection: sqlite3.Connection, changes: Sequence[AssignmentChange]) -> None:
        super().on_commit(connection, changes)
        for hook in self.hooks:
            hook(connection, changes)


class SQLiteHarness(StoreHarness):
    """The standalone host in the store's own file."""

    def __init__(self, store: SQLiteStore, host: OccupyingHost) -> None:
        self.store = store
        self.host = host

    def put_booking(self, booking: Booking) -> None:
        self.store.write(lambda connection: self.host.put_booking(connection, booking))

    def put_venue(self, venue: Venue) -> None:
        self.store.write(lambda connection: self.host.put_venue(connection, venue))

    def bump_generation(self) -> None:
        self._execute("UPDATE assignment_rollout SET generation = generation + 1")

    def occupy(self, restaurant_id: str, occupied: Occupied) -> None:
        self.host.seats.append((restaurant_id, occupied))

    def block(self, restaurant_id: str, occupied: Occupied) -> None:
        span = [time.strftime("%Y-%m-%d %H:%M:%S.%f") for time in (occupied.window.start, occupied.window.end)]
        self._execute(
            "INSERT INTO table_blocks (id, restaurant_id, table_id, start_at, end_at, reason, created_at)"
            " VALUES (hex(randomblob(8)), ?, ?, ?, ?, ?, datetime('now'))",
            restaurant_id,
            occupied.table_id,
            *span,
            occupied.reason,
        )

    def events(self) -> Sequence[Event]:
        self.store.flush()
        return [_event(row) for row in self._execute("SELECT * FROM observability_events ORDER BY rowid")]

    def attempts(self, booking_id: str) -> Sequence[Attempt]:
        rows = self._execute("SELECT * FROM booking_assignment_attempts WHERE booking_id = ? ORDER BY rowid", booking_id)
        return [
            Attempt(
                number=number,
                result=result,
                strategy=strategy,
                reason=reason,
                metadata=json.loads(metadata),
                created_at=_moment(created_at),
            )
            for _, number, _, strategy, result, reason, metadata, created_at in rows
        ]

    def hook(self, on_commit: OnCommit) -> None:
        self.host.hooks.append(on_commit)

    def _execute(self, statement: str, *values: object) -> list[Any]:
        return self.store.write(lambda connection: connection.execute(statement, values).fetchall())


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{text}+00:00")


def _event(row: tuple[Any, ...]) -> Event:
    event_id, created_at, source, kind, severity, restaurant_id, booking_id, context = row
    facts = {key: tuple(value) if isinstance(value, list) else value for key, value in json.loads(context).items()}
    return Event(
        event_id,
        _moment(created_at),
        source,
        kind,
        severity=severity,
        restaurant_id=restaurant_id,
        booking_id=booking_id,
        context=facts,
    )


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def host(clock: FakeClock) -> OccupyingHost:
    return OccupyingHost(clock)


@pytest.fixture
def store(tmp_path: Path, host: OccupyingHost, clock: FakeClock) -> Iterator[SQLiteStore]:
    path = tmp_path / "a b#%?é.db"
    init(path, standalone=True)
    with SQLiteStore(path, host=host, clock=clock) as opened:
        yield opened


@pytest.fixture
def harness(store: SQLiteStore, host: OccupyingHost) -> SQLiteHarness:
    return SQLiteHarness(store, host)


class TestSQLiteStore(AssignmentStoreContract):
    """The store."""


class TestSQLiteSink(EventSinkContract):
    """The store, told of what no commit carries."""

    once = True

    @pytest.fixture
    def sink(self, store: SQLiteStore) -> SQLiteStore:
        return store

    @pytest.fixture
    def recorded(self, harness: SQLiteHarness) -> Callable[[], Sequence[Event]]:
        return harness.events


class TestSQLiteLockManager(LockManagerContract):
    """The lock manager."""

    @pytest.fixture
    def locks(self, tmp_path: Path, clock: FakeClock) -> Iterator[SQLiteLockManager]:
        init(tmp_path / "locks.db")
        with SQLiteLockManager(tmp_path / "locks.db", clock=clock) as opened:
            yield opened

    @pytest.fixture
    def elapse(self, clock: FakeClock) -> Callable[[dt.timedelta], None]:
        return clock.advance
