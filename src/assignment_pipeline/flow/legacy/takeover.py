"""Taking a booking back from legacy: only ever because a person says so."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Mode, Outcome, Reason
from assignment_pipeline.errors import BookingNotFoundError, StaleRolloutError
from assignment_pipeline.flow.assigning.assign import MANUAL
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import DoubtFlags, Flow, LoadContext, ResolveFlags
from assignment_pipeline.flow.landing import ToCommit, later, preconditions
from assignment_pipeline.flow.legacy.outcome import is_handed_over
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff.confirm_and_cancel import amend, known_record, record_transition
from assignment_pipeline.lifecycle import FINAL, TO_PENDING, AssignmentState, Trigger
from assignment_pipeline.ports import LoadQuery

_S, _T = AssignmentState, Trigger

_TO_WAIT: dict[AssignmentState, tuple[Trigger, ...]] = {
    _S.CREATED: TO_PENDING,
    _S.CAPACITY_VERIFIED: (_T.ENQUEUE,),
    _S.ASSIGNMENT_PENDING: (_T.BEGIN, _T.RETRY),
    _S.ASSIGNMENT_IN_PROGRESS: (_T.RETRY,),
    _S.ASSIGNED: (_T.RETRY,),
    _S.CONFIRMED: (_T.REQUEUE,),
    _S.MANUAL_REVIEW: (_T.REQUEUE,),
}


def takeover(
    booking_id: str, settings: Settings, *, actor: str, restaurant_id: str | None = None
) -> Flow[AssignmentResult]:
    """
    Have the pipeline answer for a booking that legacy answers for.

    Confirmed at tables, it keeps them. Otherwise it waits, due at once, with all its attempts before it. That is
    refused while legacy may be at work on it (`Reason.HANDED_OVER`), and where the rollout in force does not put the
    pipeline in charge: `Reason.PIPELINE_DISABLED`, or ``retry`` where this process has not heard of that yet.

    Raises:
        BookingNotFoundError: It has no record.
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        TableConflictError: Legacy has seated it where somebody else sits, too.
    """
    call = yield from Call.by_person((booking_id, restaurant_id or ""), MANUAL, actor=actor)

    def decide(record: AssignmentRecord | None, now: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
        known = yield from known_record(record, booking_id, restaurant_id or "")
        if known.owner is Owner.PIPELINE or known.state in FINAL:
            return (yield from call.answer(Outcome.NOOP, Reason.TERMINAL_STATE, record=known))
        facts: dict[str, Any] = {"owner": Owner.PIPELINE, "retries": 0, "reason": None}
        if known.state is _S.CONFIRMED and known.allocation is not None:
            facts |= {"allocation": attrs.evolve(known.allocation, conflicted=False), "next_attempt_at": None}
            return record_transition(call, known, (_T.MOVE,), Outcome.CONFIRMED, Reason.TAKEN_OVER, **facts)
        if is_handed_over(known) and known.next_attempt_at is not None and now < known.next_attempt_at:
            wait = known.next_attempt_at - now
            return (yield from call.answer(Outcome.NOOP, Reason.HANDED_OVER, record=known, retry_after=wait))
        flags = yield from ResolveFlags(known.restaurant_id)
        call.mode = flags.mode
        if call.mode is not Mode.ACTIVE:  # It would be handed over again at once.
            return (yield from call.answer(Outcome.NOOP, Reason.PIPELINE_DISABLED, record=known))
        context = yield from LoadContext(LoadQuery(restaurant_id=known.restaurant_id, booking_ids=(known.booking_id,)))
        if context is None:
            raise BookingNotFoundError(known.booking_id)
        if flags.generation not in (None, context.generation):
            raise StaleRolloutError(flags.generation or 0, context.generation)
        facts |= {"allocation": None, "next_attempt_at": now}
        facts["preconditions"] = preconditions(context, known.booking_id, context.generation)
        return record_transition(call, known, _TO_WAIT[known.state], Outcome.RETRY, Reason.TAKEN_OVER, **facts)

    try:
        return (yield from amend(call, settings, decide))
    except StaleRolloutError as error:
        yield from DoubtFlags(error.expected)
        return (yield from later(call, Reason.CONFLICT, settings.rate_retry, error))
