"""``review cases``: what can be done about each booking that waits for a person."""

from __future__ import annotations

import shlex

import pytest


@pytest.fixture
def db(cli, small, day_file, tmp_path):
    """The database of a day on which cat, a party of 30, waits for a person, and fay asks for what there is not."""
    small["bookings"].append({"id": "fay", "party_size": 2, "start_at": "2031-05-17T18:00+02:00", "zone": "Garden"})
    path = tmp_path / "day.sqlite3"
    assert cli("assign", day_file(small), "--db", path).code == 0
    return path


def test_each_case_has_commands_that_work(cli, db):
    """The soonest arrival first; the first way out of each does what it says."""
    shown = cli("review", "cases", "--db", db)
    assert shown.code == 0
    lines = shown.out.splitlines()
    names = [line.partition(":")[0] for line in lines if not line.startswith("  ")]
    assert names == ["fay", "cat"]
    assert "too large for any table or combination" in shown.out
    place = next(line.partition("  review ")[2] for line in lines if "review place fay" in line)
    done = cli("review", *shlex.split(place.replace("NAME", "ann")), "--db", db)
    assert done.code == 0
    assert done.out.startswith("Booking 'fay' has ")
    reject = cli("review", "reject", "cat", "--reason", "no_table", "--actor", "ann", "--db", db)
    assert reject.code == 0
    assert cli("review", "cases", "--db", db).out == "Nothing waits for a person.\n"


def test_a_program_gets_the_calls(cli, db):
    """With the method and its arguments, in pages; a wrong place is refused."""
    page = cli("review", "cases", "--limit", 1, "--db", db, "--json").json
    (case,) = page["cases"]
    assert (case["booking_id"], case["ways_out"][0]["method"]) == ("fay", "place")
    assert case["ways_out"][0]["arguments"]["allow"] == ["zone"]
    rest = cli("review", "cases", "--after", page["next"], "--db", db, "--json").json
    assert [one["booking_id"] for one in rest["cases"]] == ["cat"]
    assert cli("review", "cases", "--after", "cat", "--db", db).code == 2
