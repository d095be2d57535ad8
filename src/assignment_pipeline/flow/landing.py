"""Decisions and the store: the changes that are committed, and the loop that reads, decides and commits."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import attrs

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.pacing import PacingCap
from assignment_pipeline.domain.record import (
    AssignmentChange,
    AssignmentRecord,
    Attempt,
    AttemptResult,
    CommitPreconditions,
    StateChange,
    facts_of_tables,
)
from assignment_pipeline.domain.result import AssignmentResult, Decision, Outcome, Plan, Reason
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.errors import (
    CommitUnknownError,
    FlagsUnreadError,
    StaleRecordError,
    StoreUnavailableError,
    TableConflictError,
)
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Commit, Flow, LookUpChange, Publish
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import FINAL, WITH_TABLES, AssignmentState, Trigger, walk
from assignment_pipeline.plain import Printed
from assignment_pipeline.planning.base import SeatingRequest
from assignment_pipeline.ports import AssignmentContext

_unchecked_allocation = maker(Allocation)
_unchecked_attempt = maker(Attempt)
_unchecked_change = maker(AssignmentChange)
_unchecked_record = maker(AssignmentRecord)
_unchecked_preconditions = maker(CommitPreconditions)
_unchecked_step = maker(StateChange)

_NOT_WAITING = WITH_TABLES | FINAL

_OF_PRESENCE = frozenset({Reason.SEATED, Reason.LEFT})
"""The reasons whose events say when the party sat down and left."""


def allocation(request: SeatingRequest, plan: Plan, venue: Venue) -> Allocation:
    """The tables of *plan* for the time of *request*."""
    return _unchecked_allocation(
        tables=plan.tables,
        turn=request.turn,
        blocked=request.blocked,
        utc_offset_minutes=venue.utc_offset_minutes(request.turn.start),
    )


def preconditions(
    context: AssignmentContext, booking_id: str, generation: int | None = None, caps: tuple[PacingCap, ...] = ()
) -> CommitPreconditions:
    """What a change takes for granted that was planned on *context*, under *generation* if a rollout gates it."""
    record = context.records.get(booking_id)
    return _unchecked_preconditions(
        booking=context.bookings.get(booking_id),
        venue_version=context.venue.version,
        next_attempt_at=record.next_attempt_at if record else None,
        pinned=record.pinned if record else False,
        generation=generation,
        caps=caps,
    )


def attempt(
    record: AssignmentRecord | None, decision: Decision, now: dt.datetime, overruled: tuple[str, ...] = ()
) -> Attempt:
    """The row that *decision* leaves behind, with the rules that a person has *overruled* for it."""
    number = (record.attempts if record else 0) + 1
    if decision.plan is None:
        facts = dict(decision.turned_away, nearest=", ".join(time.isoformat() for time in decision.nearest))
        if decision.suggestion is not None:
            facts.update(_moves(decision.suggestion), suggested=",".join(decision.suggestion.tables))
        return Attempt(
            number=number, result=AttemptResult.FAILURE, reason=decision.refusal, metadata=facts, created_at=now
        )
    plan = decision.plan
    found: dict[str, Any] = {**plan.parts, "cost": plan.cost, **_moves(plan)}
    if decision.runners_up:
        found["runners_up"] = ", ".join([f"{'+'.join(plan.tables)} {plan.cost:g}" for plan in decision.runners_up])
    if decision.turned_away:
        found["turned_away"] = ", ".join([f"{rule} {count}" for rule, count in decision.turned_away.items()])
    if overruled:
        found["overruled"] = ",".join(overruled)
    return _unchecked_attempt(
        number=number,
        result=AttemptResult.SUCCESS,
        strategy=plan.strategy,
        metadata=found,
        created_at=now,
    )


def _moves(plan: Plan) -> dict[str, str]:
    """Who makes room for it, as one line of an attempt's metadata."""
    if not plan.moves:
        return {}
    moves = (f"{move.booking_id}: {'+'.join(move.origin)} > {'+'.join(move.tables)}" for move in plan.moves)
    return {"moves": ", ".join(moves)}


