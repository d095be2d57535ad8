"""Availability against `assign` and against brute force, on small floors with random days."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assignment_pipeline import (
    AsyncCoordinator,
    Booking,
    CommunalTable,
    Coordinator,
    Counter,
    FixedFlags,
    FloorPlan,
    Mode,
    Outcome,
    PacingRule,
    ServicePeriod,
    SlotStatus,
    Table,
    TurnBand,
    Venue,
    VenuePolicy,
    Zone,
)
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.planning.engine import TableEngine
from assignment_pipeline.ports import ArrivingParty
from assignment_pipeline.testing import FakeClock

DATE = FakeClock().now().date() + dt.timedelta(days=3)
EVENING = dt.datetime.combine(DATE, dt.time(18), dt.UTC)
QUARTER = dt.timedelta(minutes=15)
PATIENT = Settings(reseat_budget=dt.timedelta(seconds=5), call_budget=dt.timedelta(seconds=5))

TABLES = st.builds(
    Table,
    st.just("T"),
    st.sampled_from([2, 2, 4, 6]),
    zone=st.sampled_from([None, "hall", "garden"]),
    active=st.sampled_from([True, True, True, False]),
)
PERIODS = st.sampled_from(
    [
        ServicePeriod("dinner", dt.time(18), dt.time(21)),
        ServicePeriod("dinner", dt.time(18), dt.time(21), arrivals=[dt.time(18), dt.time(19, 30)], turn="to_end"),
        ServicePeriod(
            "dinner", dt.time(18), dt.time(20), end_rule="arrive_by", turn_bands=[TurnBand(2, 45), TurnBand(9, 90)]
        ),
    ]
)


PACING = st.sampled_from(
    [
        (),
        (),
        (PacingRule(minutes=15, covers=4),),
        (PacingRule(minutes=60, parties=2, periods=["dinner"]), PacingRule(minutes=30, covers=3, channel="online")),
    ]
)


@st.composite
def houses(draw):
    tables = [
        attrs.evolve(table, id=f"T{number}")
        for number, table in enumerate(draw(st.lists(TABLES, min_size=1, max_size=4)))
    ]
    pairs = list(itertools.pairwise(table.id for table in tables)) if draw(st.booleans()) else []
    policy = VenuePolicy(
        service_periods=[draw(PERIODS)],
        reseat=draw(st.sampled_from(["auto", "auto", "off", "suggest"])),
        post_buffer_minutes=draw(st.sampled_from([0, 15])),
        review_from_party=draw(st.sampled_from([None, 7])),
        pacing=draw(PACING),
    )
    row = draw(st.sampled_from([None, None, Counter, CommunalTable]))
    rows = [] if row is None else [row("R", draw(st.integers(1, 5)))]
    zones = [Zone("garden", offer="on_request", held_until_minutes=draw(st.sampled_from([None, 82 * 60])))]
    if not any(table.zone == "garden" for table in tables) or draw(st.booleans()):
        zones = []
    return Venue("r-1", "UTC", FloorPlan([*tables, *rows], pairs, zones=zones), policy)


PARTIES = st.lists(
    st.tuples(
        st.integers(1, 6),
        st.integers(0, 8),
        st.sampled_from([None, None, "hall"]),
        st.sampled_from([None, "phone", "online"]),
    ),
    max_size=6,
)


def booked(number, party):
    size, quarters, zone, channel = party
    return Booking(f"b-{number}", "r-1", size, EVENING + quarters * QUARTER, zone=zone, channel=channel)


@settings(max_examples=60)
@given(house=houses(), parties=PARTIES, data=st.data())
def test_no_slot_lies(house, parties, data):
    """Available is confirmed, with moves is confirmed with moves, else neither: also where no search gets its time."""
    ticks = itertools.count() if data.draw(st.booleans()) else itertools.repeat(0)
    engine = TableEngine(monotonic=lambda: float(next(ticks)))
    coordinator = Coordinator.in_memory(house, clock=FakeClock(), engine=engine, settings=PATIENT, sinks=())
    for number, party in enumerate(parties):
        coordinator.assign(booked(number, party))
    wishes = {"zone": data.draw(st.sampled_from([None, None, "garden"]))}
    wishes["channel"] = data.draw(st.sampled_from([None, "online"]))
    number = data.draw(st.integers(0, 200))
    for turn in range(6):
        slots = coordinator.availability("r-1", DATE, range(1, 9), **wishes).slots
        slot = slots[(number + 37 * turn) % len(slots)]
        booking = Booking(f"new-{turn}", "r-1", slot.party_size, slot.start_at, **wishes)
        result = coordinator.assign(booking)
        assert (result.outcome is Outcome.CONFIRMED) == (slot.status in (SlotStatus.AVAILABLE, SlotStatus.WITH_MOVES))
        assert bool(result.moved) == (slot.status is SlotStatus.WITH_MOVES)
        if turn % 2:
            coordinator.cancel(booking.id)


@settings(max_examples=40)
@given(house=houses(), parties=PARTIES, number=st.integers(0, 200))
def test_another_process_gives_what_this_one_says(house, parties, number):
    """An engine that remembers nothing of this one's searches confirms the same slots."""
    clock = FakeClock()
    still = {"settings": PATIENT, "clock": clock, "sinks": ()}
    asked = Coordinator.in_memory(house, engine=TableEngine(monotonic=lambda: 0.0), **still)
    for place, party in enumerate(parties):
        asked.assign(booked(place, party))
    for turn in range(6):
        slots = asked.availability("r-1", DATE, range(1, 9)).slots
        slot = slots[(number + 37 * turn) % len(slots)]
        engine = TableEngine(monotonic=lambda: 0.0)
        other = Coordinator(asked.store, flags=FixedFlags(Mode.ACTIVE), engine=engine, **still)
        result = other.assign(Booking(f"new-{turn}", "r-1", slot.party_size, slot.start_at))
        assert (result.outcome is Outcome.CONFIRMED) == (slot.status in (SlotStatus.AVAILABLE, SlotStatus.WITH_MOVES))
        assert bool(result.moved) == (slot.status is SlotStatus.WITH_MOVES)
        if turn % 2:
            other.cancel(f"new-{turn}")


