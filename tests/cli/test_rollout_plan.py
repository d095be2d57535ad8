"""``rollout plan``: what a rollout takes at a traffic."""

import json

import pytest

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


def test_what_is_not_good_enough_never_passes(cli):
    """Nothing is promised for it."""
    done = cli(*PLAN, "400", "--confirmed", "0.94")
    assert "never" in done.out
    phases = json.loads(cli(*PLAN, "400", "--confirmed", "0.94", "--json").out)["phases"]
    assert [each["days"] for each in phases if each["decided_by"] == "confirmation_rate"].count(None) > 0


@pytest.mark.parametrize("wrong", [("--bookings-per-day", "0"), ("--restaurants", "x")])
def test_a_number_that_is_none_is_refused(cli, wrong):
    """In one line."""
    given = {"--restaurants": "30", "--bookings-per-day": "40"} | dict([wrong])
    done = cli("rollout", "plan", *(part for pair in given.items() for part in pair))
    assert done.code == 2
