"""``service due``, ``over``, ``next`` and ``conflicts``: what one asks at the door."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import attrs
import typer

from assignment_pipeline.cli import service, ways, words
from assignment_pipeline.cli.labels import joined, labels_of
from assignment_pipeline.cli.moments import local, read_time, zone_of
from assignment_pipeline.cli.output import bare_table, print_json, say, stdout
from assignment_pipeline.cli.tables import RestaurantArgument
from assignment_pipeline.cli.wiring import JsonOption, command, read_only
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.room import TableInUse

app = service.app
"""These commands are some of ``service``."""


@command(app, "due", opened=read_only)
def due(coordinator: Coordinator, restaurant: RestaurantArgument, as_json: JsonOption = False) -> None:
    """List the parties that are due and have not sat down, the longest expected first."""
    parties = coordinator.due(restaurant)
    if as_json:
        print_json({"due": [_document(one) for one in parties]})
        return
    if not parties:
        say("Nobody is due who does not sit.")
        return
    zone, labels = zone_of(coordinator, restaurant), labels_of(coordinator, restaurant)
    rows = [
        (one.booking_id, _size(one.party_size), joined(one.tables, labels), local(one.start_at, zone), _age(one.late))
        for one in parties
    ]
    _print(("Booking", "Party", "Tables", "Due at", "Late"), rows)


@command(app, "over", opened=read_only)
def over(coordinator: Coordinator, restaurant: RestaurantArgument, as_json: JsonOption = False) -> None:
    """List the parties that are over time, the longest first, with who waits for their tables."""
    parties = coordinator.over(restaurant)
    if as_json:
        print_json({"over": [_document(one) for one in parties]})
        return
    if not parties:
        say("Nobody is over time.")
        return
    zone, labels = zone_of(coordinator, restaurant), labels_of(coordinator, restaurant)
    rows = [
        (
            one.booking_id,
            _size(one.party_size),
            joined(one.tables, labels),
            local(one.end_at, zone),
            _age(one.over),
            ", ".join(one.waiting),
        )
        for one in parties
    ]
    _print(("Booking", "Party", "Tables", "Until", "Over", "Waiting"), rows)


@command(app, "next", opened=read_only)
def next_(
    coordinator: Coordinator,
    restaurant: RestaurantArgument,
    table: Annotated[str | None, typer.Option("--table", metavar="ID", help="At one table only.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List who is expected next at each table today."""
    parties = coordinator.next(restaurant, table)
    if as_json:
        print_json({"next": [_document(one) for one in parties]})
        return
    if not parties:
        say("Nobody is expected any more today.")
        return
    zone, labels = zone_of(coordinator, restaurant), labels_of(coordinator, restaurant)
    rows = [
        (
            joined([one.table_id], labels),
            one.booking_id,
            _size(one.party_size),
            local(one.start_at, zone),
            one.sitting or "",
        )
        for one in parties
    ]
    _print(("Table", "Booking", "Party", "At", "Sits there now"), rows)


@command(app, "conflicts", opened=read_only)
def conflicts(coordinator: Coordinator, restaurant: RestaurantArgument, as_json: JsonOption = False) -> None:
    """List the bookings whose tables another party still sits at, with what can be done."""
    found = coordinator.conflicts(restaurant)
    if as_json:
        print_json({"conflicts": [{**_document(one), "sentence": one.sentence} for one in found]})
        return
    if not found:
        say("No party is in another one's way.")
        return
    zone, labels = zone_of(coordinator, restaurant), labels_of(coordinator, restaurant)
    for one in found:
        say(_line(one, zone, labels))
        for line in ways.lines(coordinator, restaurant, one.ways_out):
            say(line)


@command(app, "turns", opened=read_only)
def turns(
    coordinator: Coordinator,
    restaurant: RestaurantArgument,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only who sat down since; by default, in the last eight weeks."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show how long parties really sat, and what turn bands would fit them.

    A band is suggested another length from 20 parties on. Nothing is changed.
    """
    report = coordinator.learned_turns(restaurant, None if since is None else read_time("--since", since))
    if as_json:
        print_json(_document(report))
        return
    if not report.groups:
        say("No party has sat down and left since then.")
        return
    rows = [
        (f"{one.by} {one.name}".strip(), str(one.parties), str(one.median), str(one.p75), str(one.p90))
        for one in report.groups
    ]
    _print(("Parties", "Counted", "Half left by", "75 % by", "90 % by"), rows)
    bands = ", ".join(f"{band.minutes} min up to {band.up_to}" for band in report.bands)
    say(f"Turn bands that three quarters of the parties would keep: {bands}.")


def _line(one: TableInUse, zone: dt.tzinfo, labels: Mapping[str, str]) -> str:
    where = joined(one.tables, labels)
    until = f"until {local(one.until, zone)} as far as can be told"
    return f"{one.booking_id!r} is next at {where} at {local(one.start_at, zone)}: {one.sitting!r} sits there, {until}."


def _print(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = bare_table()
    for heading in headings:
        table.add_column(heading, overflow="fold", justify="right" if heading == "Party" else "left")
    for row in rows:
        table.add_row(*row)
    stdout().print(table)


def _size(party_size: int | None) -> str:
    return "" if party_size is None else str(party_size)


def _age(span: dt.timedelta) -> str:
    return words.age(span) if span >= dt.timedelta(minutes=1) else "now"


def _document(value: Any) -> dict[str, Any]:
    """A value as JSON: times as text, spans in whole minutes."""
    return attrs.asdict(value, value_serializer=lambda _, __, one: _plain(one))


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.isoformat(timespec="minutes")
    if isinstance(value, dt.timedelta):
        return value // dt.timedelta(minutes=1)
    return value
