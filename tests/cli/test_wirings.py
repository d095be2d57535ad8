"""Every command on every wiring: an application for threads or asyncio, a database of our own or an application's."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import secrets
import shutil
import sqlite3
import sys

import pytest
import typer

from assignment_pipeline import Booking, Coordinator, FixedFlags, LegacyResult, Mode, Settings
from assignment_pipeline.adapters import sqlite
from assignment_pipeline.cli import app as command_line
from assignment_pipeline.domain.adoption import LegacySeat
from tests.cli import own_tables
from tests.cli.conftest import in_process

NOW = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)
APP, OURS, NONE = "an application", "a database of our own", "none"
BY = ("--actor", "ann")
FORCE = (*BY, "--reason", "a test", "--force")

# In this order. Of each: its words, its options, its exit code, and whether it needs restaurants and bookings.
COMMANDS = [
    ("review list", (), 0, False),
    ("review list", ("--json",), 0, False),
    ("review cases", (), 0, True),
    ("review rearrange", ("later=T3", *BY), 0, True),
    ("service walk-in", ("corner", "1", "--booking", "other", *BY), 0, True),
    ("show", ("later",), 0, False),
    ("floor", ("corner",), 0, True),
    ("review suggest", ("big",), 1, True),
    ("review place", ("later", "T3", *BY), 0, True),
    ("review pin", ("later", *BY), 0, True),
    ("review unpin", ("later", *BY), 0, True),
    ("review requeue", ("later", *BY), 0, True),
    ("review reject", ("big", "--reason", "too_many", *BY), 0, True),
    ("sweep", (), 0, True),
    ("worker", ("--once",), 0, True),
    ("reoptimize", ("--restaurant", "corner", "--date", f"{NOW + dt.timedelta(hours=4):%Y-%m-%d}"), 0, True),
    ("availability", ("--date", f"{NOW + dt.timedelta(hours=4):%Y-%m-%d}", "--restaurant", "corner"), 0, True),
    ("audit", ("--restaurant", "corner"), 0, True),
    ("service due", ("corner",), 0, False),
    ("service next", ("corner",), 0, False),
    ("service seated", ("here", *BY), 0, True),
    ("service over", ("corner",), 0, False),
    ("service conflicts", ("corner",), 0, False),
    ("service party-changed", ("here", "1", *BY), 0, True),
    ("service extend", ("here", f"{NOW + dt.timedelta(hours=3):%Y-%m-%dT%H:%MZ}", *BY), 0, True),
    ("service left", ("here", *BY), 0, True),
    ("service no-show", ("gone", *BY), 0, True),
    ("service cancel", ("gone", *BY), 0, True),
    ("service reinstate", ("gone", *BY), 0, True),
    ("service confirm", ("gone", *BY), 0, True),
    ("review retime", ("later", f"{NOW + dt.timedelta(hours=5):%Y-%m-%dT%H:%MZ}", *BY), 0, True),
    ("service turns", ("corner",), 0, False),
    (
        "tables block",
        ("corner", "T4", "--from", "2031-05-17T10:00Z", "--until", "2031-05-17T11:00Z", *BY, "--reason", "paint"),
        0,
        True,
    ),
    ("tables list", ("corner",), 0, False),
    ("tables unblock", ("corner", "BLOCK", *BY), 0, True),
    ("shadow list", (), 0, False),
    ("shadow show", ("BUNDLE",), 0, False),
    ("shadow days", (), 0, True),
    ("shadow work", ("--once",), 0, True),
    ("replay", ("BUNDLE",), 1, False),
    ("backtest", (), 0, True),
    ("rollout enter", ("production-shadow", *FORCE), 0, False),
    ("rollout status", (), 0, False),
    ("rollout check", (), 1, False),
    ("rollout advance", FORCE, 0, False),
    ("rollout list", ("--always", "corner", *BY, "--reason", "a test"), 0, False),
    ("rollout history", (), 0, False),
    ("rollout watch", ("--once",), 0, False),
    ("rollout rollback", BY, 0, False),
    ("rollout report", ("--html", "report.html"), 0, False),
    ("rollout archive", ("numbers.json",), 0, False),
    ("flags explain", ("corner",), 0, False),
    ("alerts check", (), 0, False),
    ("metrics", (), 0, False),
    ("doctor", (), None, False),
]

ELSEWHERE = {
    "demo", "assign", "rollout plan", "db init", "db check", "db grants", "diagram", "sql", "env", "dashboard grafana",
    "alerts prometheus", "alerts grafana", "host check", "console", "service extend-hold",
}  # fmt: skip
"""Commands that take neither, make their database, or have tests of their own for each."""

BOOKINGS = [
    Booking("here", "corner", 2, NOW - dt.timedelta(minutes=30)),
    Booking("gone", "corner", 2, NOW - dt.timedelta(minutes=40)),
    Booking("later", "corner", 2, NOW + dt.timedelta(hours=4)),
    Booking("big", "corner", 30, NOW + dt.timedelta(hours=4)),
    Booking("other", "corner", 2, NOW + dt.timedelta(hours=7)),
    Booking("before", "corner", 2, NOW - dt.timedelta(hours=9)),
]


def commands(group, words=()):
    """The words of every command that there is."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name))


