"""Changing a booking that already has tables."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

import attrs

from assignment_pipeline.domain.booking import CANCELLED, Booking
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Decision, Outcome, Reason
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import SchemaMismatchError
from assignment_pipeline.flow.assigning import assign
from assignment_pipeline.flow.assigning.decision_context import DecisionContext, Target
from assignment_pipeline.flow.assigning.seating import find_tables, record_attempt, seat, settled
from assignment_pipeline.flow.assigning.sitting_parties import keep_tables
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Evaluate, Flow
from assignment_pipeline.flow.landing import ToCommit, allocation, guarded
from assignment_pipeline.flow.legacy.outcome import is_handed_over
from assignment_pipeline.flow.legacy.takeover_on_touch import take_over
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import FINAL, SETTLED, WITH_TABLES, AssignmentState, Trigger
from assignment_pipeline.planning.base import Rule, SeatingRequest


def reassign(
    target: Target, settings: Settings, *, keep: bool, actor: str | None = None, legacy: bool = False
) -> Flow[AssignmentResult]:
    """
    Seat a booking as it is now; the old tables go only in the commit in which new ones are taken.

    A party that sits keeps its tables: see `keep_tables`. Any other stays at its tables where they still do. A new time
    has to be an arrival, and a large party of another time or size is for a person: see `is_for_people`. Where
    there is no plan, *keep* leaves everything as it was, with the answer ``kept``; without it, the booking gives its
    tables up and waits, as a new one would. The row of a standalone host follows in the same commit.

    What legacy has seated is left as it is, `owned_by_legacy` with `AssignmentResult.handled` false: the host's own
    path makes the change; unless `Settings.takeover` has the pipeline take it over first.
    """
    call = yield from Call.begin(target.ids, "change", actor=actor)
    with contextlib.suppress(SchemaMismatchError):  # What follows meets it again, and answers it.
        failed = yield from guarded(call, settings, take_over(target.booking_id, settings, actor=actor))
        if failed is not None:
            return failed
    return (yield from assign.run_planning_call(call, target, settings, partial(_decide, keep=keep), legacy=legacy))


def _decide(context: DecisionContext, *, keep: bool) -> Flow[ToCommit | AssignmentResult]:
    decided, asked = (yield from _seat_anew(context, keep=keep)), context.booking
    if not isinstance(decided, ToCommit) or asked is None:
        return decided
    return decided.with_request(asked) if decided.change.record.asks_for(asked) else decided


def _seat_anew(context: DecisionContext, *, keep: bool) -> Flow[ToCommit | AssignmentResult]:
    record, booking = context.record, context.booking
    if _is_legacys(context):
        return (yield from context.call.answer(Outcome.NOOP, Reason.OWNED_BY_LEGACY, record=record, handled=False))
    if record is None or booking is None or record.owner is not Owner.PIPELINE:
        return (yield from assign.decide(context))
    if record.state in WITH_TABLES:
        return (yield from _reseat(context, record, booking, keep=keep))
    if record.state is AssignmentState.MANUAL_REVIEW and context.is_wanted:
        request = context.request(booking)
        context, decision = yield from find_tables(context, request)
        return (yield from seat(context, request, decision))
    if record.state not in SETTLED and record.booking is not None and not booking.same_request(record.booking):
        return (yield from assign.seek(context))  # What it waited for has changed: so has when to look.
    answered = settled(context)
    return (yield from answered if answered is not None else assign.decide(context))


def _is_legacys(context: DecisionContext) -> bool:
    """Whether the host's own path makes the change: legacy answers for the booking, and is not at work on it now."""
    record, at_host = context.record, context.at_host
    if record is not None:
        return record.owner is Owner.LEGACY and record.state not in FINAL and not is_handed_over(record)
    return at_host is not None and not at_host.is_pending and at_host.status != CANCELLED


def _reseat(
    context: DecisionContext, record: AssignmentRecord, booking: Booking, *, keep: bool
) -> Flow[ToCommit | AssignmentResult]:
    """What becomes of a booking with tables: it stays, it moves, it is kept, or it gives them up."""
    held = record.allocation
    if held is not None and held.sits:
        return (yield from keep_tables(context, record, held, booking))
    request = context.request(booking)
    here = yield from Evaluate(request, record.tables, context.floor(request))
    closer = request.with_laying_of(held.turn, held.blocked) if held is not None else None
    asked = request
    if Rule.TAKEN in here.broken and closer is not None:  # A person has shortened its laying time.
        asked, here = closer, (yield from Evaluate(closer, record.tables, context.floor(closer)))
    before, turn = record.booking or booking, None if held is None else held.turn
    is_given = not is_for_people(context.venue, request, turn, before.party_size)
    if here.plan is not None and not here.broken and is_given:
        if record.asks_for(booking):
            return (yield from context.call.answer(Outcome.NOOP, Reason.TERMINAL_STATE, record=record))
        stays = attrs.evolve(here.plan, strategy=record.strategy or here.plan.strategy)
        return _move(context, record, asked, Decision(plan=stays))
    context, decision = yield from find_tables(context, request)
    if decision.plan is not None:
        return _move(context, record, request, decision)
    if keep:
        return (yield from context.call.answer(Outcome.KEPT, decision.refusal, record=record, decision=decision))
    return (yield from seat(context, request, decision))


def is_for_people(venue: Venue, request: SeatingRequest, turn: TimeWindow | None, party_size: int | None) -> bool:
    """
    Whether only a person gives *request* its time or its tables, whatever tables are free.

    What was given before stays so. A party that comes at the same time is not asked for an arrival once more; and one
    that comes then with as many guests does not become a case for a person.

    Args:
        turn: When it had tables; None where it had none.

        party_size: How many guests had them; None where that is not known.
    """
    comes_then = turn is not None and turn.start == request.turn.start
    if not comes_then and venue.refusal(request.turn) is not None:
        return True
    are_as_many = comes_then and party_size == request.booking.party_size
    return venue.policy.needs_review(request.booking.party_size) and not are_as_many


def _move(context: DecisionContext, record: AssignmentRecord, request: SeatingRequest, decision: Decision) -> ToCommit:
    assert decision.plan is not None  # noqa: S101 - the caller looked
    outcome = Outcome.CONFIRMED if record.state is AssignmentState.CONFIRMED else Outcome.ASSIGNED
    tables = allocation(request, decision.plan, context.venue)
    stays = record.tables == tables.tables
    facts: dict[str, Any] = {
        "allocation": tables,
        "strategy": decision.plan.strategy,
        "pinned": record.pinned and stays,
    }
    return record_attempt(context, request, decision, (Trigger.MOVE,), outcome, **facts)
