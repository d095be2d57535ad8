"""Bookings that no schedule brings back: found again when nothing is in their way, ended when it is over."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline import AssignmentState, Mode, Outcome, Reason, Settings
from assignment_pipeline.rollout.flags import FixedFlags
from tests.flow.test_unreadable import Rows

MINUTE = dt.timedelta(minutes=1)
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


def fill(house, coordinator):
    """Everybody has a table at that time."""
    for name in ("F1", "F2", "F3"):
        coordinator.assign(house.booking(name))


@pytest.fixture
def waiting(house):
    """A coordinator that asks a person at once, with a booking in review for want of tables."""
    coordinator = house.coordinator(settings=Settings(max_retries=0))
    fill(house, coordinator)
    coordinator.assign(house.booking())
    coordinator.sweep()
    assert house.record().state is AssignmentState.MANUAL_REVIEW
    return coordinator


@pytest.mark.parametrize("first", ["enqueued", "retrying", "in review"])
@pytest.mark.parametrize("status", ["payment_open", "confirmed"])
def test_what_is_pending_again_is_found_again(house, first, status):
    """Whatever it waited for before, and whatever the host called it meanwhile."""
    coordinator = house.coordinator(settings=Settings(max_retries=0 if first == "in review" else 5))
    booking = house.booking()
    if first == "enqueued":
        coordinator.enqueue(booking)
    else:
        fill(house, coordinator)
        coordinator.assign(booking)
    house.host.put_booking(attrs.evolve(booking, status=status))
    house.clock.advance(2 * MINUTE)
    coordinator.sweep()
    if first != "enqueued":
        coordinator.cancel("F1")
        house.clock.advance(2 * MINUTE)
        coordinator.sweep()
    house.host.put_booking(booking)
    for _ in range(3):
        coordinator.sweep()
        house.clock.advance(MINUTE)
    assert house.record().state is AssignmentState.CONFIRMED


@pytest.mark.parametrize("mode", [Mode.OFF, Mode.ACTIVE])
@pytest.mark.parametrize("hours", [0, 20])
def test_what_legacy_never_answered_goes_to_a_person_once_it_is_pending_again(house, mode, hours):
    """Nor was it pending at the host when the time to answer ended."""
    booking = house.booking()
    house.coordinator().enqueue(booking)
    house.clock.advance(MINUTE)
    house.coordinator(flags=FixedFlags(Mode.OFF), legacy=lambda _: None).sweep()
    coordinator = house.coordinator(flags=FixedFlags(mode))
    house.host.put_booking(attrs.evolve(booking, status="payment_open"))
    house.clock.advance(coordinator.settings.handover_timeout)
    coordinator.sweep()
    coordinator.sweep()
    assert house.record().state is AssignmentState.ASSIGNMENT_IN_PROGRESS
    house.clock.advance(hours * HOUR)
    house.host.put_booking(booking)
    coordinator.sweep()
    assert (house.record().state, house.record().reason) == (AssignmentState.MANUAL_REVIEW, Reason.HANDOVER_TIMEOUT)


@pytest.mark.parametrize("kind", ["no table", "impossible", "switched off"])
@pytest.mark.parametrize("moves", [True, False])
def test_a_review_whose_booking_the_host_has_moved_to_later_does_not_end(house, kind, moves):
    """It is found, and planned for anew, though the host has said nothing; else it ends with its time."""
    coordinator = house.coordinator(settings=Settings(max_retries=0))
    booking = house.booking(party_size=50 if kind == "impossible" else 2)
    if kind == "switched off":
        coordinator.enqueue(booking)
        house.clock.advance(2 * MINUTE)
        house.coordinator(flags=FixedFlags(Mode.OFF)).sweep()
    else:
        fill(house, coordinator)
        coordinator.assign(booking)
    coordinator.sweep() if kind != "switched off" else None
    assert house.record().state is AssignmentState.MANUAL_REVIEW
    house.clock.advance(DAY + 5 * HOUR)
    if moves:
        house.host.put_booking(attrs.evolve(booking, party_size=2, start_at=booking.start_at + DAY))
    for _ in range(3):
        coordinator.sweep()
        house.clock.advance(MINUTE)
    record = house.record()
    if moves:
        assert (record.state, record.booking.start_at) == (AssignmentState.CONFIRMED, booking.start_at + DAY)
    else:
        assert (record.state, record.reason) == (AssignmentState.FAILED, Reason.TIME_PASSED)


def test_what_is_pending_again_after_its_time_has_come_is_decided_on(house, coordinator):
    """A person is asked, and the review ends with the booking's time."""
    booking = house.booking()
    coordinator.enqueue(booking)
    house.host.put_booking(attrs.evolve(booking, status="payment_open"))
    house.clock.advance(2 * MINUTE)
    coordinator.sweep()
    house.clock.advance(DAY)
    house.host.put_booking(booking)
    coordinator.sweep()
    assert (house.record().state, house.record().reason) == (AssignmentState.MANUAL_REVIEW, Reason.IN_PAST)
    house.clock.advance(5 * HOUR)
    coordinator.sweep()
    assert (house.record().state, house.record().reason) == (AssignmentState.FAILED, Reason.TIME_PASSED)


