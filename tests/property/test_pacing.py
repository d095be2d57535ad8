"""Slots of pacing by the clock on the wall, and bookings that are made in any order and by any hand."""

from __future__ import annotations

import contextlib
import datetime as dt
import zoneinfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assignment_pipeline import (
    Booking,
    Coordinator,
    FloorPlan,
    Outcome,
    PacingRule,
    Reason,
    ServicePeriod,
    SpecialDay,
    Table,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.errors import PlacementRefusedError, TableConflictError
from assignment_pipeline.testing import FakeClock

MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)
NIGHTS = {
    "Europe/London": ("2031-03-30 01:00", "2031-10-26 01:00"),
    "America/New_York": ("2031-03-09 07:00", "2031-11-02 06:00"),
    "Australia/Lord_Howe": ("2031-04-05 15:00", "2031-10-04 15:30"),
    "Africa/Casablanca": ("2031-01-05 02:00", "2031-02-02 02:00"),
}


@settings(max_examples=80)
@given(
    place=st.sampled_from([(zone, night) for zone, nights in NIGHTS.items() for night in nights]),
    minutes=st.sampled_from([1, 7, 15, 20, 30, 45, 60, 90, 120, 240, 1440]),
    behind=st.integers(-2 * 1440, 2 * 1440),
)
def test_slots_follow_the_clock_on_the_wall(place, minutes, behind):
    """They touch and never overlap, show one part of the day each, and begin where the clock shows it first."""
    zone = zoneinfo.ZoneInfo(place[0])
    calendar = Venue("r", place[0], FloorPlan([Table("T1", 2)])).calendar
    moment = dt.datetime.fromisoformat(place[1]).replace(tzinfo=dt.UTC) + behind * MINUTE
    slot = calendar.slot(moment, minutes)
    assert slot.start <= moment < slot.end
    assert slot.duration <= minutes * MINUTE
    for edge in (slot.start, slot.end - MINUTE):
        assert calendar.slot(edge, minutes) == slot

    def part(instant):
        local = instant.astimezone(zone)
        return local.date(), local.utcoffset(), (local.hour * 60 + local.minute) // minutes

    assert part(slot.start) == part(moment) == part(slot.end - MINUTE)
    assert part(slot.start - MINUTE) != part(moment) != part(slot.end)


LUNCH = ServicePeriod("lunch", dt.time(12), dt.time(15), end_rule="arrive_by")
DINNER = ServicePeriod("dinner", dt.time(18), dt.time(23), end_rule="arrive_by")
CLOCK = FakeClock()
DATE = CLOCK.now().date() + 3 * DAY


def house(*rules, tables=8, **policy):
    floor = FloorPlan([Table(f"T{number}", 4) for number in range(tables)])
    return Venue("r", "UTC", floor, VenuePolicy(**{"service_periods": [LUNCH, DINNER], "pacing": rules, **policy}))


def coordinator_of(venue, clock=None):
    return Coordinator.in_memory(venue, clock=clock or FakeClock(), sinks=())


def party(name, size, hour, minute=0, **fields):
    return Booking(name, "r", size, dt.datetime.combine(DATE, dt.time(hour, minute), dt.UTC), **fields)


def times(decision):
    return [f"{moment:%H:%M}" for moment in decision.nearest]


def test_a_cap_refuses_and_names_the_nearest_times():
    """The third party of six is not seated at 19:00, and is offered the quarters of an hour beside it."""
    coordinator = coordinator_of(house(PacingRule(minutes=15, covers=8)))
    assert [coordinator.assign(party(f"b-{number}", 4, 19)).outcome for number in range(2)] == [Outcome.CONFIRMED] * 2
    refused = coordinator.assign(party("late", 4, 19, 10))
    assert (refused.outcome, refused.reason) == (Outcome.MANUAL_REVIEW, Reason.PACING)
    assert refused.decision.turned_away == {"taken": 2, "pacing": 6}
    assert times(refused.decision) == ["18:55", "19:25", "18:40", "19:40"]


def test_a_rule_holds_in_its_periods():
    """Lunch has no cap, and its parties count for none of dinner's; a special day's periods have their own names."""
    rule = PacingRule(minutes=1440, parties=1, periods=["dinner"])
    coordinator = coordinator_of(house(rule))
    for name, hour in (("l-1", 12), ("l-2", 13), ("d-1", 18)):
        assert coordinator.assign(party(name, 2, hour)).outcome is Outcome.CONFIRMED
    assert coordinator.assign(party("d-2", 2, 21)).reason is Reason.PACING
    gala = ServicePeriod("gala", dt.time(18), dt.time(23), end_rule="arrive_by")
    special = coordinator_of(house(rule, special_days=[SpecialDay(date=DATE, service_periods=[gala])]))
    assert [special.assign(party(f"g-{number}", 2, 19)).outcome for number in range(3)] == [Outcome.CONFIRMED] * 3


def test_a_person_goes_beyond_a_cap_by_name():
    """Not otherwise; what was overruled is kept with the attempt and the event, and the party counts from then on."""
    coordinator = coordinator_of(house(PacingRule(minutes=60, covers=4)))
    coordinator.assign(party("b-1", 4, 19))
    with pytest.raises(PlacementRefusedError, match="it breaks pacing"):
        coordinator.place(party("b-2", 2, 19), ["T5"], actor="anna")
    placed = coordinator.place(party("b-2", 2, 19), ["T5"], actor="anna", allow=["pacing", "zone"])
    assert placed.tables == ("T5",)
    store = coordinator.store
    assert store.attempts("b-2")[-1].metadata["overruled"] == "pacing"
    told = next(event for event in store.events if event.booking_id == "b-2" and "overruled" in event.context)
    assert (told.context["overruled"], told.context["actor"]) == (("pacing",), "anna")
    coordinator.cancel("b-1")
    assert coordinator.assign(party("b-3", 2, 19)).outcome is Outcome.CONFIRMED
    assert coordinator.assign(party("b-4", 1, 19)).reason is Reason.PACING


