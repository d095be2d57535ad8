"""``assign``: a day, done once and for all, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import time

import pytest


def test_a_day_is_assigned(cli, small, day_file, problems):
    """One JSON object, with a line for every booking of the file in its order."""
    ended = cli("assign", day_file(small), "--json")
    assert (ended.code, ended.err) == (0, "")
    result = ended.json
    assert problems(small, result) == []
    assert list(result) == [
        "bookings",
        "confirmed",
        "manual_review",
        "retry",
        "failed",
        "noop",
        "covers",
        "double_booked",
        "seconds",
        "assignments",
    ]
    assert [result[key] for key in list(result)[:8]] == [5, 3, 1, 0, 0, 1, 8, 0]
    ada, bob, cat, dan, eve = result["assignments"]
    assert ada == {
        "booking_id": "ada",
        "outcome": "confirmed",
        "reason": None,
        "tables": ["W1"],
        "start_at": "2031-05-17T19:00+02:00",
        "end_at": "2031-05-17T20:30+02:00",
        "strategy": "optimal_fit",
    }
    assert (bob["tables"], bob["strategy"]) == (["W1", "W2"], "adjacency")
    assert bob["end_at"] == "2031-05-17T22:45+02:00"
    assert (cat["outcome"], cat["reason"], cat["tables"]) == ("manual_review", "party_too_large", [])
    assert (dan["start_at"], dan["end_at"]) == ("2031-05-17T19:00+02:00", "2031-05-17T20:00+02:00")
    assert (eve["outcome"], eve["reason"], eve["tables"], eve["strategy"]) == ("noop", "terminal_state", [], None)


def test_people_get_it_in_words(cli, small, day_file):
    """The numbers, and who has no tables and why."""
    ended = cli("assign", day_file(small), "--timeline")
    assert ended.code == 0
    for words in ("corner, Saturday 17 May 2031", "3  confirmed", "1  manual review", "too large", "cat", "8 guests"):
        assert words in ended.out
    assert "╞2·4" in ended.out


@pytest.mark.parametrize("seed", range(6))
def test_an_independent_look_finds_nothing(cli, made_up, day_file, problems, seed):
    """Days with rules and wishes of every kind."""
    document = made_up(seed, 20 + 4 * seed, 40 + 8 * seed)
    ended = cli("assign", day_file(document), "--json")
    assert (ended.code, problems(document, ended.json)) == (0, [])


@pytest.mark.slow
def test_an_independent_look_finds_nothing_on_large_days(cli, made_up, day_file, problems):
    """The same, for the largest houses: more guests than they can seat."""
    document = made_up(99, 200, int(os.environ.get("ASSIGNMENT_PIPELINE_TEST_BOOKINGS", "400")))
    ended = cli("assign", day_file(document), "--json")
    assert (ended.code, problems(document, ended.json)) == (0, [])


def test_the_independent_look_would_find_something(cli, made_up, day_file, problems):
    """Every kind of wrong seating that is slipped into a good result is found."""
    document = made_up(3)
    result = cli("assign", day_file(document), "--json").json
    seated = [row for row in result["assignments"] if row["outcome"] == "confirmed"]

    def spoiled(spoil):
        kept = json.dumps(result)
        spoil()
        found = problems(document, result)
        again = json.loads(kept)
        for row, before in zip(result["assignments"], again["assignments"], strict=True):
            row.update(before)
        result["covers"] = again["covers"]
        return found

    everywhere = [table["id"] for table in document["tables"]]
    assert any("at one time" in line for line in spoiled(lambda: [row.update(tables=["T1"]) for row in seated]))
    assert spoiled(lambda: seated[0].update(tables=everywhere))
    assert spoiled(lambda: seated[0].update(end_at=seated[0]["start_at"]))
    assert spoiled(lambda: seated[0].update(outcome="manual_review", tables=[], strategy=None, reason="no_fit"))
    assert spoiled(lambda: result.update(covers=result["covers"] + 1))
    assert spoiled(dict) == []


# -- Again --------------------------------------------------------------------------------------------------------


def test_a_second_run_changes_nothing(cli, made_up, day_file, dump, tmp_path):
    """Not one row, and it reports the same seating."""
    path, db = day_file(made_up(1)), tmp_path / "day.sqlite3"
    first = cli("assign", path, "--db", db, "--json")
    before = dump(db)
    second = cli("assign", path, "--db", db, "--json")
    assert (first.code, second.code) == (0, 0)
    assert dump(db) == before
    assert second.json | {"seconds": 0} == first.json | {"seconds": 0}


def test_more_bookings_can_follow(cli, small, day_file, tmp_path):
    """A longer file on the same database seats the new ones around those that are there."""
    db = tmp_path / "day.sqlite3"
    last = small["bookings"].pop(3)
    first = cli("assign", day_file(small), "--db", db, "--json").json["assignments"]
    small["bookings"].append(last)
    second = cli("assign", day_file(small), "--db", db, "--json").json["assignments"]
    assert second[:4] == first
    assert second[4]["tables"] == ["W2"]


def test_a_changed_booking_is_assigned_as_it_is_now(cli, small, day_file, tmp_path):
    """The file is the truth: a party that has grown gets other tables, or a person to see to it."""
    db = tmp_path / "day.sqlite3"
    cli("assign", day_file(small), "--db", db)
    small["bookings"][0]["party_size"] = 3
    rows = cli("assign", day_file(small), "--db", db, "--json").json["assignments"]
    assert (rows[0]["outcome"], rows[0]["tables"]) == ("confirmed", ["G1"])
    small["bookings"][0]["party_size"] = 4
    rows = cli("assign", day_file(small), "--db", db, "--json").json["assignments"]
    assert (rows[0]["outcome"], rows[0]["tables"]) == ("manual_review", [])


def test_bookings_that_change_places_end_as_on_a_new_database(cli, day_file, dump, tmp_path):
    """Who was refused while another still had the table gets it in the same run, and nobody is left due."""
    day = {
        "restaurant": {"id": "R", "timezone": "UTC"},
        "tables": [{"id": "T1", "capacity": 2}],
        "bookings": [
            {"id": name, "party_size": 2, "start_at": f"2031-05-16T{hour}:00Z"}
            for name, hour in (("ada", 19), ("bob", 21), ("cat", 21))
        ],
    }
    db = tmp_path / "day.sqlite3"
    cli("assign", day_file(day), "--db", db)
    for booking, hour in zip(day["bookings"], (21, 19, 21), strict=True):
        booking["start_at"] = f"2031-05-16T{hour}:00Z"
    path = day_file(day)
    again, fresh = (cli("assign", path, *stored) for stored in (("--db", db), ()))
    assert again.out.partition(" 3 bookings")[0] == fresh.out.partition(" 3 bookings")[0]
    assert again.out.partition("Booking")[2] == fresh.out.partition("Booking")[2]
    assert "1 taken" in again.out
    assert "22:30" in again.out  # The nearest times of the one that is refused.
    before = dump(db)
    result = cli("assign", path, "--db", db, "--json").json
    assert [one["tables"] for one in result["assignments"]] == [["T1"], ["T1"], []]
    assert dump(db) == before
    assert cli("sweep", "--db", db).out == "Nothing was due.\n"


def test_a_booking_that_was_cancelled_gives_up_its_tables(cli, small, day_file, problems, tmp_path):
    """Whoever comes next in the file may have them."""
    db = tmp_path / "day.sqlite3"
    small["bookings"].append({"id": "fay", "party_size": 2, "start_at": "2031-05-17T19:00+02:00", "zone": "Window"})
    before = cli("assign", day_file(small), "--db", db, "--json").json["assignments"]
    assert (before[0]["outcome"], before[5]["outcome"]) == ("confirmed", "manual_review")
    small["bookings"][0]["status"] = "cancelled"
    small["bookings"].append(small["bookings"].pop() | {"id": "gus"})
    result = cli("assign", day_file(small), "--db", db, "--json").json
    assert problems(small, result) == []
    ada, gus = result["assignments"][0], result["assignments"][5]
    assert (ada["outcome"], ada["tables"]) == ("noop", [])
    assert (gus["outcome"], gus["tables"]) == ("confirmed", before[0]["tables"])


def test_another_restaurants_booking_is_not_taken_over(cli, small, day_file, dump, tmp_path):
    """Ids are unique in a database; nothing of the second file is written."""
    db = tmp_path / "day.sqlite3"
    cli("assign", day_file(small), "--db", db)
    before = dump(db)
    small["restaurant"]["id"] = "other"
    path = day_file(small)
    ended = cli("assign", path, "--db", db)
    assert ended.code == 2
    assert ended.complaint == (
        f'{path}: bookings[0].id: expected an id that is free in the database, got "ada", '
        'which is a booking of "corner" there'
    )
    assert dump(db) == before


# -- Where to -----------------------------------------------------------------------------------------------------


def foreign(path):
    """A database of somebody else's."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE restaurants (name TEXT)")
    connection.close()


