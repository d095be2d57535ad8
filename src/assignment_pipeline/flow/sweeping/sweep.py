"""What is due: retries, freed tables, expired holds, bookings nobody enqueued, work that a crashed worker left."""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs

from assignment_pipeline.domain.checks import require_limit
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import WAITS_FOR_TABLES, AssignmentResult, Mode, Outcome, Reason
from assignment_pipeline.errors import FlagsUnreadError, StaleRolloutError
from assignment_pipeline.flow.assigning import assign
from assignment_pipeline.flow.assigning.decision_context import DecisionContext, Target
from assignment_pipeline.flow.assigning.host_rows import disagreement, look_again
from assignment_pipeline.flow.assigning.seating import close, find_tables, next_release, seat
from assignment_pipeline.flow.call import SWEEP, Call
from assignment_pipeline.flow.effects import (
    Apart,
    CheckCircuit,
    DoubtFlags,
    Flow,
    ResolveFlags,
    at_once,
)
from assignment_pipeline.flow.landing import ToCommit, as_recorded, change, later, no_longer_due, preconditions
from assignment_pipeline.flow.legacy.handover import hand_over, handed_over, to_person, unanswered
from assignment_pipeline.flow.legacy.outcome import is_handed_over
from assignment_pipeline.flow.settings import InFlight, Settings
from assignment_pipeline.flow.staff.confirm_and_cancel import amend, expire, record_transition
from assignment_pipeline.flow.sweeping.claims import Work
from assignment_pipeline.flow.sweeping.floor_watch import look_at_floors
from assignment_pipeline.flow.sweeping.overstays import name_overstays
from assignment_pipeline.flow.sweeping.together import MOST, take_up_together
from assignment_pipeline.flow.sweeping.unassigned import SweepMemory, UnassignedSearch
from assignment_pipeline.flow.sweeping.unfinished import look_at_unfinished
from assignment_pipeline.flow.sweeping.unreported_cancellations import end_unreported_cancellations
from assignment_pipeline.lifecycle import SETTLED, AssignmentState, Trigger
from assignment_pipeline.ports import Due
from assignment_pipeline.redaction import named

MOST_LOOKS = 100
"""Records that a sweep looks at beside those that are due."""


@attrs.frozen
class SweepReport:
    """
    What a sweep did.

    Attributes:
        results: What became of each booking that was due.

        enqueued: Bookings that nobody had enqueued, and that are now.

        errors: What was raised, by booking, in one line without anybody's data: see `Settings.show_errors`. Such a
            booking is due again in a minute.
    """

    results: tuple[AssignmentResult, ...] = ()
    enqueued: tuple[str, ...] = ()
    errors: tuple[tuple[str, str], ...] = ()


def sweep(
    settings: Settings, limit: int, *, legacy: bool = False, memory: SweepMemory | None = None
) -> Flow[SweepReport]:
    """
    Take up at most *limit* bookings that are due.

    Those that need no more than free tables are seated together, the others each in a flow of its own. While the
    circuit breaker leaves the store alone, nothing is.

    Args:
        legacy: Whether there is a legacy planner to hand bookings over to.

    Raises:
        InvalidValueError: *limit* is no whole number.
    """
    require_limit("limit", limit)
    if (yield from CheckCircuit()):
        return SweepReport()
    memory = memory or SweepMemory()
    looks: list[tuple[str, str]] = []
    page = yield from look_at_unfinished(settings, max(limit, MOST_LOOKS), memory, looks)
    yield from look_at_floors(page, settings, memory.floors, looks)
    yield from name_overstays(memory.in_use, settings, looks)
    alone = partial(take_up, settings=settings, legacy=legacy)
    work = Work(alone, partial(take_up_together, settings=settings), MOST, settings)
    yield from work.off(limit)
    results, errors = work.results, [*looks, *work.errors]
    try:
        yield from end_unreported_cancellations(results, settings, memory.told_once)
    except Exception as error:  # noqa: BLE001 - it is tried again with the next sweep that meets somebody who waits
        errors.append(("", named(error, show=settings.show_errors)))
    enqueued = yield from UnassignedSearch(settings, limit, memory, errors).run()
    return SweepReport(tuple(results), enqueued, tuple(errors))