def test_the_table_has_every_command():
    """A new command is tried on every wiring, or is said to need none."""
    there = set(commands(typer.main.get_command(command_line.app))) | {"host check"}
    assert there == {words for words, *_ in COMMANDS} | ELSEWHERE


def live(store):
    """What has happened so far: assignments, one in review, one of legacy's, and a shadow that differs."""
    settings = Settings(replay=True)
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), settings=settings, sinks=()) as coordinator:
        coordinator.assign_many(BOOKINGS[:4])
        coordinator.adopt([LegacySeat(BOOKINGS[5], ("T1",))])
    shadow = Coordinator(
        store,
        flags=FixedFlags(Mode.SHADOW),
        settings=settings,
        sinks=(),
        legacy=lambda _: LegacyResult(()),
    )
    with shadow:
        shadow.assign(BOOKINGS[4])


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def copy_of(request, tmp_path_factory):
    """Makes databases of that kind as a function leaves one: it is called once, the rest are copies."""
    with contextlib.ExitStack() as stack:
        if request.param == "sqlite":
            folder = tmp_path_factory.mktemp("databases")

            def new(original=None):
                where = str(folder / f"{secrets.token_hex(4)}.sqlite3")
                return where if original is None else shutil.copy(original, where)
        else:
            postgres = pytest.importorskip("tests.servers.postgres", exc_type=ImportError)
            server = request.getfixturevalue("postgres_database")

            def new(original=None):
                return stack.enter_context(postgres.database(server, like=original))

        originals = {}

        def copy(fill):
            if fill not in originals:
                originals[fill] = new()
                with pytest.MonkeyPatch.context() as patch:
                    patch.setenv(own_tables.WHERE, originals[fill])
                    fill(originals[fill])
            return new(originals[fill])

        yield copy


