"""``availability``: the grid, its JSON, and what is refused."""

from __future__ import annotations

import itertools

import pytest

SITTINGS = {
    "restaurant": {"id": "corner", "timezone": "Europe/Berlin"},
    "policy": {
        "service_periods": [
            {"name": "dinner", "start": "18:00", "end": "23:00", "arrivals": ["18:00", "20:30"], "turn": "to_end"}
        ],
        "special_days": [{"date": "2031-05-18", "closed": True}],
        "turn_bands": [{"up_to": 10, "minutes": 135}],
        "review_from_party": 9,
        "reseat": "off",
    },
    "tables": [{"id": "T1", "capacity": 4}, {"id": "T2", "capacity": 2}],
    "bookings": [{"id": "ada", "party_size": 2, "start_at": "2031-05-17T18:00+02:00"}],
}


def test_a_day_without_bookings_is_a_day(cli, day_file):
    """An empty list is assigned, and nothing is wrong with it."""
    ended = cli("assign", day_file(SITTINGS | {"bookings": []}), "--json")
    assert (ended.code, ended.json["bookings"], ended.json["assignments"]) == (0, 0, [])
    for options in ((), ("--timeline",)):
        ended = cli("assign", day_file(SITTINGS | {"bookings": []}), *options)
        assert ended.code == 0
        assert "corner, no bookings, times in Europe/Berlin" in ended.out
        assert "0 bookings on 2 tables" in ended.out


def test_the_files_day_is_assigned_first(cli, day_file):
    """Each arrival and size has its slot, with all that a form needs."""
    ended = cli("availability", day_file(SITTINGS), "--date", "2031-05-17", "--party", "2", "--party", "9", "--json")
    assert ended.code == 0
    assert {key: ended.json[key] for key in ("restaurant", "timezone", "date")} == {
        "restaurant": "corner",
        "timezone": "Europe/Berlin",
        "date": "2031-05-17",
    }
    review = {"party_size": 9, "status": "review", "reason": "large_party", "spots": 0}
    free = {"party_size": 2, "status": "available", "reason": None, "spots": 1}
    first, second = (f"2031-05-17T{time}+02:00" for time in ("18:00", "20:30"))
    assert ended.json["slots"] == [
        {"start_at": first, **free, "turn_minutes": 300},
        {"start_at": first, **review, "turn_minutes": 300},
        {"start_at": second, **free, "turn_minutes": 150},
        {"start_at": second, **review, "turn_minutes": 150},
    ]


def test_a_database_answers_the_same(cli, day_file, tmp_path):
    """What assign has stored is counted, by the clock: years ahead, all is still to come."""
    path = tmp_path / "day.sqlite3"
    cli("assign", day_file(SITTINGS), "--db", path)
    asked = ("availability", "--restaurant", "corner", "--date", "2031-05-17", "--party", "1-4")
    ended = cli(*asked, "--db", path, "--json")
    assert [(slot["party_size"], slot["status"]) for slot in ended.json["slots"][:4]] == [
        (1, "available"),
        (2, "available"),
        (3, "available"),
        (4, "available"),
    ]


def test_people_get_a_grid(cli, day_file):
    """Sizes down, times across; a closed day says so."""
    ended = cli("availability", day_file(SITTINGS), "--date", "2031-05-17", "--party", "2", "--party", "4-5")
    lines = ended.out.splitlines()
    assert lines[0].split() == ["Guests", "18:00", "20:30"]
    assert [line.split() for line in lines[1:4]] == [["2", "1", "1"], ["4", "1", "1"], ["5", "-", "-"]]
    closed = cli("availability", day_file(SITTINGS), "--date", "2031-05-18")
    assert (closed.code, closed.out.strip()) == (0, "Closed on Sunday, 18 May 2031: nobody arrives.")


def test_the_hour_that_comes_twice_is_told_apart(cli, day_file):
    """By the name of the time that it is in, and only that hour."""
    late = [{"name": "late", "start": "22:00", "end": "04:00", "arrivals": {"every": 60}, "end_rule": "arrive_by"}]
    town = {
        "restaurant": {"id": "corner", "timezone": "Europe/London"},
        "policy": {"service_periods": late},
        "bookings": [],
    }
    ended = cli("availability", day_file(SITTINGS | town), "--date", "2031-10-25", "--party", "2")
    shown = " ".join(ended.out.partition("slots free")[0].split())
    assert "23:00 00:00 01:00 BST 01:00 GMT 02:00 03:00" in shown


def reasons(ended):
    """The lines under a grid that say why something cannot be had."""
    return " ".join(ended.out.partition("(-).")[2].split())


def test_a_grid_says_why_nothing_can_be_had(cli, day_file, tmp_path):
    """A line for each reason, with its sizes and times, or with none of them where it is the same everywhere."""
    path = day_file(SITTINGS)
    asked = ("availability", path, "--date", "2031-05-17")
    nowhere = cli(*asked, "--zone", "moon", "--party", "1-2")
    assert reasons(nowhere) == "No such place to sit for a party of that size: every size at every time."
    mixed = cli(*asked, "--party", "1-2", "--party", "5", "--party", "7-9")
    assert reasons(mixed) == (
        "Too large for any table or combination: 5, 7-8 guests at every time. "
        "Of a size on which a person decides: 9 guests at every time."
    )
    periods = [{"name": "dinner", "start": "18:00", "end": "23:00", "arrivals": ["18:00", "21:00", "21:30"]}]
    hours = SITTINGS | {"policy": SITTINGS["policy"] | {"service_periods": periods}}
    late = cli("availability", day_file(hours), "--date", "2031-05-17", "--party", "1", "--party", "3-4")
    assert reasons(late) == "Outside the hours of service: every size at 21:00 to 21:30."
    days = cli(*asked, "--until", "2031-05-18", "--party", "2", "--party", "5")
    assert reasons(days) == (
        "Too large for any table or combination: 5 guests on Sat 17 May. "
        "Outside the hours of service: every size on Sun 18 May."
    )
    db = tmp_path / "day.sqlite3"
    cli("assign", path, "--db", db)
    past = cli("availability", "--db", db, "--restaurant", "corner", "--date", "2020-01-01")
    assert reasons(past) == "The time has passed: every size at every time."


