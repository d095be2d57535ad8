"""``service`` and ``tables``, ``review pin`` and ``unpin``: what goes on in the room."""

from __future__ import annotations

import sys

import pytest

APP = """
import datetime as dt
from pathlib import Path

from assignment_pipeline import Coordinator, Mode
from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost
from assignment_pipeline.rollout.flags import FixedFlags
from assignment_pipeline.testing import FakeClock

clock = FakeClock(dt.datetime(2031, 5, 17, 17, 40, tzinfo=dt.UTC))
store = SQLiteStore(Path(__file__).with_name("day.sqlite3"), host=StandaloneHost(), clock=clock)


def coordinator():
    return Coordinator(store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=())
"""
ANN = ("--actor", "ann")


@pytest.fixture
def evening(cli, db, monkeypatch):
    """Runs a command at twenty to eight, as if each had a process of its own."""
    db.with_name("evening.py").write_text(APP)
    monkeypatch.syspath_prepend(db.parent)

    def at_twenty_to_eight(*arguments):
        ended = cli(*arguments, "--app", "evening:coordinator")
        sys.modules.pop("evening").store.close()
        return ended

    return at_twenty_to_eight


@pytest.fixture
def at_table(at):
    """The table of ada's, who comes in time."""
    (ada,) = at(17, 0, "service", "seated", "ada", *ANN, "--json").json["tables"]
    return ada


def test_bookings_are_pinned_and_unpinned(cli, db):
    """As often as one likes; only what has tables."""
    for _ in range(2):
        pinned = cli("review", "pin", "bob", *ANN, "--db", db)
        assert (pinned.code, pinned.out) == (0, "Booking 'bob' stays at W1 + W2.\n")
    unpinned = cli("review", "unpin", "bob", *ANN, "--db", db, "--json")
    assert (unpinned.json["outcome"], unpinned.json["reason"], unpinned.json["version"]) == ("confirmed", "unpinned", 7)
    refused = cli("review", "unpin", "cat", *ANN, "--db", db)
    assert (refused.code, refused.complaint) == (2, "Booking 'cat' has no tables: its assignment is manual_review.")
    placed = cli("review", "place", "bob", "W1", "W2", *ANN, "--no-pin", "--db", db)
    assert placed.out == "Booking 'bob' has W1 + W2 now.\n"
    assert cli("review", "unpin", "bob", *ANN, "--db", db, "--json").json["outcome"] == "noop"


def test_a_party_sits_down_and_stays_on(cli, db, at_table, at):
    """Until somebody else has the table: that is told, with whom, and nothing is changed."""
    assert at(17, 0, "service", "seated", "dan", *ANN).out.startswith("Booking 'dan' sits at W")
    longer = cli("service", "extend", "ada", "2031-05-17T20:45+02:00", *ANN, "--db", db)
    assert (longer.code, longer.out) == (0, f"Booking 'ada' has {at_table} until 2031-05-17 20:45.\n")
    too_long = ("service", "extend", "ada", "2031-05-17T21:30+02:00", *ANN, "--db", db)
    refused = cli(*too_long)
    assert refused.code == 1
    assert refused.complaint == f"{at_table} is taken until then by bob: nothing was changed."
    told = cli(*too_long, "--json")
    assert (told.code, told.json["outcome"], told.json["displaced"]) == (1, "kept", ["bob"])
    closer = ("service", "extend", "ada", "2031-05-17T20:55+02:00", *ANN, "--db", db)
    refused = cli(*closer)
    laid = f"{at_table} is to be laid for bob by then: nothing was changed."
    assert (refused.code, refused.complaint) == (1, f"{laid} --allow laying_time does it all the same.")
    assert cli(*closer, "--allow", "laying_time").out == f"Booking 'ada' has {at_table} until 2031-05-17 20:55.\n"
    assert cli(*closer, "--allow", "size").code == 2


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("nine", "UNTIL: expected an ISO 8601 time with an offset, in whole minutes, such as 2031-05-17T19:30+02:00"),
        ("2031-05-17T21:30", "UNTIL: expected an ISO 8601 time with an offset"),
        ("2031-05-17T21:30:30Z", "UNTIL: expected an ISO 8601 time with an offset"),
        ("2031-05-17T18:30Z", "UNTIL: expected a time after 2031-05-17T20:30+02:00, 2031-05-18T19:00+02:00 at"),
    ],
)
def test_a_wrong_time_is_one_line(cli, db, until, expected):
    """It names the place, what was expected, and what was found."""
    ended = cli("service", "extend", "ada", until, *ANN, "--db", db)
    assert ended.code == 2
    assert ended.complaint.startswith(expected)