@pytest.fixture
def working_on(copy_of, tmp_path, monkeypatch):
    """Makes such a database, the application's from now on; commands run in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    for name in ("ASSIGNMENT_PIPELINE_APP", "ASSIGNMENT_PIPELINE_DB"):
        monkeypatch.delenv(name, raising=False)

    def place(fill):
        where = copy_of(fill)
        monkeypatch.setenv(own_tables.WHERE, where)
        return where

    return place


def beside_own_tables(where):
    own_tables.make(BOOKINGS)
    assert in_process("db", "init", "--db", where, "--embedded").code == 0
    with own_tables.store() as store:
        live(store)


def with_bookings(where):
    assert in_process("db", "init", "--db", where).code == 0
    if own_tables.is_postgres():
        from assignment_pipeline.adapters import postgres as adapter  # noqa: PLC0415

        host = adapter.StandaloneHost()
        made = adapter.PostgresStore(where, host=host)
    else:
        host = sqlite.StandaloneHost()
        made = sqlite.SQLiteStore(where, host=host)
    with made as store:
        store.write(lambda connection: host.put_venue(connection, own_tables.CORNER))
        for booking in BOOKINGS:
            store.write(lambda connection, booking=booking: host.put_booking(connection, booking))
        live(store)


@pytest.fixture
def embedded(working_on):
    """The pipeline's tables beside an application's."""
    return working_on(beside_own_tables)


@pytest.fixture
def standalone(working_on):
    """A database that keeps restaurants and bookings, too."""
    return working_on(with_bookings)


def went_through(cli, *options, wanted=lambda words, needs: True):
    """What each command of the table came to that is *wanted*: its words, and how it ended."""
    known = {}
    for words, arguments, code, needs in COMMANDS:
        if not wanted(words, needs):
            continue
        given = [known.get(argument, argument) for argument in arguments]
        ended = cli(*words.split(), *given, *options)
        if words == "tables list" and ended.code == 0:
            blocks = cli("tables", "list", "corner", "--json", *options).json["blocks"]
            known["BLOCK"] = blocks[0]["id"] if blocks else "none"
        if words == "shadow list" and ended.code == 0:
            known["BUNDLE"] = cli("shadow", "list", "--json", *options).json["bundles"][0]["id"]
        yield words, code, needs, ended


@pytest.mark.parametrize("factory", ["asynchronous", "made_in_the_loop", "made_on_the_loop", "held", "sync"])
def test_an_application_hands_over_its_coordinator_in_many_ways(cli, embedded, factory):
    """A function, a coroutine or a context manager, for threads or for asyncio."""
    ended = cli("review", "list", "--json", "--app", f"tests.cli.own_tables:{factory}")
    assert [review["booking_id"] for review in ended.json["reviews"]] == ["big"]


@pytest.mark.parametrize("factory", ["sync", "asynchronous"])
def test_every_command_works_for_an_application(cli, embedded, factory):
    """For threads and for asyncio."""
    for words, code, _, ended in went_through(cli, "--app", f"tests.cli.own_tables:{factory}"):
        assert "Traceback" not in ended.err, words
        assert ended.code in ((0, 1) if code is None else (code,)), (words, ended)


def test_every_command_works_on_a_database_of_our_own(cli, standalone):
    """With the same outcomes."""
    for words, code, _, ended in went_through(cli, "--db", standalone):
        assert ended.code in ((0, 1) if code is None else (code,)), (words, ended)


def rows(place):
    """What the pipeline has written about bookings."""
    query = "SELECT booking_id, state, version, deliveries FROM {}assignment_records ORDER BY booking_id"
    if own_tables.is_postgres():
        import psycopg  # noqa: PLC0415 - an extra

        with psycopg.connect(place) as connection:
            return connection.execute(query.format("assignment_pipeline.")).fetchall()
    with contextlib.closing(sqlite3.connect(place)) as connection:
        return connection.execute(query.format("")).fetchall()


def test_an_applications_database_is_read_without_its_code(cli, embedded):
    """What takes the application's code says so in one sentence, and changes nothing."""
    before = rows(embedded)
    slow = {"rollout report"}
    for words, code, needs, ended in went_through(cli, "--db", embedded, wanted=lambda words, _: words not in slow):
        if needs:
            assert ended.code == 2, (words, ended)
            assert "--app" in ended.complaint, (words, ended)
        else:
            assert ended.code in ((0, 1) if code is None else (code,)), (words, ended)
    assert rows(embedded) == before


def events(place):
    """What the store was told, as text."""
    if own_tables.is_postgres():
        import psycopg  # noqa: PLC0415 - an extra

        with psycopg.connect(place) as connection:
            return str(connection.execute("SELECT * FROM assignment_pipeline.observability_events").fetchall())
    with contextlib.closing(sqlite3.connect(place)) as connection:
        return str(connection.execute("SELECT * FROM observability_events").fetchall())


