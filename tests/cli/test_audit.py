"""``audit``, and what follows from it: the second run of ``assign``, the doctor."""

from __future__ import annotations

import pytest

DAY = {
    "restaurant": {"id": "corner", "timezone": "Europe/Berlin"},
    "policy": {"service_periods": [{"name": "dinner", "start": "17:00", "end": "23:00"}], "reseat": "off"},
    "tables": [{"id": "T1", "capacity": 2, "label": "Window 1"}, {"id": "T2", "capacity": 4}],
    "bookings": [
        {"id": "ada", "party_size": 2, "start_at": "2031-05-17T19:00+02:00"},
        {"id": "bob", "party_size": 4, "start_at": "2031-05-17T20:00+02:00"},
    ],
}
AUDIT = ("audit", "--restaurant", "corner")


def seats(ended):
    return {one["booking_id"]: (one["outcome"], one["reason"], one["tables"]) for one in ended.json["assignments"]}


@pytest.fixture
def db(cli, day_file, tmp_path):
    path = tmp_path / "day.sqlite3"
    assert cli("assign", day_file(DAY), "--db", path).code == 0
    return path


def test_what_a_change_breaks_is_listed(cli, db, day_file):
    """Each booking with its rules, for people and for programs; 1 where there is one."""
    assert (cli(*AUDIT, "--db", db).code, cli(*AUDIT, "--db", db).out) == (
        0,
        "2 bookings ahead, 0 against the rules.\n",
    )
    closing = {"service_periods": [{"name": "dinner", "start": "17:00", "end": "21:00"}]}
    cli("assign", day_file(DAY | {"policy": closing, "bookings": []}), "--db", db)
    ended = cli(*AUDIT, "--db", db)
    assert ended.code == 1
    assert "2031-05-17 20:00  bob, 4 guests at T2: outside service" in ended.out
    listed = cli(*AUDIT, "--db", db, "--json").json
    assert {key: listed[key] for key in ("restaurant", "timezone", "checked")} == {
        "restaurant": "corner",
        "timezone": "Europe/Berlin",
        "checked": 2,
    }
    assert listed["findings"] == [
        {
            "booking_id": "bob",
            "start_at": "2031-05-17T20:00+02:00",
            "party_size": 4,
            "tables": ["T2"],
            "rules": ["outside_service"],
            "strategy": "optimal_fit",
            "has_come": False,
            "by_hand": False,
        }
    ]
    assert cli(*AUDIT, "--db", db, "--since", "2031-05-17T20:30+02:00").code == 0
    doctor = cli("doctor", "--db", db)
    assert "WRONG venues: 1 of 2 bookings ahead break rules (1 outside_service): bob at corner" in doctor.out


def test_what_a_person_may_have_overruled_is_said(cli, db, day_file):
    """It is a finding all the same, with a word that somebody may have meant it."""
    assert cli("review", "place", "ada", "T1", "--actor", "anna", "--db", db).code == 0
    closing = {"service_periods": [{"name": "dinner", "start": "17:00", "end": "20:00"}]}
    cli("assign", day_file(DAY | {"policy": closing, "bookings": []}), "--db", db)
    ended = cli(*AUDIT, "--db", db)
    assert "ada, 2 guests at Window 1 (T1): outside service (by hand)\n" in ended.out
    assert "bob, 4 guests at T2: outside service\n" in ended.out
    findings = cli(*AUDIT, "--db", db, "--json").json["findings"]
    assert {one["booking_id"]: (one["has_come"], one["by_hand"]) for one in findings} == {
        "ada": (False, True),
        "bob": (False, False),
    }


def test_a_second_run_reseats_whom_the_file_no_longer_allows(cli, db, day_file):
    """At another table where there is one, else a person decides; nothing is confirmed that cannot be."""
    gone = DAY | {"tables": [{"id": "T2", "capacity": 4}, {"id": "T3", "capacity": 4}]}
    first = cli("assign", day_file(gone), "--db", db, "--json")
    assert seats(first) == {"ada": ("confirmed", None, ["T3"]), "bob": ("confirmed", None, ["T2"])}
    assert cli(*AUDIT, "--db", db).code == 0
    closing = {"service_periods": [{"name": "dinner", "start": "17:00", "end": "21:00"}]}
    second = cli("assign", day_file(gone | {"policy": closing}), "--db", db, "--json")
    assert seats(second)["bob"] == ("manual_review", "outside_service", [])
    assert seats(second)["ada"] == ("confirmed", None, ["T3"])
    assert seats(cli("assign", day_file(gone | {"policy": closing}), "--db", db, "--json")) == seats(second)


@pytest.mark.parametrize(
    ("since", "says"),
    [
        ("soon", "an ISO 8601 time with an offset, in whole minutes, such as 2031-05-17T19:30+02:00"),
        ("2031-05-17T19:00", "an ISO 8601 time with an offset, in whole minutes, such as 2031-05-17T19:30+02:00"),
        ("0001-01-01T00:00+14:00", "a time in the years 1971 to 9997"),
    ],
)
def test_what_is_no_time_is_refused(cli, db, since, says):
    """In one line, with what was expected."""
    ended = cli(*AUDIT, "--db", db, "--since", since)
    assert (ended.code, ended.err) == (2, f"--since: expected {says}, got '{since}'\n")
