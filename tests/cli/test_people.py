"""``review`` and ``sweep``: what people and timers do."""

from __future__ import annotations

import datetime as dt

import pytest

from assignment_pipeline import Settings

APP = """
import atexit
from pathlib import Path

from assignment_pipeline import Coordinator, Mode
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost
from assignment_pipeline.rollout.flags import FixedFlags

store = SQLiteStore(Path(__file__).with_name("day.sqlite3"), host=StandaloneHost())
atexit.register(store.close)
number = 7


def coordinator():
    return Coordinator(store, flags=FixedFlags(Mode.ACTIVE))


class wired:
    ready = coordinator()


def broken():
    raise KeyError("DATABASE_URL")


class Unawaited(StandaloneHost):
    async def booking(self, connection, booking_id): ...


def unawaited():
    return Coordinator(SQLiteStore(Path(__file__).with_name("day.sqlite3"), host=Unawaited()))
"""


@pytest.fixture
def db(cli, small, day_file, tmp_path):
    """The database of a day on which cat's party is in review, and fay's."""
    fay = {"id": "fay", "party_size": 2, "start_at": "2031-05-17T19:00+02:00", "zone": "Window", "accessible": True}
    small["bookings"].append(fay)
    path = tmp_path / "day.sqlite3"
    assert cli("assign", day_file(small), "--db", path).code == 0
    return path


def test_reviews_are_listed(cli, db):
    """With why they wait and for how long."""
    ended = cli("review", "list", "--db", db)
    assert ended.code == 0
    cat, fay = ended.out.splitlines()[1:3]
    assert cat.split()[:4] == ["cat", "30", "2031-05-17", "19:00"]
    assert "too large for any table" in cat
    assert fay.startswith("fay")
    assert "0 min" in fay


def test_reviews_are_paged(cli, db):
    """A page says where the next one begins."""
    first = cli("review", "list", "--db", db, "--json", "--limit", 1).json
    assert [entry["booking_id"] for entry in first["reviews"]] == ["cat"]
    assert first["reviews"][0]["reason"] == "party_too_large"
    assert first["next"] == "2031-05-17T17:00:00+00:00 cat"
    second = cli("review", "list", "--db", db, "--json", "--after", first["next"]).json
    assert ([entry["booking_id"] for entry in second["reviews"]], second["next"]) == (["fay"], None)
    assert f"--after {first['next']!r}" in cli("review", "list", "--db", db, "--limit", 1).out.replace("\n", " ")
    refused = cli("review", "list", "--db", db, "--after", "cat")
    assert (refused.code, refused.complaint) == (2, "--after: expected the `next` of a page of reviews, got 'cat'")
    assert len(cli("review", "list", "--db", db, "--restaurant", "corner", "--json").json["reviews"]) == 2


def test_a_person_places_a_booking(cli, db):
    """Rules may be overruled by name, and the answer no is one sentence."""
    refused = cli("review", "place", "fay", "G1", "--actor", "ann", "--db", db)
    assert refused.code == 1
    assert refused.complaint == "Booking 'fay' cannot be placed so: it breaks zone, accessible."
    allowed = ("--allow", "zone", "--allow", "accessible")
    placed = cli("review", "place", "fay", "G1", "--actor", "ann", "--db", db, *allowed)
    assert (placed.code, placed.out) == (0, "Booking 'fay' has G1 now.\n")
    moved = cli("review", "place", "fay", "G1", "--actor", "ann", "--db", db, *allowed, "--json")
    assert moved.json["tables"] == ["G1"]
    row = next(
        entry for entry in cli("review", "list", "--db", db, "--json").json["reviews"] if entry["booking_id"] == "cat"
    )
    assert row["version"] > 0


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("place", "fay", "W1"), 1, "Already taken for part of the window: W1."),
        (
            ("place", "fay", "X9"),
            2,
            "Booking 'fay' cannot be placed so: it breaks unknown_table: there is no table 'X9'.",
        ),
        (("place", "nobody", "W1"), 2, "Booking 'nobody' is known neither to the host nor to the pipeline."),
        (("place", "fay", "W1", "--allow", "taken"), 2, "--allow: expected one of accessible, forbidden,"),
        (("place", "fay", "G1", "--expect-version", "99"), 2, "The version of booking 'fay' has changed"),
        (("requeue", "nobody"), 2, "Booking 'nobody' is known"),
        (("requeue", "eve"), 2, "Booking 'eve' is cancelled at the host and has no record here: it needs"),
        (("reject", "ada", "--reason", "no_show"), 2, "An assignment that is confirmed cannot fail."),
        (("reject", "fay", "--reason", "Was rude"), 2, "--reason: expected a short code such as maintenance or"),
    ],
)
def test_no_is_one_sentence(cli, db, arguments, code, expected):
    """And what was not understood is another."""
    ended = cli("review", *arguments, "--actor", "ann", "--db", db)
    assert ended.code == code
    assert ended.complaint.startswith(expected)


