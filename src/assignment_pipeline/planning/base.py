"""What planning is asked, and what it works with."""

from __future__ import annotations

import bisect
import datetime as dt
import enum
import functools
import operator
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied, Seating
from assignment_pipeline.domain.made import maker
from assignment_pipeline.domain.result import Decision, Plan
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow, minute
from assignment_pipeline.plain import Printed
from assignment_pipeline.planning.pace import Pace

__all__ = [
    "Budget",
    "Engine",
    "Evaluation",
    "FloorSnapshot",
    "Occupancy",
    "Rule",
    "Seating",
    "SeatingRequest",
    "Sitting",
    "Strategy",
]


class Occupancy:
    """
    The tables of a floor that are taken, and when. Rows for tables that it does not have are passed over.

    Attributes:
        rows: What it was made from.
    """

    def __init__(self, bits: Mapping[str, int], rows: Sequence[Occupied]) -> None:
        self.rows = tuple(rows)
        self._bits = bits

    @functools.cached_property
    def spans(self) -> dict[tuple[int, int], int]:
        """The tables that are taken for each span of minutes, as masks."""
        return _spans(self._bits, self.rows)

    def joined_by(self, rows: Sequence[Occupied]) -> Occupancy:
        """The same with *rows* taken, too; the others are not looked at again."""
        joined = Occupancy(self._bits, (*self.rows, *rows))
        joined.spans = dict(self.spans)
        _add_spans(joined.spans, self._bits, rows)
        return joined

    def busy(self, window: TimeWindow) -> int:
        """The tables that are taken at some minute of *window*, as a mask."""
        return _overlapping(self.spans, window)

    def immovable(self, window: TimeWindow) -> int:
        """The same, as far as no reseating could change it."""
        return _overlapping(self._fixed, window)

    def taken(self, start: int, end: int) -> int:
        """`busy`, for who asks about many times: from the minute *start* up to *end*, counted from 1970."""
        edges, timeline = self._timeline
        first = max(bisect.bisect_right(edges, start) - 1, 0)
        return functools.reduce(operator.or_, timeline[first : bisect.bisect_left(edges, end)], 0)

    def taken_up_to(self, start: int, ends: Sequence[int]) -> tuple[int, ...]:
        """`taken`, from the minute *start* up to each of *ends*, which ascend: in one pass."""
        edges, timeline = self._timeline
        place = max(bisect.bisect_right(edges, start) - 1, 0)
        found, mask = [], 0
        for end in ends:
            behind = bisect.bisect_left(edges, end, place)
            mask = functools.reduce(operator.or_, timeline[place:behind], mask)
            place = behind
            found.append(mask)
        return tuple(found)

    @functools.cached_property
    def _fixed(self) -> dict[tuple[int, int], int]:
        return _spans(self._bits, [row for row in self.rows if not row.movable])

    @functools.cached_property
    def _timeline(self) -> tuple[list[int], list[int]]:
        """The minutes at which something changes; and the tables that are taken from each up to the next."""
        comes: dict[int, int] = {}
        goes: dict[int, int] = {}
        twice = 0
        for (start, end), tables in self.spans.items():
            there = comes.get(start, 0)
            twice |= there & tables
            comes[start] = there | tables
            goes[end] = goes.get(end, 0) | tables
        edges, timeline, taken = sorted({*comes, *goes}), [], 0
        for edge in edges:
            taken &= ~goes.get(edge, 0)
            there = comes.get(edge, 0)
            twice |= there & taken
            taken |= there
            timeline.append(taken)
        # A table that two have at a time is not free when the first of them goes.
        for (start, end), tables in self.spans.items() if twice else ():
            for place in range(bisect.bisect_left(edges, start), bisect.bisect_left(edges, end)):
                timeline[place] |= tables & twice
        return edges, timeline

    def around(self, start: int, end: int, reach: int) -> tuple[int, Neighbours, Neighbours]:
        """
        The tables that are taken for a while, and for how long others are free before it and behind it.

        Args:
            start: A minute, counted from 1970.

            end: A later one.

            reach: Minutes; tables that are free for as long are left out.

        Returns:
            The tables that are taken, as a mask, and the two. A table that is taken counts as free for 0 minutes on
            each side on which it is taken beyond.
        """
        busy = early = late = 0
        before: dict[int, int] = {}
        after: dict[int, int] = {}
        earliest, latest = start - reach, end + reach
        for (came, left), tables in self.spans.items():
            if left <= start:
                if left > earliest:
                    before[start - left] = before.get(start - left, 0) | tables
            elif came >= end:
                if came < latest:
                    after[came - end] = after.get(came - end, 0) | tables
            else:
                busy |= tables
                if came < start:
                    early |= tables
                if left > end:
                    late |= tables
        if early:
            before[0] = before.get(0, 0) | early
        if late:
            after[0] = after.get(0, 0) | late
        return busy, sorted(before.items()), sorted(after.items())


Neighbours = list[tuple[int, int]]
"""Minutes, ascending, each with the tables that are free for so long, as a mask: a table's first are its own."""


