"""Bookings that wait where the pipeline is switched off: each goes to the planner that it replaces, once."""

from __future__ import annotations

from typing import Any

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import EventType, Severity
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, LegacyResult, Mode, Outcome, Reason
from assignment_pipeline.errors import SchemaMismatchError
from assignment_pipeline.flow.assigning.decision_context import (
    Decide,
    DecisionContext,
    Passed,
    Target,
    elsewhere,
    plan_until_landed,
)
from assignment_pipeline.flow.assigning.seating import TO_BEGIN, close, pass_over, settled
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Apart, CheckCircuit, FindBooking, Flow, Hold, ReadRecords
from assignment_pipeline.flow.landing import ToCommit, as_recorded, change, guarded, preconditions
from assignment_pipeline.flow.legacy.outcome import noted
from assignment_pipeline.flow.legacy.run import leave_to_legacy, run_legacy
from assignment_pipeline.flow.legacy.shadow import shadowed
from assignment_pipeline.flow.settings import InFlight, Settings
from assignment_pipeline.lifecycle import FINAL, SETTLED, WITH_TABLES, AssignmentState, Trigger
from assignment_pipeline.ports import FlagDecision, RecordQuery
from assignment_pipeline.redaction import redacted

_S, _T = AssignmentState, Trigger

_BEFORE_IT_BEGINS = frozenset({_S.CREATED, _S.CAPACITY_VERIFIED, _S.ASSIGNMENT_PENDING})


def is_in_flight(record: AssignmentRecord) -> bool:
    """Whether it still waits for tables of the pipeline's. Who has some held does not wait for any."""
    return record.owner is Owner.PIPELINE and record.state not in SETTLED | WITH_TABLES


# -- Where the pipeline is not in charge --------------------------------------------------------------------------


def stand_aside(
    call: Call, target: Target, settings: Settings, flags: FlagDecision, *, legacy: bool
) -> Flow[AssignmentResult | None]:
    """
    The answer about a booking whose restaurant the pipeline is not in charge of; None where it still finishes this one.

    Raises:
        StaleRolloutError: The rollout has moved on.
        Exception: Whatever the legacy planner raises.
    """
    decided = yield from _who_decides(call, target, settings, flags, legacy=legacy)
    if decided is Owner.LEGACY:
        reason = Reason.PIPELINE_DISABLED if flags.mode is Mode.OFF else (yield from shadowed())
        return (yield from leave_to_legacy(call, target.booking, reason, legacy=legacy))
    return None if decided is Owner.PIPELINE else decided


def _who_decides(
    call: Call, target: Target, settings: Settings, flags: FlagDecision, *, legacy: bool
) -> Flow[AssignmentResult | Owner]:
    """The answer if the pipeline decides; else the planner that handles the booking: legacy, or still the pipeline."""
    if flags.fresh:
        return Owner.LEGACY
    record, at_host = yield from _look(call)
    if at_host is not None and at_host.restaurant_id != target.restaurant_id:
        return (yield from elsewhere(call, at_host, record))
    if record is None or _is_none_of_ours(record):
        return Owner.LEGACY
    if not is_in_flight(record):
        return (yield from _spoken_for(call, target, record))
    if settings.in_flight is InFlight.DRAIN:
        return Owner.PIPELINE
    return (yield from Apart(hand_over(call, target, settings, flags, _decide, legacy=legacy)))


def _look(call: Call) -> Flow[tuple[AssignmentRecord | None, Booking | None]]:
    """
    The booking's record and the host's word on it, if they are there and the store can say so.

    No broken store keeps legacy from its work.
    """
    if (yield from CheckCircuit()):
        return None, None
    record = None
    try:
        page = yield from ReadRecords(RecordQuery(booking_ids=(call.booking_id,)))
        record = page.records[0] if page.records else None
        return record, (yield from FindBooking(call.booking_id))
    except SchemaMismatchError:
        pass
    except Exception as error:  # noqa: BLE001 - whatever ails it
        call.note(EventType.ERROR, Severity.WARNING, reason=Reason.STORE_UNAVAILABLE, error=redacted(error))
    return record, None


def _is_none_of_ours(record: AssignmentRecord) -> bool:
    """Whether legacy handles the booking as if there were no pipeline: it was never handed over, or has failed here."""
    return record.state in _BEFORE_IT_BEGINS if record.owner is Owner.LEGACY else record.state is _S.FAILED


def _spoken_for(call: Call, target: Target, record: AssignmentRecord) -> Flow[AssignmentResult]:
    """The answer where somebody has settled it, or is about to: legacy is not called beside them."""
    if record.owner is Owner.LEGACY:
        reason = Reason.TERMINAL_STATE if record.state in FINAL else Reason.OWNED_BY_LEGACY
        return (yield from call.answer(Outcome.NOOP, reason, record=record))
    booking, was = target.booking, record.booking
    if booking is not None and was is not None and record.state not in FINAL and not booking.same_request(was):
        return (yield from call.answer(Outcome.NOOP, Reason.BOOKING_CHANGED, record=record, handled=False))
    if record.state is _S.ASSIGNED:
        return (yield from call.answer(Outcome.ASSIGNED, record=record))
    return (yield from call.answer(Outcome.NOOP, Reason.TERMINAL_STATE, record=record))


