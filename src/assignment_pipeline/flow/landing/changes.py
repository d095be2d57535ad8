"""Building the one change that an assignment writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import (
    Allocation,
    AssignmentChange,
    AssignmentRecord,
    Attempt,
    AttemptResult,
    CommitPreconditions,
    StateChange,
)
from assignment_pipeline.domain.result import Decision, Outcome, Plan, Reason
from assignment_pipeline.flow.call import Call
from assignment_pipeline.lifecycle import WITH_TABLES, Trigger, walk
from assignment_pipeline.planning.base import SeatingRequest
from assignment_pipeline.ports import AssignmentContext


def allocation(request: SeatingRequest, plan: Plan) -> Allocation:
    """The tables of *plan* for the time of *request*."""
    return Allocation(tables=plan.tables, turn=request.turn, blocked=request.blocked)


def assumed(context: AssignmentContext, booking_id: str, generation: int | None = None) -> CommitPreconditions:
    """What a change takes for granted that was planned on *context*, under *generation* if a rollout gates it."""
    record = context.records.get(booking_id)
    return CommitPreconditions(
        booking=context.bookings.get(booking_id),
        venue_version=context.venue.version,
        next_attempt_at=record.next_attempt_at if record else None,
        pinned=record.pinned if record else False,
        generation=generation,
    )


def attempt(record: AssignmentRecord | None, decision: Decision, now: dt.datetime) -> Attempt:
    """The row that *decision* leaves behind."""
    number = (record.attempts if record else 0) + 1
    if decision.plan is None:
        facts = dict(decision.turned_away, nearest=", ".join(time.isoformat() for time in decision.nearest))
        if decision.suggestion is not None:
            facts.update(_moves(decision.suggestion), suggested=",".join(decision.suggestion.tables))
        return Attempt(
            number=number, result=AttemptResult.FAILURE, reason=decision.refusal, metadata=facts, created_at=now
        )
    plan = decision.plan
    return Attempt(
        number=number,
        result=AttemptResult.SUCCESS,
        strategy=plan.strategy,
        metadata=dict(plan.parts, cost=plan.cost, **_moves(plan)),
        created_at=now,
    )


def _moves(plan: Plan) -> dict[str, str]:
    """Who makes room for it, as one line of an attempt's metadata."""
    moves = (f"{move.booking_id}: {'+'.join(move.origin)} > {'+'.join(move.tables)}" for move in plan.moves)
    return {"moves": ", ".join(moves)} if plan.moves else {}


def known(booking: Booking) -> Booking:
    """The booking as a record keeps it: without what only the host's strategies know."""
    return attrs.evolve(booking, attributes={}) if booking.attributes else booking


def change(
    call: Call,
    current: AssignmentRecord | None,
    triggers: Sequence[Trigger] = (),
    outcome: Outcome | None = None,
    why: str | None = None,
    *,
    took: dt.timedelta = dt.timedelta(),
    attempt: Attempt | None = None,
    assumed: CommitPreconditions | None = None,
    told: Sequence[Event] = (),
    **facts: Any,
) -> AssignmentChange:
    """
    What leads from *current* through *triggers* to a record with *facts*.

    It carries an event a transition, what else is *told*, and, where it ends the call with an *outcome*, what was
    noted and that.

    Raises:
        IllegalTransitionError: A trigger does not leave the state that it is fired in.
    """
    before = current or AssignmentRecord(booking_id=call.booking_id, restaurant_id=call.restaurant_id)
    states = (before.state, *walk(before.state, triggers))
    if triggers:
        facts.setdefault("deliveries", 0)  # Something came of it.
    record = attrs.evolve(before, state=states[-1], version=before.version + len(triggers), **facts)
    if record.allocation is None and record.pinned:
        record = attrs.evolve(record, pinned=False)  # Whoever gives tables up is not held to them.
    steps = tuple(
        StateChange(
            version=before.version + number,
            from_state=states[number - 1],
            to_state=states[number],
            trigger=trigger,
            reason=why if number == len(triggers) else None,
            actor=call.actor,
            tables=record.tables if states[number] in WITH_TABLES else (),
            created_at=call.now,
        )
        for number, trigger in enumerate(triggers, start=1)
    )
    events = [*(call.transition(step) for step in steps), *told]
    if outcome is not None:
        facts = {"strategy": record.strategy, "tables": record.tables or None, "attempts": record.attempts}
        events = [*call.noted, *events, call.outcome(outcome, why, took, **facts)]
    return AssignmentChange(
        id=call.change_id(),
        record=record,
        expected_version=current.version if current else None,
        steps=steps,
        attempt=attempt,
        events=events,
        assumed=assumed,
    )


def rest(
    call: Call, record: AssignmentRecord, assumed: CommitPreconditions | None = None, told: Sequence[Event] = ()
) -> AssignmentChange:
    """Nothing but that the sweep need not see to *record* any more, and what is *told* of it."""
    return change(call, record, assumed=assumed, told=told, next_attempt_at=None, deliveries=0)


@attrs.frozen(kw_only=True)
class ToCommit:
    """
    A decision that is to be committed.

    Attributes:
        change: What it writes.

        moved: What it writes of the bookings that make room.

        outcome: How the call comes out once that has landed.

        reason: Why.

        decision: What the engine thought, if it was asked.
    """

    change: AssignmentChange
    outcome: Outcome
    reason: Reason | None = None
    decision: Decision | None = None
    moved: tuple[AssignmentChange, ...] = ()

    @property
    def changes(self) -> tuple[AssignmentChange, ...]:
        """All that has to land together."""
        return self.change, *self.moved
