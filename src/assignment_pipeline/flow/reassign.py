"""Changing a booking that already has tables."""

from __future__ import annotations

from functools import partial

from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import AssignmentResult, Decision, Outcome, Plan, Reason
from assignment_pipeline.flow import assign
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.changes import allocation
from assignment_pipeline.flow.conduct import Target, View, Write, conduct
from assignment_pipeline.flow.decide import seat, write
from assignment_pipeline.flow.effects import Evaluate, Flow
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.lifecycle import FINAL, SEATED, AssignmentState, Trigger


def reassign(target: Target, settings: Settings, *, keep: bool, legacy: bool = False) -> Flow[AssignmentResult]:
    """
    Seat a booking as it is now; the old tables go only in the commit in which new ones are taken.

    It stays at its tables where they still do. Where there is no plan, *keep* leaves everything as it was, with the
    answer ``kept``; without it, the booking gives its tables up and waits, as a new one would.
    """
    call = yield from Call.begin(target.ids, "change")
    return (yield from conduct(call, target, settings, partial(_decide, keep=keep), legacy=legacy))


def _decide(view: View, *, keep: bool) -> Flow[Write | AssignmentResult]:
    record, booking = view.record, view.booking
    if record is None or record.owner is not Owner.PIPELINE or booking is None:
        return (yield from assign.decide(view))
    if record.state in FINAL:
        return (yield from view.call.answer(Outcome.NOOP, Reason.TERMINAL_STATE, record=record))
    if record.state not in SEATED and record.state is not AssignmentState.MANUAL_REVIEW:
        return (yield from assign.decide(view))
    request = view.request(booking)
    if record.state in SEATED:
        stays = yield from Evaluate(request, record.tables, view.floor(request))
        if stays.plan is not None and not stays.broken:
            same = record.booking is not None and booking.same_request(record.booking)
            if same:
                return (yield from view.call.answer(Outcome.NOOP, Reason.TERMINAL_STATE, record=record))
            plan = Plan(stays.plan.tables, stays.plan.cost, stays.plan.parts, record.strategy or stays.plan.strategy)
            return (yield from _move(view, Decision(plan=plan)))
    decision = yield from view.plan(request)
    if record.state in SEATED and decision.plan is not None:
        return (yield from _move(view, decision))
    if record.state in SEATED and keep:
        return (yield from view.call.answer(Outcome.KEPT, decision.refusal, record=record, decision=decision))
    return (yield from seat(view, request, decision))


def _move(view: View, decision: Decision) -> Flow[Write]:
    assert view.record is not None and view.booking is not None and decision.plan is not None  # noqa: PT018, S101
    request = view.request(view.booking)
    confirmed = view.record.state is AssignmentState.CONFIRMED
    return (
        yield from write(
            view,
            request,
            decision,
            (Trigger.MOVE,),
            Outcome.CONFIRMED if confirmed else Outcome.ASSIGNED,
            allocation=allocation(request, decision.plan),
            strategy=decision.plan.strategy,
        )
    )
