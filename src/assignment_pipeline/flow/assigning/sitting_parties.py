"""Parties that have tables and are not what was booked: they keep their tables, or are told why not."""

from __future__ import annotations

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import AssignmentResult, Decision, Outcome, Reason
from assignment_pipeline.flow.assigning.decision_context import DecisionContext
from assignment_pipeline.flow.assigning.seating import make_plan
from assignment_pipeline.flow.effects import Evaluate, Flow
from assignment_pipeline.flow.landing import ToCommit, as_recorded, change, preconditions
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.planning.base import SeatingRequest


def keep_tables(
    context: DecisionContext, record: AssignmentRecord, held: Allocation, booking: Booking
) -> Flow[ToCommit | AssignmentResult]:
    """
    What becomes of a party with tables that is *booking* now: it keeps them where they have the seats.

    Returns:
        With the outcome ``kept``, nothing is written. The reason is ``party_too_large``, and the decision has tables
        that would do, if there are any; ``sits``, where a party that sits is to come at another time; or ``pacing``,
        where more guests are to come than a cap allows.
    """
    call = context.call
    if record.asks_for(booking):
        return (yield from call.answer(Outcome.NOOP, Reason.TERMINAL_STATE, record=record))
    if record.booking is not None and booking.start_at != record.booking.start_at and held.sits:
        return (yield from call.answer(Outcome.KEPT, Reason.SITS, record=record))
    request = SeatingRequest(booking=booking, turn=held.turn, blocked=held.blocked)
    found = yield from Evaluate(request, held.tables, context.floor(request))
    place = context.venue.floor.seating(held.tables)
    if found.plan is None or place is None or booking.party_size > place.max_party:
        decision: Decision = yield from make_plan(context, request)
        kept, why = Outcome.KEPT, Reason.PARTY_TOO_LARGE
        return (yield from call.answer(kept, why, record=record, decision=decision))
    pace = context.pace
    caps = () if held.sits or pace is None else pace.caps(booking)  # Guests who sit there have come already.
    if caps and pace is not None and pace.refuses(booking):
        return (yield from call.answer(Outcome.KEPT, Reason.PACING, record=record))
    outcome = Outcome.CONFIRMED if record.state is AssignmentState.CONFIRMED else Outcome.ASSIGNED
    why = Reason.PARTY_CHANGED
    took = call.elapsed()
    on = preconditions(context.loaded, booking.id, caps=caps) if caps else None
    made = change(
        call, record, (Trigger.MOVE,), outcome, why, took=took, booking=as_recorded(booking), preconditions=on
    )
    return ToCommit(change=made, outcome=outcome, reason=why)
