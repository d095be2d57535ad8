"""The checker reports whatever is broken in the tables by hand."""

from __future__ import annotations

import ast
import contextlib
import datetime as dt
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from assignment_pipeline.lifecycle import TRANSITIONS

checker = pytest.importorskip("assignment_pipeline.testing.checker")
main = pytest.importorskip("assignment_pipeline.testing.checker.__main__").main
TAKEN = pytest.importorskip("tests.torture.place", exc_type=ImportError).TAKEN

A = "assignment_pipeline."
SEATS, RECORDS = f"{A}booking_table_assignments", f"{A}assignment_records"
HISTORY, EVENTS = f"{A}booking_assignment_state_history", f"{A}observability_events"

TABLE_OF_1 = f"SELECT min(table_id) FROM {SEATS} WHERE booking_id = 'b-1'"
HOST_SITS_THERE = f"""
INSERT INTO torture_seats (restaurant_id, table_id, start_at, end_at, booking_id)
SELECT restaurant_id, table_id, start_at, end_at, 'walk-in' FROM {SEATS} WHERE booking_id = 'b-1'
"""
BLOCK = f"""
INSERT INTO {A}table_blocks (id, restaurant_id, table_id, start_at, end_at, created_at)
SELECT 'k-9', restaurant_id, table_id, start_at, end_at, start_at FROM {SEATS} WHERE booking_id = 'b-1'
"""

BROKEN = {
    "a table of two bookings": (
        "no_table_twice",
        f"UPDATE {SEATS} SET table_id = ({TABLE_OF_1}) WHERE booking_id = 'b-6'",
    ),
    "a table of a booking and the staff": ("no_table_twice", HOST_SITS_THERE),
    "a table that was blocked first": (
        "nobody_is_put_at_a_blocked_table",
        f"UPDATE {EVENTS} SET booking_id = 'b-0' WHERE booking_id = 'b-6'",
    ),
    "a block that nobody told of": ("nobody_is_put_at_a_blocked_table", BLOCK),
    "no tables": ("tables_go_with_the_state", f"DELETE FROM {SEATS} WHERE booking_id = 'b-1'"),
    "tables after a cancellation": (
        "tables_go_with_the_state",
        f"UPDATE {SEATS} SET booking_id = 'b-5' WHERE booking_id = 'b-1'",
    ),
    "tables of nobody": ("tables_go_with_the_state", f"UPDATE {SEATS} SET booking_id = 'x' WHERE booking_id = 'b-1'"),
    "tables elsewhere": (
        "tables_go_with_the_state",
        f"UPDATE {SEATS} SET restaurant_id = 'r-9' WHERE booking_id = 'b-1'",
    ),
    "a table too small": ("everybody_fits", f"UPDATE {A}table_inventory SET max_party_size = 1 WHERE capacity = 2"),
    "joined tables too small": (
        "everybody_fits",
        f"DELETE FROM {SEATS} WHERE booking_id = 'b-2' AND table_id = ({TABLE_OF_1.replace('b-1', 'b-2')})",
    ),
    "tables that stand apart": (
        "everybody_fits",
        f"DELETE FROM {A}table_adjacencies; DELETE FROM {A}table_combinations",
    ),
    "a table that is not there": (
        "everybody_fits",
        f"DELETE FROM {A}table_inventory WHERE id = ({TABLE_OF_1})",
    ),
    "another time": ("everybody_fits", f"UPDATE {SEATS} SET turn_start_at = turn_end_at WHERE booking_id = 'b-1'"),
    "less than its turn": (
        "everybody_fits",
        f"UPDATE {SEATS} SET end_at = turn_start_at, start_at = '2001-01-01 00:00:00' WHERE booking_id = 'b-1'",
    ),
    "tables that nobody asked for": ("everybody_fits", f"UPDATE {A}table_inventory SET seating = 'bar'"),
    "a cap": (
        "no_cap_is_passed",
        f"""UPDATE {A}restaurants SET policy = '{{"max_tables": 3, "adjacency": "connected", "pacing":
        [{{"minutes": 1440, "covers": 9, "periods": ["dinner"]}}, {{"minutes": 1440, "parties": 1}}]}}'""",
    ),
    "a version left out": (
        "versions_are_gapless",
        f"DELETE FROM {HISTORY} WHERE booking_id = 'b-1' AND version = 2",
    ),
    "a version ahead": ("versions_are_gapless", f"UPDATE {RECORDS} SET version = 9 WHERE booking_id = 'b-1'"),
    "a history without a record": ("versions_are_gapless", f"DELETE FROM {RECORDS} WHERE booking_id = 'b-1'"),
    "a step that there is not": (
        "every_step_is_legal",
        f"UPDATE {HISTORY} SET \"trigger\" = 'confirm' WHERE booking_id = 'b-1' AND version = 3",
    ),
    "a step from elsewhere": (
        "every_step_is_legal",
        f"UPDATE {HISTORY} SET from_state = 'manual_review' WHERE booking_id = 'b-1' AND version = 4",
    ),
    "another state": (
        "history_ends_at_the_record",
        f"UPDATE {RECORDS} SET state = 'assigned' WHERE booking_id = 'b-1'",
    ),
    "other tables": (
        "history_ends_at_the_record",
        f"UPDATE {SEATS} SET table_id = 'T3' WHERE booking_id = 'b-6'",
    ),
    "a step that nobody told of": (
        "every_step_is_told_once",
        f"DELETE FROM {EVENTS} WHERE booking_id = 'b-1' AND event_type = 'booking.assignment_state_transition'",
    ),
    "attempts that are not there": (
        "attempts_are_counted",
        f"DELETE FROM {A}booking_assignment_attempts WHERE booking_id = 'b-4'",
    ),
    "nothing due": ("what_is_open_is_due", f"UPDATE {RECORDS} SET next_attempt_at = NULL WHERE booking_id = 'b-3'"),
    "due after its end": (
        "what_has_ended_is_not_due",
        f"UPDATE {RECORDS} SET next_attempt_at = updated_at WHERE booking_id = 'b-5'",
    ),
    "another state at the host": (
        "bookings_say_the_same",
        f"UPDATE {A}bookings SET assignment_state = 'failed' WHERE id = 'b-1'",
    ),
}


