"""What the coordinator has suggested for a booking: tables, with who makes room for it, or another time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

import attrs

from assignment_pipeline.console.rendering import words
from assignment_pipeline.console.setting import Act, Field, Setting
from assignment_pipeline.console.ways import Suggested
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.planning.sentences import RULES


def _suggested(setting: Setting) -> Iterable[str]:
    plan = Suggested.read(setting.view.asked("plan"))
    turn = setting.turn
    for move in plan.moves:
        yield f"{move.booking_id} moves from {setting.tables(move.origin)} to {setting.tables(move.tables)}."
    yield f"{setting.party.booking_id} gets {setting.tables(plan.tables)}, {setting.span(turn)}."
    if setting.party.tables:
        yield f"It gives up {setting.tables(setting.party.tables)}."
    for rule in plan.allow:
        yield f"A rule is overruled: {RULES.get(rule, words(rule))}."
    movers = {move.booking_id for move in plan.moves}
    for other in setting.others_at(plan.tables, turn):
        if other.booking_id not in movers:
            yield f"{other.booking_id} has {setting.tables(other.tables)} then: this will be refused."
    yield "All of it is one step: if anything has changed by then, nothing is done."


async def _places_suggested(setting: Setting) -> Any:
    plan = Suggested.read(setting.view.asked("plan"))
    return await setting.view.calls(
        "place",
        setting.booking,
        plan.tables,
        actor=setting.view.staff.actor,
        expect_version=setting.party.version,
        moves=plan.moves,
        allow=plan.allow,
    )


def _at_another_time(setting: Setting) -> Booking:
    """The booking at the time that was chosen; a party that was to sit until a time of its own sits as long."""
    asked = setting.view.asked("start")
    try:
        start = dt.datetime.fromisoformat(asked)
        by = start - setting.booking.start_at
    except (ValueError, TypeError):
        raise InvalidValueError("start", "a time with its offset", repr(asked)) from None
    end = setting.booking.end_at
    return attrs.evolve(setting.booking, start_at=start, end_at=None if end is None else end + by)


async def _retime(setting: Setting) -> Iterable[str]:
    wanted = _at_another_time(setting)
    decision = await setting.view.calls("preview", wanted)
    before, then = setting.clock(setting.booking.start_at), setting.clock(wanted.start_at)
    said = [f"{setting.party.booking_id} comes at {then} instead of {before}. Agree on it with the guest first."]
    if decision.plan is None:
        return [*said, "No tables are free then any more: it goes on waiting for a person."]
    said.append(f"As it is now, it gets {setting.tables(decision.plan.tables)}.")
    said += [f"{move.booking_id} moves to {setting.tables(move.tables)} for it." for move in decision.plan.moves]
    return said


async def _retimes(setting: Setting) -> Any:
    return await setting.view.calls("reassign", _at_another_time(setting), actor=setting.view.staff.actor)


SUGGESTED_ACTS = (
    Act(
        name="suggested",
        button="Give these tables",
        says=_suggested,
        runs=_places_suggested,
        fields=(Field(name="plan", label="Plan", kind="hidden"),),
    ),
    Act(
        name="retime",
        button="Other time",
        says=_retime,
        runs=_retimes,
        fields=(Field(name="start", label="Start", kind="hidden"),),
    ),
)
"""Acts that are offered only where something was suggested."""
