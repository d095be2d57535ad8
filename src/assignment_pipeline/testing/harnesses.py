"""Harnesses for the stores that come with the library."""

from __future__ import annotations

import datetime as dt
import functools
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from assignment_pipeline.adapters.memory import MemoryHost, MemoryStore
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange, Attempt
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.ports import Clock, Occupied, OnCommit, UnreadableBooking
from assignment_pipeline.testing.store_harness import Ability, StoreHarness


class SpoiledMemoryHost(MemoryHost):
    """
    A host in memory, some of whose rows make no sense.

    Attributes:
        spoiled: Whose.
    """

    def __init__(self) -> None:
        super().__init__()
        self.spoiled: set[str] = set()

    def booking(self, connection: Any, booking_id: str) -> Booking | None:
        _raise_if_spoiled(booking_id, self.spoiled)
        return super().booking(connection, booking_id)

    def unassigned(
        self, connection: Any, since: dt.datetime, limit: int, *, restaurants: Sequence[str] | None = None
    ) -> Iterable[Any]:
        found = super().unassigned(connection, since, limit, restaurants=restaurants)
        return _spoiled(found, self.spoiled)


class MemoryHarness(StoreHarness):
    """The reference store's host can do everything, and `new` makes one some of whose rows make no sense, too."""

    def __init__(self, store: MemoryStore) -> None:
        assert isinstance(store.host, MemoryHost)
        self.store: MemoryStore = store
        self.host = store.host

    @classmethod
    def new(cls, clock: Clock) -> MemoryHarness:
        """One around a new store that goes by *clock*."""
        return cls(MemoryStore(SpoiledMemoryHost(), clock=clock))

    def can(self, ability: Ability) -> bool:
        """See `StoreHarness.can`. The rows of a host of one's own all make sense."""
        return super().can(ability) and (ability != "spoil" or isinstance(self.host, SpoiledMemoryHost))

    def put_booking(self, booking: Booking) -> None:
        self.host.put_booking(booking)

    def put_venue(self, venue: Venue) -> None:
        self.host.put_venue(venue)

    def bump_generation(self) -> None:
        self.store.revise(RolloutRevision(generation=self.store.generation + 1))

    def occupy(self, restaurant_id: str, occupied: Occupied) -> None:
        self.host.occupy(restaurant_id, occupied)

    def vacate(self, restaurant_id: str, occupied: Occupied) -> None:
        self.host.vacate(restaurant_id, occupied)

    def spoil(self, booking_id: str) -> None:
        assert isinstance(self.host, SpoiledMemoryHost)
        self.host.spoiled.add(booking_id)

    def mend(self, booking_id: str) -> None:
        assert isinstance(self.host, SpoiledMemoryHost)
        self.host.spoiled.discard(booking_id)

    def events(self) -> Sequence[Event]:
        return self.store.events

    def attempts(self, booking_id: str) -> Sequence[Attempt]:
        return self.store.attempts(booking_id)

    def hook(self, on_commit: OnCommit) -> None:
        self.store.on_commit = on_commit


