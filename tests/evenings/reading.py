"""
What is kept of an evening, read by code that shares none with the library's checks.

It goes by the histories alone: each row has the tables, the turn, and when the party sat down and left. The clock of an
evening never stands still between two acts, so that rows of one moment are of one act.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import attrs

from assignment_pipeline.domain.record import StateChange

_ONE_MINUTE = dt.timedelta(minutes=1)
_OF_STAFF = {"seated", "left", "no_show", "extended", "party_changed", "reinstated", "rearranged", "laying_shortened"}
_HAS_TABLES = {"assigned", "confirmed"}


@attrs.frozen
class Stay:
    """A party at a table: from when it sat down, or was moved there, until it left, or was moved away."""

    table: str
    booking: str
    start: dt.datetime
    end: dt.datetime


def violations(histories: Mapping[str, Sequence[StateChange]], end: dt.datetime) -> Iterator[str]:
    """What must not be, in sentences; *end* is when the evening is over."""
    for booking, steps in histories.items():
        yield from _of_one(booking, steps)
    yield from _two_at_one_table(histories, end)
    yield from _two_turns_at_one_table(histories)


def _of_one(booking: str, steps: Sequence[StateChange]) -> Iterator[str]:
    before = "created"
    for number, step in enumerate(steps, start=1):
        if step.version != number:
            yield f"{booking}: version {step.version} comes where {number} should"
        if step.from_state.value != before:
            yield f"{booking}: version {number} leaves {step.from_state.value}, and it was {before}"
        before = step.to_state.value
        if bool(step.tables) != (before in _HAS_TABLES):
            yield f"{booking}: {before} with the tables {step.tables}"
        if step.reason in _OF_STAFF and step.trigger.value != "begin" and not step.actor:
            yield f"{booking}: {step.reason}, and nobody has done it"
    yield from _comes_and_goes(booking, steps)


def _comes_and_goes(booking: str, steps: Sequence[StateChange]) -> Iterator[str]:
    """A party that sits keeps its tables until it has left, or a person moves it; what it leaves is free at once."""
    sits = False
    for step in steps:
        if sits and not step.tables:
            yield f"{booking}: lost its tables at {step.created_at}, and sat there: {step.trigger.value}, {step.reason}"
        sits = step.seated_at is not None and step.left_at is None
        if step.reason == "left" and step.turn_start_at is not None and step.turn_end_at is not None:
            latest = max(step.created_at, step.turn_start_at) + _ONE_MINUTE
            if step.turn_end_at > latest:
                yield f"{booking}: left at {step.created_at}, and its table is kept until {step.turn_end_at}"


def _two_at_one_table(histories: Mapping[str, Sequence[StateChange]], end: dt.datetime) -> Iterator[str]:
    """By who sat down and left, whatever was planned."""
    at: defaultdict[str, list[Stay]] = defaultdict(list)
    for booking, steps in histories.items():
        for stay in _stays(booking, steps, end):
            at[stay.table].append(stay)
    for table, stays in at.items():
        stays.sort(key=lambda stay: (stay.start, stay.booking))
        for place, stay in enumerate(stays):
            for other in stays[place + 1 :]:
                if other.booking != stay.booking and other.start < stay.end:
                    yield f"{table}: {other.booking} sat down at {other.start}, and {stay.booking} sat until {stay.end}"


def _stays(booking: str, steps: Sequence[StateChange], end: dt.datetime) -> Iterator[Stay]:
    open_since: dict[str, dt.datetime] = {}
    for step in steps:
        there = set(step.tables) if step.seated_at is not None and step.left_at is None else set()
        for table in [name for name in open_since if name not in there]:
            yield Stay(table, booking, open_since.pop(table), step.created_at)
        for table in there:
            open_since.setdefault(table, step.created_at)
    for table, since in open_since.items():
        yield Stay(table, booking, since, end)


def _two_turns_at_one_table(histories: Mapping[str, Sequence[StateChange]]) -> Iterator[str]:
    """By what was planned: after no act of the evening two turns at one table overlap."""
    moments: defaultdict[dt.datetime, dict[str, StateChange]] = defaultdict(dict)
    for booking, steps in histories.items():
        for step in sorted(steps, key=lambda step: step.version):
            moments[step.created_at][booking] = step
    standing: defaultdict[str, dict[str, StateChange]] = defaultdict(dict)
    for moment in sorted(moments):
        for booking in moments[moment]:
            for held in standing.values():
                held.pop(booking, None)
        for booking, step in moments[moment].items():
            for table in step.tables:
                standing[table][booking] = step
        for table in sorted({table for step in moments[moment].values() for table in step.tables}):
            yield from _overlaps(table, moment, standing[table])


def _overlaps(table: str, moment: dt.datetime, held: Mapping[str, StateChange]) -> Iterator[str]:
    turns = sorted((step.turn_start_at or moment, step.turn_end_at or moment, name) for name, step in held.items())
    for (_, end, one), (start, _, other) in itertools.pairwise(turns):
        if start < end:
            yield f"{table} at {moment}: {other} from {start}, and {one} until {end}"
