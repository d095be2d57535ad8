"""``show``: all that is kept of one booking."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from assignment_pipeline.cli import words
from assignment_pipeline.cli.labels import joined, labels_of
from assignment_pipeline.cli.moments import local, zone_of
from assignment_pipeline.cli.output import print_json, say
from assignment_pipeline.cli.review import BookingArgument
from assignment_pipeline.cli.trail_json import trail_document
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption, read_only
from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.events import Event, Source
from assignment_pipeline.domain.record import AssignmentRecord, Attempt, StateChange
from assignment_pipeline.domain.trail import BookingTrail

_OF_AN_ATTEMPT = ("cost", "runners_up", "turned_away", "moves", "suggested", "nearest")


def show(
    booking: BookingArgument,
    restaurant: Annotated[
        str | None, typer.Option("--restaurant", metavar="ID", help="Refuse a booking of another restaurant.")
    ] = None,
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everything about one booking: its state, tables, history, attempts and events."""
    with read_only(app, db) as coordinator:
        trail = coordinator.show(booking, restaurant_id=restaurant)
        zone, labels = zone_of(coordinator, trail.restaurant_id), labels_of(coordinator, trail.restaurant_id)
    if as_json:
        print_json(trail_document(booking, trail))
    else:
        say("\n".join(_lines(booking, trail, zone, labels)))


# -- For people ---------------------------------------------------------------------------------------------------


def _lines(booking_id: str, trail: BookingTrail, zone: dt.tzinfo, labels: Mapping[str, str]) -> Iterator[str]:
    record = trail.record
    booking = trail.booking or (record.booking if record else None)
    asked = f": {words.count(booking.party_size, 'guest')}, {local(booking.start_at, zone)}" if booking else ""
    yield f"Booking {booking_id}{asked}"
    if record is None:
        yield "It has no record: the pipeline has not dealt with it."
    else:
        why = f": {words.reason(record.reason)}" if record.reason else ""
        yield f"State: {record.state.value}{why} (version {record.version}, owner {record.owner.value})"
        if record.allocation is not None:
            yield f"Tables: {_tables(record, record.allocation, zone, labels)}"
        if record.next_attempt_at is not None:
            yield f"Due: {local(record.next_attempt_at, zone)}"
    yield from _section("History", (_step_line(step, zone, labels) for step in trail.history))
    yield from _section("Attempts", (_attempt_line(attempt, zone) for attempt in trail.attempts))
    told = (event for event in trail.events if event.source is not Source.STATE_MACHINE)  # The history has those.
    yield from _section("Events", (_event_line(event, zone) for event in told))


def _section(name: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield ""
        yield name
        yield from (f"  {line}" for line in found)


def _tables(record: AssignmentRecord, held: Allocation, zone: dt.tzinfo, labels: Mapping[str, str]) -> str:
    span = f"{words.clock(held.turn.start, zone)} to {words.clock(held.turn.end, zone)}"
    parts = [f"{joined(record.tables, labels)}, {span}"]
    if record.strategy:
        parts.append(f"found by {record.strategy}")
    if record.pinned:
        parts.append("pinned")
    if held.seated_at is not None:
        parts.append(f"sat down at {words.clock(held.seated_at, zone)}")
    if held.left_at is not None:
        parts.append(f"left at {words.clock(held.left_at, zone)}")
    return ", ".join(parts)


def _step_line(step: StateChange, zone: dt.tzinfo, labels: Mapping[str, str]) -> str:
    line = f"{_second(step.created_at, zone)}  {step.version:>3}  {step.trigger.value}: {step.to_state.value}"
    if step.tables:
        line += f" at {joined(step.tables, labels)}"
        if step.turn is not None:
            line += f", {words.clock(step.turn.start, zone)} to {words.clock(step.turn.end, zone)}"
    line += f" ({words.reason(step.reason)})" if step.reason else ""
    return f"{line} by {step.actor}" if step.actor else line


def _attempt_line(attempt: Attempt, zone: dt.tzinfo) -> str:
    line = f"{_second(attempt.created_at, zone)}  {attempt.number:>3}  {attempt.result.value}"
    line += f" by {attempt.strategy}" if attempt.strategy else ""
    line += f": {words.reason(attempt.reason)}" if attempt.reason else ""
    facts = {key: value for key, value in attempt.metadata.items() if value not in ("", None)}
    if isinstance(facts.get("nearest"), str):
        times = (dt.datetime.fromisoformat(text) for text in str(facts["nearest"]).split(", "))
        facts["nearest"] = " ".join(words.clock(time, zone) for time in times)
    named = [f"{key.replace('_', ' ')} {_value(facts.pop(key))}" for key in _OF_AN_ATTEMPT if key in facts]
    named += [f"{key.replace('_', ' ')} {_value(value)}" for key, value in sorted(facts.items())]
    return f"{line}; {'; '.join(named)}" if named else line


def _event_line(event: Event, zone: dt.tzinfo) -> str:
    facts = " ".join(f"{key}={_value(value)}" for key, value in event.context.items() if value not in (None, ()))
    return f"{_second(event.created_at, zone)}  {event.type.value} {facts}".rstrip()


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _second(moment: dt.datetime, zone: dt.tzinfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"
