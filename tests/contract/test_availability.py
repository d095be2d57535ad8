"""Availability never lies: on every store, each slot comes out as it says when somebody asks for it."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from assignment_pipeline import (
    Booking,
    Coordinator,
    FixedFlags,
    FloorPlan,
    Mode,
    Outcome,
    PacingRule,
    Reason,
    ServicePeriod,
    SlotStatus,
    Table,
    TurnBand,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.testing.store_harness import DINNER

ZONE = ZoneInfo("Europe/London")
DATE = DINNER.astimezone(ZONE).date()

EVENING = ServicePeriod(
    "dinner",
    dt.time(18),
    dt.time(22),
    arrivals=[dt.time(18), dt.time(19), dt.time(20), dt.time(21)],
    turn_bands=[TurnBand(2, 60), TurnBand(20, 120)],
)
FLOOR = FloorPlan(
    [Table("T1", 2, zone="hall"), Table("T2", 4, zone="hall"), Table("T3", 4, zone="garden", seating="outdoor")],
    [("T1", "T2")],
)


def at(hour: int) -> dt.datetime:
    return dt.datetime.combine(DATE, dt.time(hour), ZONE)


@pytest.fixture
def coordinator(store, harness, clock):
    harness.put_venue(Venue("r-1", "Europe/London", FLOOR, VenuePolicy(service_periods=[EVENING], review_from_party=7)))
    engine = TableEngine(monotonic=lambda: 0.0)  # A search ends with its steps: a slow machine finds as much.
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), engine=engine, clock=clock, sinks=()) as coordinator:
        couple = Booking("couple", "r-1", 2, at(18))
        four = Booking("four", "r-1", 4, at(19))
        for booking in (couple, four):
            harness.put_booking(booking)
        # The couple has a table for four, and could do with the small one.
        coordinator.place(couple, ["T2"], actor="anna", pin=False)
        coordinator.place(four, ["T3"], actor="anna", pin=False)
        yield coordinator


def test_each_slot_comes_out_as_it_says(coordinator, harness):
    """What is available is confirmed, what needs moves is confirmed with moves, and nothing else is."""
    sizes = (1, 2, 3, 4, 5, 6, 7, 9)
    seen = set()
    for number in range(len(sizes) * 4):
        slot = coordinator.availability("r-1", DATE, sizes).slots[number]
        booking = Booking(f"new-{number}", "r-1", slot.party_size, slot.start_at)
        harness.put_booking(booking)
        result = coordinator.assign(booking)
        seen.add(slot.status)
        confirmed = slot.status in (SlotStatus.AVAILABLE, SlotStatus.WITH_MOVES)
        assert (result.outcome is Outcome.CONFIRMED) == confirmed, (slot, result)
        assert bool(result.moved) == (slot.status is SlotStatus.WITH_MOVES), (slot, result)
        if slot.status is SlotStatus.AVAILABLE:
            assert result.record.allocation.turn.duration == dt.timedelta(minutes=slot.turn_minutes)
        coordinator.cancel(booking.id)
        if result.moved:
            coordinator.place(Booking("couple", "r-1", 2, at(18)), ["T2"], actor="anna", pin=False)
    assert seen == set(SlotStatus)


def test_slots_say_why_and_where(coordinator):
    """Reasons, places, and how many fit at once."""
    slots = {
        (slot.start_at.astimezone(ZONE).hour, slot.party_size): slot
        for slot in coordinator.availability("r-1", DATE, (2, 4, 6, 7)).slots
    }
    told = {key: (slot.status.value, slot.reason, slot.spots, slot.zones) for key, slot in slots.items()}
    assert told[18, 2] == ("available", None, 2, ("garden", "hall"))
    assert told[18, 4] == ("with_moves", None, 1, ())
    assert told[19, 4] == ("available", None, 1, ("hall",))
    assert told[20, 6] == ("available", None, 1, ("hall",))
    assert told[21, 2] == ("available", None, 3, ("garden", "hall"))
    assert told[21, 4] == ("unavailable", "closed", 0, ())
    assert told[20, 7] == ("review", "large_party", 0, ())
    assert slots[21, 2].seatings == ("indoor", "outdoor")
    outside = coordinator.availability("r-1", DATE, [4], seating="outdoor").slots
    assert [slot.status.value for slot in outside] == ["with_moves"] * 3 + ["unavailable"]  # The four go to the hall.
    nowhere = coordinator.availability("r-1", DATE, [4], seating="bar").slots
    assert [slot.reason for slot in nowhere] == ["no_such_seating"] * 3 + ["closed"]


@pytest.mark.parametrize("channel", [None, "online"])
def test_a_pace_is_kept_as_it_says(store, harness, clock, channel):
    """With caps by period and channel, each slot comes out as it says until all are full, and none goes beyond one."""
    rules = [
        PacingRule(minutes=60, covers=5, periods=["dinner"]),
        PacingRule(minutes=120, parties=3),
        PacingRule(minutes=60, covers=2, channel="online"),
    ]
    policy = VenuePolicy(service_periods=[EVENING], pacing=rules)
    harness.put_venue(Venue("r-1", "Europe/London", FLOOR, policy))
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=()) as coordinator:
        reasons = set()
        for number in range(12):
            slots = coordinator.availability("r-1", DATE, (1, 2, 4), channel=channel).slots
            slot = slots[(5 * number) % len(slots)]
            reasons.add(slot.reason)
            booking = Booking(f"new-{number}", "r-1", slot.party_size, slot.start_at, channel=channel)
            harness.put_booking(booking)
            result = coordinator.assign(booking)
            confirmed = slot.status in (SlotStatus.AVAILABLE, SlotStatus.WITH_MOVES)
            assert (result.outcome is Outcome.CONFIRMED) == confirmed, (slot, result)
            if slot.reason == "pacing":
                assert result.reason is Reason.PACING
        assert "pacing" in reasons
        records = [coordinator.record(f"new-{number}") for number in range(12)]
        parties = [record.arrival for record in records if record.arrival is not None]
        venue = Venue("r-1", "Europe/London", FLOOR, policy)
        assert all(cap.holds(parties) for one in parties for cap in venue.calendar.caps(one.start_at, one.channel))


def test_several_days_at_once(coordinator):
    """A month at a glance is one call, and a day on which nobody arrives has no slots."""
    found = coordinator.availability("r-1", DATE, [2], until=DATE + dt.timedelta(days=2))
    assert (found.date, found.until) == (DATE, DATE + dt.timedelta(days=2))
    assert len(found.slots) == 12
