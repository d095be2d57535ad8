"""The assign flow: who is in charge, whether now is a good moment, and from a booking to its tables in one commit."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import EventType
from assignment_pipeline.domain.result import AssignmentResult, Mode, Outcome, Reason
from assignment_pipeline.errors import FlagsUnreadError, SchemaMismatchError, StaleRolloutError
from assignment_pipeline.flow.assigning.decision_context import (
    Decide,
    DecisionContext,
    Passed,
    Target,
    plan_until_landed,
)
from assignment_pipeline.flow.assigning.seating import find_tables, pass_over, seat, settled
from assignment_pipeline.flow.call import SWEEP, Call
from assignment_pipeline.flow.effects import (
    CheckCircuit,
    DoubtFlags,
    Flow,
    Hold,
    ResolveFlags,
    TakeSlot,
)
from assignment_pipeline.flow.landing import ToCommit, guarded, later
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import AssignmentState
from assignment_pipeline.on_use import module_on_use
from assignment_pipeline.ports import FlagDecision
from assignment_pipeline.ports.fitting import require_kind

if TYPE_CHECKING:
    from assignment_pipeline.flow.legacy import handover, run
    from assignment_pipeline.flow.legacy import shadow as shadowing
else:  # Where the pipeline is in charge, nobody asks for these.
    handover = module_on_use("flow.legacy.handover")
    run = module_on_use("flow.legacy.run")
    shadowing = module_on_use("flow.legacy.shadow")

_SETTLED = frozenset({Outcome.CONFIRMED, Outcome.ASSIGNED, Outcome.MANUAL_REVIEW, Outcome.FAILED})

CREATION = "creation"
MANUAL = "manual"


def assign(
    target: Target, settings: Settings, *, trigger: str = CREATION, legacy: bool = False
) -> Flow[AssignmentResult]:
    """
    Find tables for a booking, or say why there are none.

    Args:
        target: The booking.

        settings: How the flow behaves.

        trigger: What brought the call about. ``sweep`` means that the booking was claimed from the schedule, and
            ``manual`` that a person asked: these do not wait until a retry is due.

        legacy: Whether there is a legacy planner to run where the pipeline is off.

    Raises:
        BookingNotFoundError: Only the booking's id was given, and nobody knows it.
        VenueNotFoundError: The host has no such restaurant.
        TypeError: The target's deadline is no timedelta.
    """
    if target.deadline is not None:
        require_kind("deadline", target.deadline, dt.timedelta)
    call = yield from Call.begin(target.ids, trigger)
    return (yield from run_planning_call(call, target, settings, decide, legacy=legacy))


def run_planning_call(
    call: Call, target: Target, settings: Settings, decide: Decide, *, legacy: bool = False
) -> Flow[AssignmentResult]:
    """
    Plan for a booking if the pipeline is in charge of its restaurant: what all flows have in common that plan for one.

    Args:
        decide: What becomes of the booking, once its context is loaded.

    Raises:
        BookingNotFoundError: Only the booking's id was given, and nobody knows it.
        VenueNotFoundError: The host has no such restaurant.
    """
    result = yield from _planned(call, target, settings, decide, legacy=legacy)
    yield from held_against_legacy(call, target.booking, result)
    return result


def held_against_legacy(call: Call, given: Booking | None, result: AssignmentResult) -> Flow[None]:
    """Hand what has settled to the shadow, where the pipeline is in charge and legacy is the shadow's candidate."""
    if call.mode is Mode.ACTIVE and call.is_held_against_legacy and result.outcome in _SETTLED:
        yield from shadowing.offer_reverse(call, given, result)


def _planned(call: Call, target: Target, settings: Settings, decide: Decide, *, legacy: bool) -> Flow[AssignmentResult]:
    admitted, passed = False, Passed()
    outdated: int | None = None
    for _ in range(settings.tries):
        try:
            flags = yield from ResolveFlags(target.restaurant_id)
            if outdated is not None and flags.generation == outdated:
                break  # They have not been read since: what they say would only be refused again.
            call.mode, planned = flags.mode, decide
            # Who is in charge: legacy runs, the booking is handed over to it, or the pipeline finishes what it began.
            if flags.mode is not Mode.ACTIVE:
                answer = yield from handover.stand_aside(call, target, settings, flags, legacy=legacy)
                if answer is not None:
                    return answer
                planned = partial(handover.drain, decide)
            # Whether now is a good moment. The locks are kept if the rollout moves on and the flags are asked again.
            answer = None if admitted else (yield from admit(call, target, settings, flags))
            if answer is not None:
                return answer
            admitted = True
            # From the booking's context to a commit.
            steps = plan_until_landed(call, target, settings, flags, planned, passed=passed)
            return (yield from guarded(call, settings, steps))
        except FlagsUnreadError as error:  # Nobody knows which planner is in charge, so neither is asked.
            call.let_through(error)
            return (yield from later(call, Reason.FLAGS_UNREAD, settings.outage_retry, error))
        except StaleRolloutError as error:
            call.let_through(error)
            outdated = flags.generation
            yield from DoubtFlags(outdated)
        except SchemaMismatchError as error:
            call.let_through(error)
            reason = Reason.RUNTIME_DISABLED
            return (yield from run.leave_to_legacy(call, target.booking, reason, legacy=legacy, error=error))
    return (yield from later(call, Reason.CONFLICT, settings.rate_retry))


def admit(call: Call, target: Target, settings: Settings, flags: FlagDecision) -> Flow[AssignmentResult | None]:
    """The answer where the circuit breaker, the restaurant's limit or another worker is in the way."""
    cooldown = yield from CheckCircuit()
    if cooldown:
        return (yield from later(call, Reason.CIRCUIT_OPEN, cooldown))
    slot = TakeSlot.at(target.restaurant_id, flags.max_parallel, settings.lock_ttl)
    refused = yield from call.refused(slot, Hold.of((target.booking_id,), settings.lock_ttl))
    if refused is slot:
        return (yield from later(call, Reason.RATE_LIMITED, settings.rate_retry))
    if refused is not None:
        return (yield from call.answer(Outcome.NOOP, Reason.LOCK_CONTENTION))
    call.note(EventType.START)
    return None


def decide(context: DecisionContext) -> Flow[ToCommit | AssignmentResult]:
    """What becomes of a booking that is not settled yet."""
    answered = settled(context) or _too_early(context)
    if answered is not None:
        return answered
    return seek(context)


def seek(context: DecisionContext) -> Flow[ToCommit | AssignmentResult]:
    """The same, at once; where nobody wants tables any more, that is all."""
    booking = context.booking
    if booking is None or not context.is_wanted:
        return (yield from pass_over(context))
    request = context.request(booking)
    context, decision = yield from find_tables(context, request)
    return (yield from seat(context, request, decision))


def _too_early(context: DecisionContext) -> Flow[AssignmentResult] | None:
    record = context.record
    if record is None or record.next_attempt_at is None or record.state is AssignmentState.CREATED:
        return None
    if context.call.trigger in (SWEEP, MANUAL) or context.settings.replay or record.next_attempt_at <= context.now:
        return None
    due_in = record.next_attempt_at - context.now
    return context.call.answer(Outcome.NOOP, Reason.NOT_DUE, record=record, retry_after=due_in)
