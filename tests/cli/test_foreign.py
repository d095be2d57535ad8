"""Databases and bundles that somebody else has written: one line that names them, and exit 2."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest

DEEP = "[" * 100_000 + "]" * 100_000
COMMANDS = (
    ("review", "list"),
    ("floor", "corner"),
    ("show", "ann"),
    ("sweep",),
    ("tables", "list", "corner"),
    ("rollout", "status"),
    ("rollout", "history"),
    ("shadow", "list"),
)


@pytest.fixture
def db(cli, small, db):
    """The database of a day, with a block, and a rollout that has begun."""
    given = (
        "--from",
        "2099-12-31T20:00+00:00",
        "--until",
        "2099-12-31T23:00+00:00",
        "--actor",
        "a",
        "--reason",
        "leak",
        "--db",
        db,
    )
    assert cli("tables", "block", small["restaurant"]["id"], small["tables"][0]["id"], *given).code == 0
    assert cli("rollout", "enter", "local", "--actor", "a", "--db", db).code == 0
    return db


def refusals(cli, small, db):
    """What the commands said that did not work: each in one line, which names the database and quotes nothing."""
    found = []
    for command in COMMANDS:
        names = {"corner": small["restaurant"]["id"], "ann": small["bookings"][0]["id"]}
        words = [names.get(word, word) for word in command]
        ended = cli(*words, "--db", db)
        assert ended.code in {0, 1, 2}, command
        assert "many words" not in ended.err, command
        if ended.code == 2:
            assert len(ended.err.splitlines()) == 1, command
            assert ended.err.startswith(f"{db}: expected "), (command, ended.err)
            found.append(ended.err)
    return found


WORDS, BYTES = "many words", b"\xff\x00"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("assignment_schema.version", WORDS),
        ("assignment_records.version", WORDS),
        ("assignment_records.state", BYTES),
        ("assignment_records.booking", DEEP),
        ("booking_table_assignments.start_at", WORDS),
        ("booking_table_assignments.end_at", BYTES),
        ("booking_assignment_state_history.tables", DEEP),
        ("table_blocks.end_at", WORDS),
        ("restaurants.policy", DEEP),
        ("restaurants.policy", BYTES),
        ("table_inventory.capacity", WORDS),
        ("assignment_rollout.generation", WORDS),
        ("assignment_rollout.settings", DEEP),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 99 else "nested" if value == DEEP else "bytes",
)
def test_what_does_not_belong_in_a_column(cli, small, db, column, value):
    """Text in place of a number, lists without end, bytes: nothing is repeated of it."""
    table, _, name = column.partition(".")
    with contextlib.closing(sqlite3.connect(db)) as connection:
        for (trigger,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute(f"UPDATE {table} SET {name} = ?", (value,))
        connection.commit()
    assert refusals(cli, small, db)


LONG = "x" * 201
OVER = ("--from", "2020-05-18T12:00+02:00", "--until", "2020-05-18T13:00+02:00")
ANN = ("--actor", "ann")
WRONG = {
    "RESTAURANT": (("metrics", "--restaurant", LONG), ("reoptimize", "--restaurant", LONG, "--date", "2031-05-17")),
    "BOOKING": (("service", "confirm", LONG, *ANN), ("service", "reinstate", LONG, *ANN)),
    "block_id": (("tables", "unblock", "corner", LONG, *ANN),),
    "--zone": (("availability", "--restaurant", "corner", "--date", "2031-05-17", "--zone", ""),),
    "--until": (("tables", "block", "corner", "W1", *OVER, *ANN, "--reason", "leak"),),
}


@pytest.mark.parametrize(("name", "words"), [(name, words) for name, several in WRONG.items() for words in several])
def test_a_wrong_argument_is_not_said_of_the_database(cli, db, name, words):
    """It is named, and what it may be."""
    ended = cli(*words, "--db", db)
    assert (ended.code, ended.complaint.partition(": expected ")[0]) == (2, name)


def test_a_wrong_row_is_not_said_of_an_argument(cli, small, db):
    """Where the same error comes of what a table holds, the line names the database."""
    with contextlib.closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE assignment_records SET booking = json_set(booking, '$.party_size', 0)")
    for words in (("seated", "ada"), ("party-changed", "ada", "3")):
        assert cli("service", *words, *ANN, "--db", db).complaint.startswith(f"{db}: expected data as this version")


@pytest.mark.parametrize(
    "table", ["assignment_records", "booking_table_assignments", "booking_assignment_state_history", "table_blocks"]
)
def test_a_view_in_place_of_a_table(cli, small, db, table):
    """However alike it is."""
    with contextlib.closing(sqlite3.connect(db)) as connection:
        connection.execute("PRAGMA legacy_alter_table = ON")
        connection.execute(f"ALTER TABLE {table} RENAME TO kept")
        connection.execute(f"CREATE VIEW {table} AS SELECT * FROM kept")
        connection.commit()
    assert refusals(cli, small, db)


@pytest.mark.parametrize(
    "text",
    [
        DEEP,
        '{"format": 1, "case": 7, "settings": {}, "contexts": [{}]}',
        json.dumps({"format": 1, "case": {"booking": {"party_size": "many words"}}, "settings": {}, "contexts": [{}]}),
        '{"format": 1, "case": {}, "settings": {}, "contexts": [' + DEEP + "]}",
    ],
    ids=["nested", "number", "words", "nested floor"],
)
def test_a_file_that_is_no_bundle(cli, tmp_path, text):
    """For ``replay``: the line names the file."""
    path = tmp_path / "bundle.json"
    path.write_text(text)
    ended = cli("replay", path)
    assert (ended.code, len(ended.err.splitlines())) == (2, 1)
    assert str(path) in ended.err
    assert "many words" not in ended.err
