"""A guest's name that a host's errors and rows quote is in nothing that a command writes."""

from __future__ import annotations

import contextlib
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
