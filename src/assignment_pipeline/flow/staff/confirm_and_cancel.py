"""Letting go of tables, and what all calls on a record share. No locks, no flags: compare, set, and try again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import CANCELLED, Booking
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Outcome, Reason
from assignment_pipeline.errors import (
    BookingNotFoundError,
    BookingUnreadableError,
    NoRecordError,
    NoTablesError,
    OtherRestaurantError,
    SchemaMismatchError,
)
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import FindBooking, Flow, ReadRecords
from assignment_pipeline.flow.landing import ToCommit, change, guarded, until_answered
from assignment_pipeline.flow.legacy.takeover_on_touch import take_over
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.ports import RecordQuery

Amend = Callable[[AssignmentRecord | None, dt.datetime], Flow["ToCommit | AssignmentResult"]]
"""A flow from a record, if there is one, and the store's time to what is to be written."""


def amend(
    call: Call, settings: Settings, decide: Amend, *, joined: bool = False, again: bool = False
) -> Flow[AssignmentResult]:
    """
    Read the call's record, decide on it and commit, until nobody was faster.

    Args:
        joined: Whether it is part of a transaction of the host's.

        again: Whether to decide anew where others have taken the tables meanwhile.

    Raises:
        StoreUnavailableError, CommitUnknownError: Only when it is *joined* to a transaction of the host's, which must
            not be committed then.
    """
    return (yield from _answered(call, settings, _until_landed(call, settings, decide, again=again), joined=joined))


def _answered(
    call: Call, settings: Settings, steps: Flow[AssignmentResult], *, joined: bool = False
) -> Flow[AssignmentResult]:
    try:
        return (yield from steps if joined else guarded(call, settings, steps))
    except SchemaMismatchError as error:
        return (yield from call.answer(Outcome.NOOP, Reason.RUNTIME_DISABLED, handled=False, error=error))


def _until_landed(call: Call, settings: Settings, decide: Amend, *, again: bool) -> Flow[AssignmentResult]:
    def attempt() -> Flow[ToCommit | AssignmentResult]:
        page = yield from ReadRecords(RecordQuery(booking_ids=(call.booking_id,)))
        call.now = page.now
        record = page.records[0] if page.records else None
        if record is not None:
            call.restaurant_id = record.restaurant_id
        return (yield from decide(record, page.now))

    return (yield from until_answered(call, settings, attempt, (lambda _: None) if again else None))


AmendSeated = Callable[[AssignmentRecord, Allocation, dt.datetime], Flow["ToCommit | AssignmentResult"]]
"""The same of a record that has tables, with them."""


