"""``availability``: which times can still be had."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table

from assignment_pipeline.cli import words
from assignment_pipeline.cli.assign import put, run, workplace
from assignment_pipeline.cli.database import Database
from assignment_pipeline.cli.day.service_file import read_service
from assignment_pipeline.cli.failures import refuse, refuse_value
from assignment_pipeline.cli.moments import read_date
from assignment_pipeline.cli.output import print_json, stdout
from assignment_pipeline.cli.wiring import AppOption, DbOption, JsonOption, opened
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.availability import TAKEN, Availability, Slot, SlotStatus, sentence_of_slot
from assignment_pipeline.domain.booking import MAX_PARTY, SeatingPreference
from assignment_pipeline.errors import InvalidValueError

_T = TypeVar("_T")

MOST_DAYS, DAY = 400, dt.timedelta(days=1)

COLUMN = 6
"""What a time takes of a line of the grid."""

_SIZES = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?", re.ASCII)

_MARKS = {SlotStatus.WITH_MOVES: "moves", SlotStatus.REVIEW: "ask", SlotStatus.UNAVAILABLE: "-"}


def availability(
    date: Annotated[str, typer.Option("--date", metavar="YYYY-MM-DD", help="The day, such as 2031-05-17.")],
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="YYYY-MM-DD", help="A later day: show which days have anything for each size."),
    ] = None,
    restaurant: Annotated[
        str | None, typer.Option("--restaurant", metavar="ID", help="The restaurant; by default, that of the file.")
    ] = None,
    party: Annotated[
        list[str] | None,
        typer.Option("--party", metavar="SIZE", help="A size such as 2, or several such as 1-8. May be repeated."),
    ] = None,
    seating: Annotated[
        SeatingPreference, typer.Option("--seating", help="Where the party wants to sit.")
    ] = SeatingPreference.ANY,
    zone: Annotated[str | None, typer.Option("--zone", metavar="ZONE", help="The zone that the party wants.")] = None,
    accessible: Annotated[bool, typer.Option("--accessible", help="Whether a table must be accessible.")] = False,
    channel: Annotated[
        str | None, typer.Option("--channel", metavar="CHANNEL", help="How the booking would be taken, for pacing.")
    ] = None,
    service_file: Annotated[
        Path | None,
        typer.Argument(metavar="[SERVICE.json]", help="A day, as for assign: its bookings are assigned first."),
    ] = None,
    app: AppOption = None,
    db: DbOption = None,
    as_json: JsonOption = False,
) -> None:
    """
    Show which times can still be had, for each arrival and size of party.

    A number says how many parties of that size fit at once. With a file, the clock is ignored and nothing is stored.
    """
    day, sizes = read_date("--date", date), _sizes(party or ["1-8"])
    last = day if until is None else read_date("--until", until)
    if not day <= last < day + MOST_DAYS * DAY:
        refuse("--until", f"a date from {day} on, fewer than {MOST_DAYS} days later", repr(until))
    wishes: dict[str, Any] = {"seating": seating, "zone": zone, "accessible": accessible, "channel": channel}
    with _workplace(service_file, restaurant, app, db) as (coordinator, restaurant_id):
        try:
            found = coordinator.availability(restaurant_id, day, sizes, **wishes, until=last)
        except InvalidValueError as error:
            refuse_value(error, restaurant_id="--restaurant", zone="--zone", channel="--channel")
    if as_json:
        print_json(document(found))
    elif until is None:
        _show(found, sizes)
    else:
        _show_days(found, sizes)


@contextlib.contextmanager
def _workplace(
    service_file: Path | None, restaurant: str | None, app: str | None, db: Database | None
) -> Iterator[tuple[Coordinator, str]]:
    if service_file is None:
        if restaurant is None:
            refuse("--restaurant", "the id of a restaurant", "none")
        with opened(app, db) as coordinator:
            yield coordinator, restaurant
        return
    if app is not None or db is not None:
        refuse("SERVICE.json", "a file, --db or --app", "two of them")
    service = read_service(service_file)
    if restaurant not in (None, service.venue.id):
        refuse("--restaurant", f"the one of the file, {service.venue.id}", repr(restaurant))
    with workplace(None) as (coordinator, store, host):
        put(store, host, service, str(service_file))
        run(coordinator, store, service)
        yield coordinator, service.venue.id


def _sizes(texts: Sequence[str]) -> list[int]:
    sizes: dict[int, None] = {}
    for text in texts:
        found = _SIZES.fullmatch(text)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= first <= last <= MAX_PARTY:
            refuse("--party", f"a size from 1 to {MAX_PARTY}, or several such as 1-8", repr(text))
        sizes.update(dict.fromkeys(range(first, last + 1)))
    return list(sizes)


def document(found: Availability) -> dict[str, Any]:
    """What ``availability --json`` prints."""
    zone = ZoneInfo(found.timezone)
    several = {} if found.until == found.date else {"until": found.until.isoformat(), "days": _days(found)}
    return {
        "restaurant": found.restaurant_id,
        "timezone": found.timezone,
        "date": found.date.isoformat(),
        **several,
        "slots": [
            {
                "start_at": slot.start_at.astimezone(zone).isoformat(timespec="minutes"),
                "party_size": slot.party_size,
                "status": slot.status.value,
                "reason": slot.reason,
                "spots": slot.spots,
                "turn_minutes": slot.turn_minutes,
            }
            for slot in found.slots
        ],
    }


def _days(found: Availability) -> list[dict[str, Any]]:
    return [
        {
            "date": day.date.isoformat(),
            "party_size": day.party_size,
            "status": day.status.value,
            "reason": day.reason,
            "times": day.times,
        }
        for day in found.days
    ]


def _show_days(found: Availability, sizes: Sequence[int]) -> None:
    days = {(day.date, day.party_size): day for day in found.days}
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("Date", no_wrap=True)
    for size in sizes:
        table.add_column(str(size), justify="right", no_wrap=True, min_width=COLUMN - 1)
    for date in dict.fromkeys(day.date for day in found.days):
        shown = (days[date, size] for size in sizes)
        marks = (str(day.times) if day.status is SlotStatus.AVAILABLE else _MARKS[day.status] for day in shown)
        table.add_row(f"{date:%a %-d %b %Y}", *marks)
    console = stdout()
    console.print(table)
    console.print("How many times each size can have: by moving others (moves), if a person agrees (ask), or none (-).")
    dates = {date: f"{date:%a %-d %b}" for date in dict.fromkeys(day.date for day in found.days)}
    _show_reasons(console, {place: day.reason for place, day in days.items()}, sizes, dates, ("on", "date"))


def _show(found: Availability, sizes: Sequence[int]) -> None:
    console, zone = stdout(), ZoneInfo(found.timezone)
    if not found.slots:
        console.print(f"Closed on {found.date:%A, %-d %B %Y}: nobody arrives.")
        return
    slots = {(slot.start_at, slot.party_size): slot for slot in found.slots}
    times = {slot.start_at: words.clock(slot.start_at, zone) for slot in found.slots}
    starts, column = list(times), max(COLUMN, *(len(time) + 1 for time in times.values()))
    across = max((console.width - len("Guests")) // column, 1)
    for first in range(0, len(starts), across):
        shown = starts[first : first + across]
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
        table.add_column("Guests", justify="right", no_wrap=True)
        for start in shown:
            table.add_column(times[start], justify="right", no_wrap=True, min_width=column - 1)
        for size in sizes:
            table.add_row(str(size), *(_mark(slots[start, size]) for start in shown))
        console.print(table)
    counts = {status: sum(slot.status is status for slot in found.slots) for status in SlotStatus}
    console.print(
        f"{words.count(counts[SlotStatus.AVAILABLE], 'slot')} free (how many fit at once), "
        f"{counts[SlotStatus.WITH_MOVES]} by moving others (moves), {counts[SlotStatus.REVIEW]} for a person to decide "
        f"(ask), {counts[SlotStatus.UNAVAILABLE]} not to be had (-)."
    )
    _show_reasons(console, {place: slot.reason for place, slot in slots.items()}, sizes, times, ("at", "time"))


def _mark(slot: Slot) -> str:
    return str(slot.spots) if slot.status is SlotStatus.AVAILABLE else _MARKS[slot.status]


def _show_reasons(
    console: Console,
    reasons: Mapping[tuple[_T, int], str | None],
    sizes: Sequence[int],
    columns: Mapping[_T, str],
    what: tuple[str, str],
) -> None:
    """
    A line for each reason of a grid but ``taken``, with the sizes and columns that it holds for.

    Args:
        reasons: The reason of each cell, by its column and size.

        sizes: The sizes of the grid.

        columns: What each column is called, in their order.

        what: A column's preposition, and what it is.
    """
    names = list(columns.values())
    for code in dict.fromkeys(reasons.values()):
        if code in (None, TAKEN):
            continue
        where: dict[tuple[int, ...], list[int]] = {}
        for size in sorted(sizes):
            held = tuple(place for place, column in enumerate(columns) if reasons[column, size] == code)
            if held:
                where.setdefault(held, []).append(size)
        parts = (f"{_guests(found, sizes)} {what[0]} {_columns(held, names, what[1])}" for held, found in where.items())
        sentence = sentence_of_slot(str(code))
        console.print(f"{sentence[:1].upper()}{sentence[1:]}: {'; '.join(parts)}.", highlight=False, markup=False)


def _guests(found: Sequence[int], sizes: Sequence[int]) -> str:
    if len(found) == len(sizes) > 1:
        return "every size"
    return "1 guest" if list(found) == [1] else f"{_runs(found, str, '-')} guests"


def _columns(found: Sequence[int], names: Sequence[str], what: str) -> str:
    return f"every {what}" if len(found) == len(names) > 1 else _runs(found, names.__getitem__, " to ")


def _runs(numbers: Sequence[int], name: Callable[[int], str], to: str) -> str:
    """Rising numbers in short: those that follow each other as the first and the last of them."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(name(run[0]) if len(run) == 1 else f"{name(run[0])}{to}{name(run[-1])}" for run in runs)
