"""Flags from a database: across a fork, and beside a coordinator for asyncio."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys

import pytest

from assignment_pipeline import AsyncCoordinator, LegacyResult, Outcome, Reason
from assignment_pipeline.adapters import sqlite
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.rollout.flags import StoreFlags
from assignment_pipeline.testing.store_harness import make_booking, make_venue

FORKS = """
import os, sys, threading, time
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.rollout.flags import StoreFlags

kind, where, schema = sys.argv[1:]
if kind == "sqlite":
    from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost
    store = SQLiteStore(where, host=StandaloneHost())
else:
    from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost
    store = PostgresStore(where, host=StandaloneHost(schema=schema), schema=schema, pool_size=1)
flags = StoreFlags(store, refresh=0.02)

def until(mode):
    deadline = time.monotonic() + 30
    while flags.resolve("r-1").mode != mode:
        if time.monotonic() > deadline:
            sys.exit(f"{os.getpid()} still says {flags.resolve('r-1')}")
        time.sleep(0.01)

def put(generation, enabled):
    store.revise(RolloutRevision(generation=generation, settings={"enabled": enabled}))

put(1, True)
until("active")
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        until("off")
        os._exit(0)
    children.append(child)
put(2, False)
until("off")
watchdog = threading.Timer(40, lambda: [os.kill(child, 9) for child in children])
watchdog.start()
codes = [os.waitpid(child, 0)[1] for child in children]
watchdog.cancel()
put(3, True)
until("active")
sys.exit(0 if codes == [0] * 3 else f"children ended with {codes}")
"""


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """A database with our tables: its kind, address and schema."""
    if request.param == "sqlite":
        path = tmp_path / "service.db"
        sqlite.init(path, standalone=True)
        return request.param, str(path), "-"
    where, schema = request.getfixturevalue("postgres_database"), f"flags_{secrets.token_hex(4)}"
    from assignment_pipeline.adapters import postgres  # noqa: PLC0415 - its packages may be missing

    postgres.init(where, standalone=True, schema=schema)
    return request.param, where, schema


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_parent_and_children_follow(place):
    """A process that forks while its thread looks all the time goes on looking, and so do its children."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS, *place],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_beside_a_coordinator_for_asyncio(postgres_database):
    """A store for threads with one connection tells the flags; what it says refuses the other's commits."""
    from assignment_pipeline.adapters import postgres  # noqa: PLC0415 - its packages may be missing

    schema = f"flags_{secrets.token_hex(4)}"
    postgres.init(postgres_database, standalone=True, schema=schema)
    host = postgres.AsyncStandaloneHost(schema=schema)

    async def evening(store, beside, flags):
        await store.write(lambda connection: host.put_venue(connection, make_venue()))
        await asyncio.to_thread(flags.refresh_now)
        called = []

        async def legacy(booking):
            called.append(booking.id)
            return LegacyResult(("T4",))

        async with AsyncCoordinator(store, flags=flags, legacy=legacy, sinks=()) as coordinator:
            first = await coordinator.assign(make_booking("b-1"))
            await asyncio.to_thread(beside.revise, RolloutRevision(generation=2, phase="rollback"))
            unaware = await coordinator.assign(make_booking("b-2"))
            assert called == []
            await asyncio.to_thread(flags.refresh_now)
            aware = await coordinator.assign(make_booking("b-2"))
        await store.close()
        return first, unaware, aware, called

    with postgres.PostgresStore(
        postgres_database, host=postgres.StandaloneHost(schema=schema), schema=schema, pool_size=1
    ) as beside:
        beside.revise(RolloutRevision(generation=1, settings={"enabled": True}))
        flags = StoreFlags(beside)
        flags.close()  # It looks when it is told to: the test says when a worker hears of a change.
        store = postgres.AsyncPostgresStore(postgres_database, host=host, schema=schema)
        first, unaware, aware, called = asyncio.run(evening(store, beside, flags))
    assert first.outcome is Outcome.CONFIRMED
    assert unaware.outcome is Outcome.RETRY
    assert (aware.outcome, aware.reason, called) == (Outcome.NOOP, Reason.PIPELINE_DISABLED, ["b-2"])
