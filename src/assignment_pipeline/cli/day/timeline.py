"""A floor over time: the tables down, the hours across, and who sits where."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import groupby

import attrs
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from assignment_pipeline.domain.floor import Table
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow

HALF_HOUR = dt.timedelta(minutes=30)
HOUR = dt.timedelta(hours=1)
MINUTES_A_COLUMN = (2, 2.5, 3, 3.75, 5, 6, 7.5, 10, 15, 30, 60)
LONGEST_ID = 10
ROOM_FOR_HOUR = len("00:00 ")

LEVELS = " ▁▂▃▄▅▆▇█"


@attrs.frozen(kw_only=True)
class Party:
    """
    A party and where it sits.

    Attributes:
        label: What it is called in the picture: short.

        size: Its guests.

        tables: The ids of its tables.

        turn: When it sits.
    """

    label: str
    size: int
    tables: tuple[str, ...]
    turn: TimeWindow


@attrs.frozen(kw_only=True)
class Glyphs:
    """
    What a timeline is drawn with.

    Attributes:
        alone: Left end, line and right end of a party at one table.

        joined: The same for a party at joined tables.

        hour: The mark of a full hour, between parties.

        half: The mark of half an hour.

        tick: The mark of either on a rule.

        rule: What rules are drawn with.

        dot: What stands between a party's label and its size.

        levels: From nobody to everybody; none leaves the curve of guests out.

        coloured: Whether colours tell parties apart.
    """

    alone: tuple[str, str, str]
    joined: tuple[str, str, str]
    hour: str
    half: str
    tick: str
    rule: str
    dot: str
    levels: str
    coloured: bool = False


LINES = Glyphs(
    alone=("├", "─", "┤"), joined=("╞", "═", "╡"), hour="┊", half="·", tick="┬", rule="╌", dot="·", levels=LEVELS
)
BLOCKS = attrs.evolve(LINES, alone=("▌", " ", " "), joined=("▌", " ", " "), coloured=True)
ASCII = Glyphs(
    alone=("[", "-", "]"), joined=("{", "=", "}"), hour=":", half=".", tick="+", rule="-", dot="/", levels=""
)

_ALONE = ("#7fd1c7 on #1f4e5a", "bold white on #1f4e5a")
_JOINED = ("#ffc46b on #7a4a1c", "bold white on #7a4a1c")
_FAINT = "bright_black"


@attrs.frozen
class _Scale:
    """Which column stands for which minutes."""

    span: TimeWindow
    minutes: float
    venue: Venue

    @classmethod
    def fitting(cls, venue: Venue, parties: Sequence[Party], columns: int) -> _Scale:
        """The most generous scale by which the whole time fits into so many columns, or else the coarsest."""
        window = TimeWindow.around(party.turn for party in parties)
        start, end = window.start, window.end
        start -= dt.timedelta(minutes=start.astimezone(venue.zone).minute % 30)
        end += dt.timedelta(minutes=-end.astimezone(venue.zone).minute % 30)
        total = (end - start) / dt.timedelta(minutes=1)
        fits = (minutes for minutes in MINUTES_A_COLUMN if total / minutes <= columns)
        return cls(TimeWindow(start, end), next(fits, MINUTES_A_COLUMN[-1]), venue)

    def column(self, time: dt.datetime) -> int:
        """The column in which a time begins."""
        return int((time - self.span.start) / dt.timedelta(minutes=self.minutes) + 0.5)

    @property
    def width(self) -> int:
        """How many columns there are."""
        return max(1, self.column(self.span.end))

    def columns(self, turn: TimeWindow) -> tuple[int, int]:
        """The columns that a turn takes: from, and up to."""
        start = min(self.column(turn.start), self.width - 1)
        return start, min(max(self.column(turn.end), start + 1), self.width)

    @cached_property
    def marks(self) -> dict[int, dt.datetime]:
        """The local time of each half-hour, by its column."""
        found: dict[int, dt.datetime] = {}
        time = self.span.start
        while time < self.span.end:
            found.setdefault(self.column(time), time.astimezone(self.venue.zone))
            time += HALF_HOUR
        return found


def glyphs_for(console: Console) -> Glyphs:
    """What a timeline is drawn with there: colours, plain lines, or ASCII where nothing else can be written."""
    if not console.encoding.startswith("utf"):
        return ASCII
    return BLOCKS if console.color_system and not console.no_color else LINES


def timeline(venue: Venue, parties: Iterable[Party], *, width: int = 80, glyphs: Glyphs = LINES) -> list[Text]:
    """
    The floor as lines of text, none wider than *width* unless the time does not fit at all.

    Args:
        venue: The floor, and the timezone that the hours are told in.

        parties: Who sits where.

        width: Columns that there are.

        glyphs: What it is drawn with: `LINES`, `BLOCKS` for terminals with colours, or `ASCII`.
    """
    seated = sorted(parties, key=lambda party: party.turn.start)
    if not seated:
        return []
    margin = _Margin.of(venue.floor.tables)
    # The last hour may stand half behind the last column.
    scale = _Scale.fitting(venue, seated, width - margin.width)
    lines = [margin.line("", _hours(scale))]
    for zone, tables in groupby(_by_zone(venue.floor.tables), key=lambda table: table.zone):
        lines.append(margin.line((zone or "").upper(), _rule(scale, glyphs), "bold"))
        for table in tables:
            there = [party for party in seated if table.id in party.tables]
            lines.append(margin.table(table, _row(scale, glyphs, there)))
    if glyphs.levels:
        lines.append(margin.line("GUESTS", _curve(scale, glyphs, seated), "bold"))
    return lines


def _by_zone(tables: Sequence[Table]) -> list[Table]:
    order = {zone: place for place, zone in enumerate(dict.fromkeys(table.zone for table in tables))}
    return sorted(tables, key=lambda table: order[table.zone])


@attrs.frozen
class _Margin:
    """What stands to the left: what the tables are called, and their seats."""

    ids: int
    seats: int

    @classmethod
    def of(cls, tables: Sequence[Table]) -> _Margin:
        ids = max(cell_len(table.label) for table in tables)
        seats = max(len(str(table.capacity)) for table in tables)
        return cls(min(max(ids, 3), LONGEST_ID), seats)

    @property
    def width(self) -> int:
        """Its columns: a space, the id, two spaces, the seats and a space or two."""
        return 1 + self.ids + 2 + self.seats + 2

    def line(self, title: str, content: Text, style: str = "") -> Text:
        """A line of the picture that is no table."""
        room = self.width - 2
        return Text.assemble(" ", (set_cell_size(title, room), style), " ", content)

    def table(self, table: Table, content: Text) -> Text:
        """A table's line."""
        name = table.label
        if cell_len(name) > self.ids:
            name = set_cell_size(name, self.ids - 1) + "~"
        seats = f"  {table.capacity:>{self.seats}}  "
        return Text.assemble(" ", set_cell_size(name, self.ids), (seats, _FAINT), content)


