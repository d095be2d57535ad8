"""An act in two steps: what it will do is shown, and then it is done, unless somebody else was first."""

from __future__ import annotations

import inspect
from typing import Any

import attrs
from starlette.responses import Response

from assignment_pipeline.console.acts import ACTS
from assignment_pipeline.console.names import Names
from assignment_pipeline.console.setting import Act, Field, Setting
from assignment_pipeline.console.view import AbsentError, View
from assignment_pipeline.domain.day import ServiceDay
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import AssignmentResult, Outcome
from assignment_pipeline.errors import (
    STORE_DOWN,
    AssignmentPipelineError,
    IllegalTransitionError,
    InvalidValueError,
    NoTablesError,
    PlacementRefusedError,
    StaleRecordError,
    TableConflictError,
)

_OVERTAKEN = (IllegalTransitionError, NoTablesError, StaleRecordError)
_AS_IT_WAS = frozenset({Outcome.KEPT, Outcome.HOLD_LOST, Outcome.RETRY})
_PLANS = frozenset({"requeue", "reinstate", "retime"})
"""Acts that look for tables, and may find none."""


async def preview(view: View) -> Response:
    """What an act will do, with the button that does it."""
    act, setting = await _setting(view)
    seen = view.whole("version", 0, 2**29)
    if setting.record is not None and seen is not None and setting.record.version != seen:
        return await _overtaken(view, act, setting, seen)
    return await _preview(view, act, setting)


async def perform(view: View) -> Response:
    """Do it, and say what came of it."""
    act, setting = await _setting(view)
    seen = view.whole("version", 0, 2**29)
    if setting.record is not None and seen is not None and setting.record.version != seen:
        return await _overtaken(view, act, setting, seen)
    try:
        result = await act.runs(setting)
    except InvalidValueError as error:
        return await _preview(view, act, setting, problem=str(error))
    except _OVERTAKEN as error:
        if setting.record is None:
            raise
        now = await view.calls("record", setting.record.booking_id)
        if now is not None and now.version != setting.record.version:
            return await _overtaken(view, act, setting, setting.record.version)
        return await _refused(view, act, setting, str(error))
    except AssignmentPipelineError as error:
        if isinstance(error, STORE_DOWN):
            raise
        return await _refused(view, act, setting, str(error))
    return await _done(view, act, setting, result)


async def _setting(view: View) -> tuple[Act, Setting]:
    act = ACTS.get(view.asked("do"))
    if act is None:
        raise AbsentError
    if not act.of_party:
        day: ServiceDay = await view.calls("day", view.restaurant(), view.date())
        return act, Setting(view=view, day=day)
    record = await view.record()
    at_host = await view.calls.booking(record.booking_id)
    booking = record.booking if record.allocation is not None else at_host or record.booking
    start = booking.start_at if booking else None
    day = await view.calls("day", record.restaurant_id)
    date = day.venue.service_date(start) if start else day.date
    if date != day.date:
        day = await view.calls("day", record.restaurant_id, date)
    return act, Setting(view=view, day=day, record=record, at_host=at_host)


async def _preview(view: View, act: Act, setting: Setting, problem: str = "") -> Response:
    said: tuple[str, ...] = ()
    try:
        if act.offers is not None and not problem:
            setting = attrs.evolve(setting, offer=await act.offers(setting))
        says = act.says(setting)
        said = tuple(await says if inspect.isawaitable(says) else says)
    except InvalidValueError as error:
        problem = problem or str(error)
    except (PlacementRefusedError, TableConflictError) as error:
        problem = str(error)
    asks = any(field.kind != "hidden" and not view.asked(field.name) for field in act.fields)
    return await view.page(
        "act.html",
        status=400 if problem else 200,
        title=act.button,
        act=act,
        fields=[(field, _value(field, setting)) for field in act.fields],
        record=setting.record,
        restaurant=setting.day.venue.id,
        date=setting.day.date,
        said=said,
        problem=problem,
        ready=not asks and not problem and (setting.offer is None or bool(setting.offer.tables)),
    )


def _value(field: Field, setting: Setting) -> str:
    """What a field holds: what was typed, but for what comes of an offer."""
    own = field.value(setting)
    if setting.offer is not None and field.kind == "hidden":
        return own
    return setting.view.asked(field.name) or own


async def _done(view: View, act: Act, setting: Setting, result: Any) -> Response:
    record: AssignmentRecord | None = setting.record
    facts: dict[str, Any] = {"outcome": None, "reason": None, "displaced": (), "kept": False, "waits": False}
    if isinstance(result, AssignmentResult):
        record = result.record or record
        facts |= {
            "outcome": result.outcome,
            "reason": result.reason,
            "displaced": result.displaced,
            "kept": result.outcome in _AS_IT_WAS and result.record in {None, setting.record},
            "waits": act.name in _PLANS and result.outcome is Outcome.MANUAL_REVIEW,
        }
    elif isinstance(result, list):
        facts["displaced"] = tuple(sorted({name for each in result for name in each.bookings}))
    return await view.page(
        "done.html",
        status=409 if facts["kept"] or facts["waits"] else 200,
        title=act.button,
        act=act,
        record=record,
        restaurant=setting.day.venue.id,
        names=Names(setting.day.venue),
        **facts,
    )


async def _refused(view: View, act: Act, setting: Setting, why: str) -> Response:
    return await view.page(
        "refused.html",
        status=409,
        title=f"{act.button}: refused",
        why=why,
        record=setting.record,
        restaurant=setting.day.venue.id,
        steps=(),
        names=Names(setting.day.venue),
    )


async def _overtaken(view: View, act: Act, setting: Setting, seen: int) -> Response:
    """Somebody was faster: who, and what they did."""
    assert setting.record is not None  # noqa: S101 - only of bookings there are versions
    history = await view.calls("history", setting.record.booking_id)
    return await view.page(
        "refused.html",
        status=409,
        title=f"{act.button}: somebody was first",
        why="The booking has changed since you looked at it. Nothing of yours was done.",
        record=setting.record,
        restaurant=setting.day.venue.id,
        steps=[step for step in history if step.version > seen],
        names=Names(setting.day.venue),
    )
