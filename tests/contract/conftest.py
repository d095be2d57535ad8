"""One fixture over every adapter: each contract runs on all of them."""

from __future__ import annotations

import datetime as dt
import inspect
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest

from assignment_pipeline.adapters.memory import MemoryHost, MemoryLockManager, MemoryStore
from assignment_pipeline.adapters.sqlite import SQLiteLockManager, SQLiteStore, StandaloneHost, init
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange, Attempt
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.ports import AssignmentStore, LockManager, Occupied, OnCommit
from assignment_pipeline.testing import FakeClock, StoreHarness
from assignment_pipeline.testing.contracts.harness import make_venue


class MemoryHarness(StoreHarness):
    """The reference store's host can do everything."""

    def __init__(self, store: MemoryStore) -> None:
        assert isinstance(store.host, MemoryHost)
        self.store = store
        self.host = store.host

    def put_booking(self, booking: Booking) -> None:
        self.host.put_booking(booking)

    def put_venue(self, venue: Venue) -> None:
        self.host.put_venue(venue)

    def bump_generation(self) -> None:
        self.store.generation += 1

    def occupy(self, restaurant_id: str, occupied: Occupied) -> None:
        self.host.occupy(restaurant_id, occupied)

    def events(self) -> Sequence[Event]:
        return self.store.events

    def attempts(self, booking_id: str) -> Sequence[Attempt]:
        return self.store.attempts(booking_id)

    def hook(self, on_commit: OnCommit) -> None:
        self.store.on_commit = on_commit


class SharedFloorHost(StandaloneHost):
    """A standalone host with a staff that seats people, too."""

    def __init__(self) -> None:
        super().__init__()
        self.seats: list[tuple[str, Occupied]] = []

    def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        return [seat for where, seat in self.seats if where == restaurant_id and seat.window.overlaps(window)]


class SQLiteHarness(StoreHarness):
    """The embedded store, with a host in the same file."""

    def __init__(self, path: Path, clock: FakeClock) -> None:
        self.path = path
        self.host = SharedFloorHost()
        self.on_commit: OnCommit | None = None
        self.store = SQLiteStore(path, host=self.host, clock=clock, synchronous="OFF", on_commit=self._call_hook)

    def _call_hook(self, connection: Any, changes: Sequence[AssignmentChange]) -> None:
        if self.on_commit is not None:
            self.on_commit(connection, changes)

    def put_booking(self, booking: Booking) -> None:
        self.store.write(lambda connection: self.host.put_booking(connection, booking))

    def put_venue(self, venue: Venue) -> None:
        self.store.write(lambda connection: self.host.put_venue(connection, venue))

    def bump_generation(self) -> None:
        statement = "UPDATE assignment_rollout SET generation = generation + 1"
        self.store.write(lambda connection: connection.execute(statement).rowcount)

    def occupy(self, restaurant_id: str, occupied: Occupied) -> None:
        self.host.seats.append((restaurant_id, occupied))

    def events(self) -> Sequence[Event]:
        self.store.flush()
        return [
            Event(
                id=row["id"],
                created_at=self._moment(row["created_at"]),
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
                created_at=self._moment(row["created_at"]),
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

    @staticmethod
    def _moment(text: str) -> dt.datetime:
        return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


class Backend(Protocol):
    """Makes one family of adapters."""

    def harness(self, clock: FakeClock) -> Any:
        """A harness around a new store."""

    def locks(self, clock: FakeClock) -> LockManager:
        """A new lock manager."""

    def close(self) -> None:
        """Let go of what was made."""


class MemoryBackend:
    """The reference."""

    def harness(self, clock: FakeClock) -> MemoryHarness:
        return MemoryHarness(MemoryStore(MemoryHost(), clock=clock))

    def locks(self, clock: FakeClock) -> LockManager:
        return MemoryLockManager(clock)

    def close(self) -> None:
        pass


class SQLiteBackend:
    """Files in a directory of the test's own, copied from one that was made once."""

    def __init__(self, template: Path, directory: Path) -> None:
        self.template = template
        self.directory = directory
        self.made: list[SQLiteStore | SQLiteLockManager] = []

    def harness(self, clock: FakeClock) -> SQLiteHarness:
        made = SQLiteHarness(self._file(), clock)
        self.made.append(made.store)
        return made

    def locks(self, clock: FakeClock) -> LockManager:
        locks = SQLiteLockManager(self._file(), clock=clock)
        self.made.append(locks)
        return locks

    def _file(self) -> Path:
        return Path(shutil.copy(self.template, self.directory / f"{len(self.made)}.db"))

    def close(self) -> None:
        for one in self.made:
            one.close()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file in which nothing has happened yet."""
    path = tmp_path_factory.mktemp("sqlite") / "empty.db"
    init(path, standalone=True)
    return path


@pytest.fixture
def sqlite_backend(empty_database: Path, tmp_path: Path) -> Iterator[SQLiteBackend]:
    """Makes the embedded adapters."""
    backend = SQLiteBackend(empty_database, tmp_path)
    yield backend
    backend.close()


@pytest.fixture
def memory_backend() -> MemoryBackend:
    """Makes the reference adapters."""
    return MemoryBackend()


@pytest.fixture(params=["memory", "sqlite"])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each family of adapters in turn."""
    return request.getfixturevalue(f"{request.param}_backend")


@pytest.fixture
def clock() -> FakeClock:
    """The time, as every adapter of the test has it."""
    return FakeClock()


@pytest.fixture
def harness(backend: Backend, clock: FakeClock) -> StoreHarness:
    """The host of the store."""
    return backend.harness(clock)


@pytest.fixture
def store(harness: Any) -> AssignmentStore:
    """A fresh store."""
    return harness.store


@pytest.fixture
def locks(backend: Backend, clock: FakeClock) -> LockManager:
    """A fresh lock manager."""
    return backend.locks(clock)


@pytest.fixture
def elapse(clock: FakeClock) -> Callable[[dt.timedelta], None]:
    """Lets time pass for the locks."""
    return clock.advance


# -- Adapters that are broken on purpose --------------------------------------------------------------------------


def failing_tests(contract: type, fixtures: Callable[[], Mapping[str, Any]], only: str = "") -> set[str]:
    """The tests of *contract*, or the *only* one, that fail, each run on *fixtures* of its own."""
    failed = set()
    for name, test in inspect.getmembers(contract, inspect.isfunction):
        if name == f"test_{only}" or (not only and name.startswith("test_")):
            made = fixtures()
            wanted = {key: made[key] for key in list(inspect.signature(test).parameters)[1:]}
            try:
                test(contract(), **wanted)
            except (AttributeError, NameError, TypeError):
                raise  # The adapter is broken in a way that it should not be.
            except (Exception, pytest.fail.Exception):  # noqa: BLE001 - whatever it is, the test has failed
                failed.add(name.removeprefix("test_"))
    return failed


@pytest.fixture(scope="session")
def failures() -> Callable[..., set[str]]:
    """Runs a contract, without pytest, on what is expected to fail it."""
    return failing_tests


@pytest.fixture(scope="session")
def stores() -> Callable[[type[MemoryStore]], Callable[[], dict[str, Any]]]:
    """Makes the fixtures that the store's contract wants, for a kind of store."""

    def of(kind: type[MemoryStore]) -> Callable[[], dict[str, Any]]:
        def make() -> dict[str, Any]:
            clock = FakeClock()
            store = kind(MemoryHost(make_venue()), clock=clock)
            return {"clock": clock, "store": store, "harness": MemoryHarness(store)}

        return make

    return of