class SharedFloorHost(StandaloneHost):
    """A standalone host with a staff that seats people, too, and with rows that make no sense."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock)
        self.seats: list[tuple[str, Occupied]] = []
        self.spoiled: set[str] = set()

    def booking(self, connection: Any, booking_id: str) -> Booking | None:
        _raise_if_spoiled(booking_id, self.spoiled)
        return super().booking(connection, booking_id)

    def unassigned(
        self, connection: Any, since: dt.datetime, limit: int, *, restaurants: Sequence[str] | None = None
    ) -> Iterable[Any]:
        found = super().unassigned(connection, since, limit, restaurants=restaurants)
        return _spoiled(found, self.spoiled)

    def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:  # noqa: ARG002
        return [seat for where, seat in self.seats if where == restaurant_id and seat.window.overlaps(window)]


class SQLiteHarness(StoreHarness):
    """
    The embedded store, with a host in the same file.

    Args:
        path: The database file, which `init` has made with ``standalone=True``.

        clock: The store's clock.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path = path
        self.host = SharedFloorHost(clock)
        self.on_commit: OnCommit | None = None
        self.store: SQLiteStore = SQLiteStore(
            path, host=self.host, clock=clock, synchronous="OFF", on_commit=self._call_hook
        )
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def new(cls, clock: Clock) -> SQLiteHarness:
        """One around a new file, which is gone when it is closed."""
        folder = tempfile.TemporaryDirectory()
        path = Path(shutil.copy(_template() / "empty.db", folder.name))
        made = cls(path, clock)
        made._folder = folder
        return made

    def close(self) -> None:
        self.store.close()
        if self._folder is not None:
            self._folder.cleanup()

    def _call_hook(self, connection: Any, changes: Sequence[AssignmentChange]) -> None:
        if self.on_commit is not None:
            self.on_commit(connection, changes)

    def put_booking(self, booking: Booking) -> None:
        self.store.write(functools.partial(self._put, booking))

    def _put(self, booking: Booking, connection: Any) -> None:
        self.host.put_booking(connection, booking)
        # A host of its own keeps the word of a row that has a record. This one's may be pending again.
        connection.execute("UPDATE bookings SET status = ? WHERE id = ?", (booking.status, booking.id))

    def put_venue(self, venue: Venue) -> None:
        self.store.write(lambda connection: self.host.put_venue(connection, venue))

    def bump_generation(self) -> None:
        self.store.revise(RolloutRevision(generation=self.store.rollout().generation + 1))

    def occupy(self, restaurant_id: str, occupied: Occupied) -> None:
        self.host.seats.append((restaurant_id, occupied))

    def vacate(self, restaurant_id: str, occupied: Occupied) -> None:
        self.host.seats.remove((restaurant_id, occupied))

    def spoil(self, booking_id: str) -> None:
        self.host.spoiled.add(booking_id)

    def mend(self, booking_id: str) -> None:
        self.host.spoiled.discard(booking_id)

    def events(self) -> Sequence[Event]:
        self.store.flush()
        return [
            Event(
                id=row["id"],
                created_at=_moment(row["created_at"]),
                source=row["source"],
                type=row["event_type"],
                severity=row["severity"],
                restaurant_id=row["restaurant_id"],
                booking_id=row["booking_id"],
                context={
                    key: tuple(value) if isinstance(value, list) else value
                    for key, value in json.loads(row["context"]).items()
                },
            )
            for row in self._rows("SELECT * FROM observability_events ORDER BY rowid")
        ]

    def attempts(self, booking_id: str) -> Sequence[Attempt]:
        statement = "SELECT * FROM booking_assignment_attempts WHERE booking_id = ? ORDER BY attempt_no"
        return [
            Attempt(
                number=row["attempt_no"],
                result=row["result"],
                strategy=row["strategy"],
                reason=row["reason"],
                metadata=json.loads(row["metadata"]),
                created_at=_moment(row["created_at"]),
            )
            for row in self._rows(statement, booking_id)
        ]

    def hook(self, on_commit: OnCommit) -> None:
        self.on_commit = on_commit

    def _rows(self, statement: str, *values: str) -> list[sqlite3.Row]:
        connection = sqlite3.connect(self.path)
        connection.row_factory = sqlite3.Row
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()


def _raise_if_spoiled(booking_id: str, spoiled: set[str]) -> None:
    if booking_id in spoiled:
        msg = "the row makes no sense"
        raise ValueError(msg)


def _spoiled(found: Iterable[Any], spoiled: set[str]) -> list[Any]:
    """A host's list, with a word for the rows that make no sense."""
    return [
        UnreadableBooking(id=one.id, restaurant_id=one.restaurant_id, problem="spoiled") if one.id in spoiled else one
        for one in found
    ]


@functools.cache
def _empty() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()
    init(Path(folder.name, "empty.db"), standalone=True)
    return folder


def _template() -> Path:
    """The folder of a database in which nothing has happened yet, made once a process."""
    return Path(_empty().name)


def _moment(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