def hand_over(
    call: Call, target: Target, settings: Settings, flags: FlagDecision, decide: Decide, *, legacy: bool
) -> Flow[AssignmentResult]:
    """
    Decide on a booking where the pipeline is not in charge; and once it is written that legacy has it, call legacy.

    Args:
        decide: What becomes of it. Where that is the handover, its reason is `Reason.HANDED_OVER`.

        legacy: Whether there is a legacy planner to call. The host is told to run its own where there is none.

    Raises:
        StaleRolloutError: The rollout has moved on.
        Exception: Whatever the legacy planner raises.
    """
    if (yield from call.is_refused(Hold.of((target.booking_id,), settings.lock_ttl))):
        return (yield from call.answer(Outcome.NOOP, Reason.LOCK_CONTENTION))
    steps = plan_until_landed(call, target, settings, flags, decide, passed=Passed())
    result = yield from guarded(call, settings, steps)
    handed = result.record
    if result.reason is not Reason.HANDED_OVER or handed is None:
        return result
    if not legacy or handed.booking is None:
        return attrs.evolve(result, handled=False)
    # The host may have changed it between two attempts: legacy seats what was written down.
    booking = handed.booking if target.booking is None else target.booking.asking_for(handed.booking)
    return (yield from _call_legacy(call, handed, booking, settings))


def drain(decide: Decide, context: DecisionContext) -> Flow[ToCommit | AssignmentResult]:
    """*decide*, as long as the booking still waits: what has come of it meanwhile is not for the pipeline to change."""
    answered = None if context.record is not None and is_in_flight(context.record) else settled(context)
    return (yield from decide(context) if answered is None else answered)


def _decide(context: DecisionContext) -> Flow[ToCommit | AssignmentResult]:
    answered = settled(context)
    if answered is not None:
        return (yield from answered)
    if context.record is None or context.booking is None or not context.is_wanted:
        return (yield from pass_over(context))
    return handed_over(context, context.record)


def handed_over(context: DecisionContext, record: AssignmentRecord, **facts: Any) -> ToCommit:
    """What is written before legacy is called: it has the booking, and has to answer in time."""
    took = context.call.elapsed()
    made = change(
        context.call,
        record,
        TO_BEGIN[record.state] or (_T.RETRY, _T.BEGIN),
        Outcome.NOOP,
        Reason.HANDED_OVER,
        took=took,
        preconditions=preconditions(context.loaded, record.booking_id, context.generation),
        owner=Owner.LEGACY,
        booking=as_recorded(context.booking) if context.booking is not None else record.booking,
        allocation=None,
        next_attempt_at=context.now + context.settings.handover_timeout,
        deliveries=0,
        reason=None,
        **facts,
    )
    return ToCommit(change=made, outcome=Outcome.NOOP, reason=Reason.HANDED_OVER)


def _call_legacy(call: Call, handed: AssignmentRecord, booking: Booking, settings: Settings) -> Flow[AssignmentResult]:
    """Call legacy for what it was handed, and write down what comes of it."""
    try:
        answer: Any = yield from run_legacy(call, booking, Reason.HANDED_OVER)
    except Exception:
        yield from noted(call, handed, settings, booking, None)
        raise
    if not isinstance(answer, LegacyResult):  # Nobody can tell what it did; the host can, when the time is over.
        return (yield from call.answer(Outcome.NOOP, Reason.HANDED_OVER, record=handed, legacy=answer))
    result = yield from noted(call, handed, settings, booking, answer)
    return attrs.evolve(result, legacy=answer, tables=answer.tables)


# -- For the sweep ------------------------------------------------------------------------------------------------


def unanswered(context: DecisionContext, record: AssignmentRecord) -> ToCommit:
    """
    What happens to a booking that was handed over and had no result in time.

    The host is asked. If the host has no result either, the booking goes to manual review: legacy is not called again.
    """
    if context.at_host is not None and not context.at_host.is_pending:
        return close(context, record)
    return _to_review(context, record, Reason.HANDOVER_TIMEOUT)


def to_person(context: DecisionContext, record: AssignmentRecord) -> ToCommit:
    """What becomes of a booking in flight where there is nobody to hand it over to."""
    return _to_review(context, record, Reason.PIPELINE_DISABLED)


def _to_review(context: DecisionContext, record: AssignmentRecord, reason: Reason) -> ToCommit:
    took = context.call.elapsed()
    made = change(
        context.call,
        record,
        (_T.ESCALATE,),
        Outcome.MANUAL_REVIEW,
        reason,
        took=took,
        preconditions=preconditions(context.loaded, record.booking_id),
        allocation=None,
        next_attempt_at=None,
        deliveries=0,
        reason=reason,
    )
    return ToCommit(change=made, outcome=Outcome.MANUAL_REVIEW, reason=reason)