def take_up(due: Due, settings: Settings, *, legacy: bool = False) -> Flow[AssignmentResult]:
    """Process one claimed booking."""
    call = yield from Call.begin((due.booking_id, due.restaurant_id), SWEEP)
    if due.deliveries > settings.max_deliveries:
        return (yield from amend(call, settings, partial(_give_up, call, settings, due)))
    try:
        return (yield from _see_to(call, due, settings, legacy=legacy))
    except FlagsUnreadError as error:
        call.let_through(error)
        return (yield from later(call, Reason.FLAGS_UNREAD, settings.outage_retry, error))


def _see_to(call: Call, due: Due, settings: Settings, *, legacy: bool) -> Flow[AssignmentResult]:
    target = Target(due.booking_id, due.restaurant_id)
    for _ in range(settings.tries):
        flags = yield from ResolveFlags(due.restaurant_id)
        call.mode = flags.mode
        if flags.mode is Mode.ACTIVE:
            result = yield from assign.run_planning_call(call, target, settings, partial(_decide, due=due))
            if call.mode is Mode.ACTIVE or result.outcome is not Outcome.NOOP or not due.holds(result.record):
                return result
            continue  # The rollout has moved on, and nothing is written yet: decide as where the pipeline is off.
        decide = partial(_decide_aside, due=due, legacy=legacy)
        try:
            return (yield from Apart(hand_over(call, target, settings, flags, decide, legacy=legacy)))
        except StaleRolloutError as error:
            call.let_through(error)
            yield from DoubtFlags(flags.generation)
    return (yield from later(call, Reason.CONFLICT, settings.rate_retry))


def _give_up(
    call: Call, settings: Settings, due: Due, record: AssignmentRecord | None, now: dt.datetime
) -> Flow[ToCommit | AssignmentResult]:
    """What happens to a booking that was handed out too often without a result."""
    if record is None or not due.holds(record):
        return (yield from _somebody_elses(call, record))
    if record.state is AssignmentState.ASSIGNED:
        return expire(call, settings, record, now)
    waits = _waits_for_tables(record)
    if record.state in SETTLED and not waits:
        return ToCommit(change=no_longer_due(call, record), outcome=Outcome.NOOP, reason=Reason.TERMINAL_STATE)
    facts = {"next_attempt_at": None, "deliveries": 0, "reason": Reason.CRASH_LOOP}
    # Who is in review already is there for another reason from now on: freed tables are no news to it any more.
    triggers = (Trigger.REQUEUE, Trigger.ESCALATE) if waits else (Trigger.ESCALATE,)
    outcome = Outcome.MANUAL_REVIEW
    return record_transition(call, record, triggers, outcome, Reason.CRASH_LOOP, **facts)


def _somebody_elses(call: Call, record: AssignmentRecord | None) -> Flow[AssignmentResult]:
    """The answer where something has come of a booking since it was claimed: the claim is void."""
    return call.answer(Outcome.NOOP, Reason.NOT_DUE if record else Reason.TERMINAL_STATE, record=record)


def _waits_for_tables(record: AssignmentRecord) -> bool:
    return record.state is AssignmentState.MANUAL_REVIEW and record.reason in WAITS_FOR_TABLES


def _claimed(context: DecisionContext, due: Due) -> Flow[ToCommit | AssignmentResult] | AssignmentRecord:
    """The record, if the claim still holds and it is the pipeline's; else what is to be done."""
    record = context.record
    if record is None or not due.holds(record):
        return _somebody_elses(context.call, record)
    return at_once(unanswered(context, record)) if is_handed_over(record) else record


