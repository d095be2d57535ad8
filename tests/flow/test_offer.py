"""What a table is for: who is given it without a person."""

from __future__ import annotations

import datetime as dt

import pytest

from assignment_pipeline import Booking, Coordinator, FloorPlan, Outcome, Table, Venue, VenuePolicy, Zone
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


@pytest.fixture
def held(clock):
    """The terrace is given on request, up to two hours before; the chef's table to nobody, up to one."""
    tables = [
        Table("T1", 2, zone="terrace"),
        Table("T2", 2, zone="terrace", offer="always"),
        Table("C1", 2, zone="kitchen", offer="staff", held_until_minutes=60),
    ]
    floor = FloorPlan(tables, zones=[Zone("terrace", offer="on_request", held_until_minutes=120)])
    with Coordinator.in_memory(Venue("r-1", "UTC", floor, VenuePolicy()), clock=clock, sinks=()) as coordinator:
        yield coordinator


def test_a_zone_says_for_its_tables_what_they_do_not(held, couple):
    """The table that says otherwise is given to everybody, the others to who asks for the zone."""
    assert held.assign(couple("b-1")).tables == ("T2",)
    assert held.assign(couple("b-2")).outcome is not Outcome.CONFIRMED
    assert held.assign(couple("b-3", zone="terrace")).tables == ("T1",)


def test_what_is_held_back_is_given_in_time(held, couple, clock):
    """Who was refused gets the next table that is released, at that minute, without another call."""
    settle = lambda: [clock.advance(dt.timedelta(minutes=20)) or held.sweep() for _ in range(12)]  # noqa: E731
    assert held.assign(couple("b-0")).tables == ("T2",)
    for name in ("b-1", "b-2"):
        held.assign(couple(name))
    settle()
    assert [held.record(name).state for name in ("b-1", "b-2")] == ["manual_review"] * 2
    start = couple("b-1").start_at
    assert {held.record(name).next_attempt_at for name in ("b-1", "b-2")} == {start - dt.timedelta(hours=2)}
    clock.advance(start - dt.timedelta(minutes=121) - clock.now())
    held.sweep()
    assert held.record("b-1").tables == held.record("b-2").tables == ()
    clock.advance(dt.timedelta(minutes=1))
    held.sweep()
    seated = [held.record(name).tables for name in ("b-1", "b-2")]
    assert sorted(seated) == [(), ("T1",)]
    clock.advance(start - dt.timedelta(minutes=60) - clock.now())
    held.sweep()
    assert sorted(held.record(name).tables for name in ("b-1", "b-2")) == [("C1",), ("T1",)]


def test_a_floor_on_which_all_is_held_back_is_no_wrong_wish(clock, couple):
    """The booking waits for the release; it is not refused for good."""
    floor = FloorPlan([Table("C1", 2, offer="staff", held_until_minutes=60)])
    with Coordinator.in_memory(Venue("r-1", "UTC", floor, VenuePolicy()), clock=clock, sinks=()) as coordinator:
        booking = couple("b-1")
        refused = coordinator.assign(booking)
        assert (refused.outcome, refused.reason) == (Outcome.MANUAL_REVIEW, "infeasible")
        coordinator.sweep()
        clock.advance(booking.start_at - dt.timedelta(minutes=60) - clock.now())
        coordinator.sweep()
        assert coordinator.record("b-1").tables == ("C1",)


def test_times_on_offer_know_of_the_release(held, couple, clock):
    """Availability, and the nearest times of a refusal, have the tables that are released by then, and no others."""
    start = couple("b-1").start_at
    clock.advance(start - dt.timedelta(minutes=130) - clock.now())
    held.assign(couple("b-0"))  # The one table that is given to everybody.
    refused = held.preview(couple("b-1"))
    assert refused.plan is None
    assert refused.nearest[0] == start - dt.timedelta(minutes=15)
    slots = {
        slot.start_at: slot.spots
        for slot in held.availability("r-1", start.date(), [2]).slots
        if abs(slot.start_at - start) <= dt.timedelta(minutes=75)
    }
    assert slots[start] == 0
    assert slots[start - dt.timedelta(minutes=15)] == 1
    assert slots[start - dt.timedelta(minutes=75)] == 2
