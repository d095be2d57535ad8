"""Bookings that no schedule brings back: reviews that are over, and what waited for its row or for the pipeline."""

from __future__ import annotations

import datetime as dt

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import EventType
from assignment_pipeline.domain.reasons import Role, reasons_for
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import IMPOSSIBLE, WAITS_FOR_TABLES, Mode, Outcome, Reason
from assignment_pipeline.errors import BookingUnreadableError, FlagsUnreadError, VenueNotFoundError
from assignment_pipeline.flow.call import SWEEP, Call
from assignment_pipeline.flow.effects import FindBooking, Flow, LoadContext, ReadRecords, ResolveFlags
from assignment_pipeline.flow.landing import as_recorded, change, land
from assignment_pipeline.flow.legacy.outcome import is_handed_over
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff.confirm_and_cancel import record_transition
from assignment_pipeline.flow.sweeping.told_once import tell_once
from assignment_pipeline.flow.sweeping.unassigned import SweepMemory
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.ports import LoadQuery, RecordPage, RecordQuery
from assignment_pipeline.redaction import named

_RECENT = dt.timedelta(days=1)
"""For how long after a booking's time the host is asked whether it has moved it. A review ends before that."""

_OBSTACLES = reasons_for(Role.ENDS_BY_ITSELF)


def look_at_unfinished(
    settings: Settings, limit: int, memory: SweepMemory, errors: list[tuple[str, str]]
) -> Flow[RecordPage]:
    """
    Look at *limit* of the records that are not settled and not due, or in review: each sweep at the next ones.

    Where the pipeline is in charge, a review ends when its booking's time is over. A booking is due again once the
    host calls it pending again, its row is mended, or the pipeline is back. So is what legacy was handed and has not
    answered, also where the pipeline is off: a person decides on it.

    Returns:
        The records, as they were before.

    Raises:
        StoreUnavailableError: The store could not be asked.
    """
    page = yield from ReadRecords(RecordQuery(unfinished=True, after=memory.looked_at, limit=limit))
    memory.looked_at = page.next
    for record in page.records:
        try:
            yield from _tell_overdue(record, settings, page.now, memory)
            yield from _look(record, settings, page.now)
        except FlagsUnreadError:
            break  # What was not read decides nothing.
        except Exception as error:  # noqa: BLE001 - one booking must not keep the sweep from the others
            errors.append((record.booking_id, named(error, show=settings.show_errors)))
    return page


def _look(record: AssignmentRecord, settings: Settings, now: dt.datetime) -> Flow[None]:
    in_review, moved = record.state is AssignmentState.MANUAL_REVIEW, False
    booking = record.booking
    if booking is not None and booking.start_at <= now and not settings.replay:
        if in_review or now - booking.start_at < _RECENT:
            moved = yield from _still_waits_at_host(record, now)
        if not moved:
            if in_review and (yield from _is_over(booking, now)):
                yield from _end(record, now)
            return
    if in_review and not _may_go_on(record, moved=moved):
        return
    if not is_handed_over(record) and (yield from ResolveFlags(record.restaurant_id)).mode is not Mode.ACTIVE:
        return
    try:
        at_host = yield from FindBooking(record.booking_id)
    except BookingUnreadableError:
        return
    if at_host is not None and at_host.is_pending:  # Where it is another restaurant's, its record follows it.
        yield from _wake(record, at_host, now)


def _still_waits_at_host(record: AssignmentRecord, now: dt.datetime) -> Flow[bool]:
    """
    Whether a booking whose time has come is not over at the host.

    The host has moved it to a later time without a word; or it waits there, and nobody has decided on it here.
    """
    try:
        at_host = yield from FindBooking(record.booking_id)
    except BookingUnreadableError:
        return False
    if at_host is None:
        return False
    is_undecided = record.state is not AssignmentState.MANUAL_REVIEW and at_host.is_pending
    return at_host.start_at > now or is_undecided


def _may_go_on(record: AssignmentRecord, *, moved: bool) -> bool:
    """Whether its review was for what may have ended, or was interrupted when the host did not call it pending."""
    if record.reason in WAITS_FOR_TABLES:
        return moved or (record.booking is not None and not record.booking.is_pending)
    return record.reason in _OBSTACLES or (moved and record.reason in IMPOSSIBLE)


def _is_over(booking: Booking, now: dt.datetime) -> Flow[bool]:
    if booking.end_at is not None:
        return booking.end_at <= now
    try:
        context = yield from LoadContext(LoadQuery(restaurant_id=booking.restaurant_id))
    except VenueNotFoundError:
        return True
    return context is not None and context.venue.turn(booking).end <= now


def _end(record: AssignmentRecord, now: dt.datetime) -> Flow[None]:
    call = yield from Call.begin((record.booking_id, record.restaurant_id), SWEEP)
    call.now = now
    reason = Reason.TIME_PASSED
    facts = {"allocation": None, "next_attempt_at": None, "reason": reason}
    ended = record_transition(call, record, (Trigger.FAIL,), Outcome.FAILED, reason, **facts)
    yield from land(ended.change)


def _wake(record: AssignmentRecord, at_host: Booking, now: dt.datetime) -> Flow[None]:
    call = yield from Call.begin((record.booking_id, record.restaurant_id), SWEEP)
    call.now = now
    triggers = (Trigger.REQUEUE,) if record.state is AssignmentState.MANUAL_REVIEW else ()
    due = change(
        call, record, triggers, booking=as_recorded(at_host), next_attempt_at=now, deliveries=0, retries=0, reason=None
    )
    yield from land(due)


def _tell_overdue(record: AssignmentRecord, settings: Settings, now: dt.datetime, memory: SweepMemory) -> Flow[None]:
    """Tell, once, that a review waits for longer than it should."""
    since = record.waiting_since
    if record.state is not AssignmentState.MANUAL_REVIEW or since is None or now - since < settings.review_within:
        return
    facts = {"reason": record.reason, "since": since.isoformat()}
    yield from tell_once(EventType.REVIEW_OVERDUE, "review_overdue", record, now, memory.told_once, **facts)
