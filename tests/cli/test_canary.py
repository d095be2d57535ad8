"""A guest's name that a host's errors and rows quote is in nothing that a command writes."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3

import pytest

from assignment_pipeline import Coordinator, Mode
from assignment_pipeline.adapters.logging import LoggingSink
from assignment_pipeline.adapters.sqlite import SQLiteStore
from assignment_pipeline.cli.app import _commands
from assignment_pipeline.rollout.flags import FixedFlags
from tests.contract.rows import AT, HOUSE, RowHost, book
from tests.contract.test_hosts import SQLiteRig

CANARY = "Rosalind Canary"
DATABASE = "CANARY_DATABASE"


def quotes(*_):
    """What a driver raises about a row."""
    msg = f"DETAIL: Failing row contains ({CANARY}, +49 30 123456)."
    raise RuntimeError(msg)


class RaisesReading(RowHost):
    """Each method that reads raises."""

    booking = venue = occupied = unassigned = quotes


class RaisesSomeRows(RowHost):
    """One row cannot be read."""

    def booking_of(self, row):
        return quotes() if row[0] == "b-1" else super().booking_of(row)


class RaisesWriting(RowHost):
    """Nothing can be written."""

    on_commit = quotes


class RaisingStrategy:
    name = "raising"
    weigh = quotes


def made(host, mode=Mode.ACTIVE):
    store = SQLiteStore(os.environ[DATABASE], host=host)
    given = {"strategies": [RaisingStrategy()], "legacy": quotes, "sinks": (LoggingSink(), store)}
    return Coordinator(store, flags=FixedFlags(mode), **given)


def fine():
    return made(RowHost())


def reading():
    return made(RaisesReading())


def some_rows():
    return made(RaisesSomeRows())


def writing():
    return made(RaisesWriting())


def shadow():
    return made(RaisesSomeRows(), Mode.SHADOW)


def leaves(group, path=()):
    """Every command, by its words."""
    for name, found in getattr(group, "commands", {}).items():
        if hasattr(found, "commands"):
            yield from leaves(found, (*path, name))
        else:
            yield (*path, name), found


SERVES = {"console"}
"""What goes on until it is stopped."""

WITH_APP = {
    " ".join(path): found
    for path, found in leaves(_commands())
    if any("--app" in parameter.opts for parameter in found.params) and " ".join(path) not in SERVES
}
LATER = AT.isoformat(timespec="minutes")
VALUES = {
    "booking": "b-0",
    "restaurant": HOUSE,
    "--restaurant": HOUSE,
    "table": "B1",
    "tables": "B1",
    "moves": "b-0=B1",
    "party_size": "2",
    "guests": "2",
    "block": "k-1",
    "bundle": "none",
    "phase": "local",
    "start": LATER,
    "until": LATER,
    "--until": "2099-12-31T23:00+00:00",
    "--from": LATER,
    "--date": AT.date().isoformat(),
    "--actor": "anna",
    "--reason": "maintenance",
    "--html": "report.html",
    "file": "archive.json",
}
"""What is given for each argument, and for each option that is required."""

PEOPLE = {"--actor": "CanaryAnna", "--reason": "canary_reason"}
NAMES_ACTORS = {
    "rollout advance",
    "rollout enter",
    "rollout history",
    "rollout list",
    "rollout rollback",
    "rollout status",
    "show",
    "tables list",
}
"""The commands that print who did something: see SECURITY.md."""
NAMES_REASONS = {"rollout history", "rollout status", "show", "tables list"}
"""Those that print why somebody did it."""

ONCE = {"--once"}
EITHER = {"table", "block"}
"""Arguments in whose place an option may be given."""


def arguments(command):
    """The arguments of that command."""
    given = []
    for parameter in WITH_APP[command].params:
        name = next((each for each in parameter.opts if each.startswith("--")), parameter.name)
        if name in ONCE:
            given.append(name)
        elif parameter.required or name in EITHER:
            given += [name, VALUES[name]] if name.startswith("--") else [VALUES[name]]
    return given


def with_people(command):
    """The same, with who does it and why wherever a command takes that."""
    given = arguments(command)
    taken = {option for parameter in WITH_APP[command].params for option in parameter.opts}
    for name in sorted(PEOPLE.keys() & taken):
        if name in given:
            given[given.index(name) + 1] = PEOPLE[name]
        else:
            given += [name, PEOPLE[name]]
    return given


@pytest.fixture
def database(tmp_path, monkeypatch):
    """A host's tables with bookings, and the pipeline's."""
    monkeypatch.chdir(tmp_path)
    rig = SQLiteRig(tmp_path / "backend.db")
    with contextlib.closing(rig):
        host = rig.host(RowHost)
        for number in range(3):
            book(host, rig.connection, f"b-{number}")
        rig.coordinator(host).assign_id("b-0", HOUSE)
    monkeypatch.setenv(DATABASE, str(tmp_path / "backend.db"))
    return tmp_path / "backend.db"


@pytest.mark.parametrize("factory", ["reading", "some_rows", "writing", "shadow"])
def test_no_command_repeats_a_guests_name(cli, database, caplog, factory):
    """Neither in what it prints, nor in a log line, an event, a bundle or a file."""
    codes = {}
    for command in WITH_APP:
        words = [*command.split(), *arguments(command)]
        ended = cli(*words, "--app", f"tests.cli.test_canary:{factory}")
        codes[command] = ended.code
        assert "Canary" not in ended.out + ended.err, command
        assert "Traceback" not in ended.err, command
    assert set(codes.values()) <= {0, 1, 2}, codes
    assert codes["sweep"] == 1
    if factory != "writing":  # What `doctor` is for: it does not end with the error that it looks for.
        assert codes["doctor"] == 1
    assert "Canary" not in caplog.text
    with contextlib.closing(sqlite3.connect(database)) as connection:
        kept = "\n".join(connection.iterdump())
    assert "Canary" not in kept
    for file in database.parent.glob("*.[hj]*"):
        assert "Canary" not in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("factory", ["fine", "reading", "writing"])
def test_who_did_something_and_why_is_printed_where_it_is_asked_for_alone(cli, database, caplog, factory):
    """By a few commands, in the history and in events of what they did: in no error, and in no event of an error."""
    caplog.set_level(logging.INFO)
    for command in sorted(WITH_APP):
        ended = cli(*command.split(), *with_people(command), "--app", f"tests.cli.test_canary:{factory}")
        assert not [given for given in PEOPLE.values() if given in ended.err], command
        assert command in NAMES_ACTORS or "CanaryAnna" not in ended.out, command
        assert command in NAMES_REASONS or "canary_reason" not in ended.out, command
    assert "CanaryAnna" in caplog.text
    with contextlib.closing(sqlite3.connect(database)) as connection:
        told = connection.execute(
            "SELECT event_type, severity FROM observability_events WHERE context LIKE '%anary%'"
        ).fetchall()
    assert told
    assert not [kind for kind, severity in told if severity == "error" or kind.endswith("error")]


@pytest.mark.usefixtures("database")
def test_no_text_that_is_given_breaks_a_line(cli):
    """An id, an actor or a reason that is no printable text is refused in one line that can be printed."""
    for given in ("b\n[CRITICAL] all is lost", "b\x1b[2J", "b\u202e"):
        for words in (
            ["show", given],
            ["review", "pin", "b-0", "--actor", given],
            ["tables", "block", HOUSE, "B1", "--until", "2099-12-31T23:00+00:00", "--actor", "a", "--reason", given],
        ):
            ended = cli(*words, "--app", "tests.cli.test_canary:fine")
            assert ended.code in {1, 2}, words
            assert len(ended.err.splitlines()) == 1, words
            assert not {"\x1b", "\u202e"} & set(ended.err), words