def test_requeueing_and_sweeping(cli, db):
    """What is put back is taken up by the next sweep; then there is nothing left to do."""
    assert cli("review", "requeue", "fay", "--actor", "ann", "--db", db).out == (
        "Booking 'fay' waits for the next sweep.\n"
    )
    swept = cli("sweep", "--db", db, "--json")
    assert swept.code == 0
    assert [(result["booking_id"], result["outcome"]) for result in swept.json["results"]] == [("fay", "retry")]
    # The time to the next attempt is drawn, and may be over by now; after the last attempt there is none.
    attempts = range(Settings().max_retries + 1)
    assert "Nothing was due.\n" in [cli("sweep", "--db", db).out for _ in attempts]


def test_rejecting_is_final(cli, db):
    """A booking that was turned down waits for nobody, and the day's report says so."""
    rejected = cli("review", "reject", "cat", "--actor", "ann", "--reason", "too_many", "--db", db, "--json")
    assert rejected.json["outcome"] == "failed"
    again = cli("review", "reject", "cat", "--actor", "ann", "--reason", "too_many", "--db", db)
    assert (again.code, again.complaint) == (
        2,
        "An assignment that is failed cannot fail. `reinstate` puts it back (`assignment-pipeline service reinstate`).",
    )
    waiting = cli("review", "list", "--db", db, "--json").json["reviews"]
    assert [entry["booking_id"] for entry in waiting] == ["fay"]


@pytest.fixture
def suggesting(cli, small, day_file, tmp_path):
    """The database of a day on which fay could be seated if somebody agreed to move whoever has W1."""
    fay = {"id": "fay", "party_size": 2, "start_at": "2031-05-17T19:00+02:00", "zone": "Window", "accessible": True}
    small["bookings"].append(fay)
    small["policy"]["reseat"] = "suggest"
    path = tmp_path / "day.sqlite3"
    rows = cli("assign", day_file(small), "--db", path, "--json").json["assignments"]
    (there,) = (row["booking_id"] for row in rows if row["tables"] == ["W1"])
    return path, there


def test_what_would_do_is_suggested(cli, suggesting):
    """In a sentence, and as data."""
    path, there = suggesting
    ended = cli("review", "suggest", "fay", "--db", path)
    assert ended.code == 0
    assert ended.out.startswith("2 guests at 19:00: no free tables were found (")
    assert f"They would fit at table W1, once {there} moves from W1 to G1." in ended.out
    found = cli("review", "suggest", "fay", "--db", path, "--json").json
    assert found["moves"] == [{"booking_id": there, "from": ["W1"], "to": ["G1"]}]
    assert (found["tables"], found["strategy"], found["refusal"]) == (["W1"], "reseating", "no_fit")
    assert found["sentence"] == ended.out.strip()


def test_what_is_suggested_is_done_by_somebody(cli, suggesting):
    """The tables and the moves in one; without a name it is a slip."""
    path, there = suggesting
    assert cli("review", "suggest", "fay", "--apply", "--db", path).code == 2
    done = cli("review", "suggest", "fay", "--apply", "--actor", "ann", "--db", path, "--json").json
    assert (done["outcome"], done["tables"], done["moved"]) == ("confirmed", ["W1"], [there])
    ended = cli("review", "suggest", "cat", "--db", path)
    assert (ended.code, ended.out.split(":")[1]) == (1, "00")
    assert "too large" in ended.out


# -- The host's own wiring ----------------------------------------------------------------------------------------