@settings(max_examples=60)
@given(house=houses(), parties=PARTIES)
def test_spots_are_the_most_that_fit_at_once(house, parties):
    """By brute force: the most places for the party that are free, share no table and stay within the caps."""
    coordinator = Coordinator.in_memory(house, clock=FakeClock(), settings=PATIENT, sinks=())
    taken = []
    for number, party in enumerate(parties):
        result = coordinator.assign(booked(number, party))
        assert not result.moved or house.policy.reseat == "auto"
    for number in range(len(parties)):
        record = coordinator.record(f"b-{number}")
        if record.allocation is not None:
            taken.append(record.allocation)
    for slot in coordinator.availability("r-1", DATE, (2, 4, 6)).slots:
        if slot.status is not SlotStatus.AVAILABLE or house.floor.zones:
            continue
        booking = Booking("x", "r-1", slot.party_size, slot.start_at)
        blocked = house.blocked(house.turn(booking))
        busy = {table for seats in taken if seats.blocked.overlaps(blocked) for table in seats.tables}
        shared = [table.id for table in house.floor.tables if table.communal]
        known = {place.table_ids for place in house.candidates(slot.party_size)}
        known |= {*itertools.combinations(shared, slot.party_size)}
        places = [set(place) for place in known if not busy & set(place)]
        most = max(
            number
            for number in range(len(house.floor.tables) + 1)
            for some in itertools.combinations(places, number)
            if sum(map(len, some)) == len(set().union(*some))
        )
        caps = house.calendar.caps(slot.start_at, None)
        arrivals = [coordinator.record(f"b-{number}").arrival for number in range(len(parties))]
        found = [party for party in arrivals if party is not None]
        while not all(cap.holds([*found, *newcomers(most, booking)]) for cap in caps):
            most -= 1
        assert slot.spots == most


def newcomers(number, booking):
    return [ArrivingParty(f"new-{each}", booking.start_at, booking.party_size) for each in range(number)]


def test_strategies_have_their_say():
    """Where a strategy forbids what is free, the slot is not to be had."""

    class NotAtSeven:
        name = "not_at_seven"

        def weigh(self, request, seating, floor):
            return None if request.turn.start.hour == 19 else 0.0

    house = Venue(
        "r-1",
        "UTC",
        FloorPlan([Table("T1", 4), Table("T2", 2)]),
        VenuePolicy(
            service_periods=[ServicePeriod("dinner", dt.time(18), dt.time(23), arrivals=[dt.time(18), dt.time(19)])]
        ),
    )
    coordinator = Coordinator.in_memory(house, clock=FakeClock(), strategies=[NotAtSeven()], sinks=())
    six, seven = coordinator.availability("r-1", DATE, [2]).slots
    assert (six.status, six.spots) == (SlotStatus.AVAILABLE, 2)
    assert (seven.status, seven.reason) == (SlotStatus.UNAVAILABLE, "taken")


def test_asyncio_answers_the_same():
    """The same slots."""
    house = Venue("r-1", "UTC", FloorPlan([Table("T1", 4)]), VenuePolicy())

    async def ask():
        async with AsyncCoordinator.in_memory(house, clock=FakeClock(), sinks=()) as made:
            return (await made.availability("r-1", DATE, [2, 5])).slots

    slots = asyncio.run(ask())
    assert slots == Coordinator.in_memory(house, clock=FakeClock(), sinks=()).availability("r-1", DATE, [2, 5]).slots
    assert len(slots) == 2 * 96
    assert {slot.reason for slot in slots if slot.party_size == 5} == {"party_too_large"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"party_sizes": []}, "party_sizes: expected one size or more"),
        ({"party_sizes": 2}, r"party_sizes: expected several sizes, such as \[2, 4\], got 2"),
        ({"party_sizes": [0]}, "party_size: expected a whole number from 1"),
        ({"date": "2031-05-01"}, "date: expected a date"),
        ({"date": dt.date(1900, 1, 1)}, "date: expected a date in the years 1971 to 9997"),
        ({"date": dt.date(9999, 12, 31)}, "date: expected a date in the years 1971 to 9997"),
        ({"until": dt.date(9999, 12, 31)}, "until: expected a date in the years 1971 to 9997"),
        ({"until": DATE - dt.timedelta(days=1)}, "until: expected a date from"),
        ({"seating": "garden"}, "seating: expected one of any, "),
    ],
)
def test_what_nobody_can_ask_is_refused(wrong, says):
    """With what was expected."""
    coordinator = Coordinator.in_memory(Venue("r-1", "UTC", FloorPlan([Table("T1", 4)])), sinks=())
    asked = {"date": DATE, "party_sizes": [2], **wrong}
    with pytest.raises(ValueError, match=says):
        coordinator.availability("r-1", **asked)


