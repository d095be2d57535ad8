"""Leases in a SQLite file."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3
import time

import pytest

from assignment_pipeline.adapters.sqlite import SQLiteLockManager, locks
from assignment_pipeline.errors import LockManagerUnavailableError
from assignment_pipeline.ports import Leases, Refused, Wanted
from assignment_pipeline.testing import FakeClock

MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def manager(path):
    """A lock manager."""
    with SQLiteLockManager(path) as made:
        yield made


def test_a_lease_costs_no_flush(manager):
    """Leases may be lost with the power; only what the journal is checkpointed for is flushed."""
    assert manager._writer.run(lambda connection: connection.execute("PRAGMA synchronous").fetchone()) == (1,)


def test_the_owner_is_for_people_to_read(path, manager):
    """Host and process unless told otherwise, in the lease and in the file."""
    (lease,) = manager.acquire([Wanted("a")], ttl=MINUTE).leases
    assert lease.owner.endswith(f":{os.getpid()}")
    with SQLiteLockManager(path, owner="worker-7") as named:
        (lease,) = named.acquire([Wanted("b")], ttl=MINUTE).leases
    assert lease.owner == "worker-7"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT key, owner FROM assignment_leases ORDER BY key").fetchall()
    assert [key for key, _ in found] == ["a", "b"]
    assert found[1][1] == "worker-7"


def test_processes_share_the_locks(manager, python):
    """What one process holds is refused to another, until it lets go or is gone for the lease's time."""
    script = """
locks = SQLiteLockManager(path)
leases = locks.acquire([Wanted("a"), Wanted("b", 2)], ttl=dt.timedelta(seconds=float(sys.argv[2])))
print("held", flush=True)
input()
locks.release(leases)
print("released", flush=True)
"""
    process = python(script, 60)
    process.stdout.readline()
    assert manager.acquire([Wanted("b", 2), Wanted("a")], ttl=MINUTE) == Refused("a")
    assert isinstance(manager.acquire([Wanted("b", 2)], ttl=MINUTE), Leases)
    process.stdin.write("go on\n")
    process.stdin.flush()
    process.stdout.readline()
    assert isinstance(manager.acquire([Wanted("a")], ttl=MINUTE), Leases)

    killed = python(script.replace('Wanted("a"), ', "").replace('"b", 2', '"c"'), 0.5)
    killed.stdout.readline()
    killed.kill()
    killed.wait()
    assert manager.acquire([Wanted("c")], ttl=MINUTE) == Refused("c")
    time.sleep(0.5)
    assert isinstance(manager.acquire([Wanted("c")], ttl=MINUTE), Leases)


def test_what_was_never_released_is_cleared(path, monkeypatch):
    """Keys of holders that died do not pile up."""
    monkeypatch.setattr(locks, "SWEEP_EVERY", 10)
    clock = FakeClock()
    with SQLiteLockManager(path, clock=clock) as manager:
        for number in range(9):
            manager.acquire([Wanted(f"booking:{number}")], ttl=MINUTE)
        clock.advance(MINUTE)
        manager.acquire([Wanted("last")], ttl=MINUTE)
        assert manager._writer.run(
            lambda connection: connection.execute("SELECT key FROM assignment_leases").fetchall()
        ) == [("last",)]


def test_a_locked_file_is_unavailable(path):
    """Flows go on without locks rather than wait for long."""
    with (
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other,
        SQLiteLockManager(path, busy_timeout=dt.timedelta(seconds=0.2)) as manager,
    ):
        leases = manager.acquire([Wanted("a")], ttl=MINUTE)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LockManagerUnavailableError, match=r"locked for 0\.2 s"):
            manager.acquire([Wanted("b")], ttl=MINUTE)
        with pytest.raises(LockManagerUnavailableError):
            manager.release(leases)
        other.execute("ROLLBACK")
        manager.release(leases)


def test_a_closed_manager_is_unavailable(manager):
    """After close every call says so."""
    manager.close()
    with pytest.raises(LockManagerUnavailableError, match="has been closed"):
        manager.acquire([Wanted("a")], ttl=MINUTE)
