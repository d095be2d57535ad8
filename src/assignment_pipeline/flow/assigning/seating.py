"""From what a booking asks for to its tables, and to what is written of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.booking import CANCELLED
from assignment_pipeline.domain.events import EventType, Severity
from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import IMPOSSIBLE, AssignmentResult, Decision, Outcome, Reason
from assignment_pipeline.domain.windows import MINUTE, TimeWindow
from assignment_pipeline.flow.assigning.decision_context import DecisionContext
from assignment_pipeline.flow.assigning.host_rows import disagreement, due_until_row
from assignment_pipeline.flow.assigning.reseating import may_help, moves, release_to_others, snapshot, widen
from assignment_pipeline.flow.effects import Draw, Flow, MakePlan
from assignment_pipeline.flow.landing import (
    ToCommit,
    allocation,
    as_recorded,
    attempt,
    change,
    no_longer_due,
    preconditions,
)
from assignment_pipeline.flow.settings import Confirmation, Impossible
from assignment_pipeline.lifecycle import FINAL, SETTLED, TO_PENDING, WITH_TABLES, AssignmentState, Trigger
from assignment_pipeline.planning.base import Budget, FloorSnapshot, Rule, SeatingRequest
from assignment_pipeline.ports import waits

_S, _T = AssignmentState, Trigger
_unchecked_to_commit = maker(ToCommit)

TO_BEGIN: dict[AssignmentState, tuple[Trigger, ...]] = {
    _S.CREATED: (*TO_PENDING, _T.BEGIN),
    _S.CAPACITY_VERIFIED: (_T.ENQUEUE, _T.BEGIN),
    _S.ASSIGNMENT_PENDING: (_T.BEGIN,),
    _S.ASSIGNMENT_IN_PROGRESS: (),
    _S.ASSIGNED: (_T.RETRY, _T.BEGIN),
    _S.CONFIRMED: (_T.REQUEUE, _T.BEGIN),
    _S.MANUAL_REVIEW: (_T.REQUEUE, _T.BEGIN),
    _S.FAILED: (_T.REINSTATE, _T.BEGIN),
    _S.CANCELLED: (_T.REINSTATE, _T.BEGIN),
}
"""What brings an assignment to where it can be seated, or be found to have no tables."""

_RELEASE_HELPS = (Reason.NO_FIT, Reason.INFEASIBLE)

TO_ESCALATE: dict[AssignmentState, tuple[Trigger, ...]] = {
    _S.CONFIRMED: (_T.REQUEUE,),
    _S.MANUAL_REVIEW: (_T.REQUEUE,),
    _S.FAILED: (_T.REINSTATE,),
    _S.CANCELLED: (_T.REINSTATE,),
}
"""What brings one to where a person, or its end, can be called for; nothing does elsewhere."""


def settled(context: DecisionContext) -> Flow[AssignmentResult] | None:
    """The answer where `assign` has nothing to do, or None where it has."""
    record, answer = context.record, context.call.answer
    if record is None:
        return None
    if record.owner is not Owner.PIPELINE:
        return answer(Outcome.NOOP, Reason.OWNED_BY_LEGACY, record=record)
    if record.state in SETTLED | WITH_TABLES:
        if _has_changed(context, record):
            return answer(Outcome.NOOP, Reason.BOOKING_CHANGED, record=record)
        if record.state is _S.ASSIGNED:
            return answer(Outcome.ASSIGNED, record=record)
        return answer(Outcome.NOOP, Reason.TERMINAL_STATE, record=record)
    return None


def _has_changed(context: DecisionContext, record: AssignmentRecord) -> bool:
    unlike = context.booking and record.booking and not context.booking.same_request(record.booking)
    return bool(unlike) and record.state not in FINAL


def find_tables(context: DecisionContext, request: SeatingRequest) -> Flow[tuple[DecisionContext, Decision]]:
    """
    The best tables for *request*, with what it was found on: a wider context where others would have to move.

    Raises:
        StaleRecordError: The booking has changed since *context* was loaded.
    """
    decision = yield from make_plan(context, request)
    if decision.refusal is not Reason.NO_FIT or not may_help(context, request):
        return context, decision
    wider = yield from widen(context, request)
    return wider, (yield from make_plan(wider, request, lambda seen: snapshot(seen, request)))


def make_plan(
    context: DecisionContext, request: SeatingRequest, look: Callable[[DecisionContext], FloorSnapshot] | None = None
) -> Flow[Decision]:
    """
    The best tables for the request; strategies that raised are noted.

    Args:
        look: What is planned on, of a context: by default, its floor.
    """
    look = look or (lambda context: context.floor(request))
    budget = context.settings.budget_of_sweep if context.call.is_sweep else context.settings.budget_in_call
    if context.deadline is not None:
        budget = Budget.within(context.deadline)
    decision = yield from MakePlan(request, look(context), budget)
    if decision.plan is None and context.contested:
        # What others took may be free again, and whom that woke is us: only the floor as read turns anyone away.
        decision = yield from MakePlan(request, look(attrs.evolve(context, contested=frozenset())), budget)
    for fault in decision.faults:
        context.call.note(EventType.ERROR, Severity.ERROR, reason="strategy_fault", strategy=fault)
    return decision


def seat(context: DecisionContext, request: SeatingRequest, decision: Decision) -> Flow[ToCommit]:
    """What is written of *decision*: tables, another attempt, or a case for a person."""
    record, settings = context.record, context.settings
    retries = 1
    if record is not None and record.state not in WITH_TABLES | FINAL | {_S.MANUAL_REVIEW}:
        retries += record.retries  # A booking that gives its tables up, or returns from review, starts over.
    facts: dict[str, Any] = {"allocation": None, "next_attempt_at": None, "reason": None}
    reason, begin = decision.refusal, TO_BEGIN[context.state]
    triggers: tuple[Trigger, ...]
    if decision.plan is not None:
        triggers, outcome = (*begin, _T.SEAT, _T.CONFIRM), Outcome.CONFIRMED
        facts.update(
            allocation=allocation(request, decision.plan, context.venue), strategy=decision.plan.strategy, retries=0
        )
        if settings.confirmation is Confirmation.EXTERNAL:
            triggers, outcome = (*begin, _T.SEAT), Outcome.ASSIGNED
            facts.update(next_attempt_at=context.now + settings.hold_ttl)
    elif reason in IMPOSSIBLE and settings.impossible is Impossible.FAIL and Outcome.FAILED in reason.facts.outcomes:
        triggers, outcome = (*TO_ESCALATE.get(context.state, ()), _T.FAIL), Outcome.FAILED
        facts.update(reason=reason)
    elif reason in IMPOSSIBLE:
        triggers, outcome = (*TO_ESCALATE.get(context.state, ()), _T.ESCALATE), Outcome.MANUAL_REVIEW
        facts.update(reason=reason)
    elif reason is Reason.NO_FIT and retries <= settings.max_retries and not _is_for_people(context, request, decision):
        triggers, outcome = (*begin, _T.RETRY), Outcome.RETRY
        draw = yield from Draw()
        facts.update(retries=retries, next_attempt_at=context.now + settings.retry_delay(retries, draw))
    else:
        triggers, outcome = (*begin, _T.ESCALATE), Outcome.MANUAL_REVIEW
        facts.update(retries=retries, reason=reason)
        if not _could_be_woken(record, request):
            # A table that came free since the floor was read has woken nobody: the sweep looks once more.
            facts.update(next_attempt_at=context.now)
        elif reason in _RELEASE_HELPS:
            facts.update(next_attempt_at=next_release(context, request))
    return record_attempt(context, request, decision, triggers, outcome, **facts)


def next_release(context: DecisionContext, request: SeatingRequest) -> dt.datetime | None:
    """When the next tables are released to *request*, or to who could make room for it; None where none are."""
    minutes, others = context.venue.floor.next_release(request.ahead), release_to_others(context)
    if minutes is None or request.ahead is None:
        return others
    own = request.turn.start - minutes * MINUTE
    return own if others is None else min(own, others)


def _could_be_woken(record: AssignmentRecord | None, request: SeatingRequest) -> bool:
    """Whether a commit that frees tables for *request* makes *record* due, and so refuses what was planned on it."""
    return record is not None and waits(record) and record.asks_for(request.booking)


def record_attempt(
    context: DecisionContext,
    request: SeatingRequest,
    decision: Decision,
    triggers: tuple[Trigger, ...],
    outcome: Outcome,
    *,
    why: Reason | None = None,
    overruled: Collection[Rule] = (),
    blocked: Mapping[str, TimeWindow] | None = None,
    **facts: Any,
) -> ToCommit:
    """
    The change that records an attempt and leads through *triggers*.

    Args:
        why: Why, where that is not what the decision says.

        overruled: The rules among those that the plan breaks that a person has overruled.

        blocked: For how long those who make room keep their tables, where that is not as long as before, by id.
    """
    record, plan = context.record, decision.plan
    pace = context.pace
    caps = () if pace is None or plan is None or Rule.PACING in overruled else pace.caps(request.booking)
    took = context.call.elapsed()
    broken = tuple(rule.value for rule in overruled)
    made = change(
        context.call,
        record,
        triggers,
        outcome,
        why or decision.refusal,
        took=took,
        attempt=attempt(record, decision, context.now, broken),
        overruled=broken,
        preconditions=preconditions(context.loaded, request.booking.id, context.generation, caps),
        restaurant_id=request.booking.restaurant_id,
        booking=as_recorded(request.booking),
        attempts=(record.attempts if record else 0) + 1,
        deliveries=0,
        **facts,
    )
    moved = moves(context, plan.moves, plan.strategy, blocked=blocked) if plan is not None and plan.moves else ()
    if context.awaits_row:
        made = due_until_row(context, made)
    return _unchecked_to_commit(
        change=made, outcome=outcome, reason=why or decision.refusal, decision=decision, moved=moved
    )


def pass_over(context: DecisionContext) -> Flow[ToCommit | AssignmentResult]:
    """What becomes of a booking for which nobody wants tables any more."""
    at_host = context.at_host
    if context.record is None or (at_host is not None and at_host.is_pending):
        # A booking passed as settled that still waits at the host is left to the sweep, which goes by the host.
        return (yield from context.call.answer(Outcome.NOOP, Reason.TERMINAL_STATE, record=context.record))
    return close(context, context.record)


def close(context: DecisionContext, record: AssignmentRecord) -> ToCommit:
    """The end of an unsettled assignment whose booking the host has settled, or forgotten, without telling."""
    gone = context.booking is None
    reason = Reason.BOOKING_GONE if gone else Reason.TERMINAL_STATE
    took = context.call.elapsed()
    at_host = context.at_host or context.booking
    if at_host is not None and at_host.status != CANCELLED:
        # Somebody else has settled it. What came of it is not ours to tell, but that the two differ is.
        rests = no_longer_due(
            context.call, record, preconditions(context.loaded, record.booking_id), disagreement(context)
        )
        return ToCommit(change=rests, outcome=Outcome.NOOP, reason=reason)
    made = change(
        context.call,
        record,
        (_T.FAIL if gone else _T.CANCEL,),
        Outcome.NOOP,
        reason,
        took=took,
        preconditions=preconditions(context.loaded, record.booking_id),
        next_attempt_at=None,
        allocation=None,
        reason=reason,
    )
    return ToCommit(change=made, outcome=Outcome.NOOP, reason=reason)


def _is_for_people(context: DecisionContext, request: SeatingRequest, decision: Decision) -> bool:
    """Whether the booking needs a person: to agree to moves, or because no time is left for another attempt."""
    arrives_soon = request.turn.start - context.now <= context.venue.policy.retry_cutoff
    return decision.suggestion is not None or (arrives_soon and not context.settings.replay)