def test_an_application_brings_its_own_wiring(shell, db):
    """A factory or a coordinator, by option or from the environment."""
    db.with_name("backend.py").write_text(APP)
    by_option = shell("review", "list", "--json", "--app", "backend:coordinator")
    assert [entry["booking_id"] for entry in by_option.json["reviews"]] == ["cat", "fay"]
    by_environment = shell("review", "list", "--json", ASSIGNMENT_PIPELINE_APP="backend:wired.ready")
    assert by_environment.json == by_option.json


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        ("backend", "--app: expected package.module:factory, got 'backend'"),
        ("nowhere:app", "--app nowhere:app: expected something to import, got ModuleNotFoundError: No module"),
        ("backend:nothing", "--app backend:nothing: expected something to import, got AttributeError: "),
        ("backend:number", "--app backend:number: expected a Coordinator, or what returns one, got a int"),
        ("backend:broken", "--app backend:broken: expected a factory that returns, got KeyError from backend.py:"),
        (
            "backend:unawaited",
            "--app backend:unawaited: expected a factory that returns, got TypeError from backend.py:",
        ),
    ],
)
def test_wiring_that_does_not_work_is_one_line(cli, tmp_path, monkeypatch, app, expected):
    """It names the option, and what came of it."""
    (tmp_path / "backend.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "backend", raising=False)
    ended = cli("sweep", "--app", app)
    assert ended.code == 2
    assert ended.complaint.startswith(expected)


def test_a_host_of_coroutines_is_told_so(cli, tmp_path, monkeypatch):
    """What this library says of the types that it was wired with is said in full."""
    (tmp_path / "backend.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "backend", raising=False)
    complaint = cli("sweep", "--app", "backend:unawaited").complaint
    assert "Unawaited.booking is a coroutine function, which nobody awaits here. Write it with def" in complaint


def test_a_database_and_an_application_are_not_both_worked_on(cli, tmp_path, monkeypatch):
    """In either order; what only the environment names gives way to what the command line names."""
    path = str(tmp_path / "day.db")
    for options in (["--db", path, "--app", "x:y"], ["--app", "x:y", "--db", path]):
        refused = cli("sweep", *options)
        assert (refused.code, refused.complaint) == (2, "--db and --app: expected one of them, got both")
    cli("db", "init", "--db", path)
    monkeypatch.setenv("ASSIGNMENT_PIPELINE_APP", "x:y")
    assert cli("sweep", "--db", path).code == 0


def test_something_to_work_on_must_be_named(cli):
    """A database or an application."""
    assert cli("sweep").complaint == "--db or --app: expected one of them, got none"


def test_a_booking_is_cancelled_by_mistake(cli, db):
    """It is put back; one that nobody knows was mistyped, and is not cancelled for good."""
    by = ("--actor", "ann", "--db", db)
    assert cli("service", "cancel", "ada", *by).out == "Booking 'ada' is cancelled.\n"
    refused = cli("service", "confirm", "ada", *by)
    assert (refused.code, refused.complaint) == (
        1,
        "Booking 'ada' holds no tables any more. `service reinstate` puts it back.",
    )
    assert cli("service", "reinstate", "ada", *by).out.startswith("Booking 'ada' is back, at W")
    assert cli("service", "confirm", "ada", *by).out.startswith("Booking 'ada' is confirmed, at W")
    assert cli("service", "cancel", "nobody", *by).code == 2
    assert cli("service", "walk-in", "corner", "2", "--booking", "door", *by).code == 0
    sits = cli("service", "cancel", "door", *by)
    assert (sits.code, sits.complaint.endswith("`service left` says that it has gone.")) == (1, True)


def test_another_time_is_agreed_on(cli, db):
    """With the command that the queue names; the row of a host of ours follows. So does another number of guests."""
    by = ("--actor", "ann", "--db", db)
    cases = cli("review", "cases", "--db", db).out
    assert "review reject cat --reason no_table --actor NAME" in cases
    retimes = [line.split("review retime ")[1].split() for line in cases.splitlines() if "review retime" in line]
    (name, time, *_) = retimes[0]
    done = cli("review", "retime", name, time, *by)
    assert (done.code, done.out.startswith(f"Booking {name!r} comes at 2031-05-17 ")) == (0, True)
    shown = cli("show", name, "--db", db, "--json").json
    assert shown["booking"]["start_at"] == dt.datetime.fromisoformat(time).astimezone(dt.UTC).isoformat()
    assert cli("service", "party-changed", name, "1", *by).code == 0
    assert cli("show", name, "--db", db, "--json").json["booking"]["party_size"] == 1
    waits = cli("review", "retime", "cat", "2031-05-17T20:00+02:00", *by)
    told = "Booking 'cat' is to come at 2031-05-17 20:00 now, and waits for tables: "
    assert (waits.code, waits.complaint.startswith(told)) == (1, True)
    assert cli("show", "cat", "--db", db, "--json").json["booking"]["start_at"] == "2031-05-17T18:00:00+00:00"


def test_the_nearest_times_are_the_restaurants(cli, db):
    """As all other times of the text; programs get them with their offset."""
    (shown,) = [line for line in cli("show", "fay", "--db", db).out.splitlines() if "nearest" in line]
    (attempt,) = cli("show", "fay", "--db", db, "--json").json["attempts"]
    times = [dt.datetime.fromisoformat(text) for text in attempt["metadata"]["nearest"].split(", ")]
    assert f"nearest {' '.join(f'{time + dt.timedelta(hours=2):%H:%M}' for time in times)};" in shown