PLACES = {
    "another kind of file": (lambda path: path.write_text("hello " * 100), "got another kind of file"),
    "somebody else's database": (foreign, "got a database that is not ours"),
    "a directory": (lambda path: path.mkdir(), "got a directory"),
}


@pytest.mark.parametrize("name", PLACES)
def test_what_is_not_ours_is_left_alone(cli, small, day_file, tmp_path, name):
    """Refused, and untouched."""
    make, expected = PLACES[name]
    db = tmp_path / "there"
    make(db)
    before = db.read_bytes() if db.is_file() else None
    ended = cli("assign", day_file(small), "--db", db)
    assert ended.code == 2
    assert ended.complaint.startswith(f"{db}: expected a")
    assert expected in ended.complaint
    assert (db.read_bytes() if db.is_file() else None) == before


def test_a_folder_that_is_missing_is_named(cli, small, day_file, tmp_path):
    """Instead of what SQLite would say."""
    ended = cli("assign", day_file(small), "--db", tmp_path / "no" / "day.sqlite3")
    assert ended.code == 2
    assert ended.complaint.endswith(f"expected a SQLite database, got no folder {tmp_path / 'no'}")


@pytest.mark.parametrize("db", ["mysql://ann:secret@localhost/tables", "file:day.sqlite3", ":memory:"])
def test_other_addresses_are_refused(cli, small, day_file, db):
    """A database's address is not mistaken for a path, nor repeated with what is secret in it."""
    ended = cli("assign", day_file(small), "--db", db)
    assert ended.code == 2
    scheme = db.partition(":")[0]
    expected = "the path of a SQLite file, or a PostgreSQL address, postgresql://..."
    assert ended.complaint == f"--db: expected {expected}, got an address, {scheme}:..."


