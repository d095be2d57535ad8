"""The assign flow: from a booking to its tables, in one commit."""

from __future__ import annotations

from assignment_pipeline.domain.result import AssignmentResult, Outcome, Reason
from assignment_pipeline.flow.assigning.decision_context import DecisionContext, Target
from assignment_pipeline.flow.assigning.planning_call import run_planning_call
from assignment_pipeline.flow.assigning.seating import find_tables, pass_over, seat, settled
from assignment_pipeline.flow.call import SWEEP, Call
from assignment_pipeline.flow.effects import Flow
from assignment_pipeline.flow.landing.changes import ToCommit
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import AssignmentState

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
    """
    call = yield from Call.begin(target.ids, trigger)
    return (yield from run_planning_call(call, target, settings, decide, legacy=legacy))


def decide(view: DecisionContext) -> Flow[ToCommit | AssignmentResult]:
    """What becomes of a booking that is not settled yet."""
    answered = settled(view) or _too_early(view)
    if answered is not None:
        return (yield from answered)
    return (yield from seek(view))


def seek(view: DecisionContext) -> Flow[ToCommit | AssignmentResult]:
    """The same, at once; where nobody wants tables any more, that is all."""
    booking = view.booking
    if booking is None or not view.is_wanted:
        return (yield from pass_over(view))
    request = view.request(booking)
    view, decision = yield from find_tables(view, request)
    return (yield from seat(view, request, decision))


def _too_early(view: DecisionContext) -> Flow[AssignmentResult] | None:
    record = view.record
    if record is None or record.next_attempt_at is None or record.state is AssignmentState.CREATED:
        return None
    if view.call.trigger in (SWEEP, MANUAL) or view.settings.replay or record.next_attempt_at <= view.now:
        return None
    due_in = record.next_attempt_at - view.now
    return view.call.answer(Outcome.NOOP, Reason.NOT_DUE, record=record, retry_after=due_in)