def _decide_aside(context: DecisionContext, *, due: Due, legacy: bool) -> Flow[ToCommit | AssignmentResult]:
    """What becomes of a booking whose restaurant the pipeline is not in charge of."""
    record = _claimed(context, due)
    if not isinstance(record, AssignmentRecord):
        return (yield from record)
    if record.state is AssignmentState.ASSIGNED:
        return _end_hold(context, record, legacy=legacy)
    if record.state in SETTLED:
        if _waits_for_tables(record):  # The sweep takes it up once the pipeline is back, and nobody before.
            left = change(context.call, record, next_attempt_at=None, deliveries=0, reason=Reason.PIPELINE_DISABLED)
            settled = ToCommit(change=left, outcome=Outcome.NOOP, reason=Reason.PIPELINE_DISABLED)
        else:
            settled = look_again(context, record)
        return settled
    if context.settings.in_flight is InFlight.DRAIN:
        return (yield from assign.decide(context))
    if not context.is_wanted:
        return close(context, record)
    return handed_over(context, record) if legacy else to_person(context, record)


def _end_hold(context: DecisionContext, record: AssignmentRecord, *, legacy: bool) -> ToCommit:
    """The end of a hold that nobody confirmed; where another would follow, legacy is handed the booking instead."""
    holds = record.holds + 1
    is_here = context.booking is not None and context.booking.restaurant_id == record.restaurant_id
    hands_over = legacy and context.settings.in_flight is InFlight.HANDOVER and context.is_wanted and is_here
    if hands_over and holds < context.settings.max_holds:
        return handed_over(context, record, holds=holds)
    return expire(context.call, context.settings, record, context.now)


def _decide(context: DecisionContext, *, due: Due) -> Flow[ToCommit | AssignmentResult]:
    record = _claimed(context, due)
    if not isinstance(record, AssignmentRecord):
        return (yield from record)
    if record.state is AssignmentState.ASSIGNED:
        return expire(context.call, context.settings, record, context.now)
    if _waits_for_tables(record):
        return (yield from _reconsider(context, record))
    if record.state in SETTLED:
        return look_again(context, record)
    return (yield from assign.decide(context))


def look_for_freed(target: Target, settings: Settings) -> Flow[AssignmentResult]:
    """What `take_up` does for a booking in review that is due, without a claim: a commit after another's is refused."""
    call = yield from Call.begin(target.ids, SWEEP)
    return (yield from assign.run_planning_call(call, target, settings, _decide_unclaimed))


def _decide_unclaimed(context: DecisionContext) -> Flow[ToCommit | AssignmentResult]:
    record = context.record
    if record is None or not _waits_for_tables(record) or record.next_attempt_at is None:
        return (yield from _somebody_elses(context.call, record))
    return (yield from _reconsider(context, record))


def _reconsider(context: DecisionContext, record: AssignmentRecord) -> Flow[ToCommit]:
    """Seat a booking in review at tables that were freed; where they do not do, it stays as it is."""
    due: dt.datetime | None = None
    if context.booking is not None and context.is_wanted:
        request = context.request(context.booking)
        context, decision = yield from find_tables(context, request)
        if decision.plan is not None:
            return (yield from seat(context, request, decision))
        due = next_release(context, request)
    stays = no_longer_due(context.call, record, preconditions(context.loaded, record.booking_id), disagreement(context))
    stays = attrs.evolve(stays, record=attrs.evolve(stays.record, next_attempt_at=due))
    wish = context.booking
    if context.at_host is not None and not context.at_host.is_pending:
        # Kept with its status: the sweep looks whether the host calls it pending again.
        stays = attrs.evolve(stays, record=attrs.evolve(stays.record, booking=as_recorded(context.at_host)))
    elif wish is not None and record.booking is not None and not wish.same_request(record.booking):
        # Until now, tables that came free were compared with what it asked for before: look once more.
        stays = attrs.evolve(
            stays, record=attrs.evolve(stays.record, booking=as_recorded(wish), next_attempt_at=context.now)
        )
    return ToCommit(change=stays, outcome=Outcome.MANUAL_REVIEW, reason=Reason(record.reason or Reason.NO_FIT))