def _spans(bits: Mapping[str, int], rows: Iterable[Occupied]) -> dict[tuple[int, int], int]:
    """The tables that are taken for each span: parties arrive on the quarter of an hour, so few spans, many rows."""
    spans: dict[tuple[int, int], int] = {}
    _add_spans(spans, bits, rows)
    return spans


def _add_spans(spans: dict[tuple[int, int], int], bits: Mapping[str, int], rows: Iterable[Occupied]) -> None:
    for row in rows:
        bit = bits.get(row.table_id)
        if bit is not None:
            minutes = row.window.minutes
            spans[minutes] = spans.get(minutes, 0) | bit  # A defaultdict takes half as long again.


def _overlapping(spans: Mapping[tuple[int, int], int], window: TimeWindow) -> int:
    start, end = window.minutes
    mask = 0
    for (came, left), tables in spans.items():
        if came < end and start < left:
            mask |= tables
    return mask


class Rule(enum.StrEnum):
    """What turns a table away, or what tables that a person chose may break."""

    UNKNOWN_TABLE = "unknown_table"
    INACTIVE = "inactive"
    SEATING = "seating"
    ZONE = "zone"
    OFFER = "offer"
    ACCESSIBLE = "accessible"
    SIZE = "size"
    TAKEN = "taken"
    LAYING_TIME = "laying_time"
    PARTNER_TAKEN = "partner_taken"
    FORBIDDEN = "forbidden"
    NOT_JOINABLE = "not_joinable"
    OUTSIDE_SERVICE = "outside_service"
    NOT_AN_ARRIVAL = "not_an_arrival"
    PACING = "pacing"
    IN_PAST = "in_past"
    TIMEZONE = "timezone"


@attrs.frozen(kw_only=True, repr=False, weakref_slot=False)
class SeatingRequest(Printed):
    """
    A booking, as a restaurant would seat it.

    Attributes:
        booking: What the guest asked for.

        turn: When the party sits.

        blocked: For how long its tables are kept from others.

        not_before: The earliest time at which a party can still be seated, or None where the clock does not count. Of a
            party that has tables, when others were last released to it.

        at_door: Whether the party is there already: the hours of service were looked at, and a person has decided.
    """

    booking: Booking
    turn: TimeWindow
    blocked: TimeWindow
    not_before: dt.datetime | None = None
    at_door: bool = False

    @property
    def ahead(self) -> int | None:
        """In how many minutes its party arrives, or None where the clock does not count."""
        return None if self.not_before is None else minute(self.turn.start) - minute(self.not_before)

    @classmethod
    def at(cls, venue: Venue, booking: Booking, not_before: dt.datetime | None = None) -> SeatingRequest:
        """The request that *booking* is at *venue*."""
        turn = venue.turn(booking)
        return _unchecked_request(booking=booking, turn=turn, blocked=venue.blocked(turn), not_before=not_before)

    def with_laying_of(self, turn: TimeWindow | None, blocked: TimeWindow | None) -> SeatingRequest | None:
        """
        The same with no more laying time than a person had left to it at its tables.

        Args:
            turn: The turn that it had there. If it asks for another one, all of its laying time is asked for.

            blocked: For how long the tables were kept from others.

        Returns:
            None if that is no less than it asks for anyway.
        """
        if blocked is None or turn != self.turn:
            return None
        kept = TimeWindow(max(self.blocked.start, blocked.start), min(self.blocked.end, blocked.end))
        return None if kept == self.blocked else attrs.evolve(self, blocked=kept)


_unchecked_request = maker(SeatingRequest)


@attrs.frozen(repr=False, weakref_slot=False)
class Sitting(Printed):
    """
    A party that has tables, and may be given others.

    Attributes:
        request: What it asked for, at the time at which it sits.

        tables: The ids of its tables.

        misplaced: Whether these break a rule of the restaurant as it is now, so that others would be better.
    """

    request: SeatingRequest
    tables: tuple[str, ...]
    misplaced: bool = False


