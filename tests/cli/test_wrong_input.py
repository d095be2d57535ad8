"""What people type wrong ends in one line and an exit code, and nothing is written: a table of all acts."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3

import pytest
import typer

from assignment_pipeline.cli import app as command_line

ANN = ("--actor", "ann")
LATER = "2031-05-17T23:30+02:00"
ACTS = {
    "review place": ("W1",),
    "review pin": (),
    "review unpin": (),
    "review requeue": (),
    "review reject": ("--reason", "no_table"),
    "service seated": (),
    "service left": (),
    "service no-show": (),
    "service extend": (LATER,),
    "service party-changed": ("2",),
    "service reinstate": (),
    "service cancel": (),
    "service confirm": (),
    "review retime": (LATER,),
    "service extend-hold": (),
}
"""The commands that take a booking and a name, with what else they want."""

OTHERS = {
    "review rearrange": ("ada=W1",),
    "service walk-in": ("corner", "2"),
    "tables block": ("corner", "W1", "--from", "2031-05-17T10:00Z", "--until", LATER, "--reason", "paint"),
    "tables unblock": ("corner", "none"),
}


@pytest.fixture(scope="module")
def assigned(run_once, small_once, tmp_path_factory):
    """The database of a day that is still to come: cat waits for a person, and the others have tables."""
    folder = tmp_path_factory.mktemp("assigned")
    (folder / "day.json").write_text(json.dumps(small_once), encoding="utf-8")
    assert run_once("assign", folder / "day.json", "--db", folder / "day.sqlite3").code == 0
    return folder / "day.sqlite3"


@pytest.fixture
def db(assigned, tmp_path):
    """One of the test's own."""
    return shutil.copy(assigned, tmp_path / "day.sqlite3")


def rows(path):
    """All that is kept of bookings."""
    tables = ("assignment_records", "booking_table_assignments", "booking_assignment_state_history", "table_blocks")
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables]


def is_refused(cli, db, *words):
    """One line on stderr, nothing on stdout, exit code 2, and all that is kept is as it was."""
    before = rows(db)
    ended = cli(*words, "--db", db)
    assert (ended.code, ended.out) == (2, ""), (words, ended)
    assert ended.err.count("\n") <= 1, ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err) < 2_000
    assert ended.err.rstrip("\n").isprintable(), ended.err
    assert rows(db) == before
    return ended.complaint


def test_the_table_has_every_act():
    """A command that asks for a name is one of people's."""

    def leaves(group, words=()):
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from leaves(command, (*words, name))
            else:
                yield " ".join((*words, name)), command

    found = {
        words
        for words, command in leaves(typer.main.get_command(command_line.app))
        if words.startswith(("review", "service", "tables"))
        if any("--actor" in parameter.opts and parameter.required for parameter in command.params)
    }
    assert found == {*ACTS, *OTHERS}


NAMES = {"empty": "", "blank": "  ", "1 MB": "x" * 1_000_000, "controls": "ann\x1b[2J", "a line": "a\nb"}


@pytest.mark.parametrize("what", NAMES)
@pytest.mark.parametrize("name", [*ACTS, *OTHERS])
def test_nobody_is_no_actor(cli, db, name, what):
    """The name of who does it is a text that can be read."""
    words = ("ada", *ACTS[name]) if name in ACTS else OTHERS[name]
    assert "--actor" in is_refused(cli, db, *name.split(), *words, "--actor", NAMES[what])


IDS = {"unknown": "nobody", "empty": "", "1 MB": "x" * 1_000_000, "controls": "b\x1b[2J"}


@pytest.mark.parametrize("what", IDS)
@pytest.mark.parametrize("name", ACTS)
def test_an_unknown_booking_is_unknown(cli, db, name, what):
    """Whatever was typed."""
    is_refused(cli, db, *name.split(), IDS[what], *ACTS[name], *ANN)


GONE = ("--from", "2001-05-17T10:00Z", "--until", "2001-05-18T10:00Z")
WRONG = {
    "no such table to place at": ("review", "place", "ada", "T99"),
    "no such table to move to": ("review", "rearrange", "ada=T99"),
    "no such booking to move": ("review", "rearrange", "nobody=W1"),
    "not a move": ("review", "rearrange", "ada"),
    "no such table to sit down at": ("service", "walk-in", "corner", "2", "--table", "T99"),
    "no such table to close": ("tables", "block", "corner", "T99", *OTHERS["tables block"][2:]),
    "no such restaurant to walk into": ("service", "walk-in", "nowhere", "2"),
    "no such restaurant to close": ("tables", "block", "nowhere", *OTHERS["tables block"][1:]),
    "nobody walks in": ("service", "walk-in", "corner", "0"),
    "a walk-in until yesterday": ("service", "walk-in", "corner", "2", "--until", "2001-05-17T10:00Z"),
    "a walk-in without a zone of time": ("service", "walk-in", "corner", "2", "--until", "2031-05-17T10:00"),
    "an id that is too long": ("service", "walk-in", "corner", "2", "--booking", "x" * 1_000_000),
    "no such rule to overrule": ("service", "walk-in", "corner", "2", "--allow", "taken"),
    "no such rule to sit down in spite of": ("service", "seated", "ada", "--allow", "size"),
    "a party of nobody": ("service", "party-changed", "ada", "0"),
    "a party of too many": ("service", "party-changed", "ada", "9999"),
    "until before it came": ("service", "extend", "ada", "2001-05-17T10:00Z"),
    "until some time": ("service", "extend", "ada", "soon"),
    "a reason in words": ("review", "reject", "cat", "--reason", "Mrs. Miller said so"),
    "no such block": ("tables", "unblock", "corner", "x" * 100_000),
    "a time that is over": ("tables", "block", "corner", "W1", *GONE, "--reason", "paint"),
    "a version that it is not at": ("review", "place", "ada", "W1", "--expect-version", "1"),
    "has not begun": ("service", "left", "ada"),
    "no tables": ("service", "seated", "cat"),
    "confirmed": ("review", "reject", "ada", "--reason", "no_table"),
    "in review": ("service", "no-show", "cat"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said(cli, db, what):
    """In one line."""
    is_refused(cli, db, *WRONG[what], *ANN)


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("metrics", "--restaurant", "corner", "--restaurant", "harbour"), "--restaurant"),
        (("service", "walk-in", "corner", "2", *ANN, "--table", "W1", "--until", LATER, "--until", "soon"), "--until"),
        (("rollout", "list", "--never", "corner", "--reason", "a", "--reason", "b", *ANN), "--reason"),
    ],
)
def test_an_option_that_takes_one_value_is_given_once(cli, db, words, option):
    """Nobody looks at one restaurant who has named two, and no value is dropped in silence."""
    assert is_refused(cli, db, *words) == f"{option}: expected one value, got 2"


def test_a_choice_is_refused_as_anything_else_is(cli, db):
    """By the option, with what it may be and what it is; and a switch may be thrown twice."""
    words = ("availability", "--restaurant", "corner", "--date", "2031-05-17")
    found = is_refused(cli, db, *words, "--seating", "roof")
    expected = "--seating: expected one of any, indoor, outdoor, bar, got 'roof'"
    assert found.startswith(f"assignment-pipeline availability: {expected} (")
    assert cli(*words, "--json", "--json", "--db", db).code == 0


def test_another_database_may_be_named_behind_the_first(cli, db):
    """A script that names one is called with another: the last one counts, as of a variable."""
    words = ("availability", "--restaurant", "corner", "--date", "2031-05-17")
    assert cli(*words, "--db", "nowhere.sqlite3", "--db", db).code == 0
