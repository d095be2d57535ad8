"""Bookings that the planner before the pipeline has seated, and of which the pipeline has no record."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline import BookingNotFoundError, FixedFlags, Mode, Outcome, Reason
from assignment_pipeline.domain.adoption import LegacySeat
from assignment_pipeline.errors import NoRecordError

ACTS = {
    "seated": {},
    "left": {},
    "no_show": {},
    "pin": {},
    "unpin": {},
    "requeue": {},
    "takeover": {},
    "reject": {"reason": "guest_withdrew"},
}


@pytest.fixture(params=sorted(ACTS))
def act(request, coordinator):
    """Each thing that a person does to a booking that is known."""
    return lambda name: getattr(coordinator, request.param)(name, actor="anna", **ACTS[request.param])


@pytest.mark.parametrize(
    ("status", "advice"), [("confirmed", "call adopt"), ("pending", "call assign"), ("cancelled", "needs no tables")]
)
def test_what_the_host_knows_is_named_with_its_state(house, act, status, advice):
    """The error says what the host calls it, and what to do."""
    house.booking(status=status)
    with pytest.raises(NoRecordError, match=f"is {status} at the host and has no record here.*{advice}"):
        act("B1")


def test_what_nobody_knows_is_known_to_neither(house, act):
    """Only then the error says so."""
    with pytest.raises(BookingNotFoundError, match="neither to the host nor to the pipeline") as found:
        act("nobody")
    assert not isinstance(found.value, NoRecordError)


def test_extend_and_confirm_say_so_too(house, coordinator):
    """They look for the same record."""
    booking = house.booking(status="confirmed")
    with pytest.raises(NoRecordError):
        coordinator.extend("B1", booking.start_at, actor="anna")
    with pytest.raises(NoRecordError):
        coordinator.confirm("B1")


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("passed", ["pending", "confirmed"])
def test_a_change_of_a_booking_from_before_is_the_hosts_to_make(house, coordinator, keep, passed):
    """Nothing is written, and the answer says that nobody here makes the change."""
    booking = house.booking(status="confirmed")
    result = coordinator.reassign(attrs.evolve(booking, party_size=4, status=passed), keep=keep)
    assert (result.outcome, result.reason, result.handled) == (Outcome.NOOP, Reason.OWNED_BY_LEGACY, False)
    assert house.record() is None


def test_so_is_one_of_an_adopted_booking_until_it_is_taken_over(house, coordinator):
    """Legacy's, it is left alone; the pipeline's, it is moved."""
    booking = house.booking(status="confirmed")
    coordinator.adopt([LegacySeat(booking, ("T1",))])
    before, larger = house.record(), attrs.evolve(booking, party_size=4)
    result = coordinator.reassign(larger)
    assert (result.reason, result.handled, result.record) == (Reason.OWNED_BY_LEGACY, False, before)
    coordinator.takeover("B1", actor="anna")
    house.host.put_booking(larger)
    assert coordinator.reassign(larger).tables == ("T3",)


def test_a_cancelled_booking_from_before_needs_no_change(house, coordinator):
    """Nobody has to do anything about it."""
    booking = house.booking(status="cancelled")
    result = coordinator.reassign(booking)
    assert (result.reason, result.handled) == (Reason.TERMINAL_STATE, True)


def test_a_takeover_starts_over(house, coordinator):
    """Retries and deliveries from before the handover do not count against the booking."""
    for name, size in (("F1", 2), ("F2", 2), ("F3", 4)):
        coordinator.assign(house.booking(name, size))
    assert coordinator.assign(house.booking()).outcome is Outcome.RETRY
    off = house.coordinator(flags=FixedFlags(Mode.OFF))
    assert off.assign(house.host.booking(None, "B1")).reason is Reason.HANDED_OVER
    house.clock.advance(dt.timedelta(hours=1))
    house.store.due(10)
    before = house.record()
    assert (before.retries, before.deliveries) == (1, 1)
    house.clock.advance(dt.timedelta(minutes=2))  # The worker that claimed it has died.
    coordinator.takeover("B1", actor="anna")
    assert (house.record().retries, house.record().deliveries) == (0, 0)