def look(at):
    return checker.check(checker.read(at, taken=TAKEN))


def test_nothing_is_wrong_with_an_evening(evening):
    """What the library has written is as it should be, and something of everything was written."""
    tables = checker.read(evening.at, taken=TAKEN)
    assert checker.check(tables) == {}
    assert {record["state"] for record in tables.records} == {"created", "confirmed", "manual_review", "cancelled"}
    assert all(getattr(tables, name) for name in ("seats", "history", "attempts", "events", "blocks", "taken"))


@pytest.mark.parametrize("what", BROKEN)
def test_it_is_reported(copied, what):
    """Each thing that is broken by hand is found."""
    at, run = copied
    invariant, statement = BROKEN[what]
    if not isinstance(at, str):
        run(f"ALTER TABLE {SEATS} DROP CONSTRAINT booking_table_assignments_once")
    run(statement)
    assert invariant in look(at)


def test_who_was_seated_by_legacy_may_have_had_a_blocked_table(copied):
    """The seat says so: it is conflicted."""
    at, run = copied
    run(BLOCK)
    assert [*look(at)] == ["nobody_is_put_at_a_blocked_table"]
    run(f"UPDATE {SEATS} SET conflicted = NOT conflicted WHERE booking_id = 'b-1'")
    assert look(at) == {}


def test_every_invariant_is_broken_here():
    """None is left that nothing has been seen to break."""
    assert {name for name, _ in BROKEN.values()} == {invariant.__name__ for invariant in checker.INVARIANTS}