@pytest.mark.parametrize("factory", ["careless", "careless_in_commits", "careless_factory"])
def test_no_guest_is_named_where_the_application_fails(cli, embedded, factory, caplog):
    """Not by any command, in the log or in an event: an error is its class and the database's code, in one line."""
    caplog.set_level("DEBUG")
    failed = set()
    few = {"review list", "review place", "worker", "doctor", "rollout status"}
    ends_early = factory == "careless_factory"  # Each command alike.
    app = ("--app", f"tests.cli.own_tables:{factory}")
    for words, code, _, ended in went_through(
        cli, *app, wanted=lambda words, needs: words in few or (needs and not ends_early)
    ):
        assert "Canary" not in ended.out + ended.err, (words, ended)
        assert "Traceback" not in ended.err, (words, ended)
        if ended.code != code:
            failed.add(words)
            assert ended.err.count("\n") <= 1, (words, ended)
            if words == "review place":
                driver = own_tables.is_postgres() and factory != "careless_factory"
                assert ("UniqueViolation (23505)" if driver else "ValueError") in ended.complaint
    assert {"worker", "review place"} <= failed
    checked = cli("host", "check", *app)
    assert "Canary" not in checked.out + checked.err
    assert "Canary" not in caplog.text
    assert "Canary" not in events(embedded)


@pytest.fixture
def working(start):
    """Starts a worker on an application in a process of its own; reads a line, ends it, and has the rest."""

    def work(factory, env, until=""):
        at = ("--app", f"tests.cli.own_tables:{factory}", "--interval", "3600")
        process = start("worker", *at, PYTHONPATH=os.pathsep.join(sys.path), **env)
        first = ""
        while until not in first or not first:
            line = process.stdout.readline().decode()
            assert line, first
            first += line
        process.terminate()
        out, err = (stream.decode() for stream in process.communicate(timeout=30))
        return process.returncode, first + out, err

    return work


def test_a_worker_runs_an_application_for_asyncio(embedded, working):
    """In processes of its own, and ends when it is told to."""
    code, out, _ = working("asynchronous", {own_tables.WHERE: embedded})
    assert code == 0
    assert "Enqueued 1 booking that nobody had." in out


def test_a_booking_that_always_fails_does_not_keep_a_worker_busy(embedded, working):
    """It is tried once in each look, and named without what the application says about it."""
    code, out, err = working("careless", {own_tables.WHERE: embedded}, until="new: ")
    assert code == 0
    assert "Canary" not in out + err
    assert 1 <= out.count("new: ") <= 2


def test_an_error_of_the_applications_is_shown_where_it_is_asked_for(cli, embedded):
    """By an option before the command."""
    ended = cli("--traceback", "review", "place", "later", "T3", *BY, "--app", "tests.cli.own_tables:careless")
    assert ended.code == 2
    assert "Canary" in ended.err
    last = ended.err.splitlines()[-1]
    assert "from own_tables.py:" in last or last.endswith("the host's row cannot be read (ValueError). Mend the row.")


def test_the_environment_names_a_database_as_the_option_does(cli, standalone, monkeypatch):
    """An option on the command line wins, and so does an application."""
    asked = cli("review", "list", "--json", "--db", standalone)
    monkeypatch.setenv("ASSIGNMENT_PIPELINE_DB", standalone)
    assert cli("review", "list", "--json").out == asked.out
    assert cli("db", "check").code == 0
    assert cli("backtest", "nowhere.json").complaint.startswith("nowhere.json: ")
    elsewhere = cli("review", "list", "--db", "elsewhere.sqlite3")
    assert (elsewhere.code, "elsewhere.sqlite3" in elsewhere.complaint) == (2, True)
    assert "nowhere" in cli("review", "list", "--app", "nowhere:app").complaint
