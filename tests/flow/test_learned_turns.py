"""How long parties really sat, and the turns that would fit them."""

from __future__ import annotations

import datetime as dt

import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, ServicePeriod, Table, TurnBand, Venue, VenuePolicy
from assignment_pipeline.testing import FakeClock

MINUTE = dt.timedelta(minutes=1)
PERIODS = (
    ServicePeriod("lunch", dt.time(11), dt.time(16)),
    ServicePeriod("dinner", dt.time(17), dt.time(23)),
)


@pytest.fixture
def clock():
    """Three weeks before the first of June of 2031, a Sunday."""
    return FakeClock(dt.datetime(2031, 5, 11, tzinfo=dt.UTC))


@pytest.fixture
def coordinator(clock):
    """Twenty evenings: parties of two stay for 60, 61, ... 79 minutes, and one of five for 130."""
    policy = VenuePolicy(turn_bands=(TurnBand(2, 120), TurnBand(6, 150)), service_periods=PERIODS)
    house = Coordinator.in_memory(Venue("r", "UTC", FloorPlan([Table("T1", 6)]), policy), clock=clock)
    for day in range(20):
        start = dt.datetime(2031, 5, 12, 18, tzinfo=dt.UTC) + dt.timedelta(days=day)
        visit(house, clock, Booking(f"b-{day}", "r", 2, start), 60 + day)
    visit(house, clock, Booking("lunch", "r", 5, dt.datetime(2031, 6, 2, 12, tzinfo=dt.UTC)), 130)
    house.place(Booking("to come", "r", 2, dt.datetime(2031, 6, 3, 18, tzinfo=dt.UTC)), ["T1"], actor="ann")
    return house


def visit(house, clock, booking, minutes):
    """Have a party come in time, and leave after so many minutes."""
    house.place(booking, ["T1"], actor="ann")
    clock.advance(booking.start_at - clock.now())
    house.seated(booking.id, actor="ann")
    clock.advance(minutes * MINUTE)
    house.left(booking.id, actor="ann")


def test_stays_are_counted_by_group(coordinator):
    """Size, period and weekday, each with its quantiles; who has not come or not left does not count."""
    report = coordinator.learned_turns("r")
    assert report.parties == 21
    by = {(one.by, one.name): (one.parties, one.median, one.p75, one.p90) for one in report.groups}
    assert by["all", ""] == (21, 70, 75, 78)
    assert by["size", "2"] == (20, 69, 74, 77)
    assert by["size", "5"] == by["period", "lunch"] == (1, 130, 130, 130)
    assert by["period", "dinner"][0] == 20
    assert [one.name for one in report.groups if one.by == "weekday"] == [
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
    ]


def test_bands_are_suggested_from_enough_parties(coordinator):
    """Up to the next five minutes; a band with few parties is as it was."""
    assert coordinator.learned_turns("r").bands == (TurnBand(2, 75), TurnBand(6, 150))


def test_only_those_since_then_count(coordinator, clock):
    """From a time with an offset on; a restaurant without any has an empty report."""
    since = dt.datetime(2031, 6, 1, tzinfo=dt.UTC)
    assert coordinator.learned_turns("r", since).parties == 1
    empty = coordinator.learned_turns("r", clock.now())
    assert (empty.parties, empty.groups, empty.bands[0].minutes) == (0, (), 120)
    with pytest.raises(ValueError, match="since: expected a time with an offset"):
        coordinator.learned_turns("r", since.replace(tzinfo=None))