def test_it_shares_no_code_with_the_library():
    """It imports nothing of ours but itself."""
    for path in Path(checker.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.module if isinstance(node, ast.ImportFrom) else None
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [name or ""]
            ours = [name for name in names if name.startswith("assignment_pipeline")]
            assert all(name.startswith("assignment_pipeline.testing.checker") for name in ours)


def rows(policy, tables, near):
    """A booking for six at *tables* of two seats, some of which stand *near* each other."""
    at = dt.datetime(2030, 1, 1, 18, tzinfo=dt.UTC)
    times = {"start_at": at, "end_at": at, "turn_start_at": at, "turn_end_at": at}
    asked = {"party_size": 2 * len(tables), "start_at": at.isoformat(), "seating": "any", "zone": None}
    facts = {"capacity": 2, "min_party_size": 1, "max_party_size": 2, "zone": "hall", "seating": "indoor"}
    return checker.Tables(
        records=[{"booking_id": "b", "strategy": "x", "booking": {**asked, "accessible": False}}],
        seats=[{"booking_id": "b", "restaurant_id": "r", "table_id": table, **times} for table in tables],
        restaurants=[{"id": "r", "policy": {"max_tables": 4, "adjacency": policy}}],
        inventory=[{"restaurant_id": "r", "id": table, "accessible": False, **facts} for table in "ABCD"],
        adjacencies=[{"restaurant_id": "r", "table_a": one, "table_b": other} for one, other in near],
        combinations=[],
    )


@pytest.mark.parametrize(
    ("policy", "near", "fits"),
    [
        ("connected", ("AB", "BC"), True),
        ("connected", ("AB", "CD"), False),
        ("neighbours", ("AB", "BC"), True),
        ("neighbours", ("AB",), False),
        ("pairwise", ("AB", "BC", "CA"), True),
        ("pairwise", ("AB", "BC"), False),
    ],
)
def test_what_can_be_joined(policy, near, fits):
    """The policy says which tables can be; each way is judged by itself."""
    wrong = list(checker.invariants.everybody_fits(rows(policy, "ABC", near)))
    assert wrong == ([] if fits else ["b, A+B+C: they cannot be joined"])


@pytest.mark.parametrize(
    ("floor", "near", "fits"),
    [
        ({"groups": [{"name": "G", "tables": ["A", "B", "C"]}]}, (), True),
        ({"groups": [{"name": "G", "tables": ["A", "B"]}]}, (), False),
        ({"never_joined": [["A", "C"]]}, ("AB", "BC"), False),
        ({"groups": [{"name": "G", "tables": ["C", "D"]}], "never_joined": [["A", "G"]]}, ("AB", "BC"), False),
        ({"groups": [{"name": "G", "tables": ["C", "D"]}], "never_joined": [["D", "A"]]}, ("AB", "BC"), True),
    ],
)
def test_what_groups_join(floor, near, fits):
    """Groups stand beside the pairs, and what is never joined is not."""
    tables = rows("connected", "ABC", near)
    tables.restaurants[0]["floor"] = floor
    wrong = list(checker.invariants.everybody_fits(tables))
    assert wrong == ([] if fits else ["b, A+B+C: they cannot be joined"])


@pytest.mark.parametrize(
    ("of", "taken", "fits"),
    [
        ({"counter": "R"}, "ABC", True),
        ({"counter": "R"}, "ABD", False),
        ({"communal": "R"}, "ABD", True),
        ({}, "AB", False),
    ],
)
def test_seats_of_a_row(of, taken, fits):
    """At a counter side by side, at a communal table any; the policy's limit of tables is none."""
    tables = rows("connected", taken, ())
    tables.restaurants[0]["policy"]["max_tables"] = 1
    for row in tables.inventory:
        row.update(of)
    wrong = list(checker.invariants.everybody_fits(tables))
    said = "they are not seats side by side" if of else "they cannot be joined"
    assert wrong == ([] if fits else [f"b, {'+'.join(taken)}: {said}"])


CHRISTMAS = {"date": "2030-12-25", "service_periods": [{"name": "feast", "start": "12:00", "end": "02:00"}]}


@pytest.mark.parametrize(
    ("moment", "periods", "counts"),
    [
        ("2030-06-03T18:00+02:00", ["dinner"], True),  # A Monday.
        ("2030-06-03T23:00+02:00", ["dinner"], False),
        ("2030-06-03T18:00+02:00", ["lunch", "feast"], False),
        ("2030-06-04T18:00+02:00", ["dinner"], False),  # Not on Tuesdays,
        ("2032-06-07T18:00+02:00", ["dinner"], False),  # and only until the end of 2031.
        ("2030-12-25T18:00+01:00", ["dinner"], False),
        ("2030-12-26T01:30+01:00", ["feast"], True),  # It began the evening before.
        ("2030-12-26T02:00+01:00", ["feast"], False),
        ("2030-03-31T18:00+02:00", ["dinner"], False),  # The clock changes.
    ],
)
def test_a_cap_of_a_period(moment, periods, counts):
    """It counts those who arrive within the period on that date; special days have their own."""
    days = ["mon", "wed", "sun"]
    dinner = {"name": "dinner", "start": "17:00", "end": "23:00", "days": days, "valid_until": "2031-12-31"}
    rule = {"minutes": 60, "parties": 1, "periods": periods}
    policy = {"service_periods": [dinner], "special_days": [CHRISTMAS], "pacing": [rule]}
    booking = {"party_size": 2, "start_at": moment}
    tables = checker.Tables(
        records=[{"booking_id": name, "restaurant_id": "r", "strategy": "x", "booking": booking} for name in "ab"],
        seats=[{"booking_id": name} for name in "ab"],
        restaurants=[{"id": "r", "policy": policy, "timezone": "Europe/Berlin"}],
    )
    assert bool(list(checker.invariants.no_cap_is_passed(tables))) == counts


def test_more_tables_than_the_policy_allows():
    """Five tables in a row are one too many."""
    tables = rows("connected", "ABCD", ("AB", "BC", "CD"))
    assert list(checker.invariants.everybody_fits(tables)) == []
    tables.restaurants[0]["policy"]["max_tables"] = 3
    assert list(checker.invariants.everybody_fits(tables)) == ["b, A+B+C+D: they cannot be joined"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [({"seating": "bar"}, "not bar"), ({"zone": "garden"}, "not in garden"), ({"accessible": True}, "not accessible")],
)
def test_what_was_asked_for(asked, why):
    """Seating and zone hold for every table, and one is accessible."""
    tables = rows("connected", "A", ())
    tables.records[0]["booking"].update(asked)
    assert list(checker.invariants.everybody_fits(tables)) == [f"b, A: {why}"]


def command(*arguments):
    """How the command ends, in this process."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main([str(argument) for argument in arguments])
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def test_the_command_says_that_all_holds(evening):
    """On a store that is well, the exit code is 0, in a file as on a server."""
    line = [sys.executable, "-m", "assignment_pipeline.testing.checker", evening.at, "--taken", TAKEN]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "6 records, 13 invariants, 0 broken.\n")


@pytest.mark.parametrize("evening", ["sqlite"], indirect=True)
def test_the_command_says_what_is_broken(copied):
    """On one that is not it is 1, and the lines say what."""
    at, run = copied
    run(HOST_SITS_THERE)
    done = command(at, "--taken", TAKEN)
    assert done.returncode == 1
    assert "Broken: no_table_twice. No table is taken twice" in done.stdout
    assert "b-1 and walk-in" in done.stdout or "walk-in and b-1" in done.stdout
    done = command(at, "--taken", TAKEN, "--json")
    assert list(json.loads(done.stdout)["broken"]) == ["no_table_twice"]
    assert command(at, "--taken", TAKEN, "--skip", "no_table_twice").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("nowhere.db",), "nowhere.db: expected a file of SQLite"),
        ((__file__,), "file is not a database"),
        (("nowhere.db", "--skip", "all"), "--skip: expected names of invariants, got all"),
    ],
)
def test_bad_input_is_one_line(arguments, why, capsys):
    """The exit code is 2 then."""
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert why in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    "query",
    [
        "select 1",
        "select 1 where 1 = 0",
        "selec",
        "",
        "select * from nowhere",
        "drop table assignment_records",
        "commit; drop table assignment_records",
        TAKEN.replace("start_at", "'soon' AS start_at", 1),
    ],
)
def test_a_query_for_something_else_is_one_line(evening, query):
    """It says what was expected, and nothing is written."""
    done = command(evening.at, "--taken", query)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "taken: expected a query for restaurant_id, table_id, start_at, end_at and booking_id" in done.stderr
    assert command(evening.at, "--taken", TAKEN).returncode == 0


def test_a_place_that_cannot_be_read_is_one_line(evening):
    """Without the password that may be in it."""
    at = str(evening.at)
    if "=" in at or "://" in at:
        psycopg = pytest.importorskip("psycopg")
        facts = psycopg.conninfo.conninfo_to_dict(at)
        login = f"{facts.get('user', '')}:{facts.get('password', 'hush')}@{facts['host']}:{facts.get('port', 5432)}"
        url = f"postgresql://{login}/{facts['dbname']}"
        assert command(f"{url}?connect_timeout=9&schema=assignment_pipeline").returncode == 0
        wrong = [
            ([f"{url}?schema=mix"], "expected the tables of a store"),
            ([f"{url}?schema=mix", "--schema", "max"], "schema: expected one, got 'max' and 'mix'"),
            ([url, "--schema", 'a"b'], "expected the tables of a store"),
            ([f"{url}?hush=hush"], "expected the address of a PostgreSQL database"),
            (["dbname=x hush"], "expected the address of a PostgreSQL database"),
        ]
    else:
        wrong = [
            ([at, "--schema", "mix"], "schema: expected with the address of a PostgreSQL database only"),
            (["postgresql:ann:hush"], "not shown, for it may hold a password: expected a file of SQLite"),
            (["mysql://ann:hush@there/x"], "expected a file of SQLite or postgresql://..., got an address, mysql:..."),
        ]
    for arguments, why in wrong:
        done = command(*arguments)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert why in done.stderr
        assert "hush" not in done.stderr


def test_its_copy_of_the_lifecycle_is_whole():
    """Each row of the library's own table is in it, and no other."""
    rows = {
        (source.value, row.trigger.value, (row.dest or source).value) for row in TRANSITIONS for source in row.sources
    }
    assert rows == checker.invariants.LEGAL
