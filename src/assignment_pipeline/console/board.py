"""A service day as a board: the tables down, the time across, in steps of five minutes."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from typing import TypeVar

import attrs

from assignment_pipeline.domain.availability import Slot, SlotStatus
from assignment_pipeline.domain.day import ServiceDay
from assignment_pipeline.domain.floor import Table
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.windows import TimeWindow, minute_of
from assignment_pipeline.lifecycle import AssignmentState

STEP = dt.timedelta(minutes=5)
HOUR = dt.timedelta(hours=1)
MOST_STEPS = 36 * 12
"""No service day is longer."""

LINES_A_SHEET = 20
"""So many tables stand on a printed sheet at full size."""

LEAST_FIT = 60
"""The smallest that a board is printed, in per cent: below that, it takes several sheets."""

GONE = "No longer on the floor"

T = TypeVar("T")


class Kind(enum.Enum):
    """What a bar is: the name of its class in the style sheet, its mark, and what the legend says."""

    CONFIRMED = ("confirmed", "✓", "confirmed")
    HELD = ("held", "?", "held, not confirmed")
    SITTING = ("sitting", "●", "sits")
    OVER = ("over", "!", "over time")
    LEFT = ("left", "○", "has left")
    LAYING = ("laying", "", "laying the table")
    BLOCKED = ("blocked", "✕", "out of service")
    OTHERS = ("others", "H", "taken by the host")

    def __init__(self, style: str, mark: str, says: str) -> None:
        self.style, self.mark, self.says = style, mark, says


FREE = {
    SlotStatus.AVAILABLE: ("free", "✓", "free"),
    SlotStatus.WITH_MOVES: ("moves", "↔", "free if others move"),
    SlotStatus.REVIEW: ("review", "?", "a person decides"),
    SlotStatus.UNAVAILABLE: ("none", "·", "not free"),
}
"""How a time that can or cannot be had is shown: style, mark and words."""


@attrs.frozen(kw_only=True)
class Bar:
    """
    Something that takes a table for a while.

    Attributes:
        kind: What it is.

        at: The step at which it begins.

        steps: How many steps it takes, one at least.

        text: What stands in it.

        says: The same in words, with times.

        booking_id: The booking that it leads to, or None.
    """

    kind: Kind
    at: int
    steps: int
    text: str
    says: str
    booking_id: str | None = None


@attrs.frozen(kw_only=True)
class Row:
    """
    A table and what takes it, in lanes: bars that overlap stand in different ones.

    Attributes:
        table_id: The table.

        label: What people call it.

        capacity: Its seats; None for one that the restaurant has no more.

        lanes: The bars.

        in_use: Whether it is in use at all.
    """

    table_id: str
    label: str
    capacity: int | None
    lanes: tuple[tuple[Bar, ...], ...]
    in_use: bool = True


@attrs.frozen(kw_only=True)
class Chance:
    """A time that a party could arrive at, on the board."""

    at: int
    steps: int
    style: str
    mark: str
    says: str


@attrs.frozen(kw_only=True)
class Board:
    """
    The board.

    Attributes:
        start: When it begins, a full hour.

        steps: How many steps it has.

        hours: The local full hours, each with its step.

        now: The step of now; None if it is not on the board.

        zones: The zones in the floor's order, each with its rows.

        chances: What is free when for a party, if that was asked.
    """

    start: dt.datetime
    steps: int
    hours: tuple[tuple[int, str], ...]
    now: int | None
    zones: tuple[tuple[str, tuple[Row, ...]], ...]
    chances: tuple[Chance, ...] = ()

    @property
    def sheets(self) -> str:
        """How it is printed: on ``one`` sheet, or on ``several``, each with a zone or a part of one."""
        return "one" if _fit(sum(_lines(self.zones))) >= LEAST_FIT else "several"

    @property
    def fit(self) -> int:
        """How much smaller it is printed, in per cent, so that a sheet has all of it, or its largest zone."""
        lines = _lines(self.zones)
        fit = _fit(sum(lines) if self.sheets == "one" else max(lines))
        return min(max(fit, LEAST_FIT), 100)

    def keeps(self, rows: tuple[Row, ...]) -> bool:
        """Whether a zone is kept together: one that is larger than a sheet begins where the one before ends."""
        return _fit(_lines([("", rows)])[0]) >= self.fit


def _lines(zones: Iterable[tuple[str, tuple[Row, ...]]]) -> list[int]:
    """How many lines each zone takes."""
    return [1 + sum(max(len(row.lanes), 1) for row in rows) for _, rows in zones]


def _fit(lines: int) -> int:
    """How large, in per cent, a board of so many lines stands on a sheet."""
    return LINES_A_SHEET * 100 // (2 + lines)


def board_of(day: ServiceDay, slots: Sequence[Slot] = ()) -> Board:
    """The board of a day, with what is free in *slots*."""
    span = _span(day, slots)
    scale = _Scale(span, day)
    bars: dict[str, list[Bar]] = {}
    for record in day.records:
        for table_id in record.tables:
            bars.setdefault(table_id, []).extend(scale.of_record(record))
    for block in day.blocks:
        bars.setdefault(block.table_id, []).extend(scale.bar(Kind.BLOCKED, block.window, block.reason or "blocked"))
    for row in day.others:
        said = row.booking_id or row.reason or "taken"
        bars.setdefault(row.table_id, []).extend(scale.bar(Kind.OTHERS, row.window, said))
    own = list(day.venue.floor.tables)
    gone = [Table(table_id, 1) for table_id in sorted(set(bars) - {table.id for table in own})]
    zones = [
        (zone or "", tuple(_row(table, bars.get(table.id, ())) for table in tables))
        for zone, tables in groupby(by_zone(own, _zone_of), key=_zone_of)
    ]
    if gone:
        lost = (attrs.evolve(_row(table, bars[table.id]), capacity=None) for table in gone)
        zones.append((GONE, tuple(lost)))
    return Board(
        start=span.start,
        steps=span.duration // STEP,
        hours=tuple(scale.hours()),
        now=(day.now - span.start) // STEP if span.start <= day.now < span.end else None,
        zones=tuple(zones),
        chances=tuple(scale.chances(slots)),
    )


def by_zone(found: Iterable[T], zone_of: Callable[[T], str | None]) -> list[T]:
    """The same, those of a zone together, in the order in which the zones come first."""
    listed = list(found)
    order = {zone: place for place, zone in enumerate(dict.fromkeys(map(zone_of, listed)))}
    return sorted(listed, key=lambda each: order[zone_of(each)])


def _zone_of(table: Table) -> str | None:
    return table.zone


def _row(table: Table, bars: Iterable[Bar]) -> Row:
    lanes: list[list[Bar]] = []
    for bar in sorted(bars, key=lambda each: (each.at, each.booking_id or "")):
        lane = next((lane for lane in lanes if lane[-1].at + lane[-1].steps <= bar.at), None)
        if lane is None:
            lanes.append([bar])
        else:
            lane.append(bar)
    return Row(
        table_id=table.id,
        label=table.label,
        capacity=table.capacity,
        lanes=tuple(map(tuple, lanes)),
        in_use=table.active,
    )


def _span(day: ServiceDay, slots: Sequence[Slot]) -> TimeWindow:
    """From the first full hour at which there is something to the last one, within the day."""
    windows = [*day.venue.services(day.window)] if day.venue.policy.service_periods else []
    windows = [window for window in windows if window.start >= day.window.start]
    windows += [record.allocation.occupied(day.now) for record in day.records if record.allocation]
    windows += [block.window for block in day.blocks] + [other.window for other in day.others]
    windows += [TimeWindow(slot.start_at, slot.start_at + HOUR) for slot in slots]
    cut = [window for window in windows if window.overlaps(day.window)]
    wide = TimeWindow.around(cut) if cut else day.window
    start = max(wide.start, day.window.start)
    start = start.replace(minute=0)
    end = min(max(wide.end, start + 4 * HOUR), day.window.end + 12 * HOUR, start + MOST_STEPS * STEP)
    return TimeWindow(start, start + -(-(end - start) // HOUR) * HOUR)


@attrs.frozen
class _Scale:
    """From times to steps."""

    span: TimeWindow
    day: ServiceDay

    def bar(self, kind: Kind, window: TimeWindow, text: str, booking_id: str | None = None) -> Iterator[Bar]:
        """The bar of a window, as far as it is on the board."""
        if not window.overlaps(self.span):
            return
        at = max(round((window.start - self.span.start) / STEP), 0)
        end = min(round((window.end - self.span.start) / STEP), self.span.duration // STEP)
        says = f"{text}, {self.clock(window.start)} to {self.clock(window.end)}, {kind.says}"
        yield Bar(kind=kind, at=at, steps=max(end - at, 1), text=text, says=says, booking_id=booking_id)

    def of_record(self, record: AssignmentRecord) -> Iterator[Bar]:
        """A booking at one of its tables, with the time for laying it."""
        held = record.allocation
        if held is None:
            return
        kind, sits = self._party(record)
        size = f" · {record.booking.party_size}" if record.booking else ""
        joined = f" +{len(held.tables) - 1}" if len(held.tables) > 1 else ""
        yield from self.bar(kind, sits, f"{record.booking_id}{size}{joined}", record.booking_id)
        for window in held.blocked.without(sits):
            if not window.overlaps(sits):
                yield from self.bar(Kind.LAYING, window, record.booking_id, None)

    def _party(self, record: AssignmentRecord) -> tuple[Kind, TimeWindow]:
        held, now = record.allocation, self.day.now
        assert held is not None  # noqa: S101 - its caller has looked
        turn = held.turn
        if held.left_at is not None:
            return Kind.LEFT, turn
        if held.seated_at is None:
            return (Kind.HELD if record.state is AssignmentState.ASSIGNED else Kind.CONFIRMED), turn
        start = min(turn.start, minute_of(held.seated_at))
        if held.sits_at(now) and now >= turn.end:
            return Kind.OVER, TimeWindow(start, held.occupied(now).end)
        return Kind.SITTING, TimeWindow(start, turn.end)

    def chances(self, slots: Sequence[Slot]) -> Iterator[Chance]:
        """The times of *slots*: each until the next one."""
        for slot, following in zip_longest(slots, slots[1:]):
            style, mark, said = FREE[slot.status]
            window = TimeWindow(slot.start_at, following.start_at if following else slot.start_at + 3 * STEP)
            for bar in self.bar(Kind.CONFIRMED, window, ""):
                why = f": {slot.reason.replace('_', ' ')}" if slot.reason else ""
                fits = f", {slot.spots} at once" if slot.spots else ""
                says = f"{self.clock(slot.start_at)} {said}{why}{fits}"
                yield Chance(at=bar.at, steps=min(bar.steps, 12), style=style, mark=mark, says=says)

    def hours(self) -> Iterator[tuple[int, str]]:
        """The local full hours."""
        moment = self.span.start
        while moment < self.span.end:
            there = moment.astimezone(self.day.venue.zone)
            if not there.minute:
                yield (moment - self.span.start) // STEP, f"{there:%H:%M}"
            moment += HOUR if not there.minute else dt.timedelta(minutes=60 - there.minute)

    def clock(self, moment: dt.datetime) -> str:
        """A local time of day."""
        return f"{moment.astimezone(self.day.venue.zone):%H:%M}"
