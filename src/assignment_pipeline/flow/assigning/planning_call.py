"""What every flow that plans has in common: who is in charge, whose turn it is, and a plan that lands."""

from __future__ import annotations

from functools import partial

from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import AssignmentResult, Mode, Reason
from assignment_pipeline.errors import FlagsUnreadError, SchemaMismatchError, StaleRolloutError
from assignment_pipeline.flow.assigning.admission import admit
from assignment_pipeline.flow.assigning.decision_context import Decide, Passed, Target, plan_until_landed
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import DoubtFlags, Flow, ResolveFlags
from assignment_pipeline.flow.landing.commit import guarded, later
from assignment_pipeline.flow.legacy.handover import drain, stand_aside
from assignment_pipeline.flow.legacy.run import leave_to_legacy
from assignment_pipeline.flow.legacy.shadow import shadowed
from assignment_pipeline.flow.settings import Settings


def run_planning_call(
    call: Call, target: Target, settings: Settings, decide: Decide, *, legacy: bool = False
) -> Flow[AssignmentResult]:
    """
    Plan for a booking where, and as far as, the pipeline is in charge of its restaurant.

    Raises:
        BookingNotFoundError: Only the booking's id was given, and nobody knows it.
        VenueNotFoundError: The host has no such restaurant.
    """
    try:
        return (yield from _planned(call, target, settings, decide, legacy=legacy))
    except FlagsUnreadError as error:  # Nobody knows which planner is in charge, so neither is asked.
        call.let_through(error)
        return (yield from later(call, Reason.FLAGS_UNREAD, settings.outage_retry, error))


def _planned(call: Call, target: Target, settings: Settings, decide: Decide, *, legacy: bool) -> Flow[AssignmentResult]:
    in_turn, passed = False, Passed()
    outdated: int | None = None
    for _ in range(settings.tries):
        flags = yield from ResolveFlags(target.restaurant_id)
        if outdated is not None and flags.generation == outdated:
            break  # They have not been read since: what they say would only be refused again.
        call.mode, planned = flags.mode, decide
        try:
            if flags.mode is not Mode.ACTIVE:
                aside = yield from stand_aside(call, target, settings, flags, legacy=legacy)
                if isinstance(aside, AssignmentResult):
                    return aside
                if aside is Owner.LEGACY:
                    reason = Reason.PIPELINE_DISABLED if flags.mode is Mode.OFF else (yield from shadowed())
                    return (yield from leave_to_legacy(call, target.booking, reason, wired=legacy))
                planned = partial(drain, decide)
            if not in_turn:
                answered = yield from admit(call, target, settings, flags)
                if answered is not None:
                    return answered
                in_turn = True  # The locks stay ours, also where the rollout moves on and the flags are asked again.
            steps = plan_until_landed(call, target, settings, flags, planned, passed=passed)
            return (yield from guarded(call, settings, steps))
        except StaleRolloutError as error:
            call.let_through(error)
            outdated = flags.generation
            yield from DoubtFlags(outdated)
        except SchemaMismatchError as error:
            call.let_through(error)
            reason = Reason.RUNTIME_DISABLED
            return (yield from leave_to_legacy(call, target.booking, reason, wired=legacy, error=error))
    return (yield from later(call, Reason.CONFLICT, settings.rate_retry))
