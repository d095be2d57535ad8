"""``floor``: who sits where, at any moment."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from assignment_pipeline.cli import words
from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.cli.moments import local, read_date, read_time
from assignment_pipeline.cli.output import bare_table, print_json, require_place, stdout, write_file
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption, opened
from assignment_pipeline.domain.trail import FloorView, PartyOnFloor, Presence, TableOnFloor


def floor(
    restaurant: Annotated[str, typer.Argument(metavar="RESTAURANT", help="The id of a restaurant.")],
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="A time such as 2031-05-17T20:15+02:00; by default, now.")
    ] = None,
    date: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="With --html: the date; by default, today.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the whole day to a page instead.")
    ] = None,
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show who sits where at a moment, or write a whole day to a page.

    In the past, the history decides. Later, it is what is planned now. The page is one
    file that needs no network. --html needs the extra console.
    """
    if html is not None:
        if at is not None or as_json:
            refuse("--html", "--date beside it, or nothing", "--at" if at is not None else "--json")
        _write_page(restaurant, date, html, app, db)
        return
    if date is not None:
        refuse("--date", "--html FILE with it, or --at TIME instead", "--date alone")
    moment = None if at is None else read_time("--at", at)
    with opened(app, db) as coordinator:
        view = coordinator.floor(restaurant, moment)
    if as_json:
        print_json(document(view))
    else:
        _print(view)


def _write_page(restaurant: str, date: str | None, html: Path, app: str | None, db: Any) -> None:
    from assignment_pipeline.console.file import floor_file  # noqa: PLC0415 - an extra

    day_of = None if date is None else read_date("--date", date)
    require_place(html, "--html")
    with opened(app, db) as coordinator:
        day = coordinator.day(restaurant, day_of)
    write_file(html, "--html", floor_file(day))
    stdout().print(f"{html}: the floor of {day.date}.", soft_wrap=True)


def document(view: FloorView) -> dict[str, Any]:
    """What ``floor --json`` prints."""
    zone = ZoneInfo(view.timezone)
    return {
        "restaurant_id": view.restaurant_id,
        "timezone": view.timezone,
        "at": _text(view.at, zone),
        "tables": [
            {
                "table_id": table.table_id,
                "label": table.table.label if table.table else table.table_id,
                "capacity": table.table.capacity if table.table else None,
                "closed": list(table.closed),
                "parties": [_party(party, zone) for party in table.parties],
            }
            for table in view.tables
        ],
    }


def _party(party: PartyOnFloor, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "booking_id": party.booking_id,
        "party_size": party.party_size,
        "presence": party.presence.value,
        "tables": list(party.tables),
        "start_at": _text(party.turn.start, zone),
        "end_at": _text(party.turn.end, zone),
        "seated_at": _text(party.seated_at, zone) if party.seated_at else None,
        "late_minutes": party.late // dt.timedelta(minutes=1),
        "over_minutes": party.over // dt.timedelta(minutes=1),
    }


def _text(moment: dt.datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat(timespec="minutes")


def _print(view: FloorView) -> None:
    zone, console = ZoneInfo(view.timezone), stdout()
    table = bare_table()
    table.add_column("Table", no_wrap=True)
    table.add_column("Booking", overflow="fold")
    table.add_column("Party", justify="right")
    table.add_column("Until", no_wrap=True)
    table.add_column("State", ratio=1)
    for one in view.tables:
        label = one.table.label if one.table else one.table_id
        for party in one.parties:
            size = "" if party.party_size is None else str(party.party_size)
            table.add_row(label, party.booking_id, size, words.clock(party.turn.end, zone), _state(party, zone))
            label = ""
        if not one.parties:
            table.add_row(label, "", "", "", _empty(one))
    console.print(table)
    there = sum(party.presence is Presence.SITS for party in view.parties)
    guests = sum(party.party_size or 0 for party in view.parties if party.presence is Presence.SITS)
    due = len(view.parties) - there
    parties = "1 party sits" if there == 1 else f"{there} parties sit"
    console.print(f"\n{local(view.at, zone)}: {parties} ({words.count(guests, 'guest')}), {due} expected.")


def _state(party: PartyOnFloor, zone: ZoneInfo) -> str:
    if party.presence is Presence.EXPECTED:
        return f"expected, {words.age(party.late)} late" if party.late else "expected"
    since = f"sits since {words.clock(party.seated_at, zone)}" if party.seated_at else "sits"
    return f"{since}, {words.age(party.over)} over" if party.over else since


def _empty(table: TableOnFloor) -> str:
    if table.closed:
        return f"closed: {', '.join(table.closed)}"
    return "free" if table.table is None or table.table.active else "out of use"