def amend_seated(call: Call, settings: Settings, decide: AmendSeated, *, again: bool = False) -> Flow[AssignmentResult]:
    """
    `amend` a record that has tables which the pipeline answers for.

    Args:
        again: Whether to decide anew where others have taken the tables meanwhile.

    Raises:
        BookingNotFoundError: The booking has no record.
        NoTablesError: It has no tables.
        OtherRestaurantError: It is a booking of another restaurant than the call names.
        TableConflictError: Others have taken the tables meanwhile, and it is not to decide *again*.
    """
    asked = call.restaurant_id

    def decide_seated(record: AssignmentRecord | None, now: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
        known = yield from known_record(record, call.booking_id, asked)
        if known.owner is not Owner.PIPELINE:
            return (yield from call.answer(Outcome.NOOP, Reason.OWNED_BY_LEGACY, record=known))
        if known.allocation is None:
            raise NoTablesError(known.booking_id, known.state.value)
        return (yield from decide(known, known.allocation, now))

    def steps() -> Flow[AssignmentResult]:
        yield from take_over(call.booking_id, settings, actor=call.actor)
        return (yield from _until_landed(call, settings, decide_seated, again=again))

    return (yield from _answered(call, settings, steps()))


def known_record(record: AssignmentRecord | None, booking_id: str, restaurant_id: str = "") -> Flow[AssignmentRecord]:
    """
    The record, of the restaurant if one is named.

    Raises:
        OtherRestaurantError: It is another restaurant's.
        NoRecordError: There is none, and the host knows the booking.
        BookingNotFoundError: The host does not know it either.
        BookingUnreadableError: There is none, and the host's row makes no sense.
    """
    if record is not None:
        if restaurant_id and record.restaurant_id != restaurant_id:
            raise OtherRestaurantError(booking_id, restaurant_id, record.restaurant_id)
        return record
    at_host = yield from FindBooking(booking_id)
    if at_host is None:
        raise BookingNotFoundError(booking_id)
    raise NoRecordError(booking_id, at_host.status, _todo(at_host))


def _todo(at_host: Booking) -> str:
    """What to do about a booking that has no record."""
    if at_host.is_pending:
        return "call assign, for nobody has yet"
    if at_host.status == CANCELLED:
        return "it needs no tables"
    return "the planner before the pipeline has seated it; call adopt first, with its tables"


def seated_as(record: AssignmentRecord) -> Outcome:
    """How a call comes out that leaves a record with tables in its state."""
    return Outcome.CONFIRMED if record.state is AssignmentState.CONFIRMED else Outcome.ASSIGNED


def cancel(
    booking_id: str,
    restaurant_id: str | None,
    settings: Settings,
    *,
    actor: str | None = None,
    joined: bool = False,
) -> Flow[AssignmentResult]:
    """
    Free a booking's tables for good. An unknown one is cancelled all the same, so that nothing late seats it.

    A party that sits keeps its tables: the answer is ``kept``.

    Raises:
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*, by its record and by the host.
        StoreUnavailableError, CommitUnknownError: Only when it is *joined* to a transaction of the host's.
    """
    call = yield from Call.begin((booking_id, restaurant_id or ""), "cancel", actor=actor)

    def decide(record: AssignmentRecord | None, _: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
        call.restaurant_id = yield from _restaurant(booking_id, restaurant_id or "", record)
        if record is not None:
            if record.allocation is not None and record.allocation.sits:
                return (yield from call.answer(Outcome.KEPT, Reason.SITS, record=record))
            if record.state is AssignmentState.CANCELLED:
                return (yield from call.answer(Outcome.CANCELLED, record=record))
            if record.state is AssignmentState.FAILED:
                return (yield from call.answer(Outcome.NOOP, Reason.TERMINAL_STATE, record=record))
        facts = {"allocation": None, "next_attempt_at": None}
        return record_transition(call, record, (Trigger.CANCEL,), Outcome.CANCELLED, None, **facts)

    return (yield from amend(call, settings, decide, joined=joined))


def _restaurant(booking_id: str, named: str, record: AssignmentRecord | None) -> Flow[str]:
    """
    The restaurant of a booking: by its record, else as it was named, else by the host.

    Raises:
        OtherRestaurantError: Another one was named, which is not the host's either: a booking that has moved is its new
            restaurant's, too.
    """
    of = record.restaurant_id if record is not None else ""
    if of and named in {"", of}:
        return of
    try:
        booking = yield from FindBooking(booking_id)
    except BookingUnreadableError:
        booking = None
    at_host = booking.restaurant_id if booking is not None else ""
    if named and (of or at_host) and named != at_host:
        raise OtherRestaurantError(booking_id, named, of or at_host)
    return of or named or at_host


def expire(call: Call, settings: Settings, record: AssignmentRecord, now: dt.datetime) -> ToCommit:
    """The end of a hold that nobody confirmed: another try where `Settings.max_holds` grants one, else failure."""
    holds = record.holds + 1
    facts: dict[str, Any] = {"allocation": None, "holds": holds, "retries": 0}
    reason = Reason.HOLD_EXPIRED
    if holds < settings.max_holds:
        triggers, outcome = (Trigger.RETRY,), Outcome.RETRY
        return record_transition(call, record, triggers, outcome, reason, next_attempt_at=now, **facts)
    facts |= {"next_attempt_at": None, "reason": reason}
    return record_transition(call, record, (Trigger.FAIL,), Outcome.FAILED, reason, **facts)


def record_transition(
    call: Call,
    record: AssignmentRecord | None,
    triggers: tuple[Trigger, ...],
    outcome: Outcome,
    why: Reason | None,
    **facts: Any,
) -> ToCommit:
    """A change that needs no plan."""
    took = call.elapsed()
    made = change(call, record, triggers, outcome, why, took=took, **facts)
    return ToCommit(change=made, outcome=outcome, reason=why)