def as_recorded(booking: Booking) -> Booking:
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
    preconditions: CommitPreconditions | None = None,
    told: Sequence[Event] = (),
    overruled: tuple[str, ...] = (),
    **facts: Any,
) -> AssignmentChange:
    """
    What leads from *current* through *triggers* to a record with *facts*.

    It carries an event a transition, what else is *told*, and, where it ends the call with an *outcome*, what was
    noted and that.

    Raises:
        IllegalTransitionError: A trigger does not leave the state that it is fired in.
    """
    # One transition for each trigger: between two neighbours of *states*.
    state = current.state if current else AssignmentState.CREATED
    version = current.version if current else 0
    states = (state, *walk(state, tuple(triggers)))
    if triggers:
        facts.setdefault("deliveries", 0)  # Something came of it.
    facts |= {"state": states[-1], "version": version + len(triggers)}
    facts["waiting_since"] = _waiting_since(current, states[-1], call.now)
    had = current.allocation if current else None
    facts["allocation"] = _as_present(had, facts.get("allocation", had))
    if facts["allocation"] is None:
        facts["pinned"] = False  # A booking that gives its tables up is no longer pinned to them.
    if current is not None:
        record = attrs.evolve(current, **facts)
    else:
        facts = {"booking_id": call.booking_id, "restaurant_id": call.restaurant_id} | facts
        # Without a booking, nobody has looked at its id so far.
        record = _unchecked_record(**facts) if facts.get("booking") else AssignmentRecord(**facts)
    steps: list[StateChange] = []
    held = facts_of_tables(record.allocation)
    for place, trigger in enumerate(triggers):
        last = place + 1 == len(triggers)
        step = _unchecked_step(
            version=version + place + 1,
            from_state=states[place],
            to_state=states[place + 1],
            trigger=trigger,
            reason=Reason.REINSTATED if trigger is Trigger.REINSTATE else why if last else None,
            actor=call.actor,
            created_at=call.now,
            **(held if states[place + 1] in WITH_TABLES else {}),
        )
        steps.append(step)
    transitions, noted, ended = call.transitions(steps), [], None
    if outcome is not None:
        facts = {"strategy": record.strategy, "tables": record.tables or None, "attempts": record.attempts}
        facts["overruled"] = overruled or None
        if why in _OF_PRESENCE and record.allocation is not None and record.state in WITH_TABLES:
            moments = {"seated_at": record.allocation.seated_at, "left_at": record.allocation.left_at}
            facts |= {name: moment and moment.isoformat() for name, moment in moments.items()}
        noted, ended = call.noted.copy(), call.outcome(outcome, why, took, **facts)

    def events() -> tuple[Event, ...]:
        return (*[tell() for tell in noted], *transitions(), *told, *([] if ended is None else [ended()]))

    return _unchecked_change(
        id=call.change_id(),
        record=record,
        expected_version=current.version if current else None,
        steps=tuple(steps),
        attempt=attempt,
        events=events,
        preconditions=preconditions,
    )


def _as_present(had: Allocation | None, has: Allocation | None) -> Allocation | None:
    """What a booking has after a change: a party that is given other tables still sits, or has left."""
    if had is None or has is None or had.seated_at is None or has.seated_at is not None:
        return has
    return attrs.evolve(has, seated_at=had.seated_at, left_at=had.left_at)


def _waiting_since(before: AssignmentRecord | None, state: AssignmentState, now: dt.datetime) -> dt.datetime | None:
    """Since when a record waits that a change brings to *state*: one that waited before has gone on waiting."""
    if state in _NOT_WAITING:
        return None
    waited = before is not None and before.state not in _NOT_WAITING
    return (before.waiting_since if waited and before is not None else None) or now


def no_longer_due(
    call: Call, record: AssignmentRecord, preconditions: CommitPreconditions | None = None, told: Sequence[Event] = ()
) -> AssignmentChange:
    """Only that *record* is no longer due, and the events in *told*."""
    return change(call, record, preconditions=preconditions, told=told, next_attempt_at=None, deliveries=0)


@attrs.frozen(kw_only=True, repr=False, weakref_slot=False)
class ToCommit(Printed):
    """
    A decision that is to be committed.

    Attributes:
        change: What it writes.

        moved: What it writes of the bookings that make room.

        nearby: What it writes of the bookings whose laying time is shortened.

        displaced: Bookings that are in the way of what it writes.

        outcome: How the call comes out once that has landed.

        reason: Why.

        decision: What the engine thought, if it was asked.
    """

    change: AssignmentChange
    outcome: Outcome
    reason: Reason | None = None
    decision: Decision | None = None
    moved: tuple[AssignmentChange, ...] = ()
    nearby: tuple[AssignmentChange, ...] = ()
    displaced: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[AssignmentChange, ...]:
        """All that has to land together."""
        return self.change, *self.moved, *self.nearby

    def with_request(self, booking: Booking) -> ToCommit:
        """The same, where somebody has changed what is asked for to *booking*: see `AssignmentChange.request`."""
        return attrs.evolve(self, change=attrs.evolve(self.change, request=as_recorded(booking)))


T = TypeVar("T")


def guarded(call: Call, settings: Settings, steps: Flow[T]) -> Flow[T | AssignmentResult]:
    """Answer `retry` to what only the infrastructure is to blame for."""
    try:
        return (yield from steps)
    except FlagsUnreadError as error:
        return (yield from later(call, Reason.FLAGS_UNREAD, settings.outage_retry, error))
    except StoreUnavailableError as error:
        return (yield from later(call, Reason.STORE_UNAVAILABLE, settings.outage_retry, error))
    except CommitUnknownError as error:
        return (yield from later(call, Reason.COMMIT_UNKNOWN, settings.outage_retry, error))


