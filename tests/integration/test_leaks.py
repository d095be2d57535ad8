"""What a coordinator starts ends with it."""

from __future__ import annotations

import os
import secrets
import threading
import time
from pathlib import Path

import pytest

from assignment_pipeline import Coordinator, LegacyResult
from assignment_pipeline.adapters import sqlite
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.rollout.flags import StoreFlags
from assignment_pipeline.testing.store_harness import make_booking, make_venue


@pytest.fixture(params=["sqlite", "postgres"])
def make(request, tmp_path):
    """Makes stores on one database, in which the rollout is in shadow."""
    if request.param == "sqlite":
        path = tmp_path / "day.db"
        sqlite.init(path, standalone=True)
        host = sqlite.StandaloneHost()
        made = lambda: sqlite.SQLiteStore(path, host=host)  # noqa: E731
    else:
        where, schema = request.getfixturevalue("postgres_database"), f"leaks_{secrets.token_hex(4)}"
        from assignment_pipeline.adapters import postgres  # noqa: PLC0415 - its packages may be missing

        postgres.init(where, standalone=True, schema=schema)
        host = postgres.StandaloneHost(schema=schema)
        made = lambda: postgres.PostgresStore(where, host=host, schema=schema)  # noqa: E731
    with made() as store:
        store.write(lambda connection: host.put_venue(connection, make_venue()))
        store.revise(RolloutRevision(generation=1, settings={"shadow": True}))
    return made


def use(make, name):
    with make() as store:
        flags = StoreFlags(store)
        flags.refresh_now()
        planner = lambda _: LegacyResult(("T1",))  # noqa: E731
        with Coordinator(store, flags=flags, legacy=planner, shadow="thread", sinks=(store,)) as coordinator:
            assert coordinator.assign(make_booking(name)).tables == ("T1",)
        flags.close()


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="this system does not say what is open")  # noqa: PTH112
def test_neither_threads_nor_files_are_left(make):
    """However many coordinators, flags, shadows and stores there were."""
    use(make, "b-0")
    threads, files = set(threading.enumerate()), open_files()
    for number in range(1, 6):
        use(make, f"b-{number}")
    until = time.monotonic() + 20
    while set(threading.enumerate()) - threads and time.monotonic() < until:  # The last shadow may still be at its end.
        time.sleep(0.02)
    assert {thread.name for thread in threading.enumerate() if thread not in threads} == set()
    assert open_files() <= files + 1


def test_a_closed_coordinator_that_is_used_tells_all_the_same(make):
    """Its thread begins anew, and ends anew."""
    with make() as store:
        before = set(threading.enumerate())  # Those of other tests may still be at their end.
        coordinator = Coordinator(store, legacy=lambda _: LegacyResult(("T1",)), sinks=(store,))
        for name in ("b-1", "b-2"):
            coordinator.assign(make_booking(name))
            coordinator.close()
        ours = [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()]
        assert not any(thread.name == "event-sinks" for thread in ours)
