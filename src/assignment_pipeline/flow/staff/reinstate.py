"""Endings undone: a booking that was cancelled or has failed is put back, and a late payment gets its tables."""

from __future__ import annotations

from typing import Any

import attrs

from assignment_pipeline.domain.booking import CANCELLED, PENDING
from assignment_pipeline.domain.record import AssignmentRecord, Owner, StateChange
from assignment_pipeline.domain.result import AssignmentResult, Decision, Mode, Outcome, Reason
from assignment_pipeline.domain.windows import written
from assignment_pipeline.errors import BookingNotFoundError, BookingOverError, StaleRecordError, StaleRolloutError
from assignment_pipeline.flow.assigning.assign import MANUAL
from assignment_pipeline.flow.assigning.decision_context import DecisionContext
from assignment_pipeline.flow.assigning.reassign import is_for_people
from assignment_pipeline.flow.assigning.seating import TO_BEGIN, find_tables, record_attempt, seat
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import (
    DoubtFlags,
    Evaluate,
    FindBooking,
    Flow,
    LoadContext,
    ReadHistory,
    ReadRecords,
    ResolveFlags,
)
from assignment_pipeline.flow.landing import (
    ToCommit,
    allocation,
    guarded,
    later,
    until_answered,
)
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff.confirm_and_cancel import known_record
from assignment_pipeline.lifecycle import FINAL, AssignmentState, Trigger
from assignment_pipeline.planning.base import Rule, SeatingRequest
from assignment_pipeline.ports import LoadQuery, RecordQuery

IN_THE_WAY = frozenset({Rule.TAKEN, Rule.UNKNOWN_TABLE, Rule.INACTIVE, Rule.PACING})
"""What keeps a booking from the tables that it had, caps on arrivals among it. It had them in spite of other rules."""

_PLANNED_SINCE = frozenset({Trigger.BEGIN, Trigger.ESCALATE, Trigger.REQUEUE})
"""What shows that a booking was looked at anew since it had its tables: it may ask for something else since."""


def reinstate(
    booking_id: str, settings: Settings, *, actor: str, restaurant_id: str | None = None
) -> Flow[AssignmentResult]:
    """
    Put back a booking that was cancelled or has failed: at the tables that it had, at others, or into review.

    One that has not ended is left as it is. Where the pipeline is not in charge, a booking whose tables are not free is
    left as it is, too: `Reason.PIPELINE_DISABLED`.

    Raises:
        BookingNotFoundError: The booking has no record.
        BookingOverError: The time of the booking is over.
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        VenueNotFoundError: The host has no such restaurant.
    """
    call = yield from Call.by_person((booking_id, restaurant_id or ""), MANUAL, actor=actor)

    def attempt() -> Flow[ToCommit | AssignmentResult | None]:
        record = yield from _record(call)
        if record.owner is Owner.LEGACY:
            return (yield from call.answer(Outcome.NOOP, Reason.OWNED_BY_LEGACY, record=record, handled=False))
        if record.state not in FINAL:
            return (yield from call.answer(Outcome.NOOP, record=record))
        context = yield from _context(call, record, settings)
        request = _request(context)
        if request.turn.end <= context.now:
            raise BookingOverError(booking_id, written(request.turn.end, context.venue.zone))
        back = yield from at_its_tables(context, request)
        if back is not None:
            return back
        try:
            return (yield from _planned_anew(context, request))
        except StaleRecordError:  # Where somebody has to make room, the context is loaded twice.
            return None

    steps = until_answered(call, settings, attempt, lambda _: None)
    try:
        return (yield from guarded(call, settings, steps))
    except StaleRolloutError as error:
        yield from DoubtFlags(error.expected)
        return (yield from later(call, Reason.CONFLICT, settings.rate_retry, error))


def _planned_anew(context: DecisionContext, request: SeatingRequest) -> Flow[ToCommit | AssignmentResult]:
    """Other tables, or a case for a person. Where the pipeline is not in charge, it chooses no tables."""
    call = context.call
    flags = yield from ResolveFlags(call.restaurant_id)
    call.mode = flags.mode
    if flags.mode is not Mode.ACTIVE:
        return (yield from call.answer(Outcome.NOOP, Reason.PIPELINE_DISABLED, record=context.record))
    if flags.generation not in (None, context.loaded.generation):
        raise StaleRolloutError(flags.generation or 0, context.loaded.generation)
    context = attrs.evolve(context, generation=context.loaded.generation)
    context, decision = yield from find_tables(context, request)
    return (yield from seat(context, request, decision))