def test_nobody_has_left_before_they_came(cli, db):
    """In one sentence."""
    for command in ("left", "no-show"):
        ended = cli("service", command, "ada", *ANN, "--db", db)
        assert ended.code == 2
        assert ended.complaint == "The turn of booking 'ada' begins only at 2031-05-17T19:00+02:00."


def test_nobody_sits_down_on_another_day(cli, db):
    """It is a typo: one sentence says when the party comes, and what to do if it does come today."""
    refused = cli("service", "seated", "bob", *ANN, "--db", db)
    begins = "The turn of booking 'bob' begins only at 2031-05-17T21:00+02:00"
    remedy = "a party that comes on another day is rescheduled with `reassign`, or seated as a walk-in"
    assert (refused.code, refused.complaint) == (2, f"{begins}: {remedy}.")
    assert cli("service", "left", "bob", *ANN, "--db", db).code == 2


def test_whoever_leaves_and_whoever_never_came(evening):
    """Their tables are free."""
    assert evening("service", "left", "ada", *ANN).out in {"W1 is free.\n", "W2 is free.\n"}
    assert (
        evening("service", "left", "ada", *ANN).complaint
        == "The party of booking 'ada' has left already, or its time is over."
    )
    gone = evening("service", "no-show", "dan", *ANN)
    assert (gone.code, gone.out) == (0, "Booking 'dan' is cancelled: nobody came.\n")
    assert evening("service", "no-show", "dan", *ANN).complaint.startswith("Booking 'dan' has no tables")


def test_a_zone_goes_out_of_service_and_comes_back(cli, db):
    """In one act; the same twice is one."""
    times = ("--from", "2031-05-17T19:30+02:00", "--until", "2031-05-17T20:00+02:00")
    block = ("tables", "block", "corner", "--zone", "Window", *times, *ANN, "--reason", "leak", "--db", db)
    closed = cli(*block, "--json").json
    assert (closed["zone"], [one["table_id"] for one in closed["blocks"]]) == ("Window", ["W1", "W2"])
    assert cli(*block, "--json").json == closed
    assert [line.split(":")[0] for line in cli(*block).out.splitlines()[:2]] == [
        "Table 'W1' is out of service",
        "Table 'W2' is out of service",
    ]
    unblock = ("tables", "unblock", "corner", "--zone", "Window", *ANN, "--db", db)
    assert sorted(cli(*unblock).out.splitlines()) == [
        "Table 'W1' is back in service.",
        "Table 'W2' is back in service.",
    ]
    assert cli(*unblock).out == "No table of the zone 'Window' is out of service.\n"
    assert cli(*unblock, "--json").json == {"zone": "Window", "blocks": []}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("block", "W1", "--zone", "Window"), "TABLE: expected a TABLE or --zone, got both"),
        (("block",), "TABLE: expected a TABLE or --zone, got neither"),
        (("block", "--zone", "Attic"), "Restaurant 'corner' has no table in a zone 'Attic'."),
        (("unblock", "k-1", "--zone", "Window"), "BLOCK: expected a BLOCK or --zone, got both"),
        (("unblock",), "BLOCK: expected a BLOCK or --zone, got neither"),
    ],
)
def test_it_is_a_table_or_a_zone(cli, db, words, said):
    """One of the two; what is wrong is said in one line."""
    act, *what = words
    times = ("--from", "2031-05-17T19:30+02:00", "--until", "2031-05-17T20:00+02:00", "--reason", "leak")
    ended = cli("tables", act, "corner", *what, *ANN, *(times if act == "block" else ()), "--db", db)
    assert (ended.code, ended.complaint) == (2, said)


