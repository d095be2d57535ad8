"""Several processes on one file: fairness, forks, and what is left when one is killed or stopped."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import random
import signal
import sqlite3
import statistics
import sys
import time

import pytest

from assignment_pipeline.errors import StoreUnavailableError
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.testing.store_harness import CONFIRM, make_booking, make_change

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
stops = pytest.mark.skipif(sys.platform == "win32", reason="nothing can be stopped here")


def finish(process):
    """What a script printed, once it has ended well."""
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    return printed


def integrity(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]


# -- Fairness -----------------------------------------------------------------------------------------------------

WRITE_ON = """
threads, seconds = int(sys.argv[2]), float(sys.argv[3])
counts = [0] * threads
with SQLiteStore(path, host=StandaloneHost(), busy_timeout=dt.timedelta(seconds=20)) as store:
    store.check_schema()
    print("ready", flush=True)
    input()
    end = time.monotonic() + seconds

    def write(thread):
        while time.monotonic() < end:
            store.write(lambda connection: connection.execute("UPDATE assignment_rollout SET updated_at = 1").rowcount)
            counts[thread] += 1

    workers = [threading.Thread(target=write, args=(thread,)) for thread in range(threads)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
print(*counts)
"""


@pytest.mark.parametrize("threads", [(1, 1, 1, 1), (4, 4, 4, 4), (16, 1, 1, 1)])
def test_no_process_starves(python, threads):
    """Of processes that write as fast as they can, the slowest gets its share, however many threads the others have."""
    processes = [python(WRITE_ON, count, 0.5) for count in threads]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    counts = [list(map(int, finish(process).split())) for process in processes]
    totals = [sum(own) for own in counts]
    assert min(totals) >= statistics.median(totals) / 10
    slowest = [min(own) for own in counts]
    assert min(slowest) >= statistics.median(slowest) / 10


# -- Forks --------------------------------------------------------------------------------------------------------


@forks
def test_a_fork_loses_nothing(python, store):
    """
    Parent and child go on, each on connections of its own.

    A child that works on beside inherited ones loses its commits when the parent closes the file.
    """
    script = """
from assignment_pipeline.testing.contracts.sinks import event

store = SQLiteStore(path, host=StandaloneHost())
confirm(store, "before", 1)
store.emit([event("e-parent")])
told, heard = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    assert [record.booking_id for record in store.records(RecordQuery()).records] == ["before"]
    confirm(store, "child-1", 2)
    os.write(told[1], b"x")
    os.read(heard[0], 1)  # The parent has closed the file.
    confirm(store, "child-2", 3)
    store.close()
    os._exit(0)
os.read(told[0], 1)
confirm(store, "parent", 4)
store.close()
os.write(heard[1], b"x")
assert os.waitpid(child, 0)[1] == 0
"""
    finish(python(script))
    found = [record.booking_id for record in store.records(RecordQuery()).records]
    assert found == ["before", "child-1", "child-2", "parent"]
    told = store.write(lambda connection: connection.execute("SELECT id FROM observability_events").fetchall())
    assert told.count(("e-parent",)) == 1


@forks
def test_a_fork_waits_for_what_is_under_way(python, store):
    """Forks between other threads' commits and reads; none of them fails, neither before nor in any child."""
    script = """
store = SQLiteStore(path, host=StandaloneHost())
locks = SQLiteLockManager(path)
stop = threading.Event()
failures = []

def work(thread):
    number = 0
    try:
        while not stop.is_set():
            confirm(store, f"parent-{thread}-{number}", number, f"T{thread}")
            leases = locks.acquire([Wanted(f"key-{thread}")], ttl=DAY)
            assert isinstance(leases, Leases)
            locks.release(leases)
            assert store.records(RecordQuery(limit=3)).records
            number += 1
    except BaseException as error:
        failures.append(error)

threads = [threading.Thread(target=work, args=(thread,)) for thread in (1, 2, 3)]
[thread.start() for thread in threads]
children = []
for number in range(8):
    time.sleep(0.05)
    child = os.fork()
    if child == 0:
        confirm(store, f"child-{number}", number, "T4")
        assert isinstance(locks.acquire([Wanted(f"child-{number}")], ttl=DAY), Leases)
        store.close()
        os._exit(0)
    children.append(child)
assert all(os.waitpid(child, 0)[1] == 0 for child in children)
stop.set()
[thread.join() for thread in threads]
assert not failures, failures
store.close()
"""
    finish(python(script))
    found = {record.booking_id for record in store.records(RecordQuery(limit=10_000)).records}
    assert {f"child-{number}" for number in range(8)} <= found


@forks
def test_a_fork_inside_a_transaction_is_refused(python, store):
    """A child that was forked out of the middle of a commit says so; its parent goes on."""
    script = """
def fork(connection, changes):
    global child
    child = os.fork()
    if child == 0:
        try:
            store.records(RecordQuery())
        except StoreUnavailableError as error:
            os._exit(3 if "forked in the middle" in str(error) else 4)
        os._exit(5)

from assignment_pipeline.errors import StoreUnavailableError
store = SQLiteStore(path, host=StandaloneHost(), on_commit=fork)
confirm(store, "b-1", 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
assert len(store.records(RecordQuery()).records) == 1
store.close()
"""
    finish(python(script))
    assert len(store.records(RecordQuery()).records) == 1


def test_what_was_told_is_written_when_the_process_ends(python, store):
    """A program that ends without closing the store loses no event."""
    script = """
from assignment_pipeline.testing.contracts.sinks import event
store = SQLiteStore(path, host=StandaloneHost())
store.emit([event(f"e-{number}") for number in range(50)])
"""
    finish(python(script))
    count = "SELECT count(*) FROM observability_events"
    assert store.write(lambda connection: connection.execute(count).fetchone()) == (50,)


# -- Ends ---------------------------------------------------------------------------------------------------------

COMMIT_ON = """
from assignment_pipeline.lifecycle import Trigger

with SQLiteStore(path, host=StandaloneHost()) as store:
    print("ready", flush=True)
    for number in range(100_000):
        booking = make_booking(f"{sys.argv[2]}-{number}", at=at(number))
        first = make_change(booking, *CONFIRM, tables=("T1", "T2"))
        store.commit([first])
        store.commit([make_change(booking, Trigger.CANCEL, before=first.record)] if number % 2 else [])
"""


@stops
@pytest.mark.parametrize("seed", range(3))
def test_a_killed_process_leaves_nothing_half_written(python, path, opened, seed):
    """Kill it whenever you like: versions and history are gapless, and only who is seated has tables."""
    waits = random.Random(seed)
    for run in range(4):
        process = python(COMMIT_ON, f"{seed}-{run}")
        assert process.stdout.readline() == "ready\n"
        time.sleep(waits.uniform(0, 0.15))
        process.kill()
        process.wait()
    assert integrity(path) == "ok"
    store = opened()
    records = store.records(RecordQuery(limit=100_000)).records
    assert records
    for record in records:
        steps = store.history(record.booking_id)
        assert [step.version for step in steps] == list(range(1, record.version + 1))
        assert steps[-1].to_state == record.state
        assert steps[-1].tables == record.tables
    counted = store.write(
        lambda connection: connection.execute(
            """
            SELECT (SELECT count(*) FROM booking_table_assignments),
                2 * (SELECT count(*) FROM assignment_records WHERE state = 'confirmed'),
                (SELECT count(*) FROM observability_events),
                (SELECT count(DISTINCT change_id) FROM booking_assignment_state_history),
                (SELECT count(*) FROM bookings),
                (SELECT count(*) FROM assignment_records)
            """
        ).fetchone()
    )
    assert counted[0] == counted[1]
    assert counted[2] == counted[3]
    assert counted[4] == counted[5]
    store.commit([make_change(make_booking("after", at=make_booking().start_at), *CONFIRM, tables=("T3",))])


@stops
def test_a_stopped_process_makes_the_store_unavailable(python, opened):
    """While a process sleeps on the write lock the others are told in time, and go on when it does."""
    script = """
store = SQLiteStore(path, host=StandaloneHost(), on_commit=lambda *_: (print("inside", flush=True), input()))
confirm(store, "stopped", 1)
store.close()
"""
    process = python(script)
    assert process.stdout.readline() == "inside\n"
    process.send_signal(signal.SIGSTOP)
    store = opened(busy_timeout=dt.timedelta(seconds=0.2))
    change = make_change(make_booking(), *CONFIRM, tables=("T1",))
    with pytest.raises(StoreUnavailableError, match="others kept it locked"):
        store.commit([change])
    assert store.records(RecordQuery()).records == ()
    process.send_signal(signal.SIGCONT)
    process.stdin.write("go on\n")
    process.stdin.flush()
    finish(process)
    store.commit([change])
    assert [record.booking_id for record in store.records(RecordQuery()).records] == ["b-1", "stopped"]


@stops
def test_a_commit_that_the_disk_refuses_is_unknown(python, store):
    """When the last step fails, nobody can tell what the disk has: `knows` tells once it can be asked."""
    script = """
import pathlib, resource
from assignment_pipeline.errors import CommitUnknownError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
store = SQLiteStore(path, host=StandaloneHost())
confirm(store, "b-0", 1)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (pathlib.Path(f"{path}-wal").stat().st_size + 10_000, hard))
change = make_change(make_booking(), *CONFIRM, tables=("T1",))
try:
    store.commit([change])
except CommitUnknownError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
if not store.knows(change):
    store.commit([change])
store.close()
"""
    printed = finish(python(script))
    assert "unknown whether the commit has landed" in printed
    assert [record.booking_id for record in store.records(RecordQuery()).records] == ["b-0", "b-1"]