def test_a_grid_is_silent_on_what_is_taken(cli, day_file):
    """Dashes say so."""
    full = SITTINGS | {"tables": SITTINGS["tables"][1:]}
    ended = cli("availability", day_file(full), "--date", "2031-05-17", "--party", "2")
    assert ended.out.splitlines()[1].split() == ["2", "-", "-"]
    assert reasons(ended) == ""


def test_several_days_at_a_glance(cli, day_file):
    """Dates down, sizes across: how many times each has; a program gets the same with the slots."""
    asked = ("--date", "2031-05-17", "--until", "2031-05-18", "--party", "2", "--party", "9")
    ended = cli("availability", day_file(SITTINGS), *asked)
    lines = [line.split() for line in ended.out.splitlines()]
    assert lines[0] == ["Date", "2", "9"]
    assert lines[1:3] == [["Sat", "17", "May", "2031", "2", "ask"], ["Sun", "18", "May", "2031", "-", "-"]]
    found = cli("availability", day_file(SITTINGS), *asked, "--json").json
    assert found["until"] == "2031-05-18"
    assert found["days"][0] == {
        "date": "2031-05-17",
        "party_size": 2,
        "status": "available",
        "reason": None,
        "times": 2,
    }
    assert len(found["slots"]) == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--date", "2031-05-17", "--until", "2031-05-16"), "--until: expected a date from 2031-05-17 on, fewer than"),
        (("--date", "2031-05-17", "--until", "soon"), "--until: expected a date such as 2031-05-17, got 'soon'"),
        (("--date", "tomorrow"), "--date: expected a date such as 2031-05-17, got 'tomorrow'"),
        (("--date", "1900-05-17"), "--date: expected a date in the years 1971 to 9997, got '1900-05-17'"),
        (("--date", "9999-05-17"), "--date: expected a date in the years 1971 to 9997, got '9999-05-17'"),
        (("--date", "2031-05-17", "--zone", ""), "--zone: expected a non-empty text of at most 200 printable"),
        (
            ("--date", "2031-05-17", "--channel", "a\tb"),
            "--channel: expected a non-empty text of at most 200",
        ),
        (("--date", "2031-05-17", "--party", "0"), "--party: expected a size from 1 to 500, or several such as 1-8"),
        (("--date", "2031-05-17", "--party", "8-2"), "--party: expected a size from 1 to 500, or several such as 1-8"),
        (("--date", "2031-05-17", "--restaurant", "other"), "--restaurant: expected the one of the file, corner, got"),
    ],
)
def test_what_nobody_can_ask_is_refused(cli, day_file, arguments, says):
    """In one line, with 2."""
    ended = cli("availability", day_file(SITTINGS), *arguments)
    assert ended.code == 2
    assert ended.err.startswith(says)
    assert len(ended.err.strip().splitlines()) == 1


@pytest.mark.parametrize("option", ["--restaurant", "--zone", "--channel"])
def test_a_wrong_option_is_not_said_of_the_database(cli, tmp_path, day_file, option):
    """What is asked for is checked before the database is looked into."""
    db = tmp_path / "bookings.db"
    assert cli("assign", day_file(SITTINGS), "--db", db).code in {0, 1}
    asked = {"--restaurant": "corner", option: ""}
    ended = cli("availability", "--db", db, "--date", "2031-05-17", *itertools.chain(*asked.items()))
    assert (ended.code, ended.err.partition(":")[0]) == (2, option)


def test_a_restaurant_has_to_be_named(cli):
    """Without a file."""
    ended = cli("availability", "--date", "2031-05-17")
    assert (ended.code, ended.err.strip()) == (2, "--restaurant: expected the id of a restaurant, got none")


def test_a_channel_has_a_pace_of_its_own(cli, day_file):
    """Caps hold for the channel that is asked for, and the file's bookings count; assign offers the times that fit."""
    rules = [{"minutes": 60, "parties": 1, "channel": "online", "periods": ["dinner"]}]
    ada = SITTINGS["bookings"][0] | {"channel": "online"}
    bob = ada | {"id": "bob"}
    day = SITTINGS | {"policy": SITTINGS["policy"] | {"pacing": rules}, "bookings": [ada, bob]}
    asked = ("availability", day_file(day), "--date", "2031-05-17", "--party", "2", "--json")
    slots = cli(*asked, "--channel", "online").json["slots"]
    assert [(slot["status"], slot["reason"], slot["spots"]) for slot in slots] == [
        ("unavailable", "pacing", 0),
        ("available", None, 1),
    ]
    assert [slot["status"] for slot in cli(*asked).json["slots"]] == ["available", "available"]
    ended = cli("assign", day_file(day), "--json")
    assert [(one["outcome"], one["reason"]) for one in ended.json["assignments"]] == [
        ("confirmed", None),
        ("manual_review", "pacing"),
    ]
    assert "too many arrive at that time" in cli("assign", day_file(day)).out