MOMENTS = [dt.datetime(year, 12, 31, 23, 59, tzinfo=dt.UTC) for year in (1, 1970, 9998, 9999)]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_each_day_and_moment_of_the_calendar_is_looked_at_or_refused(moment):
    """By the name of the argument, whatever is asked."""
    coordinator = Coordinator.in_memory(Venue("r-1", "Pacific/Kiritimati", FloorPlan([Table("T1", 4)])), sinks=())
    asked = {
        "date": lambda: coordinator.day("r-1", moment.date()),
        "month": lambda: coordinator.availability_month("r-1", moment.date(), [2]),
        "service_date": lambda: coordinator.reoptimize("r-1", moment.date()),
        "at": lambda: coordinator.floor("r-1", moment),
        "since": lambda: coordinator.audit("r-1", since=moment),
    }
    for name, ask in asked.items():
        with pytest.raises(InvalidValueError, match=f"^{name}: expected a (date|time) in the years 1971 to 9997, got "):
            ask()


def test_the_first_and_the_last_day_can_be_looked_at():
    """In the timezones that are farthest from UTC."""
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):
        coordinator = Coordinator.in_memory(Venue("r-1", zone, FloorPlan([Table("T1", 4)])), sinks=())
        for date in (dt.date(1971, 1, 1), dt.date(9997, 12, 31)):
            assert coordinator.day("r-1", date).date == date
            assert coordinator.availability("r-1", date, [2]).date == date


def test_what_has_passed_is_not_to_be_had():
    """Today's arrivals before now are in the past."""
    clock = FakeClock()
    coordinator = Coordinator.in_memory(Venue("r-1", "UTC", FloorPlan([Table("T1", 4)])), clock=clock, sinks=())
    slots = coordinator.availability("r-1", clock.now().date(), [2]).slots
    this_minute = clock.now().replace(second=0, microsecond=0)
    assert {slot.reason for slot in slots if slot.start_at < this_minute} <= {"in_past"}
    assert {slot.reason for slot in slots if slot.start_at >= this_minute} == {None}


def test_a_month_at_a_glance():
    """For each date and size the best of its slots, and how many arrivals have it; closed days are closed."""
    dinner = ServicePeriod("dinner", dt.time(18), dt.time(23), ["fri", "sat"], arrivals=[dt.time(18), dt.time(20)])
    policy = VenuePolicy(service_periods=[dinner], review_from_party=9, reseat="off")
    house = Venue("r-1", "UTC", FloorPlan([Table("T1", 4)]), policy)
    coordinator = Coordinator.in_memory(house, clock=FakeClock(), sinks=())
    friday = dt.date(2031, 6, 6)
    for number, hour in enumerate((18, 20)):
        coordinator.assign(Booking(f"b-{number}", "r-1", 4, dt.datetime(2031, 6, 6, hour, tzinfo=dt.UTC)))
    coordinator.assign(Booking("b-2", "r-1", 4, dt.datetime(2031, 6, 7, 18, tzinfo=dt.UTC)))
    found = coordinator.availability_month("r-1", dt.date(2031, 6, 17), [2, 5, 9])
    assert (found.date, found.until) == (dt.date(2031, 6, 1), dt.date(2031, 6, 30))
    days = {(day.date, day.party_size): (day.status.value, day.reason, day.times) for day in found.days}
    assert len(days) == 30 * 3
    assert days[friday, 2] == ("unavailable", "taken", 2)
    assert days[friday + dt.timedelta(days=1), 2] == ("available", None, 1)
    assert days[friday + dt.timedelta(days=2), 2] == ("unavailable", "closed", 0)
    assert days[friday + dt.timedelta(days=7), 2] == ("available", None, 2)
    assert days[friday, 5] == ("unavailable", "party_too_large", 2)
    assert days[friday, 9] == ("review", "large_party", 2)
    assert found == coordinator.availability("r-1", found.date, [2, 5, 9], until=found.until)

    async def ask():
        async with AsyncCoordinator.in_memory(house, clock=FakeClock(), sinks=()) as made:
            return await made.availability_month("r-1", friday, [2])

    assert len(asyncio.run(ask()).days) == 30
    with pytest.raises(ValueError, match="month: expected a date"):
        coordinator.availability_month("r-1", "2031-06", [2])
