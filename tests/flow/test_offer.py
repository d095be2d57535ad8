"""What a table is for: who is given it without a person."""

from __future__ import annotations

import datetime as dt

import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, Outcome, Table, Venue, VenuePolicy
from assignment_pipeline.testing import FakeClock

TABLES = [
    Table("bar", 2, seating="bar", offer="last"),
    Table("patio", 2, seating="outdoor", zone="patio", offer="on_request"),
    Table("main1", 4),
    Table("main2", 4),
    Table("chef", 2, zone="kitchen", offer="staff"),
]


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def coordinator(clock):
    with Coordinator.in_memory(Venue("r-1", "UTC", FloorPlan(TABLES), VenuePolicy()), clock=clock) as coordinator:
        yield coordinator


@pytest.fixture
def couple(clock):
    start = clock.now().replace(second=0, microsecond=0) + dt.timedelta(days=1)
    return lambda name, **wish: Booking(name, "r-1", 2, start, **wish)


def test_who_does_not_ask_sits_in_the_main_room_first(coordinator, couple):
    """Then at what is given last; what is kept for who asks, or for the staff, stays free."""
    tables = [coordinator.assign(couple(f"b-{number}")).tables for number in range(4)]
    assert sorted(tables[:2]) == [("main1",), ("main2",)]
    assert tables[2:] == [("bar",), ()]
    refused = coordinator.preview(couple("b-9"))
    assert refused.turned_away == {"offer": 2, "taken": 3}


@pytest.mark.parametrize("wish", [{"seating": "outdoor"}, {"zone": "patio"}])
def test_who_asks_gets_it(coordinator, couple, wish):
    """By its seating, or by its zone."""
    assert coordinator.assign(couple("b-1", **wish)).tables == ("patio",)
    assert coordinator.assign(couple("b-2", **wish)).outcome is not Outcome.CONFIRMED


def test_nobody_gets_the_staffs_table_by_asking(coordinator, couple):
    """A person gives it, and overrules nothing."""
    booking = couple("b-1", zone="kitchen")
    refused = coordinator.assign(booking)
    assert (refused.outcome, refused.reason) == (Outcome.MANUAL_REVIEW, "no_such_seating")
    assert coordinator.place(booking, ["chef"], actor="anna").tables == ("chef",)
    assert coordinator.place(couple("b-2"), ["patio"], actor="anna").tables == ("patio",)


def test_availability_knows(coordinator, couple, clock):
    """Spots are those that are given without a person."""
    at = couple("b-1").start_at
    slots = {
        wish: next(
            slot for slot in coordinator.availability("r-1", at.date(), [2], seating=wish).slots if slot.start_at >= at
        )
        for wish in ("any", "outdoor", "bar")
    }
    assert {wish: slot.spots for wish, slot in slots.items()} == {"any": 3, "outdoor": 1, "bar": 1}
