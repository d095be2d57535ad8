"""A flow around a flow, which tells an observer of its steps: the same for threads and asyncio, as flows are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from assignment_pipeline.domain.result import AssignmentResult
from assignment_pipeline.driving import relay
from assignment_pipeline.flow.effects import (
    ClaimDue,
    Commit,
    Effect,
    FindUnassigned,
    FindWaiting,
    Flow,
    Hold,
    LoadContext,
    LoadContexts,
    LookUpChange,
    MakePlan,
    ResolveFlags,
    RunLegacy,
    TakeSlot,
)
from assignment_pipeline.ports import Observer, Watch

T = TypeVar("T")

CALLS = frozenset(
    {
        "adopt",
        "assign",
        "assign_day",
        "assign_many",
        "block",
        "cancel",
        "confirm",
        "enqueue",
        "extend",
        "extend_hold",
        "hand_over",
        "left",
        "no_show",
        "party_changed",
        "pin",
        "place",
        "put_venue",
        "preview",
        "rearrange",
        "reassign",
        "reinstate",
        "reject",
        "reoptimize",
        "requeue",
        "seated",
        "sweep",
        "take_up",
        "take_up_together",
        "takeover",
        "unblock",
        "unpin",
        "walk_in",
    }
)
"""The flows that are watched, by the names of their functions. Those that only read are not."""

STEPS: Mapping[type[Effect[Any]], str] = {
    ResolveFlags: "flags",
    TakeSlot: "limit",
    Hold: "lock",
    LoadContext: "load",
    LoadContexts: "load",
    MakePlan: "plan",
    Commit: "commit",
    LookUpChange: "look_up",
    RunLegacy: "legacy",
    ClaimDue: "claim",
    FindUnassigned: "find_unassigned",
    FindWaiting: "find_unassigned",
}
"""The steps that an observer is told about. The other steps take no time."""


def observed(flow: Flow[T], observer: Observer | None) -> Flow[T]:
    """*flow*, watched by *observer* if it is one of `CALLS`."""
    if observer is None:
        return flow
    name = getattr(flow, "__name__", "")
    return _observed(flow, name, observer) if name in CALLS else flow


def _observed(flow: Flow[T], name: str, observer: Observer) -> Flow[T]:
    with observer.call(name) as watch:
        result = yield from relay(flow, lambda effect: _step(effect, watch))
        watch.came_to(_results(result))
        return result


def _step(effect: Effect[Any], watch: Watch) -> Flow[Any]:
    name = STEPS.get(type(effect))
    if name is None:
        return (yield effect)
    with watch.step(name):
        answer = yield effect
    if isinstance(effect, ResolveFlags):
        watch.note(restaurant_id=effect.restaurant_id, mode=answer.mode.value)
    return answer


def _results(result: Any) -> tuple[AssignmentResult, ...]:
    if isinstance(result, AssignmentResult):
        return (result,)
    return tuple(result.values()) if isinstance(result, Mapping) else ()