@pytest.mark.parametrize("command", ["demo", "sweep", "db init", "db check", "rollout status"])
@pytest.mark.parametrize(
    "given",
    [
        "sslmode=require host=localhost password=hush dbname=x nonsense=1",
        "'host=localhost password=hush'",
        "postgresql:ann:hush",
        "postgresql//ann:hush@localhost/x",
        "//ann:hush@localhost/x",
        "ann:hush@localhost/x",
        "hush@localhost/x",
        "/srv/x password=hush",
        "https://ann:hush@localhost/x",
    ],
)
def test_what_is_no_path_is_refused_unseen(cli, tmp_path, monkeypatch, command, given):
    """No file of such a name is made, and nothing of it is repeated, from the environment or the command line."""
    monkeypatch.chdir(tmp_path)
    asked = cli(*command.split(), "--db", given)
    monkeypatch.setenv("ASSIGNMENT_PIPELINE_DB", given)
    for ended in (asked, cli(*command.split())):
        assert ended.code == 2
        assert ended.complaint.startswith("--db: expected ")
        assert "hush" not in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["./a=b.sqlite3", "./day@noon.sqlite3"])
def test_a_file_may_be_called_anything_in_its_folder(cli, tmp_path, monkeypatch, name):
    """With the folder before it, it is no address."""
    monkeypatch.chdir(tmp_path)
    assert cli("db", "init", "--db", name).code == 0
    assert [path.name for path in tmp_path.iterdir()] == [name[2:]]


def test_an_empty_file_will_do(cli, small, day_file, tmp_path):
    """As mktemp leaves one."""
    db = tmp_path / "day.sqlite3"
    db.touch()
    assert cli("assign", day_file(small), "--db", db).code == 0


# -- Interrupted, and at once -------------------------------------------------------------------------------------


