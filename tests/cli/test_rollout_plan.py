"""``rollout plan``: what a rollout takes at a traffic."""

import datetime as dt
import json
from xml.etree import ElementTree as ET

import pytest

from assignment_pipeline.adapters.sqlite import SQLiteStore, StandaloneHost, init
from assignment_pipeline.domain.events import Event, EventType, Source
from assignment_pipeline.rollout.control import PHASES
from assignment_pipeline.testing import FakeClock

PLAN = ("rollout", "plan", "--restaurants", "30", "--bookings-per-day")


def test_it_says_what_a_margin_takes(cli):
    """For who looks once, as text books have it, and for who looks at any time, which takes more."""
    done = cli(*PLAN, "40")
    assert done.code == 0
    assert "1 point: 5,874 a side: 147 days for one look" in done.out
    assert "5 points: 235 a side: 6 days for one look" in done.out


def test_it_says_how_long_each_phase_takes(cli):
    """Never less than its minimum; a tenth of the traffic takes longer than all of it."""
    phases = {each["phase"]: each for each in json.loads(cli(*PLAN, "400", "--json").out)["phases"]}
    assert phases["production-100"]["days"] == 7
    assert phases["production-10"]["decided_by"] == "relative_confirmation"
    assert phases["production-10"]["restaurants"] == 3
    assert phases["production-10"]["days"] > phases["production-50"]["days"] > 1
    busy = {each["phase"]: each for each in json.loads(cli(*PLAN, "40000", "--json").out)["phases"]}
    assert busy["production-10"]["days"] == 1


@pytest.mark.parametrize(
    ("restaurants", "lacking"),
    [
        ("1", ["production-10", "production-50"]),
        ("3", ["production-10", "production-50"]),
        ("4", ["production-10"]),
        ("19", ["production-10"]),
        ("20", []),
    ],
)
def test_a_comparison_for_which_there_is_nobody_is_not_promised(cli, restaurants, lacking):
    """It wants two restaurants on each side; that those that somebody names do not count is said, too."""
    words = ("rollout", "plan", "--restaurants", restaurants, "--bookings-per-day", "100")
    phases = {each["phase"]: each for each in cli(*words, "--json").json["phases"]}
    never = [name for name, each in phases.items() if each["days"] is None]
    assert never == lacking
    assert all(phases[name]["decided_by"] == "relative_confirmation" for name in never)
    said = cli(*words).out
    advice = f"Fewer than two restaurants on a side in {' and '.join(lacking)}: nothing is compared."
    assert (advice in said) is bool(lacking)
    assert ("All of production takes " in said) is (not lacking)
    assert (f"the gates of {', '.join(lacking)} never pass." in said) is bool(lacking)


def test_what_is_not_good_enough_never_passes(cli):
    """Nothing is promised for it."""
    done = cli(*PLAN, "400", "--confirmed", "0.94")
    assert "never" in done.out
    assert "All of production takes" not in done.out
    phases = json.loads(cli(*PLAN, "400", "--confirmed", "0.94", "--json").out)["phases"]
    assert [each["days"] for each in phases if each["decided_by"] == "confirmation_rate"].count(None) > 0


@pytest.mark.parametrize("wrong", [("--bookings-per-day", "0"), ("--restaurants", "x")])
def test_a_number_that_is_none_is_refused(cli, wrong):
    """In one line."""
    given = {"--restaurants": "30", "--bookings-per-day": "40"} | dict([wrong])
    done = cli("rollout", "plan", *(part for pair in given.items() for part in pair))
    assert done.code == 2


def test_the_traffic_is_counted_in_the_database(cli, tmp_path):
    """Of the last days that have any, by either planner; what is given instead counts."""
    path, clock = tmp_path / "town.db", FakeClock(dt.datetime.now(dt.UTC) - dt.timedelta(days=3))
    init(path, standalone=True)
    with SQLiteStore(path, host=StandaloneHost(), clock=clock) as store:
        for day in range(3):
            for number in range(12):
                name = f"b-{day}-{number}"
                answer = Event(
                    name, clock.now(), Source.LEGACY, EventType.LEGACY_SUMMARY, restaurant_id=f"r-{number % 3}",
                    booking_id=name, context={"result": "succeeded", "mode": "off"},
                )  # fmt: skip
                store.emit([answer])
            clock.advance(dt.timedelta(hours=23))
    done = cli("rollout", "plan", "--db", str(path))
    assert done.code == 0
    assert "Counted over 3 days: 12 bookings a day at 3 restaurants." in done.out
    found = json.loads(cli("rollout", "plan", "--db", str(path), "--restaurants", "30", "--json").out)
    assert (found["restaurants"], found["bookings_a_day"]) == (30, 12.0)


def test_an_empty_database_has_no_traffic(cli, tmp_path):
    """In one line, with what to give instead."""
    path = tmp_path / "empty.db"
    init(path, standalone=True)
    done = cli("rollout", "plan", "--db", str(path))
    assert done.code == 2
    assert "--restaurants and --bookings-per-day" in done.err


def test_it_is_drawn(cli, tmp_path):
    """A bar for each phase, longer where it takes longer; what never passes says so."""
    path = tmp_path / "plan.svg"
    assert cli(*PLAN, "400", "--svg", str(path)).code == 0
    root = ET.parse(path).getroot()  # noqa: S314 - our own
    bars = [float(each.get("width")) for each in root.iter("{http://www.w3.org/2000/svg}rect")][1:]
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert bars[texts_of_phases(texts).index("production-10")] == max(bars)
    assert cli(*PLAN, "400", "--confirmed", "0.94", "--svg", str(path)).code == 0
    assert "never passes" in path.read_text()
    refused = cli(*PLAN, "400", "--svg", str(tmp_path / "none" / "x.svg"))
    assert (refused.code, "a file that can be written to" in refused.err) == (2, True)


def texts_of_phases(texts):
    return [text for text in texts if text in PHASES]


@pytest.mark.parametrize(
    ("given", "missing"), [("--restaurants", "--bookings-per-day"), ("--bookings-per-day", "--restaurants")]
)
def test_half_of_the_traffic_is_not_enough(cli, given, missing):
    """Without a database that has the other half."""
    done = cli("rollout", "plan", given, "40")
    assert (done.code, done.complaint) == (
        2,
        f"{missing}: expected a number, or a database that has it, --db or --app, got none",
    )
