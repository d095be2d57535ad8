"""A rollback from the command line, beside four worker processes that assign all the time."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.parse

import pytest

from assignment_pipeline.cli.app import run
from assignment_pipeline.testing.store_harness import make_venue

WORKERS = 4
RESTAURANTS = [f"r-{number}" for number in range(WORKERS)]
BEFORE = 10
"""Bookings that each worker has seated before anything else happens."""

GENEROUS = 30
"""Seconds for what takes about one."""

# Says how often it has seated somebody, and then when it first left one to legacy.
WORKER = """
import datetime as dt, itertools, json, random, sys, time
from assignment_pipeline import Booking, Coordinator, Outcome, Reason, StoreUnavailableError
from assignment_pipeline.rollout.flags import EnvFlags, LayeredFlags, StoreFlags

kind, where, schema, name = sys.argv[1:]
if kind == "sqlite":
    from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost
    store = SQLiteStore(where, host=StandaloneHost())
else:
    from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost
    store = PostgresStore(where, host=StandaloneHost(schema=schema), schema=schema)
stored = StoreFlags(store)
while stored.generation is None:
    try:
        stored.refresh_now()
    except StoreUnavailableError:  # On a machine with much else to do, a connection may take longer than it should.
        time.sleep(0.1)
flags = LayeredFlags(EnvFlags({}), stored)
tomorrow = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
outcomes = {}
seated = 0
with store, Coordinator(store, flags=flags, sinks=()) as coordinator:
    for number in itertools.count():
        at = tomorrow + dt.timedelta(hours=random.randrange(24 * 60))
        restaurant = f"r-{random.randrange(4)}"
        booking = Booking(
            f"{name}-{number}", restaurant_id=restaurant, party_size=2, start_at=at, end_at=at + dt.timedelta(hours=1)
        )
        result = coordinator.assign(booking)
        key = f"{result.outcome}:{result.reason}"
        outcomes[key] = outcomes.get(key, 0) + 1
        if result.outcome is Outcome.CONFIRMED:
            seated += 1
            if seated == 10:
                print(json.dumps({"seated": seated}), flush=True)
        elif result.reason is Reason.PIPELINE_DISABLED:
            print(json.dumps({"at": time.time(), "outcomes": outcomes}), flush=True)
            break
"""


@pytest.fixture
def place(in_charge):
    """A database with restaurants, in which the pipeline is in charge: its kind, address, schema, and store."""
    kind, where, schema, host, store = in_charge
    for name in RESTAURANTS:
        venue = make_venue(name, tables=20)
        store.write(lambda connection, venue=venue: host.put_venue(connection, venue))
    return kind, where, schema, store


@pytest.fixture
def workers(place):
    """Worker processes that have seated some, and go on."""
    kind, where, schema, _ = place
    with contextlib.ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", WORKER, kind, where, schema, f"w{number}"], stdout=subprocess.PIPE, text=True
                )
            )
            for number in range(WORKERS)
        ]
        for worker in started:
            stack.callback(worker.kill)
        for worker in started:
            assert json.loads(worker.stdout.readline()) == {"seated": BEFORE}
        yield started


def address(kind, where, schema):
    """What ``--db`` takes."""
    if kind == "sqlite":
        return where
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - an extra

    facts = conninfo_to_dict(where)
    user = urllib.parse.quote(facts["user"], safe="")
    if facts.get("password"):
        user += f":{urllib.parse.quote(facts['password'], safe='')}"
    return f"postgresql://{user}@{facts['host']}:{facts['port']}/{facts['dbname']}?schema={schema}"


def confirmed(store):
    """How many transitions there are that seat a booking for good."""
    statement = "SELECT count(*) FROM {}booking_assignment_state_history WHERE to_state = 'confirmed'"
    schema = getattr(store, "_options", {}).get("schema")
    prefix = f'"{schema}".' if schema else ""
    return store.write(lambda connection: connection.execute(statement.format(prefix)).fetchone()[0])


def test_a_rollback_reaches_every_worker(place, workers, record_property, capsys):
    """Once it has returned, nothing lands that was planned before, and soon every worker leaves all to legacy."""
    kind, where, schema, store = place
    command = ["rollout", "rollback", "--db", address(kind, where, schema), "--actor", "dana", "--reason", "a drill"]
    asked = time.time()
    code = run(command)  # In this process: while one starts, the workers fill the evenings.
    returned = time.time()
    landed = confirmed(store)
    said = capsys.readouterr()
    assert (code, said.out) == (0, "The rollout is in rollback now: generation 2, by dana.\n"), said.err
    answers = [json.loads(worker.communicate(timeout=GENEROUS)[0]) for worker in workers]
    last = max(answer["at"] for answer in answers)
    assert landed >= WORKERS * BEFORE
    assert confirmed(store) == landed
    assert last - returned < GENEROUS
    in_force = store.rollout().created_at.timestamp()
    record_property("seconds_to_the_last_worker", round(last - in_force, 3))
    print(  # noqa: T201 - how long it took is told, not tested
        f"\n{kind}: the command took {returned - asked:.2f} s; the last worker left all to legacy"
        f" {last - in_force:.2f} s after the rollback was in force, {last - returned:+.2f} s from the command's end"
        f"\n{kind}: {landed} seated before, none after; one worker: {answers[0]['outcomes']}"
    )
