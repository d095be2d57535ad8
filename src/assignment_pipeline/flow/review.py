"""What people do: place a booking by hand, put it back into the queue, turn it down."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import AssignmentResult, Decision, Outcome, Reason
from assignment_pipeline.errors import (
    BookingNotFoundError,
    IllegalTransitionError,
    PlacementRefusedError,
    StaleRecordError,
    TableConflictError,
)
from assignment_pipeline.flow.assign import MANUAL
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.changes import allocation
from assignment_pipeline.flow.conduct import Target, View, Write, guarded, land, landed, later
from assignment_pipeline.flow.decide import TO_BEGIN
from assignment_pipeline.flow.decide import write as write_plan
from assignment_pipeline.flow.effects import Evaluate, Flow, LoadContext
from assignment_pipeline.flow.free import amend, write
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import FINAL, SEATED, AssignmentState, Trigger
from assignment_pipeline.planning.base import Evaluation, Rule, SeatingRequest

NEVER_ALLOWED = frozenset({Rule.TAKEN, Rule.UNKNOWN_TABLE})
"""Two parties at one table, and a table that is not there: no person may allow these."""

_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")


def requeue(booking_id: str, settings: Settings, *, actor: str) -> Flow[AssignmentResult]:
    """
    Have a booking assigned anew: it waits, due at once, with all its attempts before it.

    Raises:
        BookingNotFoundError: It has no record.
        IllegalTransitionError: It is neither in review nor confirmed.
    """
    call = yield from Call.begin((booking_id, ""), MANUAL, actor=actor)

    def decide(record: AssignmentRecord | None, now: dt.datetime) -> Flow[Write | AssignmentResult]:
        known = _known(record, booking_id)
        facts = {"allocation": None, "next_attempt_at": now, "retries": 0, "deliveries": 0, "reason": None}
        return (yield from write(call, known, (Trigger.REQUEUE,), Outcome.RETRY, Reason.BY_REQUEST, **facts))

    return (yield from amend(call, settings, decide))


def reject(booking_id: str, settings: Settings, *, actor: str, reason: str) -> Flow[AssignmentResult]:
    """
    Turn a booking down for good.

    Args:
        reason: A short code such as ``guest_withdrew``, for the record; never a guest's name or words.

    Raises:
        BookingNotFoundError: It has no record.
        IllegalTransitionError: It is confirmed, or has ended already.
        ValueError: *reason* is not a code.
    """
    if not _CODE.fullmatch(reason):
        msg = f"reason: expected a short code such as guest_withdrew, got {reason!r}"
        raise ValueError(msg)
    call = yield from Call.begin((booking_id, ""), MANUAL, actor=actor)

    def decide(record: AssignmentRecord | None, _: dt.datetime) -> Flow[Write | AssignmentResult]:
        known = _known(record, booking_id)
        facts = {"allocation": None, "next_attempt_at": None, "reason": reason}
        return (yield from write(call, known, (Trigger.FAIL,), Outcome.FAILED, Reason.BY_REQUEST, **facts))

    return (yield from amend(call, settings, decide))


def _known(record: AssignmentRecord | None, booking_id: str) -> AssignmentRecord:
    if record is None:
        raise BookingNotFoundError(booking_id)
    return record


def place(
    booking: Booking,
    table_ids: tuple[str, ...],
    settings: Settings,
    *,
    actor: str,
    expect_version: int | None = None,
    allow: Collection[str] = (),
) -> Flow[AssignmentResult]:
    """
    Give a booking the tables that a person chose: a walk-in, a move, or the end of a review.

    Args:
        expect_version: The record's version that the person saw, or None not to compare it.

        allow: Names of rules that the person overrules, of `Rule`; two parties at one table never can be.

    Raises:
        IllegalTransitionError: The assignment has ended.
        PlacementRefusedError: The tables break rules that were not allowed away.
        StaleRecordError: The record is not at *expect_version*.
        TableConflictError: Somebody else has one of the tables.
        ValueError: *allow* names no rule, or one that cannot be allowed away.
    """
    wanted = _Placement(table_ids, expect_version, _rules(allow))
    call = yield from Call.begin((booking.id, booking.restaurant_id), MANUAL, actor=actor)
    return (yield from guarded(call, settings, _place(call, booking, settings, wanted)))


@attrs.frozen
class _Placement:
    """What a person wants: these tables, if the record is still at that version, whatever those rules say."""

    table_ids: tuple[str, ...]
    expect_version: int | None
    allowed: frozenset[Rule]


def _rules(allow: Collection[str]) -> frozenset[Rule]:
    allowable = sorted(set(Rule) - NEVER_ALLOWED)
    unknown = [name for name in allow if name not in allowable]
    if unknown:
        msg = f"allow: expected rules among {', '.join(allowable)}, got {unknown[0]!r}"
        raise ValueError(msg)
    return frozenset(map(Rule, allow))


def _place(call: Call, booking: Booking, settings: Settings, wanted: _Placement) -> Flow[AssignmentResult]:
    for _ in range(settings.tries):
        context = yield from LoadContext(Target.of(booking).query)
        if context is None:
            raise BookingNotFoundError(booking.id)
        call.now = context.now
        view = View(call=call, settings=settings, context=context, booking=booking)
        version = view.record.version if view.record else 0
        if wanted.expect_version not in (None, version):
            raise StaleRecordError(call.booking_id, "version")
        if view.state in FINAL:
            raise IllegalTransitionError(view.state, Trigger.SEAT)
        request = view.request(booking)
        found = yield from Evaluate(request, wanted.table_ids, view.floor(request))
        _refuse(view, request, found, wanted)
        decided = yield from _placed(view, request, found)
        if (yield from land(booking.restaurant_id, decided.change)):
            return (yield from landed(call, decided))
    return (yield from later(call, Reason.CONFLICT, settings.rate_retry))


def _refuse(view: View, request: SeatingRequest, found: Evaluation, wanted: _Placement) -> None:
    broken = [rule for rule in found.broken if rule not in wanted.allowed]
    if broken and broken != [Rule.TAKEN]:
        raise PlacementRefusedError(view.call.booking_id, tuple(rule.value for rule in broken))
    if broken:
        positions = view.context.venue.floor.positions
        busy = view.floor(request).occupancy.busy(request.blocked)
        raise TableConflictError(tuple(sorted(name for name in wanted.table_ids if busy >> positions[name] & 1)))


def _placed(view: View, request: SeatingRequest, found: Evaluation) -> Flow[Write]:
    assert found.plan is not None  # noqa: S101 - unknown tables were refused
    plan = found.plan
    if view.state in SEATED:
        triggers: tuple[Trigger, ...] = (Trigger.MOVE,)
    elif view.state is AssignmentState.MANUAL_REVIEW:
        triggers = (Trigger.SEAT, Trigger.CONFIRM)
    else:
        triggers = (*TO_BEGIN[view.state], Trigger.SEAT, Trigger.CONFIRM)
    held = view.state is AssignmentState.ASSIGNED
    return (
        yield from write_plan(
            view,
            request,
            Decision(plan=plan),
            triggers,
            Outcome.ASSIGNED if held else Outcome.CONFIRMED,
            allocation=allocation(request, plan),
            strategy=plan.strategy,
            owner=Owner.PIPELINE,
            next_attempt_at=view.record.next_attempt_at if held and view.record else None,
            reason=None,
        )
    )
