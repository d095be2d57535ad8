"""Bookings that legacy has seated, taken over when somebody first asks for something about them."""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from assignment_pipeline.domain.booking import CANCELLED, Booking
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner
from assignment_pipeline.domain.result import Mode, Outcome, Reason
from assignment_pipeline.errors import BookingUnreadableError, StaleRolloutError, TableConflictError
from assignment_pipeline.flow.assigning.seating import TO_BEGIN
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import DoubtFlags, FindBooking, Flow, LoadContext, ReadRecords, ResolveFlags
from assignment_pipeline.flow.landing import as_recorded, change, land, preconditions, until_landed
from assignment_pipeline.flow.legacy.outcome import LEGACY, seats_of
from assignment_pipeline.flow.settings import Settings, Takeover
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.ports import AssignmentContext, LoadQuery, RecordQuery

TOUCH = "touch"
"""The trigger of the call."""


def take_over(booking_id: str, settings: Settings, *, actor: str | None) -> Flow[None]:
    """
    Have the pipeline answer for a booking that legacy has seated, at its tables, where `Settings.takeover` says so.

    That is a commit of its own. Nothing is written where the pipeline is not in charge, where the host does not show
    tables of the floor for it, or where others have them: then all is as it was.

    Raises:
        FlagsUnreadError, StoreUnavailableError, CommitUnknownError: It could not be done now.
    """
    if settings.takeover is not Takeover.ON_TOUCH:
        return
    try:
        yield from until_landed(settings.tries, partial(_try, booking_id, actor))
    except TableConflictError:
        return
    except StaleRolloutError as error:
        yield from DoubtFlags(error.expected)


def _try(booking_id: str, actor: str | None) -> Flow[bool | None]:
    """True where there is nothing more to do."""
    page = yield from ReadRecords(RecordQuery(booking_ids=(booking_id,)))
    if page.records and not _is_legacys(page.records[0]):
        return True
    try:
        at_host = yield from FindBooking(booking_id)
    except BookingUnreadableError:
        return True
    if at_host is None or at_host.is_pending or at_host.status == CANCELLED:
        return True
    flags = yield from ResolveFlags(at_host.restaurant_id)
    if flags.mode is not Mode.ACTIVE:
        return True
    context = yield from LoadContext(LoadQuery(restaurant_id=at_host.restaurant_id, bookings=(at_host,)))
    if context is None:
        return True
    if flags.generation not in (None, context.generation):
        raise StaleRolloutError(flags.generation or 0, context.generation)
    call = yield from Call.begin((booking_id, at_host.restaurant_id), TOUCH, actor=actor)
    call.now, call.mode = context.now, flags.mode
    made = _change(call, context, context.bookings.get(booking_id, at_host))
    return made is None or (yield from land(made)) or None


def _is_legacys(record: AssignmentRecord) -> bool:
    """Whether legacy has seated it, and it was adopted."""
    seated = record.state is AssignmentState.CONFIRMED and record.allocation is not None
    return record.owner is Owner.LEGACY and seated


def _change(call: Call, context: AssignmentContext, at_host: Booking) -> AssignmentChange | None:
    record = context.records.get(at_host.id)
    facts: dict[str, Any] = {"owner": Owner.PIPELINE, "next_attempt_at": None, "deliveries": 0, "retries": 0}
    if record is None:
        rows = [row for row in context.taken if row.booking_id == at_host.id]
        tables = seats_of(context.venue, at_host, tuple(row.table_id for row in rows), conflicted=False)
        if tables is None:
            return None
        triggers = (*TO_BEGIN[AssignmentState.CREATED], Trigger.SEAT, Trigger.CONFIRM)
        facts |= {"booking": as_recorded(at_host), "allocation": tables, "strategy": LEGACY}
    elif _is_legacys(record) and record.allocation is not None:
        triggers = (Trigger.MOVE,)
        facts |= {"allocation": attrs.evolve(record.allocation, conflicted=False), "reason": None}
    else:
        return None
    took = call.elapsed()
    why, on = Reason.TAKEN_OVER, preconditions(context, at_host.id, context.generation)
    return change(call, record, triggers, Outcome.CONFIRMED, why, took=took, preconditions=on, **facts)
