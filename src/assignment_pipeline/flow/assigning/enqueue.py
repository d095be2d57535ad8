"""Getting bookings into the queue, and looking without touching."""

from __future__ import annotations

from collections.abc import Callable

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import require_short
from assignment_pipeline.domain.events import EventType, Severity
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, StateChange
from assignment_pipeline.domain.result import Decision, Mode, Outcome, Reason
from assignment_pipeline.errors import (
    BookingNotFoundError,
    BookingUnreadableError,
    OtherRestaurantError,
    SchemaMismatchError,
    StaleRecordError,
)
from assignment_pipeline.flow.assigning.decision_context import DecisionContext, Target, require_restaurant
from assignment_pipeline.flow.assigning.seating import find_tables, make_plan
from assignment_pipeline.flow.call import SWEEP, Call
from assignment_pipeline.flow.effects import FindBooking, Flow, LoadContext, ReadHistory, ReadRecords, ResolveFlags
from assignment_pipeline.flow.landing import as_recorded, change, land, until_landed
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import RecordQuery, UnreadableBooking
from assignment_pipeline.ports.fitting import require_booking


def enqueue(booking: Booking, settings: Settings) -> Flow[AssignmentRecord | None]:
    """
    Record that a booking waits for tables. The sweep assigns it unless another call does so first.

    Returns:
        Its record, the old one if there was one; None where the pipeline is not in charge, or its schema does not fit.

    Raises:
        FlagsUnreadError: It is not known yet whether the pipeline is in charge.
        OtherRestaurantError: The host says that the booking is another restaurant's.
    """
    require_booking(booking)
    flags = yield from ResolveFlags(booking.restaurant_id)
    if flags.mode is not Mode.ACTIVE:
        return None
    call = yield from Call.begin((booking.id, booking.restaurant_id), "enqueue")
    try:
        return (yield from _enqueue(call, booking, settings))
    except SchemaMismatchError as error:
        # The host is about to take a booking: that must not fail for want of us.
        yield from call.answer(Outcome.NOOP, Reason.RUNTIME_DISABLED, error=error)
        return None


def _enqueue(call: Call, booking: Booking, settings: Settings) -> Flow[AssignmentRecord]:
    def first() -> Flow[AssignmentChange]:
        try:
            at_host = yield from FindBooking(booking.id)
        except BookingUnreadableError:  # Its case is the sweep's.
            at_host = None
        if at_host is not None:
            require_restaurant(at_host, booking.restaurant_id)
        return change(call, None, booking=as_recorded(booking), next_attempt_at=call.now + settings.orphan_after)

    return (yield from _unless_there(call, first))


def enqueue_unreadable(unreadable: UnreadableBooking) -> Flow[AssignmentRecord | None]:
    """
    Put a host's row that is no valid booking into manual review, where the pipeline is in charge.

    Returns:
        Its record, the old one if there was one; None where the pipeline is not in charge.
    """
    flags = yield from ResolveFlags(unreadable.restaurant_id)
    if flags.mode is not Mode.ACTIVE:
        return None
    call = yield from Call.begin((unreadable.id, unreadable.restaurant_id), SWEEP)

    def first() -> Flow[AssignmentChange]:
        reason = Reason.BOOKING_UNREADABLE
        call.note(EventType.ERROR, Severity.ERROR, reason=reason, error=unreadable.problem)
        yield from ()
        return change(call, None, (Trigger.ESCALATE,), Outcome.MANUAL_REVIEW, reason, reason=reason)

    return (yield from _unless_there(call, first))


def _unless_there(call: Call, first: Callable[[], Flow[AssignmentChange]]) -> Flow[AssignmentRecord]:
    """The record of the call's booking; where there is none, the one that the change *first* makes."""

    def attempt() -> Flow[AssignmentRecord | None]:
        page = yield from ReadRecords(RecordQuery(booking_ids=(call.booking_id,)))
        if page.records:
            return page.records[0]
        call.now = page.now
        made = yield from first()
        return made.record if (yield from land(made)) else None

    record = yield from until_landed(None, attempt)
    assert record is not None  # noqa: S101 - it takes as long as it takes
    return record


def preview(booking: Booking, settings: Settings) -> Flow[Decision]:
    """
    What would become of a booking now; nothing is written.

    Raises:
        OtherRestaurantError: The host says that the booking is another restaurant's.
        VenueNotFoundError: The host has no such restaurant.
    """
    require_booking(booking)
    call = yield from Call.begin((booking.id, booking.restaurant_id), "preview")
    loaded = yield from LoadContext(Target.of(booking).query)
    if loaded is None:
        raise BookingNotFoundError(booking.id)
    context = DecisionContext(call=call, settings=settings, loaded=loaded, booking=booking)
    if context.at_host is not None:
        require_restaurant(context.at_host, booking.restaurant_id)
    request = context.request(booking)
    try:
        _, decision = yield from find_tables(context, request)
    except StaleRecordError:  # Somebody is at work on it: what the first look said will do.
        return (yield from make_plan(context, request))
    return decision


def look_up(booking_id: str, restaurant_id: str | None = None) -> Flow[AssignmentRecord | None]:
    """
    Where a booking's assignment stands, or None if it has no record.

    Raises:
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        InvalidValueError: *booking_id* is no text.
    """
    require_short("booking_id", booking_id)
    page = yield from ReadRecords(RecordQuery(booking_ids=(booking_id,)))
    record = page.records[0] if page.records else None
    if record is not None and restaurant_id not in {None, record.restaurant_id}:
        raise OtherRestaurantError(booking_id, restaurant_id or "", record.restaurant_id)
    return record


def read_history(booking_id: str, restaurant_id: str | None) -> Flow[tuple[StateChange, ...]]:
    """
    A booking's transitions, oldest first.

    Raises:
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        InvalidValueError: *booking_id* is no text.
    """
    require_short("booking_id", booking_id)
    if restaurant_id is not None:
        yield from look_up(booking_id, restaurant_id)
    return (yield from ReadHistory(booking_id))