def later(call: Call, reason: Reason, after: dt.timedelta, error: Exception | None = None) -> Flow[AssignmentResult]:
    """The answer `retry`, of something that uses up no attempt."""
    return call.answer(Outcome.RETRY, reason, retry_after=after, error=error)


def land(*changes: AssignmentChange) -> Flow[bool]:
    """
    Commit *changes*; where the answer is lost, look whether they have landed.

    Returns:
        False if what they were made on has moved: look again.

    Raises:
        CommitUnknownError: It could not be found out.
        TableConflictError, StaleRolloutError, StoreUnavailableError: As the commit raises them.
    """
    try:
        yield from Commit(changes)
    except StaleRecordError:
        return False
    except CommitUnknownError as error:
        return (yield from _find_out(changes, error))
    return True


def _find_out(changes: tuple[AssignmentChange, ...], error: CommitUnknownError) -> Flow[bool]:
    """
    Whether changes have landed whose answer was lost.

    If they have not, they may still be on their way. So the same changes are sent again: only one of the two can land.
    """
    found = yield from _look_up(changes, error)
    if not found:
        try:
            yield from Commit(changes)
        except StaleRecordError:  # The first has landed meanwhile; or somebody else was faster.
            found = yield from _look_up(changes, error)
        except CommitUnknownError as again:
            found = yield from _look_up(changes, again)
        else:
            return True
    # The handler publishes the events of each commit that is answered, and so not of this one.
    if found:
        yield from Publish(tuple(event for made in changes for event in made.events))
    return found


def _look_up(changes: tuple[AssignmentChange, ...], error: CommitUnknownError) -> Flow[bool]:
    try:
        return (yield from LookUpChange(changes[0]))
    except StoreUnavailableError:
        raise error from None


def until_landed(
    tries: int | None,
    attempt: Callable[[], Flow[T | None]],
    conflicted: Callable[[TableConflictError], None] | None = None,
) -> Flow[T | None]:
    """
    Read, decide and commit, again where others were faster. Every loop of that kind is this one.

    Args:
        tries: How often at most; None means as often as it takes.

        attempt: One time: it reads, decides, and commits with `land`. Its answer ends the loop; None is: look again.

        conflicted: Called with the error that names the contested tables, before the next attempt. Without it, the
            error is raised.

    Returns:
        The answer; None if others were faster every time.

    Raises:
        Exception: What an attempt raises; a `TableConflictError` only if *conflicted* is not given.
    """
    # Where another worker was faster, an attempt answers None or raises a conflict. The next one reads anew.
    for _ in itertools.count() if tries is None else range(tries):
        try:
            answer = yield from attempt()
        except TableConflictError as error:
            if conflicted is None:
                raise
            conflicted(error)
        else:
            if answer is not None:
                return answer
    return None


def once_more(settings: Settings) -> Callable[[TableConflictError], None] | None:
    """
    For an act of a person, who is to hear what stands against it: look once more where others were faster.

    Then the act is refused by what is so by now, such as a rule that the person may overrule. A second conflict is
    raised.
    """
    met = False

    def conflicted(error: TableConflictError) -> None:
        nonlocal met
        if met:
            raise error
        met = True

    return conflicted if settings.tries > 1 else None


def until_answered(
    call: Call,
    settings: Settings,
    attempt: Callable[[], Flow[ToCommit | AssignmentResult | None]],
    conflicted: Callable[[TableConflictError], None] | None = None,
) -> Flow[AssignmentResult]:
    """
    `until_landed`, as often as `Settings.tries` says, where what lands is the answer of *call*.

    Args:
        attempt: Reads, and decides what is to be written, or on the answer where nothing is; None is: look again.

        conflicted: As in `until_landed`.
    """

    def commit() -> Flow[AssignmentResult | None]:
        decided = yield from attempt()
        if not isinstance(decided, ToCommit):
            return decided
        if not (yield from land(*decided.changes)):
            return None
        return landed(call, decided)

    answer = yield from until_landed(settings.tries, commit, conflicted)
    if answer is None:
        return (yield from later(call, Reason.CONFLICT, settings.rate_retry))
    return answer


def landed(call: Call, decided: ToCommit) -> AssignmentResult:
    """The answer once what was decided has been committed."""
    record = decided.change.record
    retry_after = None
    if decided.outcome is Outcome.RETRY and record.next_attempt_at is not None:
        retry_after = max(record.next_attempt_at - call.now, dt.timedelta())
    took = call.elapsed()
    return call.result(
        decided.outcome,
        decided.reason,
        took,
        record=record,
        decision=decided.decision,
        moved=tuple(made.record.booking_id for made in decided.moved),
        displaced=decided.displaced,
        retry_after=retry_after,
    )
