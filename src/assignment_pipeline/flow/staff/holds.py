"""Holds: tables that wait for a deposit, or for whatever else the host confirms."""

from __future__ import annotations

import datetime as dt

from assignment_pipeline.domain.checks import require_moment
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import AssignmentResult, Outcome, Reason
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Flow
from assignment_pipeline.flow.landing import ToCommit
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff.confirm_and_cancel import amend, known_record, record_transition
from assignment_pipeline.flow.staff.reinstate import confirm_late
from assignment_pipeline.lifecycle import AssignmentState, Trigger

LONGEST_HOLD = dt.timedelta(days=1)
"""A hold is extended to so long from now at most."""


def confirm(
    booking_id: str, settings: Settings, *, actor: str | None = None, restaurant_id: str | None = None
) -> Flow[AssignmentResult]:
    """
    Confirm tables that are held. Where the hold has expired, they are taken again in the same commit if they are free.

    Returns:
        With the outcome ``hold_lost``, nothing is written: the tables are somebody else's.

    Raises:
        BookingNotFoundError: The booking has no record.
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
    """
    call = yield from Call.begin((booking_id, restaurant_id or ""), "confirm", actor=actor)

    def decide(record: AssignmentRecord | None, _: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
        known = yield from known_record(record, booking_id, restaurant_id or "")
        if known.state is AssignmentState.CONFIRMED:
            return (yield from call.answer(Outcome.CONFIRMED, record=known))
        if known.state is not AssignmentState.ASSIGNED:
            return (yield from confirm_late(call, known, settings))
        return record_transition(call, known, (Trigger.CONFIRM,), Outcome.CONFIRMED, None, next_attempt_at=None)

    return (yield from amend(call, settings, decide, again=True))


def extend_hold(
    booking_id: str,
    until: dt.datetime | None,
    settings: Settings,
    *,
    actor: str | None = None,
    restaurant_id: str | None = None,
) -> Flow[AssignmentResult]:
    """
    Hold a booking's tables for longer: until then, or for another `Settings.hold_ttl` from now.

    Nothing is written of a hold that lasts as long, nor of tables that are confirmed.

    Returns:
        With the outcome ``hold_lost``, nothing is written: the hold has expired.

    Raises:
        BookingNotFoundError: The booking has no record.
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        ValueError: *until* has no offset, has passed, or is more than 24 hours from now.
    """
    end = None if until is None else require_moment("until", until)
    call = yield from Call.begin((booking_id, restaurant_id or ""), "extend_hold", actor=actor)

    def decide(record: AssignmentRecord | None, now: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
        known = yield from known_record(record, booking_id, restaurant_id or "")
        if known.state is AssignmentState.CONFIRMED:
            return (yield from call.answer(Outcome.CONFIRMED, record=known))
        if known.state is not AssignmentState.ASSIGNED:
            return (yield from call.answer(Outcome.HOLD_LOST, record=known))
        wanted = end or now + settings.hold_ttl
        if known.allocation is not None and not now < wanted <= now + LONGEST_HOLD:
            earliest, latest, got = map(known.allocation.written, (now, now + LONGEST_HOLD, wanted))
            raise InvalidValueError("until", f"a time after {earliest}, {latest} at the latest", got)
        if known.next_attempt_at is None or known.next_attempt_at >= wanted:
            return (yield from call.answer(Outcome.ASSIGNED, record=known))
        why = Reason.HOLD_EXTENDED
        return record_transition(call, known, (Trigger.MOVE,), Outcome.ASSIGNED, why, next_attempt_at=wanted)

    return (yield from amend(call, settings, decide))
