"""One fixture over every adapter: each contract runs on all of them."""

from __future__ import annotations

import datetime as dt
import inspect
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from assignment_pipeline.adapters.memory import MemoryHost, MemoryLockManager, MemoryStore
from assignment_pipeline.adapters.sqlite import SQLiteLockManager, SQLiteStore, init
from assignment_pipeline.ports import AssignmentStore, LockManager
from assignment_pipeline.testing import FakeClock, StoreHarness
from assignment_pipeline.testing.harnesses import MemoryHarness, SQLiteHarness
from assignment_pipeline.testing.store_harness import make_venue


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


@pytest.fixture(scope="session")
def postgres_families(postgres_database: str) -> Iterator[dict[str, Any]]:
    """Makers of the adapters for PostgreSQL: for threads and asyncio, with a host that is asked and with our own."""
    from tests.servers.postgres_harness import PostgresBackend  # noqa: PLC0415 - its packages may be missing

    families = {
        "postgres": PostgresBackend(postgres_database),
        "postgres-alone": PostgresBackend(postgres_database, alone=True),
        "postgres-async": PostgresBackend(postgres_database, asynchronous=True),
        "postgres-async-alone": PostgresBackend(postgres_database, alone=True, asynchronous=True),
    }
    yield families
    for family in families.values():
        family.close()


@pytest.fixture(scope="session")
def pgbouncer_families(postgres_database: str, pgbouncer_database: str) -> Iterator[dict[str, Any]]:
    """The same behind pgbouncer, where each transaction may be on another session."""
    from tests.servers.postgres_harness import PostgresBackend  # noqa: PLC0415 - its packages may be missing

    families = {
        "pgbouncer": PostgresBackend(pgbouncer_database, direct=postgres_database),
        "pgbouncer-async-alone": PostgresBackend(
            pgbouncer_database, alone=True, asynchronous=True, direct=postgres_database
        ),
    }
    yield families
    for family in families.values():
        family.close()


@pytest.fixture
def pgbouncer_backend(pgbouncer_families: dict[str, Any]) -> Iterator[Callable[[str], Any]]:
    """One of those makers, by its name."""
    yield pgbouncer_families.__getitem__
    for family in pgbouncer_families.values():
        family.reset()


@pytest.fixture
def postgres_backend(
    postgres_families: dict[str, Any],
) -> Iterator[Callable[[str], Any]]:
    """One of those makers, by its name."""
    yield postgres_families.__getitem__
    for family in postgres_families.values():
        family.reset()


@pytest.fixture(params=["threads", "asyncio"])
def redis_backend(redis_url: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Makes lock managers in Redis: for threads, and for asyncio."""
    from tests.servers.redis import RedisBackend  # noqa: PLC0415 - its packages may be missing

    made = RedisBackend(redis_url, asynchronous=request.param == "asyncio")
    yield made
    made.close()


FAMILIES = (
    "memory",
    "sqlite",
    "postgres",
    "postgres-alone",
    "postgres-async",
    "postgres-async-alone",
    "pgbouncer",
    "pgbouncer-async-alone",
)


@pytest.fixture(params=FAMILIES)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each family of adapters in turn."""
    family, _, _ = request.param.partition("-")
    backend = request.getfixturevalue(f"{family}_backend")
    return backend(request.param) if family in {"postgres", "pgbouncer"} else backend


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