def _hours(scale: _Scale) -> Text:
    line = ""
    for column, time in scale.marks.items():
        if not time.minute and column >= len(line) and column + ROOM_FOR_HOUR - 1 <= scale.width:
            line = f"{line:<{column}}{time:%H:%M} "
    return Text(line.rstrip())


def _rule(scale: _Scale, glyphs: Glyphs) -> Text:
    return Text("".join(glyphs.tick if column in scale.marks else glyphs.rule for column in range(scale.width)), _FAINT)


def _row(scale: _Scale, glyphs: Glyphs, parties: Sequence[Party]) -> Text:
    row = Text()
    for party in parties:
        start, end = scale.columns(party.turn)
        start = max(start, len(row))  # Where two share a column, or overlap, the later one gives way.
        if start < end:
            row.append(_background(scale, glyphs, len(row), start))
            _append_block(row, glyphs, party, end - start)
    rest = _background(scale, glyphs, len(row), scale.width)
    rest.rstrip()
    return row.append(rest)


def _background(scale: _Scale, glyphs: Glyphs, start: int, end: int) -> Text:
    def mark(column: int) -> str:
        time = scale.marks.get(column)
        if time is None:
            return " "
        return glyphs.half if time.minute else glyphs.hour

    return Text("".join(map(mark, range(start, end))), _FAINT)


def _append_block(row: Text, glyphs: Glyphs, party: Party, width: int) -> None:
    joined = len(party.tables) > 1
    left, line, right = glyphs.joined if joined else glyphs.alone
    edge, inside = (_JOINED if joined else _ALONE) if glyphs.coloured else ("", "")
    if width == 1:
        row.append(left, edge)
        return
    label = f"{party.label}{glyphs.dot}{party.size}"
    room = width - 2
    row.append(left, edge)
    row.append((label if len(label) <= room else label[:room]), inside)
    row.append(line * (room - len(label)) + right, inside if glyphs.coloured else "")


def _curve(scale: _Scale, glyphs: Glyphs, parties: Sequence[Party]) -> Text:
    guests = [0] * scale.width
    for party in parties:
        for column in range(*scale.columns(party.turn)):
            guests[column] += party.size
    top, most = len(glyphs.levels) - 1, max(guests)
    return Text("".join(glyphs.levels[-(-count * top // most)] for count in guests), _ALONE[0].split()[0])
