"""A booking with tables that changes is held against the rules for new ones, as far as it changes; on every store."""

from __future__ import annotations

import datetime as dt

import pytest

from assignment_pipeline import (
    Arrivals,
    Booking,
    Coordinator,
    FloorPlan,
    Mode,
    ServicePeriod,
    Table,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.rollout.flags import FixedFlags

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)

LATE = {"start_at": 7 * MINUTE}
LARGE = {"party_size": 4}


class Inn:
    """One table for six, an arrival every half hour, and a person for parties of four and more."""

    def __init__(self, harness, clock):
        self.harness, self.clock = harness, clock
        open_all_day = ServicePeriod("day", dt.time(0), dt.time(0), arrivals=Arrivals(every=30))
        policy = VenuePolicy(service_periods=[open_all_day], review_from_party=4)
        harness.put_venue(Venue("inn", "UTC", FloorPlan([Table("T1", 6)]), policy))
        wiring = {"flags": FixedFlags(Mode.ACTIVE), "clock": clock, "sinks": (), "shadow": None}
        self.coordinator = Coordinator(harness.store, **wiring)
        self.start = clock.now().replace(minute=0, second=0, microsecond=0) + 6 * HOUR

    def booking(self, name="b", party_size=2, start_at=0 * MINUTE, **wishes):
        made = Booking(name, "inn", party_size, self.start + start_at, **wishes)
        self.harness.put_booking(made)
        return made

    def has(self):
        """What the booking is by now, and where it sits."""
        record = self.coordinator.record("b")
        return record.tables, record.booking.party_size, record.booking.start_at - self.start


@pytest.fixture
def inn(harness, clock):
    return Inn(harness, clock)


@pytest.mark.parametrize(("change", "reason"), [(LATE, "not_an_arrival"), (LARGE, "large_party")])
def test_its_own_tables_are_no_way_round_a_rule(inn, change, reason):
    """Neither for a booking that keeps what it has, nor for one that does not: they answer as a new booking is."""
    coordinator = inn.coordinator
    coordinator.assign(inn.booking())
    result = coordinator.reassign(inn.booking(**change))
    assert (result.outcome, result.reason) == ("kept", reason)
    assert inn.has() == (("T1",), 2, 0 * MINUTE)
    result = coordinator.reassign(inn.booking(**change), keep=False)
    assert (result.outcome, result.reason, result.tables) == ("manual_review", reason, ())
    fresh = coordinator.assign(inn.booking("fresh", **change))
    assert (fresh.outcome, fresh.reason) == ("manual_review", reason)


def test_a_change_to_another_arrival_is_made(inn):
    """The rules are those for new bookings, and no stricter."""
    inn.coordinator.assign(inn.booking())
    changed = inn.booking(party_size=3, start_at=30 * MINUTE)
    assert inn.coordinator.reassign(changed).outcome == "confirmed"
    assert inn.has() == (("T1",), 3, 30 * MINUTE)
    assert inn.coordinator.audit("inn").findings == ()


@pytest.mark.parametrize("change", [{}, {"party_size": 3}, {"zone": None, "channel": "phone"}])
def test_a_time_that_a_person_gave_stays(inn, change):
    """A party that was placed between two arrivals keeps its time, whatever else of it changes."""
    inn.coordinator.place(inn.booking(**LATE), ["T1"], actor="ann")
    assert inn.coordinator.reassign(inn.booking(**{**LATE, **change})).outcome in {"confirmed", "noop"}
    assert inn.has() == (("T1",), change.get("party_size", 2), 7 * MINUTE)
    assert inn.coordinator.audit("inn").findings == ()
    result = inn.coordinator.reassign(inn.booking(start_at=8 * MINUTE))
    assert (result.outcome, result.reason) == ("kept", "not_an_arrival")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, "terminal_state"),
        ({"accessible": False, "channel": "phone"}, None),
        ({"party_size": 3}, None),  # No large party any more.
        ({"party_size": 5}, "large_party"),
        ({"start_at": 30 * MINUTE}, "large_party"),
    ],
)
def test_a_large_party_that_a_person_seated_is_asked_about_where_it_changes(inn, change, reason):
    """A person agreed on that many guests at that time, and on nothing else."""
    inn.coordinator.place(inn.booking(**LARGE), ["T1"], actor="ann")
    result = inn.coordinator.reassign(inn.booking(**{**LARGE, **change}))
    assert (result.outcome == "kept", result.reason) == (reason == "large_party", reason)
    assert inn.has()[0] == ("T1",)


@pytest.mark.parametrize(("change", "reason"), [(LATE, "not_an_arrival"), (LARGE, "large_party")])
def test_a_booking_that_is_put_back_is_asked_the_same(inn, change, reason):
    """It changed while it was cancelled."""
    booking = inn.booking()
    inn.coordinator.assign(booking)
    inn.coordinator.cancel("b")
    inn.booking(**change)
    result = inn.coordinator.reinstate("b", actor="ann")
    assert (result.outcome, result.reason, result.tables) == ("manual_review", reason, ())


def test_a_large_party_is_put_back_as_it_was(inn):
    """Also where it has another wish by now: a person agreed on its time and its guests."""
    inn.coordinator.place(inn.booking(**LARGE), ["T1"], actor="ann")
    inn.coordinator.cancel("b")
    inn.booking(**LARGE, attributes={"note": "cake"}, seating="indoor")
    result = inn.coordinator.reinstate("b", actor="ann")
    assert (result.outcome, result.tables) == ("confirmed", ("T1",))