def test_tables_go_out_of_service_and_come_back(cli, db, at_table):
    """Who still has the table is named; the list says until when it is gone, and why."""
    times = ("--from", "2031-05-17T19:30+02:00", "--until", "2031-05-17T20:00+02:00")
    block = ("tables", "block", "corner", at_table, *times, *ANN, "--reason", "leak", "--db", db)
    blocked = cli(*block)
    assert blocked.code == 0
    first, second = blocked.out.splitlines()
    assert first.startswith(f"Table '{at_table}' is out of service: ")
    assert second == "Still there: ada."
    block_id = first.rpartition(" ")[2]
    line = cli("tables", "list", "corner", "--db", db).out.splitlines()[1]
    assert line.split()[:7] == [at_table, "2031-05-17", "19:30", "2031-05-17", "20:00", "leak", "ann"]
    assert cli("tables", "list", "corner", "--db", db, "--json").json == {
        "blocks": [
            {
                "id": block_id,
                "restaurant_id": "corner",
                "table_id": at_table,
                "start_at": "2031-05-17T17:30+00:00",
                "end_at": "2031-05-17T18:00+00:00",
                "reason": "leak",
                "actor": "ann",
            }
        ]
    }
    assert cli(*block, "--json").json["bookings"] == ["ada"]
    for entry in cli("tables", "list", "corner", "--db", db, "--json").json["blocks"]:
        ended = cli("tables", "unblock", "corner", entry["id"], *ANN, "--db", db)
        assert ended.out == f"Table '{at_table}' is back in service.\n"
    assert cli("tables", "list", "corner", "--db", db).out == "Every table is in service.\n"


def test_a_day_closes_its_tables_and_opens_them_again(cli, small, day_file, tmp_path):
    """The file is the truth about what it has closed; what people have, it leaves alone."""
    db = tmp_path / "closed.sqlite3"
    span = {"start_at": "2031-05-17T19:00+02:00", "end_at": "2031-05-17T20:00+02:00"}
    open_day = day_file(small, "open.json")
    small["tables"][0]["out_of_service"] = [span]
    closed_day = day_file(small, "closed.json")
    for _ in range(2):
        seats = {
            one["booking_id"]: one["tables"]
            for one in cli("assign", closed_day, "--db", db, "--json").json["assignments"]
        }
        assert {tuple(seats["ada"]), tuple(seats["dan"])} == {("W2",), ("G1",)}
        (block,) = cli("tables", "list", "corner", "--db", db, "--json").json["blocks"]
        assert (block["table_id"], block["actor"]) == ("W1", "SERVICE.json")
    times = ("--from", span["start_at"], "--until", span["end_at"])
    assert cli("tables", "block", "corner", "G1", *times, *ANN, "--reason", "rain", "--db", db).code == 0
    assert cli("assign", open_day, "--db", db).code == 0
    blocks = cli("tables", "list", "corner", "--db", db, "--json").json["blocks"]
    assert [(block["table_id"], block["actor"]) for block in blocks] == [("G1", "ann")]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"corner": "nowhere"}, "The host has no venue for restaurant 'nowhere'."),
        ({"W1": "X9"}, "Restaurant 'corner' has no table 'X9'."),
        ({"20:00": "19:00"}, "--until: expected a time after --from, both in the years 1970 to 9998, got '2031-"),
        ({"2031-05-17T19:30+02:00": "now"}, "--from: expected an ISO 8601 time with an offset"),
        (
            {"leak": "Guest 12 broke it"},
            "--reason: expected a short code such as maintenance or guest_withdrew, got 'Guest 12 broke it'",
        ),
    ],
)
def test_what_cannot_be_blocked_is_one_line(cli, db, change, expected):
    """Nothing is written."""
    words = ["corner", "W1", "--from", "2031-05-17T19:30+02:00", "--until", "2031-05-17T20:00+02:00"]
    words += [*ANN, "--reason", "leak"]
    for old, new in change.items():
        words = [word.replace(old, new) for word in words]
    ended = cli("tables", "block", *words, "--db", db)
    assert ended.code == 2
    assert ended.complaint.startswith(expected)
    assert cli("tables", "list", "corner", "--db", db, "--json").json == {"blocks": []}
    missing = cli("tables", "unblock", "corner", "k", *ANN, "--db", db)
    assert (missing.code, missing.complaint) == (2, "Restaurant 'corner' has no block 'k'.")