def reported(process):
    """What a process that was started has printed at its end."""
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err.decode()) == (0, "")
    return json.loads(out)


def test_two_at_once_both_end_well(start, made_up, day_file, problems, dump, tmp_path, cli):
    """Two processes on one database: the same seating, nobody twice, and nothing left to do."""
    document = made_up(5, 24, 80)
    path, db = day_file(document), tmp_path / "day.sqlite3"
    results = [reported(process) for process in [start("assign", path, "--db", db, "--json") for _ in range(2)]]
    before = dump(db)
    final = cli("assign", path, "--db", db, "--json").json
    assert dump(db) == before
    assert problems(document, final) == []
    for result in results:
        assert result | {"seconds": 0} == final | {"seconds": 0}


def assignments(db):
    """How many bookings have tables by now."""
    try:
        with sqlite3.connect(f"file:{db}?mode=ro", uri=True) as connection:
            return connection.execute("SELECT count(*) FROM booking_table_assignments").fetchone()[0]
    except sqlite3.Error:
        return 0
    finally:
        if "connection" in locals():
            connection.close()


@pytest.mark.parametrize("after", [0, 1, 20])
def test_a_run_that_was_killed_can_be_repeated(start, cli, made_up, day_file, problems, tmp_path, after):
    """Whenever it was killed, the next run completes the day."""
    document = made_up(7, 24, 120)
    path, db = day_file(document), tmp_path / "day.sqlite3"
    process = start("assign", path, "--db", db, "--json")
    give_up = time.monotonic() + 30
    while (assignments(db) < after if after else not db.exists()) and time.monotonic() < give_up:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert process.returncode != 0
    ended = cli("assign", path, "--db", db, "--json")
    assert (ended.code, problems(document, ended.json)) == (0, [])


def test_what_a_killed_run_left_half_written_is_undone(cli, made_up, day_file, problems, tmp_path):
    """The journal beside the file of one that ended while it was making its tables."""
    document = made_up(7, 8, 20)
    making, db = tmp_path / "making.sqlite3", tmp_path / "day.sqlite3"
    with contextlib.closing(sqlite3.connect(making, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 1")
        connection.executescript("BEGIN; CREATE TABLE half (text);")
        connection.executemany("INSERT INTO half VALUES (?)", [("x" * 4000,)] * 50)
        for end in ("", "-journal"):
            shutil.copy(f"{making}{end}", f"{db}{end}")
    ended = cli("assign", day_file(document), "--db", db, "--json")
    assert (ended.code, problems(document, ended.json)) == (0, [])


def test_a_changed_booking_is_never_shown_at_tables_too_small_for_it(cli, tmp_path):
    """On the same database the file is the truth: a party that outgrew its table gives it up."""
    day = {
        "restaurant": {"id": "R", "timezone": "UTC"},
        "tables": [{"id": "T1", "capacity": 2}],
        "bookings": [{"id": "B1", "party_size": 2, "start_at": "2031-05-16T19:00:00Z"}],
    }
    path, db = tmp_path / "day.json", tmp_path / "day.db"
    shown = []
    for size in (2, 9, 9):
        day["bookings"][0]["party_size"] = size
        path.write_text(json.dumps(day), encoding="utf-8")
        shown.append(cli("assign", path, "--db", db, "--json").json)
    assert [(each["confirmed"], each["covers"]) for each in shown] == [(1, 2), (0, 0), (0, 0)]
    assert shown[1]["assignments"] == shown[2]["assignments"]
    assert shown[1]["assignments"][0]["reason"] == "party_too_large"


def test_a_read_only_database_is_refused_before_it_is_opened(cli, tmp_path, made_up):
    """Also for the superuser, whom the permissions would not stop; nothing is left beside it."""
    path, db = tmp_path / "day.json", tmp_path / "day.db"
    path.write_text(json.dumps(made_up(3)), encoding="utf-8")
    command = ("assign", path, "--db", db, "--json")
    assert cli(*command).code == 0
    db.chmod(0o444)
    refused = cli(*command)
    assert refused.code == 2
    assert f"{db}: expected a SQLite database that can be written to" in refused.complaint
    assert sorted(file.name for file in tmp_path.iterdir()) == ["day.db", "day.json"]