def test_a_wish_that_is_allowed_is_not_lost_to_a_call_with_an_older_one(house, coordinator):
    """The sweep makes it due; before it is taken up, a call that was passed the former party refuses it once more."""
    passed = house.booking(party_size=50)
    coordinator.assign(passed)
    house.host.put_booking(attrs.evolve(passed, party_size=2))
    house.store.behind["commit"] = [lambda: coordinator.assign(passed)]
    coordinator.sweep()
    assert house.record().reason == Reason.PARTY_TOO_LARGE
    for _ in range(3):
        house.clock.advance(MINUTE)
        coordinator.sweep()
    assert house.record().state is AssignmentState.CONFIRMED


def test_a_mended_row_goes_on(house, coordinator):
    """A booking whose row made no sense is seated once it does."""
    host = house.host = house.store.host = Rows(house.venue)
    coordinator.enqueue(house.booking())
    host.bad.add("B1")
    house.clock.advance(MINUTE)
    assert [result.reason for result in coordinator.sweep().results] == [Reason.BOOKING_UNREADABLE]
    assert coordinator.sweep().results == ()
    host.bad.clear()
    assert [result.outcome for result in coordinator.sweep().results] == [Outcome.CONFIRMED]


def test_a_mended_row_of_another_restaurant_goes_on_there(house, coordinator):
    """Nobody could see that a call named the wrong restaurant: the record follows the row."""
    host = house.host = house.store.host = Rows(house.venue, attrs.evolve(house.venue, id="R2"))
    booking = attrs.evolve(house.booking(), restaurant_id="R2")
    host.put_booking(booking)
    host.bad.add("B1")
    assert coordinator.assign_id("B1", "R1").reason is Reason.BOOKING_UNREADABLE
    host.bad.clear()
    for _ in range(3):
        coordinator.sweep()
    assert (house.record().state, house.record().restaurant_id) == (AssignmentState.CONFIRMED, "R2")


def test_what_cannot_be_done_is_not_claimed(house, waiting):
    """Where the pipeline is off, a review for which a table came free is looked at once; it goes on when it is back."""
    off = house.coordinator(flags=FixedFlags(Mode.OFF))
    waiting.cancel("F1")
    assert [result.reason for result in off.sweep().results] == [Reason.PIPELINE_DISABLED]
    commits = house.store.asked.count("commit")
    for _ in range(9):
        house.clock.advance(10 * MINUTE)
        assert off.sweep().results == ()
    assert house.store.asked.count("commit") == commits
    assert [result.outcome for result in waiting.sweep().results] == [Outcome.CONFIRMED]


@pytest.mark.parametrize("mode", [Mode.ACTIVE, Mode.OFF])
def test_a_review_ends_with_its_booking(house, waiting, mode):
    """Not before the turn is over; and then also where the pipeline is off."""
    coordinator = house.coordinator(flags=FixedFlags(mode))
    house.clock.advance(DAY + HOUR)
    coordinator.sweep()
    assert house.record().state is AssignmentState.MANUAL_REVIEW
    house.clock.advance(HOUR)
    coordinator.sweep()
    assert (house.record().state, house.record().reason) == (AssignmentState.FAILED, Reason.TIME_PASSED)
    assert coordinator.history("B1")[-1].reason == Reason.TIME_PASSED


def test_every_record_is_come_to(house):
    """Each sweep looks at the next ones, so that no number of reviews hides another."""
    coordinator = house.coordinator(settings=Settings(max_retries=0))
    start = house.clock.now().replace(second=0, microsecond=0) + DAY
    for number in range(250):
        coordinator.assign(house.booking(f"B{number:03}", 99, start_at=start))
    house.clock.advance(2 * DAY)
    for _ in range(3):
        coordinator.sweep()
    assert {house.record(f"B{number:03}").state for number in range(250)} == {AssignmentState.FAILED}