APP_AT = APP.replace("17, 17, 40", "17, {hour}, {minute}")


@pytest.fixture
def at(cli, db, monkeypatch):
    """Runs a command at a time of the evening, in UTC."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # Two versions of the application may be of one second.
    monkeypatch.syspath_prepend(db.parent)

    def run(hour, minute, *arguments):
        db.with_name("evening.py").write_text(APP_AT.format(hour=hour, minute=minute))
        ended = cli(*arguments, "--app", "evening:coordinator")
        sys.modules.pop("evening").store.close()
        return ended

    return run


def test_the_door_is_told_who_is_due_over_and_next(at):
    """In a table for people, and as JSON; a sentence where there is nobody."""
    due = at(17, 12, "service", "due", "corner")
    assert [line.split()[0] for line in due.out.splitlines()] == ["Booking", "ada", "dan"]
    assert "12 min" in due.out
    known = at(17, 12, "service", "due", "corner", "--json").json["due"]
    assert [(one["booking_id"], one["late"]) for one in known] == [("ada", 12), ("dan", 12)]
    for name in ("ada", "dan"):
        assert at(17, 12, "service", "seated", name, *ANN).code == 0
    assert at(17, 13, "service", "due", "corner").out == "Nobody is due who does not sit.\n"
    assert at(17, 13, "service", "over", "corner").out == "Nobody is over time.\n"
    assert at(17, 13, "service", "conflicts", "corner").out == "No party is in another one's way.\n"
    following = at(17, 13, "service", "next", "corner", "--json").json["next"]
    assert {one["booking_id"] for one in following} == {"bob"}
    assert {one["sitting"] for one in following} == {"ada", "dan"}
    (one,) = at(17, 13, "service", "next", "corner", "--table", following[0]["table_id"], "--json").json["next"]
    assert one == following[0]
    over = at(19, 3, "service", "over", "corner").out.splitlines()[1:]
    assert [(line.split()[0], line.split()[-1]) for line in over] == [("dan", "bob"), ("ada", "bob")]
    assert at(19, 3, "service", "over", "corner", "--json").json["over"][0]["waiting"] == ["bob"]
    refused = at(19, 3, "service", "seated", "bob", *ANN)
    assert (refused.code, refused.complaint) == (
        1,
        "The parties of ada, dan still sit at W1 + W2: nothing was changed.",
    )
    conflicts = at(19, 3, "service", "conflicts", "corner")
    assert "The party of 'ada' leaves: its tables are free.  service left ada --actor NAME" in conflicts.out
    found = at(19, 3, "service", "conflicts", "corner", "--json").json["conflicts"]
    assert {(one["booking_id"], one["sitting"]) for one in found} == {("bob", "ada"), ("bob", "dan")}
    queue = at(19, 3, "review", "cases", "--restaurant", "corner")
    assert "bob: The party of 'ada' still sits at " in queue.out
    assert "  The party of 'ada' leaves: its tables are free.  service left ada --actor NAME" in queue.out
    found = at(19, 3, "review", "cases", "--json").json["conflicts"]
    assert [one["booking_id"] for one in found] == ["bob", "bob"]
    for name in ("ada", "dan"):
        assert at(19, 4, "service", "left", name, *ANN).code == 0
    assert at(19, 4, "service", "seated", "bob", *ANN).code == 0
    assert at(19, 4, "service", "next", "corner").out == "Nobody is expected any more today.\n"


def test_a_restaurant_or_table_that_is_not_there_is_said(at):
    """In one sentence, and with the code of bad input."""
    for question in ("due", "over", "next", "conflicts"):
        ended = at(17, 12, "service", question, "nowhere")
        assert (ended.code, ended.out) == (2, "")
        assert "'nowhere'" in ended.complaint
    assert at(17, 12, "service", "next", "corner", "--table", "T9").code == 2


def test_a_party_that_has_left_is_not_reinstated(at):
    """It is said what puts it back, and that does."""
    for command in ("seated", "left"):
        assert at(17, 12, "service", command, "ada", *ANN).code == 0
    refused = at(17, 14, "service", "reinstate", "ada", *ANN)
    told = "The party of booking 'ada' has left. `service seated` says that it is back."
    assert (refused.code, refused.complaint) == (1, told)
    assert at(17, 15, "service", "seated", "ada", *ANN).out.startswith("Booking 'ada' sits at W")


def test_a_mistake_is_undone(at):
    """A no-show who comes is back; twice is nothing to undo; a booking that never was is unknown."""
    tables = at(17, 12, "service", "no-show", "ada", *ANN, "--json").json
    assert tables["tables"] == []
    back = at(17, 14, "service", "reinstate", "ada", *ANN)
    assert (back.code, back.out[:27]) == (0, "Booking 'ada' is back, at W")
    again = at(17, 15, "service", "reinstate", "ada", *ANN)
    assert (again.code, again.complaint) == (1, "Booking 'ada' has not ended: there is nothing to undo.")
    unknown = at(17, 15, "service", "reinstate", "nobody", *ANN)
    assert unknown.code == 2
    assert "'nobody'" in unknown.complaint
    over = at(20, 30, "service", "no-show", "ada", *ANN)
    assert over.code == 0
    late = at(20, 31, "service", "reinstate", "ada", *ANN)
    assert (late.code, late.out) == (2, "")
    assert late.complaint.endswith(": make a new booking.")


def test_another_number_of_guests_is_written_down(at):
    """Where the seats are there; else the command says so, and what would do."""
    known = at(17, 12, "service", "seated", "ada", *ANN, "--json").json
    fewer = at(17, 13, "service", "party-changed", "ada", "1", *ANN)
    assert (fewer.code, fewer.out) == (0, f"Booking 'ada' is for 1, at {known['tables'][0]}.\n")
    same = at(17, 13, "service", "party-changed", "ada", "1", *ANN)
    assert (same.code, same.complaint) == (1, "Booking 'ada' is for 1 already.")
    more = at(17, 13, "service", "party-changed", "ada", "9", *ANN)
    assert more.code == 1
    assert more.complaint.startswith(f"{known['tables'][0]} has no seats for 9: nothing was changed.")
    wrong = at(17, 13, "service", "party-changed", "ada", "0", *ANN)
    assert wrong.code == 2
    assert wrong.complaint.startswith("GUESTS: expected a whole number")


def test_only_held_tables_are_held_for_longer(at):
    """A confirmed booking holds none that wait."""
    ended = at(17, 12, "service", "extend-hold", "ada", *ANN)
    assert (ended.code, ended.complaint) == (1, "Booking 'ada' holds no tables that wait to be confirmed.")


def test_how_long_parties_really_sat_is_shown(at):
    """With turn bands to match; before anybody has left, a sentence."""
    assert at(17, 0, "service", "turns", "corner").out == "No party has sat down and left since then.\n"
    at(17, 0, "service", "seated", "ada", *ANN)
    at(18, 10, "service", "left", "ada", *ANN)
    told = at(18, 11, "service", "turns", "corner").out.splitlines()
    assert told[1].split() == ["all", "1", "70", "70", "70"]
    assert told[-1].startswith("Turn bands that three quarters of the parties would keep: 90 min up to 2, ")
    report = at(18, 11, "service", "turns", "corner", "--json").json
    assert (report["parties"], report["groups"][1]["by"], report["groups"][1]["name"]) == (1, "size", "2")
    assert at(18, 11, "service", "turns", "corner", "--since", "yesterday").code == 2


def test_the_doctor_names_who_sits_where_others_are_next(at):
    """With the booking that is next, and what to do; not while nobody is in anybody's way."""
    at(17, 0, "service", "seated", "ada", *ANN)
    known = at(17, 1, "doctor", "--json").json["findings"]
    assert "room" not in {finding["check"] for finding in known}
    (finding,) = (finding for finding in at(19, 3, "doctor", "--json").json["findings"] if finding["check"] == "room")
    assert finding["health"] == "wrong"
    assert "The party of 'ada' still sits at " in finding["evidence"]
    assert "where 'bob' is next" in finding["evidence"]
    assert "service conflicts corner" in finding["fix"]
