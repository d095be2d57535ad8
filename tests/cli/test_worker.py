"""`worker`: processes that share what is due, are stopped, and are killed."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from assignment_pipeline import Coordinator, LegacyResult, Mode, Settings
from assignment_pipeline.adapters import sqlite
from assignment_pipeline.cli.output import print_line
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing.store_harness import make_booking, make_venue

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is told to stop by a signal here")

TOMORROW = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).replace(minute=0, second=0, microsecond=0)

# What a host would have as a module of its own.
BACKEND = '''
import multiprocessing
import os
import pathlib
import sys
import time

from assignment_pipeline import Coordinator, Mode
from assignment_pipeline.rollout.flags import FixedFlags

HERE = pathlib.Path(__file__).parent


class Hesitant:
    """Says who is at work on what, and takes as long as the file says."""

    name = "hesitant"

    def weigh(self, request, seating, floor):
        with open(HERE / "at-work", "a") as file:
            print(os.getpid(), file=file)
        while (HERE / "hesitate").exists():
            time.sleep(0.02)
        return 0


def store():
    if "DSN" in os.environ:
        from assignment_pipeline.adapters.postgres import PostgresStore, StandaloneHost

        return PostgresStore(os.environ["DSN"], host=StandaloneHost())
    from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost

    return SQLiteStore(HERE / os.environ.get("FILE", "assignments.db"), host=StandaloneHost(), synchronous="OFF")


def coordinator(mode=Mode.ACTIVE, **how):
    return Coordinator(store(), flags=FixedFlags(mode), strategies=[Hesitant()], sinks=(), **how)


def with_shadow():
    return coordinator(Mode.SHADOW, shadow="worker", legacy=lambda booking: None)


def unlucky():
    def raises():
        raise LookupError("Mrs Canary")

    made = coordinator(shadow="worker")
    made.shadow.compare_days = raises
    return made


class Counting(Coordinator):
    def sweep(self, *, limit=100):
        print("swept", time.monotonic(), file=sys.stderr, flush=True)
        return super().sweep(limit=limit)


def counting():
    return Counting.in_memory(sinks=())


def forgetful():
    if multiprocessing.parent_process() is not None:
        from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost

        return Coordinator(SQLiteStore(HERE / "empty.db", host=StandaloneHost()), flags=FixedFlags(Mode.ACTIVE))
    return Coordinator.in_memory(sinks=())
'''


class Backend:
    """A host's backend in a folder, with bookings that are due at once."""

    def __init__(self, folder, store, host, environment):
        self.folder = folder
        self.store = store
        self.host = host
        self.environment = environment
        self.started = []
        (folder / "backend.py").write_text(BACKEND)
        store.write(lambda connection: host.put_venue(connection, make_venue(tables=4, reseat="off")))

    def book(self, count):
        settings = Settings(orphan_after=dt.timedelta(microseconds=1))
        with Coordinator(self.store, flags=FixedFlags(Mode.ACTIVE), settings=settings, sinks=()) as coordinator:
            for number in range(count):
                at = TOMORROW + dt.timedelta(hours=2 * (number // 4))
                booking = make_booking(f"b-{number:03}", at=at, party_size=4)
                self.store.write(lambda connection, booking=booking: self.host.put_booking(connection, booking))
                coordinator.enqueue(booking)

    def work(self, *options):
        where = () if {"--db", "--app"} & {*options} else ("--app", "backend:coordinator")
        command = [sys.executable, "-m", "assignment_pipeline", "worker", *where, *options]
        worker = subprocess.Popen(
            command,
            cwd=self.folder,
            env=os.environ | self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(worker)
        return worker

    def close(self):
        for worker in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(worker.pid, signal.SIGKILL)
            worker.communicate()

    def records(self):
        return self.store.records(RecordQuery(limit=1000)).records

    def confirmed(self):
        return [record for record in self.records() if record.state == "confirmed"]

    def at_work(self):
        """The processes that have planned something."""
        path = self.folder / "at-work"
        return set(map(int, path.read_text().split())) if path.exists() else set()

    def a_minute_passes(self):
        """Claims of processes that have died come to their end."""
        past = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)
        table, hole = ("assignment_pipeline.", "%s") if self.environment else ("", "?")
        value = past if self.environment else past.strftime("%Y-%m-%d %H:%M:%S.%f")
        statement = f"UPDATE {table}assignment_records SET next_attempt_at = {hole} WHERE next_attempt_at IS NOT NULL"
        self.store.write(lambda connection: connection.execute(statement, (value,)).rowcount)


@pytest.fixture(params=["sqlite", "postgres"])
def backend(request, tmp_path):
    """One on SQLite, and one on PostgreSQL; where a test is about signals and processes, that on SQLite will do."""
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            sqlite.init(tmp_path / "assignments.db", standalone=True)
            host = sqlite.StandaloneHost()
            store = stack.enter_context(sqlite.SQLiteStore(tmp_path / "assignments.db", host=host))
            environment = {}
        else:
            postgres = pytest.importorskip("assignment_pipeline.adapters.postgres", exc_type=ImportError)
            at = request.getfixturevalue("postgres_database")
            conninfo = stack.enter_context(sys.modules["tests.servers.postgres"].database(at))
            postgres.init(conninfo, standalone=True)
            host = postgres.StandaloneHost()
            store = stack.enter_context(postgres.PostgresStore(conninfo, host=host))
            environment = {"DSN": conninfo}
        made = Backend(tmp_path, store, host, environment)
        stack.callback(made.close)
        yield made


def until(found, within=40):
    end = time.monotonic() + within
    while time.monotonic() < end:
        if answer := found():
            return answer
        time.sleep(0.02)
    return pytest.fail("it did not come to that")


def ended(worker, code=0):
    out, err = worker.communicate(timeout=40)
    assert worker.returncode == code, err
    assert "Traceback" not in err
    return out, err


def everyone_is_seated(backend, count):
    """Each once, and nobody twice at one table: the tables are just enough."""
    records = backend.confirmed()
    assert len(records) == count
    seats = [(table, record.allocation.turn.start) for record in records for table in record.tables]
    assert len(set(seats)) == len(seats) == count
    for record in records:
        assert record.deliveries == 0
        assert [step.version for step in backend.store.history(record.booking_id)] == list(range(1, record.version + 1))


def test_processes_share_what_is_due(backend):
    """Each booking is seen to by one of them; told to stop, they end well."""
    backend.book(60)
    (backend.folder / "hesitate").touch()
    worker = backend.work("--processes", "2", "--interval", "0.05", "--limit", "3", "--json")
    until(lambda: len(backend.at_work()) == 2)
    (backend.folder / "hesitate").unlink()
    until(lambda: len(backend.confirmed()) == 60)
    worker.terminate()
    out, err = ended(worker)
    assert worker.pid not in backend.at_work()
    results = [result["booking_id"] for line in out.splitlines() for result in json.loads(line)["results"]]
    assert sorted(results) == [f"b-{number:03}" for number in range(60)]
    assert err.count(" started") == 2
    everyone_is_seated(backend, 60)


def test_a_line_is_written_in_one_piece(monkeypatch):
    """Processes that share an unbuffered output do not write into each other's lines."""
    pieces = []
    monkeypatch.setattr(sys.stdout, "write", pieces.append)
    print_line("all is well")
    print_line({"results": []})
    monkeypatch.undo()
    assert pieces == ["all is well\n", '{"results": []}\n']


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_process_that_is_killed_is_replaced(backend):
    """And what it was at is done by the others, once its claim is over."""
    backend.book(24)
    (backend.folder / "hesitate").touch()
    worker = backend.work("--processes", "2", "--interval", "0.05", "--limit", "3")
    victim, other = until(lambda: len(backend.at_work()) == 2 and backend.at_work())
    os.kill(victim, signal.SIGKILL)
    (backend.folder / "hesitate").unlink()
    until(lambda: len(backend.confirmed()) == 21)
    said = [worker.stderr.readline() for _ in range(4)]
    backend.a_minute_passes()
    until(lambda: len(backend.confirmed()) == 24)
    worker.terminate()
    ended(worker)
    assert [line.endswith(" started\n") for line in said] == [True, True, False, True]
    assert f"process {victim} has ended (killed by SIGKILL): starting another" in said[2]
    assert str(other) in said[0] + said[1]
    everyone_is_seated(backend, 24)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_it_finishes_what_it_is_at(backend):
    """No booking is left claimed, and none is begun."""
    backend.book(8)
    (backend.folder / "hesitate").touch()
    worker = backend.work("--limit", "4")
    [child] = until(backend.at_work)
    os.kill(worker.pid, signal.SIGTERM)
    time.sleep(0.5)
    assert worker.poll() is None
    os.kill(child, 0)
    (backend.folder / "hesitate").unlink()
    out, _ = ended(worker)
    assert out == "Processed 4 bookings: 4 confirmed.\n"
    assert len(backend.confirmed()) == 4
    assert all(record.deliveries == 0 for record in backend.records())


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_asked_twice_it_does_not(backend):
    """Ctrl-C, Ctrl-C: what it was at is undone, and due again in a minute."""
    backend.book(1)
    (backend.folder / "hesitate").touch()
    worker = backend.work("--grace", "3600")
    [child] = until(backend.at_work)
    os.kill(worker.pid, signal.SIGINT)
    time.sleep(0.3)
    os.kill(worker.pid, signal.SIGINT)
    _, err = ended(worker, code=1)
    assert f"process {child} is still at work: killed" in err
    assert backend.confirmed() == []


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_children_do_not_outlive_their_parent(backend):
    """A worker that is killed itself leaves nothing running."""
    backend.book(1)
    worker = backend.work("--interval", "3600")
    [child] = until(backend.at_work)
    until(backend.confirmed)
    worker.kill()
    worker.wait()

    def gone():
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return True
        return False

    until(gone)


@pytest.fixture
def alone(tmp_path):
    """Starts a worker on a database without bookings; what it says, line by line."""
    (tmp_path / "backend.py").write_text(BACKEND)
    sqlite.init(tmp_path / "assignments.db", standalone=True)

    @contextlib.contextmanager
    def start(factory, *options, **environment):
        command = [sys.executable, "-m", "assignment_pipeline", "worker", "--app", f"backend:{factory}", *options]
        given = os.environ | environment
        with subprocess.Popen(command, cwd=tmp_path, env=given, stderr=subprocess.PIPE, text=True) as worker:
            yield iter(worker.stderr.readline, "")
            worker.terminate()
            ended(worker)

    return start


def test_a_database_that_is_away_is_waited_for(alone):
    """The processes say so, and stay."""
    pytest.importorskip("psycopg")
    with alone("coordinator", DSN="host=127.0.0.1 port=1 connect_timeout=1") as said:
        assert any(line.endswith(" started\n") for line in said)
        assert any("The assignment store is unavailable" in line for line in said)


def test_it_waits_where_nothing_is_due(alone):
    """Between two looks, for as long as it was told."""
    with alone("counting", "--interval", "0.2") as said:
        assert next(said).endswith(" started\n")
        looks = [float(next(said).removeprefix("swept ")) for _ in range(5)]
    assert all(later - earlier > 0.19 for earlier, later in itertools.pairwise(looks))


@pytest.mark.parametrize(
    ("backend", "options"),
    [("sqlite", ()), ("sqlite", ("--processes", "3")), ("sqlite", ("--once",)), ("postgres", ())],
    indirect=["backend"],
)
def test_a_database_without_tables_is_said_once(backend, options, monkeypatch):
    """In one line, and no process is started for it."""
    if backend.environment:
        backend.store.write(lambda connection: connection.execute("DROP SCHEMA assignment_pipeline CASCADE").rowcount)
    else:
        sqlite3.connect(backend.folder / "empty.db").close()
        monkeypatch.setenv("FILE", "empty.db")
    out, err = ended(backend.work(*options), code=2)
    assert (out, err.count("\n")) == ("", 1)
    assert "of the pipeline schema, found none: make the" in err


def test_no_process_is_started_over_for_want_of_tables(alone, tmp_path):
    """Also where only the processes find out: the first one's sentence is the last."""
    sqlite3.connect(tmp_path / "empty.db").close()
    command = [sys.executable, "-m", "assignment_pipeline", "worker", "--app", "backend:forgetful"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=40, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 2)
    assert "of the pipeline schema, found none: make the" in done.stderr


def test_once_ends_when_nothing_is_due(backend):
    """In this very process, for a cron job or a test."""
    backend.book(8)
    worker = backend.work("--once", "--limit", "5")
    out, err = ended(worker)
    assert out == "Processed 5 bookings: 5 confirmed.\nProcessed 3 bookings: 3 confirmed.\n"
    assert err == ""
    assert backend.at_work() == {worker.pid}


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_once_finishes_what_it_is_at(backend, number):
    """As without it: no booking is left claimed, none is begun, and it says what it did."""
    backend.book(8)
    (backend.folder / "hesitate").touch()
    worker = backend.work("--once", "--limit", "4")
    until(backend.at_work)
    os.kill(worker.pid, number)
    time.sleep(0.5)
    assert worker.poll() is None
    (backend.folder / "hesitate").unlink()
    assert ended(worker) == ("Processed 4 bookings: 4 confirmed.\n", "")
    assert len(backend.confirmed()) == 4
    assert all(record.deliveries == 0 for record in backend.records())


def test_once_finishes_what_it_is_at_in_a_database_of_ours(backend):
    """It ends behind the bookings that it has claimed, and leaves the others."""
    backend.book(240)
    worker = backend.work("--db", backend.environment.get("DSN", "assignments.db"), "--once", "--limit", "80")
    until(backend.confirmed)
    worker.terminate()
    confirmed = len(backend.confirmed())
    said, error = ended(worker)
    pages = said.count("\n")
    assert (said, error) == (pages * "Processed 80 bookings: 80 confirmed.\n", "")
    assert len(backend.confirmed()) == 80 * pages
    assert pages < 3 or confirmed >= 160  # It had all of the second page by then, and may have begun the third.
    assert all(record.deliveries == 0 for record in backend.records())


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("signals", "grace"), [(2, "3600"), (1, "0.2")])
def test_once_does_not_finish_at_any_price(backend, signals, grace):
    """Asked twice, or after its grace, it ends at once; what it was at is due again in a minute."""
    backend.book(1)
    (backend.folder / "hesitate").touch()
    worker = backend.work("--once", "--grace", grace)
    until(backend.at_work)
    for _ in range(signals):
        os.kill(worker.pid, signal.SIGINT)
        time.sleep(0.3)
    assert ended(worker, code=1) == ("", f"worker {worker.pid}: still at work: ended\n")
    assert backend.confirmed() == []


def test_it_takes_the_shadows_cases(backend):
    """Those that coordinators have put by for it; what it finds is in the database."""
    how = {"flags": FixedFlags(Mode.SHADOW), "shadow": "worker", "legacy": lambda booking: LegacyResult(("T1",))}
    with Coordinator(backend.store, **how, sinks=()) as coordinator:
        for number in range(6):
            coordinator.assign(make_booking(f"b-{number}", at=TOMORROW, party_size=4))
    ended(backend.work("--app", "backend:with_shadow", "--once", "--limit", "4"))
    schema = "assignment_pipeline." if backend.environment else ""
    query = f"SELECT event_type FROM {schema}observability_events WHERE source = 'assignment.shadow'"
    told = backend.store.write(lambda connection: connection.execute(query).fetchall())
    assert [row[0].partition(".")[0] for row in told] == ["shadow"] * 6
    assert backend.confirmed() == []


def test_a_day_that_cannot_be_compared_ends_no_worker(backend):
    """Bookings get their tables, and the worker says what went wrong, and not whom it was about."""
    backend.book(4)
    worker = backend.work("--app", "backend:unlucky", "--interval", "0.05")
    until(lambda: len(backend.confirmed()) == 4)
    worker.terminate()
    _, said = ended(worker)
    assert "service days are not compared: LookupError from backend.py:" in said
    assert said.count("started") == 1
    assert "Canary" not in said


def test_a_database_of_ours_will_do(backend):
    """Without a line of Python, and with no password on any screen."""
    backend.book(4)
    worker = backend.work("--db", backend.environment.get("DSN", "assignments.db"), "--interval", "0.05")
    until(lambda: len(backend.confirmed()) == 4)
    worker.terminate()
    ended(worker)
    everyone_is_seated(backend, 4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--app", "nowhere:at_all"], "nowhere"),
        ([], "--db or --app"),
        (["--db", "nothing.db"], "nothing there"),
        (["--processes", "0"], "--processes"),
    ],
)
def test_what_is_wrong_is_said_once(cli, options, said):
    """Before a process is started."""
    done = cli("worker", *options)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
