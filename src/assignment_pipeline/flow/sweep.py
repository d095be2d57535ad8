"""What is due: retries, freed tables, expired holds, bookings nobody enqueued, work that a crashed worker left."""

from __future__ import annotations

import datetime as dt
from functools import partial

import attrs

from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import WAITS_FOR_TABLES, AssignmentResult, Mode, Outcome, Reason
from assignment_pipeline.flow import assign
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.changes import assumed, change, rest
from assignment_pipeline.flow.conduct import Target, View, Write, conduct
from assignment_pipeline.flow.decide import seat
from assignment_pipeline.flow.effects import Apart, ClaimDue, FindUnassigned, Flow, Now, ResolveFlags
from assignment_pipeline.flow.free import amend, expire, write
from assignment_pipeline.flow.queue import enqueue
from assignment_pipeline.flow.room import find
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import FINAL, SETTLED, AssignmentState, Trigger
from assignment_pipeline.ports import Due

_MOST_PAGES = 20


@attrs.frozen
class SweepReport:
    """
    What a sweep did.

    Attributes:
        results: What became of each booking that was due.

        enqueued: Bookings that nobody had enqueued, and that are now.

        errors: What was raised, by booking; such a booking is due again in a minute.
    """

    results: tuple[AssignmentResult, ...] = ()
    enqueued: tuple[str, ...] = ()
    errors: tuple[tuple[str, str], ...] = ()


def sweep(settings: Settings, limit: int) -> Flow[SweepReport]:
    """
    Take up at most *limit* bookings that are due, each in a flow of its own.

    Raises:
        StoreUnavailableError: The store could not be asked what is due.
    """
    results: list[AssignmentResult] = []
    errors: list[tuple[str, str]] = []
    for due in (yield from ClaimDue(limit)):
        try:
            results.append((yield from Apart(take_up(due, settings))))
        except Exception as error:  # noqa: BLE001 - one booking must not keep the sweep from the others
            errors.append((due.booking_id, _named(error)))
    enqueued = yield from _enqueue_orphans(settings, limit, errors)
    return SweepReport(tuple(results), enqueued, tuple(errors))


def _enqueue_orphans(settings: Settings, limit: int, errors: list[tuple[str, str]]) -> Flow[tuple[str, ...]]:
    """Enqueue the pending bookings, from now on, that nobody did, as far as the pipeline is in charge of them."""
    since = yield from Now()
    found: list[str] = []
    for _ in range(_MOST_PAGES):
        page = yield from FindUnassigned(since, limit)
        for booking in page:
            try:
                record = yield from enqueue(booking, settings)
            except Exception as error:  # noqa: BLE001 - as above
                errors.append((booking.id, _named(error)))
            else:
                found += [] if record is None else [booking.id]
        if len(page) < limit or len(found) >= limit or page[-1].start_at <= since:
            break
        since = page[-1].start_at
    return tuple(found)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def take_up(due: Due, settings: Settings) -> Flow[AssignmentResult]:
    """See to one booking that was claimed."""
    call = yield from Call.begin((due.booking_id, due.restaurant_id), assign.SWEEP)
    flags = yield from ResolveFlags(due.restaurant_id)
    call.mode = flags.mode
    crashes = due.deliveries > settings.max_deliveries

    def decide(record: AssignmentRecord | None, now: dt.datetime) -> Flow[Write | AssignmentResult]:
        if record is None or record.deliveries != due.deliveries:
            return (yield from _somebody_elses(call, record))
        if record.state is AssignmentState.ASSIGNED:
            return (yield from expire(call, settings, record, now))
        waits = record.state not in SETTLED or _waits_for_tables(record)
        if waits and not crashes:
            idle = change(call, record, deliveries=0)
            return Write(change=idle, outcome=Outcome.NOOP, reason=Reason.PIPELINE_DISABLED)
        if record.state in SETTLED:
            return Write(change=rest(call, record), outcome=Outcome.NOOP, reason=Reason.TERMINAL_STATE)
        facts = {"next_attempt_at": None, "deliveries": 0, "reason": Reason.CRASH_LOOP}
        triggers, outcome = (Trigger.ESCALATE,), Outcome.MANUAL_REVIEW
        return (yield from write(call, record, triggers, outcome, Reason.CRASH_LOOP, **facts))

    if crashes or flags.mode is not Mode.ACTIVE:
        return (yield from amend(call, settings, decide))
    target = Target(due.booking_id, due.restaurant_id)
    result = yield from conduct(call, target, settings, partial(_decide, due=due))
    if result.reason in _IN_THE_WAY:
        yield from amend(call, settings, partial(_hand_back, call, due, result.retry_after or settings.rate_retry))
    return result


_IN_THE_WAY = frozenset({Reason.RATE_LIMITED, Reason.LOCK_CONTENTION, Reason.CONFLICT, Reason.COMMIT_UNKNOWN})
"""Why nothing came of a claim that is no fault of the booking's."""


def _hand_back(
    call: Call, due: Due, after: dt.timedelta, record: AssignmentRecord | None, now: dt.datetime
) -> Flow[Write | AssignmentResult]:
    """Give up a claim as if it had not been handed out: what was in the way does not count against the booking."""
    if record is None or record.deliveries != due.deliveries or record.state in FINAL:
        return (yield from _somebody_elses(call, record))
    back = change(call, record, deliveries=due.deliveries - 1, next_attempt_at=now + after)
    return Write(change=back, outcome=Outcome.NOOP)


def _somebody_elses(call: Call, record: AssignmentRecord | None) -> Flow[AssignmentResult]:
    """The answer where something has come of a booking since it was claimed: the claim is void."""
    return call.answer(Outcome.NOOP, Reason.NOT_DUE if record else Reason.TERMINAL_STATE, record=record)


def _waits_for_tables(record: AssignmentRecord) -> bool:
    return record.state is AssignmentState.MANUAL_REVIEW and record.reason in WAITS_FOR_TABLES


def _decide(view: View, *, due: Due) -> Flow[Write | AssignmentResult]:
    record = view.record
    if record is None or record.deliveries != due.deliveries:
        return (yield from _somebody_elses(view.call, record))
    if record.state is AssignmentState.ASSIGNED:
        return (yield from expire(view.call, view.settings, record, view.now))
    if _waits_for_tables(record):
        return (yield from _reconsider(view, record))
    if record.state in SETTLED:
        return Write(change=rest(view.call, record), outcome=Outcome.NOOP, reason=Reason.TERMINAL_STATE)
    return (yield from assign.decide(view))


def _reconsider(view: View, record: AssignmentRecord) -> Flow[Write]:
    """Seat a booking in review at tables that were freed; where they do not do, it stays as it is."""
    if view.booking is not None and view.is_wanted:
        request = view.request(view.booking)
        view, decision = yield from find(view, request)
        if decision.plan is not None:
            return (yield from seat(view, request, decision))
    stays = rest(view.call, record, assumed(view.context, record.booking_id))
    return Write(change=stays, outcome=Outcome.MANUAL_REVIEW, reason=Reason(record.reason or Reason.NO_FIT))