@attrs.frozen(eq=False, repr=False, weakref_slot=False)
class FloorSnapshot(Printed):
    """
    A floor and who sits where on it.

    Attributes:
        venue: The restaurant.

        occupancy: Which of its tables are taken when.

        sitting: The parties among them that may be moved; none where that is not wanted, or was not looked up.

        shown: What the host shows of the party that tables are looked for: taken for everybody else.

        pace: Who arrives when, held against the restaurant's caps; None where it has none.
    """

    venue: Venue
    occupancy: Occupancy
    sitting: tuple[Sitting, ...] = ()
    shown: tuple[Occupied, ...] = ()
    pace: Pace | None = None

    @classmethod
    def of(
        cls,
        venue: Venue,
        taken: Iterable[Occupied],
        without: Collection[str] = (),
        sitting: Iterable[Sitting] = (),
        shown: Iterable[Occupied] = (),
        *,
        pace: Pace | None = None,
    ) -> FloorSnapshot:
        """
        The floor of *venue* with what is *taken*, but for the bookings in *without*.

        Parties that hold anything else than their tables for their time are not among those that may be moved.
        """
        rows = tuple(taken)
        if without:
            rows = tuple([row for row in rows if row.booking_id is None or row.booking_id not in without])
        parties = _as_they_sit([party for party in sitting if party.request.booking.id not in without], rows)
        occupancy = Occupancy(venue.floor.bits, rows)
        return _unchecked_snapshot(venue=venue, occupancy=occupancy, sitting=parties, shown=tuple(shown), pace=pace)

    @functools.cached_property
    def complete(self) -> bool:
        """Whether all may be moved whose tables `occupancy` calls movable: only then can it be proved that none do."""
        known = {party.request.booking.id for party in self.sitting}
        return all(row.booking_id in known for row in self.occupancy.rows if row.movable)

    @functools.cached_property
    def held(self) -> Occupancy:
        """What is taken by others than those who may be moved."""
        parties = {party.request.booking.id for party in self.sitting}
        rows = [row for row in self.occupancy.rows if not (row.movable and row.booking_id in parties)]
        return Occupancy(self.venue.floor.bits, rows)

    def held_from(self, request: SeatingRequest) -> int:
        """The tables that *request* cannot have, whoever of those who may be moved makes room, as a mask."""
        others = [row for row in self.shown if row.booking_id != request.booking.id]
        theirs = Occupancy(self.venue.floor.bits, others).busy(request.blocked) if others else 0
        return self.held.busy(request.blocked) | theirs

    def home(self, party: Sitting) -> int:
        """The tables that a party has, as a mask; those that the floor has no more are left out."""
        bits, mask = self.venue.floor.bits, 0
        for table_id in party.tables:
            mask |= bits.get(table_id, 0)
        return mask

    def seating(self, *table_ids: str) -> Seating | None:
        """Those tables as one place to sit, for a strategy to propose; None if one of them is unknown."""
        return self.venue.floor.seating(table_ids)


_unchecked_snapshot = maker(FloorSnapshot)


def _as_they_sit(parties: Sequence[Sitting], rows: Iterable[Occupied]) -> tuple[Sitting, ...]:
    if not parties:
        return ()
    held: dict[str | None, tuple[Occupied, ...]] = {}
    for row in rows:
        name = row.booking_id
        held[name] = (*held[name], row) if name in held else (row,)
    return tuple([party for party in parties if _holds(party, held.get(party.request.booking.id, ()))])


def _holds(party: Sitting, rows: tuple[Occupied, ...]) -> bool:
    """Whether the *rows*, which are all of the party's, are those of its tables for its time."""
    window, tables = party.request.blocked, party.tables
    if len(rows) != len(tables):
        return False
    for row in rows:
        if row.table_id not in tables or not row.movable or (row.window is not window and row.window != window):
            return False
    return True


class Strategy(Protocol):
    """
    A host's say in which tables are best.

    It may also have a method ``propose(request, floor) -> Iterable[Seating]``:
    seatings for the engine to consider beside its own, such as more room than a
    party needs. They too must be free, joinable, large enough and where the guest
    wants to sit. A strategy that raises is skipped, and named in `Decision.faults`.

    Attributes:
        name: What its part of the cost is called.
    """

    @property
    def name(self) -> str:
        """What its part of the cost, and a plan that it proposed, is called."""
        ...

    def weigh(self, request: SeatingRequest, seating: Seating, floor: FloorSnapshot) -> float | None:
        """What is added to the cost of *seating*, in wasted seats: less is better. None forbids it."""
        ...


@attrs.frozen(repr=False)
class Evaluation(Printed):
    """
    What given tables are worth to a request.

    Attributes:
        plan: The tables with their cost; None if they are no tables of this floor.

        broken: The rules that they break.
    """

    plan: Plan | None
    broken: tuple[Rule, ...]


@attrs.frozen(repr=False)
class Budget(Printed):
    """
    For how long moves may be looked for, where no table is free.

    Attributes:
        reseating: By the second tier, which looks for a few moves.

        total: By all tiers together: what the second leaves is the third's.
    """

    reseating: dt.timedelta = dt.timedelta(milliseconds=25)
    total: dt.timedelta = dt.timedelta(seconds=5)

    @classmethod
    def within(cls, deadline: dt.timedelta) -> Budget:
        """So much in all, half of it for a few moves."""
        return cls(deadline / 2, deadline)


BUDGET = Budget()
"""The usual budget."""


class Engine(Protocol):
    """What finds tables."""

    def plan(self, request: SeatingRequest, floor: FloorSnapshot, budget: Budget = BUDGET) -> Decision:
        """
        The best tables for *request*, or why there are none.

        Where none are free, and the floor names the parties that may be moved, moves are looked for.
        """
        ...

    def evaluate(self, request: SeatingRequest, table_ids: Iterable[str], floor: FloorSnapshot) -> Evaluation:
        """What *table_ids* would cost, and which rules they would break."""
        ...