def test_a_move_counts_no_more_and_a_reassign_does():
    """A party beyond the cap may move and shrink, not grow; at another time it counts anew."""
    coordinator = coordinator_of(house(PacingRule(minutes=60, covers=4)))
    coordinator.assign(party("b-1", 4, 19))
    coordinator.place(party("b-2", 3, 19), ["T5"], actor="anna", allow=["pacing"])
    assert coordinator.place(party("b-2", 3, 19), ["T6"], actor="anna").tables == ("T6",)
    assert coordinator.reassign(party("b-2", 2, 19)).outcome is Outcome.CONFIRMED
    grown = coordinator.reassign(party("b-2", 3, 19))
    assert (grown.outcome, grown.reason) == (Outcome.KEPT, Reason.PACING)
    coordinator.assign(party("b-3", 4, 20))
    assert coordinator.reassign(party("b-2", 2, 20, 30)).reason is Reason.PACING
    assert coordinator.reassign(party("b-2", 2, 21)).outcome is Outcome.CONFIRMED
    assert coordinator.assign(party("b-4", 3, 21)).reason is Reason.PACING


def test_more_guests_are_counted_until_they_sit():
    """A party that is still to come grows as far as the cap allows; who sits there already is counted as they are."""
    noon = FakeClock(dt.datetime.combine(DATE, dt.time(12), dt.UTC))
    coordinator = coordinator_of(house(PacingRule(minutes=60, covers=6)), noon)
    coordinator.assign(party("b-1", 3, 19))
    coordinator.assign(party("b-2", 2, 19))
    grown = coordinator.party_changed("b-1", 4, actor="anna")
    assert (grown.outcome, grown.record.booking.party_size) == (Outcome.CONFIRMED, 4)
    kept = coordinator.party_changed("b-2", 3, actor="anna")
    assert (kept.outcome, kept.reason, kept.record.booking.party_size) == (Outcome.KEPT, Reason.PACING, 2)
    coordinator.seated("b-2", actor="anna")
    assert coordinator.party_changed("b-2", 3, actor="anna").outcome is Outcome.CONFIRMED


def test_whoever_was_refused_is_seated_once_there_is_room():
    """The sweep takes it up when a party of its slot gives up guests, although the two want no table at one time."""
    clock = FakeClock()
    venue = house(PacingRule(minutes=1440, covers=4, periods=["dinner"]))
    coordinator = Coordinator.in_memory(venue, clock=clock, sinks=())
    coordinator.assign(party("b-1", 4, 18))
    assert coordinator.assign(party("waits", 2, 22)).reason is Reason.PACING
    clock.advance(MINUTE)
    assert [result.reason for result in coordinator.sweep().results] == [Reason.PACING]
    assert coordinator.reassign(party("b-1", 2, 18)).outcome is Outcome.CONFIRMED
    clock.advance(MINUTE)
    assert [result.booking_id for result in coordinator.sweep().results] == ["waits"]
    assert coordinator.record("waits").state == "confirmed"


def test_many_at_once_count_together():
    """A batch and a day planned anew seat as many as a cap allows, and no more."""
    coordinator = coordinator_of(house(PacingRule(minutes=60, parties=3)))
    results = coordinator.assign_many([party(f"b-{number}", 2, 19, 5 * number) for number in range(5)])
    assert [result.outcome for result in results] == [Outcome.CONFIRMED] * 3 + [Outcome.MANUAL_REVIEW] * 2
    assert {result.reason for result in results[3:]} == {Reason.PACING}


@settings(max_examples=40)
@given(
    rules=st.lists(
        st.builds(
            PacingRule,
            minutes=st.sampled_from([15, 30, 60, 1440]),
            parties=st.integers(1, 3),
            covers=st.sampled_from([None, 4, 6]),
            channel=st.sampled_from([None, "online"]),
            periods=st.sampled_from([(), ("dinner",)]),
        ),
        max_size=3,
    ),
    acts=st.lists(
        st.tuples(
            st.sampled_from(["assign", "assign", "reassign", "cancel", "place"]),
            st.integers(0, 5),
            st.integers(1, 4),
            st.integers(0, 12),
            st.sampled_from([None, "online"]),
        ),
        max_size=14,
    ),
)
def test_no_cap_is_passed(rules, acts):
    """Whatever is asked for in whatever order, unless a person said so by name."""
    venue = house(*rules)
    coordinator = coordinator_of(venue)
    for act, number, size, quarters, channel in acts:
        start = dt.datetime.combine(DATE, dt.time(17, 30), dt.UTC) + quarters * 15 * MINUTE
        booking = Booking(f"b-{number}", "r", size, start, channel=channel)
        record = coordinator.record(booking.id)
        if record is not None and record.state == "cancelled":
            continue
        if act == "cancel":
            coordinator.cancel(booking.id)
        elif act == "place":
            with contextlib.suppress(PlacementRefusedError, TableConflictError):
                coordinator.place(booking, [f"T{number}"], actor="anna")
        elif act == "reassign" and record is not None:
            coordinator.reassign(booking)
        else:
            coordinator.assign(booking)
        records = [coordinator.record(f"b-{each}") for each in range(6)]
        parties = [one.arrival for one in records if one is not None and one.arrival is not None]
        for one in parties:
            assert all(cap.holds(parties) for cap in venue.calendar.caps(one.start_at, one.channel))
