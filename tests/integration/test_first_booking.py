"""The first booking of a process: the planner that is in charge gets it, however the process began."""

from __future__ import annotations

import collections
import json
import os
import subprocess
import sys

import pytest

from assignment_pipeline.testing.store_harness import make_venue

STARTS = int(os.environ.get("ASSIGNMENT_PIPELINE_TEST_STARTS", "3"))
"""How many processes are forked of each kind."""
INTERPRETERS = int(os.environ.get("ASSIGNMENT_PIPELINE_TEST_INTERPRETERS", "2"))
"""How many interpreters are started of each kind."""

# What each process does. Its arguments: the kind of database, where it is, its schema, how the process began, whether
# it runs on asyncio, and a number.
COMMON = """
import asyncio, collections, datetime as dt, json, os, sys
from assignment_pipeline import AsyncCoordinator, Booking, Coordinator, LegacyResult
from assignment_pipeline.rollout.flags import EnvFlags, LayeredFlags, StoreFlags

kind, where, schema, how, run, number = sys.argv[1:]

def make():
    global store
    if kind == "sqlite":
        from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost
        store = SQLiteStore(where, host=StandaloneHost())
    elif run == "async":
        from assignment_pipeline.adapters.postgres import AsyncPostgresStore, StandaloneHost
        store = AsyncPostgresStore(where, host=StandaloneHost(schema=schema), schema=schema)
    else:
        from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost
        store = PostgresStore(where, host=StandaloneHost(schema=schema), schema=schema)
    flags = LayeredFlags(EnvFlags({}), StoreFlags(store))
    of = AsyncCoordinator if run == "async" else Coordinator
    return of(store, flags=flags, legacy=lambda booking: LegacyResult(["legacy"]), sinks=(), shadow=None)

def booking(number):
    at = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0) + dt.timedelta(days=1, hours=3 * number)
    return Booking(f"{how}-{run}-{number}", "r-1", 2, at, end_at=at + dt.timedelta(hours=1))

def first_booking(coordinator, number):
    if run == "sync":
        return coordinator.assign(booking(number))
    async def assign():
        return await coordinator.assign(booking(number))
    return asyncio.run(assign())

def told(coordinator, number):
    try:
        result = first_booking(coordinator or make(), number)
        return f"{result.outcome} {result.reason}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
"""

# An interpreter of its own, for the booking of that number.
INTERPRETER = f"{COMMON}\nprint(told(None, int(number)), flush=True)\nos._exit(0)\n"

# Forks that many children, one after the other, and says how their first bookings came out. "preloaded": the parent has
# all its objects already, and has asked the flags or not; "started": each child makes its own, as a new process does.
PARENT = f"""{COMMON}
coordinator = make() if how != "started" else None
if how == "preloaded-and-asked":
    coordinator.flags.resolve("r-1")
outcomes = collections.Counter()
for each in range(int(number)):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, told(coordinator, each).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as said:
        outcomes[said.read()] += 1
    os.waitpid(child, 0)
print(json.dumps(outcomes))
os._exit(0)
"""


@pytest.fixture
def begin(in_charge):
    """Runs a script against a database in which the pipeline is in charge; what it printed."""
    kind, where, schema, host, store = in_charge
    store.write(lambda connection: host.put_venue(connection, make_venue()))
    store.close()

    def begun(script, how, run, number):
        made = subprocess.run(
            [sys.executable, "-c", script, kind, str(where), schema, how, run, str(number)],
            capture_output=True,
            text=True,
            timeout=100 + STARTS,
            check=False,
        )
        assert made.returncode == 0, made.stderr
        return made.stdout

    return begun


def none_at_legacy(told):
    """
    Whether the pipeline had them all.

    On a machine that is busy for longer than a first booking waits for its flags, some are told to try again.
    """
    return told.keys() <= {"confirmed None", "retry flags_unread"} and 2 * told["confirmed None"] >= sum(told.values())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.parametrize("run", ["sync", "async"])
@pytest.mark.parametrize("how", ["started", "preloaded", "preloaded-and-asked"])
def test_the_first_booking_of_a_process_is_the_pipelines(begin, how, run):
    """At a restaurant where it is in charge, no process hands its first booking to the old planner."""
    told = collections.Counter(json.loads(begin(PARENT, how, run, STARTS)))
    assert none_at_legacy(told), told
    assert sum(told.values()) == STARTS


@pytest.mark.timeout(120 + 30 * INTERPRETERS)
@pytest.mark.parametrize("run", ["sync", "async"])
def test_the_first_booking_of_an_interpreter_is_the_pipelines(begin, run):
    """So it is in an interpreter that has imported nothing before."""
    told = collections.Counter(begin(INTERPRETER, "interpreter", run, number).strip() for number in range(INTERPRETERS))
    assert none_at_legacy(told), told
