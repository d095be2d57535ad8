"""What waits for want of tables is looked at again once some could have come free, whatever happened beside it."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    Booking,
    Coordinator,
    FloorPlan,
    Mode,
    Outcome,
    Reason,
    Settings,
    Table,
    Venue,
    VenuePolicy,
)
from assignment_pipeline.rollout.flags import FixedFlags

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)


@pytest.fixture
def coordinator(house):
    """One that asks a person at once where there is no table."""
    return house.coordinator(settings=Settings(max_retries=0))


@pytest.fixture
def evening(house, coordinator):
    """Both times of the evening are full, but for the table of the one booking that will want to change."""
    booking = house.booking()
    later = booking.start_at + 4 * HOUR
    for name, size in (("L1", 2), ("L2", 2), ("L3", 4)):
        assert coordinator.assign(house.booking(name, size, start_at=later)).outcome is Outcome.CONFIRMED
    return booking, attrs.evolve(booking, start_at=later)


def frees_a_table_beside(house, coordinator):
    """Somebody cancels between a plan and its commit."""
    house.store.before["commit"] = [lambda: coordinator.cancel("L1")]


def sweep_for_an_hour(house, coordinator):
    """Nobody does anything but the sweep."""
    for _ in range(12):
        house.clock.advance(5 * MINUTE)
        coordinator.sweep()


def test_a_confirmed_booking_that_gives_up_its_tables(house, coordinator, evening):
    """It is seated at the table that came free beside its change."""
    booking, changed = evening
    coordinator.assign(booking)
    frees_a_table_beside(house, coordinator)
    assert coordinator.reassign(changed, keep=False).reason is Reason.NO_FIT
    assert house.record().next_attempt_at == house.clock.now()
    house.host.put_booking(changed)
    sweep_for_an_hour(house, coordinator)
    assert house.record().state is AssignmentState.CONFIRMED


def test_a_booking_in_review_that_waited_for_no_tables(house, coordinator, evening):
    """Freed tables were no news to it before its change, and are from then on."""
    booking, changed = evening
    too_large = attrs.evolve(booking, party_size=9)
    house.host.put_booking(too_large)
    assert coordinator.assign(too_large).reason is Reason.PARTY_TOO_LARGE
    frees_a_table_beside(house, coordinator)
    assert coordinator.reassign(changed).reason is Reason.NO_FIT
    house.host.put_booking(changed)
    sweep_for_an_hour(house, coordinator)
    assert house.record().state is AssignmentState.CONFIRMED


def test_a_pending_booking_that_asks_for_another_time(house, coordinator, evening):
    """It waited for the tables of its old time; those of the new one count from now on."""
    booking, changed = evening
    for name, size in (("E1", 2), ("E2", 2), ("E3", 4)):
        assert coordinator.assign(house.booking(name, size)).outcome is Outcome.CONFIRMED
    assert coordinator.assign(booking).reason is Reason.NO_FIT
    coordinator.requeue("B1", actor="anna")
    assert house.record().state is AssignmentState.ASSIGNMENT_PENDING
    house.host.put_booking(changed)
    frees_a_table_beside(house, coordinator)
    assert coordinator.assign(changed, trigger="manual").reason is Reason.NO_FIT
    sweep_for_an_hour(house, coordinator)
    assert house.record().state is AssignmentState.CONFIRMED


def test_a_booking_that_the_host_changes_while_it_waits(house, coordinator, evening):
    """Once the sweep has read the change, tables that come free for the new wish wake it."""
    booking, changed = evening
    for name, size in (("E1", 2), ("E2", 2), ("E3", 4)):
        assert coordinator.assign(house.booking(name, size)).outcome is Outcome.CONFIRMED
    assert coordinator.assign(booking).reason is Reason.NO_FIT
    house.host.put_booking(changed)
    coordinator.cancel("E1")
    coordinator.sweep()
    assert house.record().booking.same_request(changed)
    assert house.record().next_attempt_at is not None
    sweep_for_an_hour(house, coordinator)
    assert house.record().next_attempt_at is None
    coordinator.cancel("L1")
    coordinator.sweep()
    assert house.record().state is AssignmentState.CONFIRMED


def test_who_waits_for_the_same_is_not_looked_at_twice(house, coordinator, evening):
    """A commit that frees tables makes it due, and refuses what was planned before: no second look is needed."""
    _, changed = evening
    house.host.put_booking(changed)
    assert coordinator.assign(changed).reason is Reason.NO_FIT
    coordinator.sweep()
    assert house.record().next_attempt_at is None
    assert coordinator.reassign(changed).reason is Reason.NO_FIT
    assert house.record().next_attempt_at is None


def test_tables_that_come_free_while_a_review_is_looked_at_again(house, coordinator):
    """A look that finds nothing does not undo what makes it due again in the meantime."""
    for name, size in (("E1", 2), ("E2", 2), ("E3", 4)):
        assert coordinator.assign(house.booking(name, size)).outcome is Outcome.CONFIRMED
    assert coordinator.assign(house.booking(party_size=4)).outcome is Outcome.MANUAL_REVIEW
    coordinator.sweep()
    coordinator.cancel("E1")
    house.store.before["commit"] = [lambda: coordinator.cancel("E3")]
    coordinator.sweep()
    assert house.record().state is AssignmentState.CONFIRMED


def test_a_booking_that_the_host_calls_pending_again_during_the_look(house, coordinator):
    """The sweep decides by the row as it is when the decision lands."""
    booking = house.booking()
    coordinator.enqueue(booking)
    house.host.put_booking(attrs.evolve(booking, status="payment"))
    house.clock.advance(MINUTE)
    house.store.before["commit"] = [lambda: house.host.put_booking(booking)]
    coordinator.sweep()
    assert house.record().state is AssignmentState.CONFIRMED


@pytest.fixture
def queue(harness, clock):
    """Four who want the only table, on each store; the table comes free when the fifth cancels."""
    floor = FloorPlan([Table("T1", 6)])
    harness.put_venue(Venue("R1", "Europe/London", floor, VenuePolicy(reseat="off")))
    at = clock.now().replace(second=0, microsecond=0) + 24 * HOUR
    asked = (("has-it", 2, 0), ("z-first", 2, 30), ("m-large", 6, 20), ("k-soon", 2, -10), ("a-last", 2, 0))

    def wait(order):
        coordinator = Coordinator(
            harness.store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=(), settings=Settings(wake_order=order)
        )
        for name, size, minutes in asked:
            booking = Booking(name, "R1", size, at + minutes * MINUTE)
            harness.put_booking(booking)
            coordinator.assign(booking)
            clock.advance(MINUTE)
        return coordinator

    return wait


@pytest.mark.parametrize(
    ("order", "first"), [("longest_wait", "z-first"), ("soonest_arrival", "k-soon"), ("largest_party", "m-large")]
)
def test_freed_tables_go_by_the_order(queue, order, first):
    """By default to the party that has waited longest, whatever its id."""
    coordinator = queue(order)
    coordinator.cancel("has-it")
    seated = [result.booking_id for result in coordinator.sweep().results if result.outcome is Outcome.CONFIRMED]
    assert seated == [first]
    assert Settings().wake_order == "longest_wait"


def test_the_wait_begins_anew_with_each_loss_of_the_tables(house, coordinator):
    """It goes on from attempt to attempt, ends with tables, and begins again when they are given up."""
    began = house.clock.now()
    for name, size in (("L1", 2), ("L2", 2), ("L3", 4)):
        coordinator.assign(house.booking(name, size))
    coordinator.assign(house.booking())
    assert house.record().waiting_since == began
    house.clock.advance(HOUR)
    coordinator.sweep()
    assert house.record().waiting_since == began
    coordinator.cancel("L1")
    coordinator.sweep()
    assert (house.record().state, house.record().waiting_since) == (AssignmentState.CONFIRMED, None)
    house.clock.advance(HOUR)
    coordinator.requeue("B1", actor="ann")
    assert house.record().waiting_since == began + 2 * HOUR
    coordinator.cancel("B1")
    assert house.record().waiting_since is None


def test_one_restaurant_that_wakes_many_does_not_delay_the_others(house, coordinator):
    """Each of the others is taken up within the first round, also where its booking was due last."""
    for number in range(40):
        coordinator.assign(house.booking(f"a-{number:02}", 5 + number % 3))
    for name in ("R2", "R3"):
        house.host.put_venue(attrs.evolve(house.venue, id=name))
    house.clock.advance(MINUTE)
    for name in ("R2", "R3"):
        booking = attrs.evolve(house.booking(f"z-{name}"), restaurant_id=name)
        house.host.put_booking(booking)
        coordinator.enqueue(booking)
    for number in range(40):
        house.store._records[f"a-{number:02}"] = attrs.evolve(
            house.record(f"a-{number:02}"), next_attempt_at=house.clock.now()
        )
    house.clock.advance(2 * MINUTE)
    found = [result.booking_id for result in coordinator.sweep(limit=3).results]
    assert sorted(found[:3]) == ["a-00", "z-R2", "z-R3"]
