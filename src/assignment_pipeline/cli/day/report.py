"""A day for people to read."""

from __future__ import annotations

import datetime as dt
import itertools

from rich.console import Console
from rich.table import Table
from rich.text import Text

from assignment_pipeline.cli import words
from assignment_pipeline.cli.day.run import Day
from assignment_pipeline.cli.day.timeline import Party, glyphs_for
from assignment_pipeline.cli.day.timeline import timeline as draw
from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.result import WAITS_FOR_TABLES, Outcome
from assignment_pipeline.domain.windows import TimeWindow

MOST_UNSEATED = 25
LONGEST_DRAWN = dt.timedelta(hours=48)
FAINT = "bright_black"

_STYLES = {
    Outcome.CONFIRMED: "green",
    Outcome.MANUAL_REVIEW: "yellow",
    Outcome.RETRY: "red",
    Outcome.FAILED: "red",
    Outcome.NOOP: "",
}
_NAMES = {
    Outcome.CONFIRMED: "confirmed",
    Outcome.MANUAL_REVIEW: "manual review",
    Outcome.RETRY: "unfinished",
    Outcome.FAILED: "failed",
    Outcome.NOOP: "not asking for tables",
}


def show_day(console: Console, coordinator: Coordinator, day: Day, took: dt.timedelta, *, timeline: bool) -> None:
    """What became of a day; with *timeline*, also who sits where."""
    _show_title(console, day)
    if timeline and day.seats:
        _show_timeline(console, day)
    _show_summary(console, day, took)
    _show_unseated(console, coordinator, day)


def _show_title(console: Console, day: Day) -> None:
    """Whose day it is."""
    venue, dates = day.service.venue, _dates(day)
    if not dates:
        when = "no bookings"
    else:
        when = words.date(dates[0]) if len(dates) == 1 else f"{words.date(dates[0])} to {words.date(dates[-1])}"
    console.print(Text.assemble("\n ", (venue.id, "bold"), f", {when}, times in {venue.timezone}\n"))


def _dates(day: Day) -> list[dt.date]:
    return sorted({day.service.venue.service_date(booking.start_at) for booking in day.service.bookings})


def _show_timeline(console: Console, day: Day) -> None:
    """The floor over time. A party is called by the number in its booking's id, or else by its place in the file."""
    glyphs = glyphs_for(console)
    parties = [
        Party(label=_label(seat.booking.id, place), size=seat.booking.party_size, tables=seat.tables, turn=seat.turn)
        for place, seat in enumerate(day.seats, 1)
        if seat.tables
    ]
    if parties and TimeWindow.around(party.turn for party in parties).duration > LONGEST_DRAWN:
        console.print(Text(" Too long a time to be drawn.\n", FAINT))
        return
    for line in draw(day.service.venue, parties, width=console.width, glyphs=glyphs):
        console.print(line, no_wrap=True, overflow="crop", crop=True)
    seated = [seat.booking.id for seat in day.seats if seat.tables]
    examples = zip(parties, seated, strict=True)
    example, booking_id = next((each for each in examples if len(each[0].tables) == 1), (None, ""))
    if example is not None:
        console.print(
            _legend(example, booking_id, coloured=glyphs.coloured, joined="".join(glyphs.joined), dot=glyphs.dot)
        )
    console.print()


def _label(booking_id: str, place: int) -> str:
    digits = "".join(character for character in booking_id if character.isascii() and character.isdigit())
    return digits if booking_id.endswith(digits) and 0 < len(digits) <= 4 else str(place)  # noqa: PLR2004


def _legend(example: Party, booking_id: str, *, coloured: bool, joined: str, dot: str) -> Text:
    how = "in another colour" if coloured else joined
    return Text(
        f"\n {example.label}{dot}{example.size} is booking {booking_id}, a party of {example.size};"
        f" joined tables are {how}.",
        style=FAINT,
    )


def _show_summary(console: Console, day: Day, took: dt.timedelta) -> None:
    """The day in numbers."""
    total = len(day.seats)
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right")
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for outcome, name in _NAMES.items():
        number = day.count(outcome)
        if number or outcome is Outcome.CONFIRMED:
            covers = words.count(day.covers, "guest") if outcome is Outcome.CONFIRMED else ""
            share = f"{number / total:.1%}" if total else ""
            table.add_row(f" {number:,}", Text(name, _STYLES[outcome]), share, covers)
    if day.double_booked:
        table.add_row(f" {day.double_booked:,}", Text("double booked", "bold red"), "", "")
    console.print(table)
    bookings, tables = words.count(total, "booking"), words.count(len(day.service.venue.floor.tables), "table")
    joined = sum(len(seat.tables) > 1 for seat in day.seats)
    console.print()
    console.print(Text(f" {bookings} on {tables} in {took.total_seconds():.2f} s, {joined:,} at joined tables.", FAINT))
    if not day.double_booked:
        console.print(Text(" No table is taken twice at one time.", FAINT))


def _show_unseated(console: Console, coordinator: Coordinator, day: Day) -> None:
    """Who has no tables, why, and when there would be some."""
    unseated = day.unseated
    if not unseated:
        return
    zone = day.service.venue.zone
    moment = "%H:%M" if len(_dates(day)) == 1 else "%Y-%m-%d %H:%M"
    table = Table(box=None, padding=(0, 1), pad_edge=True, header_style="bold")
    table.add_column("Booking", overflow="fold")
    table.add_column("Party", justify="right")
    table.add_column("At", no_wrap=True)
    table.add_column("Why it has no tables", ratio=1)
    table.add_column("Nearest times")
    for seat in itertools.islice(unseated, MOST_UNSEATED):
        decision = coordinator.preview(seat.booking)
        why = Text(words.reason(seat.reason))
        if decision.refusal in WAITS_FOR_TABLES:
            why.append(f"\n{words.turned_away(decision.turned_away)}", FAINT)
        at = f"{seat.turn.start.astimezone(zone):{moment}}"
        table.add_row(seat.booking.id, str(seat.booking.party_size), at, why, words.times(decision.nearest, zone))
    console.print()
    console.print(table)
    if len(unseated) > MOST_UNSEATED:
        console.print(Text(f"\n And {len(unseated) - MOST_UNSEATED:,} more.", FAINT))