def confirm_late(call: Call, record: AssignmentRecord, settings: Settings) -> Flow[ToCommit | AssignmentResult]:
    """Confirm a booking whose hold has expired at the tables that it had; ``hold_lost`` where they are not free."""
    lost = call.answer(Outcome.HOLD_LOST, record=record)
    if record.owner is not Owner.PIPELINE or record.state is AssignmentState.CANCELLED:
        return (yield from lost)
    history = yield from ReadHistory(call.booking_id)
    if not any(step.reason == Reason.HOLD_EXPIRED for step in history):
        return (yield from lost)
    context = yield from _context(call, record, settings)
    at_host = context.at_host
    request = _request(context)
    if (at_host is not None and at_host.status == CANCELLED) or request.turn.end <= context.now:
        return (yield from lost)
    back = yield from at_its_tables(context, request, history, is_paid=True)
    return back if back is not None else (yield from lost)


def at_its_tables(
    context: DecisionContext,
    request: SeatingRequest,
    history: tuple[StateChange, ...] | None = None,
    *,
    is_paid: bool = False,
) -> Flow[ToCommit | None]:
    """
    What puts a booking back at the tables that it had last; None where it had none, or they are not free.

    Args:
        history: Its history, where that is at hand.

        is_paid: Whether it is confirmed now. Otherwise it is as it was: confirmed, or held for a while.
    """
    record, settings = context.record, context.settings
    assert record is not None  # noqa: S101 - the caller looked
    history = history or (yield from ReadHistory(context.call.booking_id))
    last = next((step for step in reversed(history) if step.tables), None)
    if last is None:
        return None
    found = yield from Evaluate(request, last.tables, context.floor(request))
    is_planned_since = any(step.trigger in _PLANNED_SINCE for step in history if step.version > last.version)
    asks_the_same = record.asks_for(request.booking) and not is_planned_since
    closer = request.with_laying_of(last.turn, last.blocked)
    if asks_the_same and Rule.TAKEN in found.broken and closer is not None:
        request, found = closer, (yield from Evaluate(closer, last.tables, context.floor(closer)))
    if found.plan is None or (IN_THE_WAY.intersection(found.broken) if asks_the_same else found.broken):
        return None
    before = None if is_planned_since or record.booking is None else record.booking.party_size
    if not asks_the_same and is_for_people(context.venue, request, last.turn, before):
        return None
    confirmed = is_paid or last.to_state is AssignmentState.CONFIRMED
    triggers = (*TO_BEGIN[record.state], Trigger.SEAT, *((Trigger.CONFIRM,) if confirmed else ()))
    outcome = Outcome.CONFIRMED if confirmed else Outcome.ASSIGNED
    facts: dict[str, Any] = {
        "allocation": allocation(request, found.plan, context.venue),
        "next_attempt_at": None if confirmed else context.now + settings.hold_ttl,
        "reason": None,
        "retries": 0,
        "strategy": record.strategy or found.plan.strategy,
    }
    why, decision = Reason.REINSTATED, Decision(plan=found.plan)
    # It was given these tables in spite of the rules that they break.
    return record_attempt(context, request, decision, triggers, outcome, why=why, overruled=found.broken, **facts)


def _record(call: Call) -> Flow[AssignmentRecord]:
    page = yield from ReadRecords(RecordQuery(booking_ids=(call.booking_id,)))
    call.now = page.now
    return (yield from known_record(next(iter(page.records), None), call.booking_id, call.restaurant_id))


def _context(call: Call, record: AssignmentRecord, settings: Settings) -> Flow[DecisionContext]:
    """What is decided on, as if the booking waited: it is to wait, or to have tables, from now on."""
    call.restaurant_id = record.restaurant_id or (yield from _restaurant(call.booking_id))
    query = LoadQuery(restaurant_id=call.restaurant_id, booking_ids=(call.booking_id,))
    loaded = yield from LoadContext(query)
    if loaded is None:
        raise BookingNotFoundError(call.booking_id)
    wish = loaded.bookings.get(call.booking_id) or record.booking
    if wish is None:
        raise BookingNotFoundError(call.booking_id)
    call.now = loaded.now
    return DecisionContext(
        call=call, settings=settings, loaded=loaded, booking=attrs.evolve(wish, status=PENDING), generation=None
    )


def _restaurant(booking_id: str) -> Flow[str]:
    """The restaurant of a booking that was cancelled before the pipeline knew it, as the host has it."""
    at_host = yield from FindBooking(booking_id)
    if at_host is None:
        raise BookingNotFoundError(booking_id)
    return at_host.restaurant_id


def _request(context: DecisionContext) -> SeatingRequest:
    """What the booking asks for: also one that should be there by now."""
    assert context.booking is not None  # noqa: S101 - it was put there
    return SeatingRequest.at(context.venue, context.booking)
