"""What legacy has answered for a booking that was handed over to it: the second commit of a handover."""

from __future__ import annotations

from typing import Any

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import EventType, Severity
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, LegacyOutcome, LegacyResult, Outcome, Reason
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.errors import AssignmentPipelineError, BookingNotFoundError, TableConflictError
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Flow, LoadContext
from assignment_pipeline.flow.landing import ToCommit, change, until_answered
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.ports import LoadQuery

_S, _T = AssignmentState, Trigger

LEGACY = "legacy"
"""The strategy of tables that the planner which the pipeline replaces has found."""


def is_handed_over(record: AssignmentRecord) -> bool:
    """Whether legacy has been handed it, and nobody knows yet what has come of that."""
    return record.owner is Owner.LEGACY and record.state is _S.ASSIGNMENT_IN_PROGRESS


def noted(
    call: Call, handed: AssignmentRecord, settings: Settings, booking: Booking, answer: LegacyResult | None
) -> Flow[AssignmentResult]:
    """
    Write down what legacy answered; where that cannot be done, the sweep asks the host in time.

    Args:
        handed: The record as it was handed over.

        booking: The booking as legacy was given it.

        answer: What legacy answered, or None if it raised.
    """
    try:
        return (yield from _write_down(call, handed, settings, booking, answer))
    except AssignmentPipelineError as error:
        return (yield from call.answer(Outcome.NOOP, Reason.HANDED_OVER, record=handed, error=error))


def _write_down(
    call: Call, handed: AssignmentRecord, settings: Settings, booking: Booking, answer: LegacyResult | None
) -> Flow[AssignmentResult]:
    conflicted = False

    def attempt() -> Flow[ToCommit | AssignmentResult]:
        context = yield from LoadContext(LoadQuery(restaurant_id=handed.restaurant_id, bookings=(booking,)))
        if context is None:  # Only of bookings by their ids is it not known whether they are there.
            raise BookingNotFoundError(booking.id)
        call.now = context.now
        record = context.records.get(booking.id)
        if record is None or not _still_waits(record, handed):
            # A person, or the host, has decided otherwise meanwhile.
            call.note(EventType.ERROR, Severity.ERROR, reason="legacy_too_late")
            return (yield from call.answer(Outcome.NOOP, Reason.HANDED_OVER, record=record))
        if answer is None or answer.outcome is not LegacyOutcome.SUCCEEDED:
            return _left(call, record, answer)
        unknown = sorted(set(answer.tables) - context.venue.floor.positions.keys())
        if unknown and not conflicted:
            call.note(EventType.HOST_FAULT, Severity.ERROR, reason="unknown_table", tables=tuple(unknown))
        return _seated(call, record, seats_of(context.venue, booking, answer.tables, conflicted=conflicted))

    def seated_there_all_the_same(_: TableConflictError) -> None:
        nonlocal conflicted
        conflicted = True

    return (yield from until_answered(call, settings, attempt, seated_there_all_the_same))


def _still_waits(record: AssignmentRecord, handed: AssignmentRecord) -> bool:
    """Whether nothing has come of it since, but that a person was asked for want of an answer."""
    was_late = record.state is _S.MANUAL_REVIEW and record.reason == Reason.HANDOVER_TIMEOUT
    same = record.owner is Owner.LEGACY and record.version == handed.version + was_late
    return same and (was_late or is_handed_over(record))


def _seated(call: Call, record: AssignmentRecord, seats: Allocation | None) -> ToCommit:
    took = call.elapsed()
    facts: dict[str, Any] = {"next_attempt_at": None, "deliveries": 0, "reason": None}
    facts |= {"allocation": seats, "strategy": LEGACY}
    made = change(call, record, (_T.SEAT, _T.CONFIRM), Outcome.CONFIRMED, None, took=took, **facts)
    return ToCommit(change=made, outcome=Outcome.CONFIRMED)


def _left(call: Call, record: AssignmentRecord, answer: LegacyResult | None) -> ToCommit:
    took = call.elapsed()
    reason = Reason.LEGACY_ERROR if answer is None else Reason.LEGACY_EXHAUSTED
    triggers = () if record.state is _S.MANUAL_REVIEW else (_T.ESCALATE,)
    facts: dict[str, Any] = {"next_attempt_at": None, "deliveries": 0, "reason": reason}
    made = change(call, record, triggers, Outcome.MANUAL_REVIEW, reason, took=took, **facts)
    return ToCommit(change=made, outcome=Outcome.MANUAL_REVIEW, reason=reason)


def seats_of(venue: Venue, booking: Booking, tables: tuple[str, ...], *, conflicted: bool) -> Allocation | None:
    """What legacy has given a booking, as far as the floor has such tables; None if it has none of them."""
    here = tuple(name for name in dict.fromkeys(tables) if name in venue.floor.positions)
    turn = venue.turn(booking)
    if not here:
        return None
    offset, blocked = venue.utc_offset_minutes(turn.start), venue.blocked(turn)
    return Allocation(tables=here, turn=turn, blocked=blocked, conflicted=conflicted, utc_offset_minutes=offset)
