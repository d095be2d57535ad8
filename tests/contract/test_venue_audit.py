"""The audit of a venue on every store: each booking that is ahead, with the rules that it breaks by now."""

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
    PacingRule,
    ServicePeriod,
    SpecialDay,
    Table,
    TimeWindow,
    Venue,
    VenueNotFoundError,
    VenuePolicy,
)
from assignment_pipeline.testing.store_harness import DINNER, HOUR

ZONE = ZoneInfo("Europe/London")
DATE = DINNER.astimezone(ZONE).date()
AT = dt.datetime.combine(DATE, dt.time(21), ZONE)
TABLES = (Table("T1", 4), Table("T2", 4, zone="hall"), Table("T3", 2))
OPEN = ServicePeriod("dinner", dt.time(17), dt.time(23))


def house(tables=TABLES, periods=(OPEN,), timezone="Europe/London", **policy):
    return Venue("r-1", timezone, FloorPlan(tables), VenuePolicy(service_periods=periods, **policy))


@pytest.fixture
def coordinator(store, harness, clock):
    harness.put_venue(house())
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=()) as coordinator:
        for name, table, facts in (("one", "T1", {}), ("two", "T2", {"zone": "hall"}), ("late", "T3", {})):
            booking = Booking(name, "r-1", 2, AT + (HOUR if name == "late" else 0 * HOUR), AT + 2 * HOUR, **facts)
            harness.put_booking(booking)
            coordinator.place(booking, [table], actor="anna", pin=False)
        yield coordinator


def rules(coordinator, **asked):
    found = coordinator.audit("r-1", **asked)
    return {one.booking_id: [rule.value for rule in one.rules] for one in found.findings}


def test_nothing_is_wrong_with_what_was_just_seated(coordinator):
    """All are looked at, and none is named."""
    found = coordinator.audit("r-1")
    assert (found.checked, found.findings, found.timezone) == (3, (), "Europe/London")


EVENING = SpecialDay(date=DATE, service_periods=[ServicePeriod("short", dt.time(17), dt.time(22))])


@pytest.mark.parametrize(
    ("venue", "expected"),
    [
        (house(periods=[ServicePeriod("dinner", dt.time(17), dt.time(20))]), dict.fromkeys(("one", "two", "late"))),
        (
            house(timezone="America/New_York"),
            {"one": (both := ["outside_service", "timezone"]), "two": both, "late": ["timezone"]},
        ),
        (house(special_days=[SpecialDay(date=DATE, closed=True)]), dict.fromkeys(("one", "two", "late"))),
        (house(special_days=[EVENING]), dict.fromkeys(("one", "two", "late"))),
        (house(TABLES[1:]), {"one": ["unknown_table"]}),
        (house((Table("T1", 4, active=False), *TABLES[1:])), {"one": ["inactive"]}),
        (house((Table("T1", 1), *TABLES[1:])), {"one": ["size"]}),
        (house((TABLES[0], Table("T2", 4, zone="patio"), TABLES[2])), {"two": ["zone"]}),
        (house(pacing=[PacingRule(minutes=15, parties=1)]), {"two": ["pacing"]}),
    ],
    ids=["hours", "timezone", "closed", "special hours", "gone", "out of use", "smaller", "zone", "pacing"],
)
def test_each_rule_is_named(coordinator, harness, venue, expected):
    """Whatever has changed, exactly the bookings that it concerns are named, each with its rule."""
    harness.put_venue(venue)
    assert rules(coordinator) == {name: found or ["outside_service"] for name, found in expected.items()}


def test_a_table_out_of_service_is_named(coordinator):
    """Bookings that have the table for part of that time are named."""
    coordinator.block("r-1", "T2", TimeWindow(AT + HOUR, AT + 5 * HOUR), actor="anna", reason="maintenance")
    assert rules(coordinator) == {"two": ["taken"]}


def test_only_what_is_ahead_is_looked_at(coordinator, harness, clock):
    """By the store's time, or from the moment that is asked for; cancelled bookings have no tables."""
    harness.put_venue(house(TABLES[2:], periods=()))
    assert set(rules(coordinator)) == {"one", "two"}
    assert rules(coordinator, since=AT + HOUR) == {}
    assert coordinator.audit("r-1", since=AT + HOUR).checked == 1
    coordinator.cancel("two")
    assert set(rules(coordinator)) == {"one"}
    clock.advance(AT - clock.now() + HOUR / 60)
    assert rules(coordinator) == {}
    assert set(rules(coordinator, since=AT)) == {"one"}


def test_what_cannot_be_asked_is_refused(coordinator):
    """A time without an offset, and a restaurant that there is not."""
    with pytest.raises(ValueError, match="since: expected a time with an offset"):
        coordinator.audit("r-1", since=dt.datetime(2031, 5, 1))  # noqa: DTZ001
    with pytest.raises(VenueNotFoundError):
        coordinator.audit("nowhere")


def test_of_too_many_the_last_are_named(store, harness, clock):
    """Who booked last goes beyond the cap; who came before, and other slots, are as they should be."""
    harness.put_venue(house((*TABLES, Table("T4", 4), Table("T5", 4))))
    with Coordinator(store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=()) as coordinator:
        for number, (name, table) in enumerate((("c", "T1"), ("a", "T2"), ("d", "T4"), ("b", "T5"))):
            clock.advance(dt.timedelta(seconds=1))
            booking = Booking(name, "r-1", 4 if number < 3 else 1, AT, AT + HOUR)
            harness.put_booking(booking)
            coordinator.place(booking, [table], actor="anna", pin=False)
        harness.put_venue(house((*TABLES, Table("T4", 4), Table("T5", 4)), pacing=[PacingRule(minutes=15, covers=9)]))
        assert rules(coordinator) == {"d": ["pacing"]}  # One more guest fits beside eight.
        harness.put_venue(house((*TABLES, Table("T4", 4), Table("T5", 4)), pacing=[PacingRule(minutes=15, parties=1)]))
        assert rules(coordinator) == {name: ["pacing"] for name in ("a", "b", "d")}


def test_a_changed_restaurant_is_answered_with_whom_it_concerns(coordinator, store):
    """Where the host is ours, it is kept and audited at once."""
    if type(store).__name__.startswith("Blocking"):
        pytest.skip("what has an async store wait for these tests knows the port only: see test_postgres_async")
    shorter = house(periods=[ServicePeriod("dinner", dt.time(17), dt.time(20))])
    try:
        found = coordinator.put_venue(shorter)
    except ValueError:
        pytest.skip("a host of its own keeps its restaurants itself")
    assert {one.booking_id for one in found.findings} == {"one", "two", "late"}
    assert coordinator.audit("r-1").findings == found.findings
    assert coordinator.put_venue(house()).findings == ()
