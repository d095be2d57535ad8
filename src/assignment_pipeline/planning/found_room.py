"""Room that was found by moving others: while all of them sit as they did, it need not be searched for again."""

from __future__ import annotations

import functools
import operator
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import attrs

from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest, Sitting
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings, Choice
from assignment_pipeline.planning.movable_parties import Span, span_of
from assignment_pipeline.planning.options import Arrangement, Option, Options
from assignment_pipeline.planning.tiers import RESEATING, Room

MOST_SPANS = 2_048
"""For how many spans of time it is remembered at a venue: the last."""

MOST_MENDED = 16
"""So many parties move at most where room that was found is mended."""


class Mover(NamedTuple):
    """
    A party that may be moved, as far as it matters to those who ask for its tables.

    Attributes:
        booking_id: Whose it is.

        choice: Where it could sit.

        span: When it blocks its tables.

        home: Those that it has, as a mask.
    """

    booking_id: str
    choice: Choice
    span: Span
    home: int


@attrs.frozen(eq=False)
class FoundRoom:
    """
    Room for one more party.

    Attributes:
        place: Its tables, as a mask.

        moves: Who makes room, and the tables that each goes to.

        strategy: What a plan of it is called.

        movers: The bookings of those who move.

        tables: All tables that somebody gets, as a mask.

        crossed: When some of them are at some of these tables themselves.
    """

    place: int
    moves: tuple[tuple[Mover, int], ...]
    strategy: str
    movers: frozenset[str] = attrs.field(init=False)
    tables: int = attrs.field(init=False)
    crossed: tuple[Span, ...] = attrs.field(init=False)

    @movers.default
    def _who_moves(self) -> frozenset[str]:
        return frozenset([mover.booking_id for mover, _ in self.moves])

    @tables.default
    def _all_given(self) -> int:
        return functools.reduce(operator.or_, [place for _, place in self.moves], self.place)

    @crossed.default
    def _back_again(self) -> tuple[Span, ...]:
        return tuple([mover.span for mover, place in self.moves if place & self.place])


class Rest(NamedTuple):
    """
    What is left of room that was found.

    Attributes:
        found: The room.

        span: For when the new party blocks its tables.

        places: Who moves, and still can, with the tables that each goes to.

        lost: Who has to leave, and has no place.
    """

    found: FoundRoom
    span: Span
    places: Mapping[Mover, int]
    lost: Sequence[Mover]

    def room(self, places: Mapping[Mover, int]) -> FoundRoom:
        """The room where everybody goes to those places; who is there already does not move."""
        moves = tuple((mover, place) for mover, place in places.items() if place != mover.home)
        return FoundRoom(self.found.place, moves, self.found.strategy)


class Seats:
    """
    Who has which tables on one floor. It remembers what it was asked, for a caller that asks often.

    Args:
        floor: Who sits where, and who of them may be moved.

        seatings: What is known of the venue.
    """

    def __init__(self, floor: FloorSnapshot, seatings: CandidateSeatings) -> None:
        self._floor = floor
        self._seatings = seatings
        self._sitting = {party.request.booking.id: party for party in floor.sitting}
        self._movers: dict[str, Mover] = {}
        self._busy: dict[Span, int] = {}
        self._holding: dict[tuple[FoundRoom, Span], bool] = {}
        self._moving: dict[FoundRoom, bool] = {}
        bits = floor.venue.floor.bits
        self._at: dict[int, list[tuple[Span, str | None]]] = {}
        for row in floor.occupancy.rows:
            bit = bits.get(row.table_id)
            if bit is not None:
                self._at.setdefault(bit, []).append((row.window.minutes, row.booking_id))

    def mover(self, booking_id: str) -> Mover | None:
        """The party of a booking, or None if it may not be moved."""
        known = self._movers.get(booking_id)
        if known is None:
            party = self._sitting.get(booking_id)
            if party is None:
                return None
            request = party.request
            choice, home = self._seatings.choice(request), self._floor.home(party)
            known = self._movers[booking_id] = Mover(booking_id, choice, span_of(request), home)
        return known

    def party(self, mover: Mover) -> Sitting:
        """The party that it is on this floor."""
        return self._sitting[mover.booking_id]

    def movers(self, moves: Iterable[tuple[Sitting, int]]) -> dict[Mover, int]:
        """Who goes to which tables, as it is remembered."""
        known = ((self.mover(party.request.booking.id), place) for party, place in moves)
        return {mover: place for mover, place in known if mover is not None}

    def has(self, found: FoundRoom, span: Span) -> bool:
        """Whether that room can be made here, for a party that blocks its tables for *span*."""
        known = self._holding.get((found, span))
        if known is None:
            known = self._holding[found, span] = self._can_move(found) and self._has(found, span)
        return known

    def _can_move(self, found: FoundRoom) -> bool:
        """Whether all who make that room sit as they did, and can go where they would."""
        known = self._moving.get(found)
        if known is None:
            known = self._moving[found] = all(
                self.mover(mover.booking_id) == mover and self._are_free(place, mover.span, found.movers)
                for mover, place in found.moves
            )
        return known

    def _has(self, found: FoundRoom, span: Span) -> bool:
        if any(_overlap(there, span) for there in found.crossed):
            return False
        return self._are_free(found.place, span, found.movers)

    def rest(self, found: FoundRoom, span: Span) -> Rest | None:
        """
        What is left of that room, where others have come into its way, or some of the movers no longer fit.

        Returns:
            None where one of them may not be moved, or too many would have to move.
        """
        places = {mover: place for mover, place in found.moves if self.mover(mover.booking_id) == mover}
        taken = [(span, found.place)]
        lost = set()
        for mover, place in places.items():
            if place & found.place and _overlap(mover.span, span):
                lost.add(mover)
            else:
                taken.append((mover.span, place))
        leaving = {mover.booking_id for mover in places}
        for when, place in taken:
            for booking_id in self._in_the_way(place, when, leaving):
                party = None if booking_id is None else self.mover(booking_id)
                if party is None:
                    return None
                leaving.add(party.booking_id)
                lost.add(party)
        if len(leaving) > MOST_MENDED:
            return None
        return Rest(found, span, {mover: place for mover, place in places.items() if mover not in lost}, sorted(lost))

    def mended(self, rest: Rest) -> FoundRoom | None:
        """
        That room where who has lost a place goes to tables that are free, or that one other party leaves for free ones.

        It takes no search.

        Returns:
            None where one of them finds no such place.
        """
        places = dict(rest.places)
        for party in rest.lost:
            taken = [(rest.span, rest.found.place), *((mover.span, place) for mover, place in places.items())]
            found = self._settled(party, taken, {mover.booking_id for mover in (*places, *rest.lost)})
            if found is None or len(places) + len(found) > MOST_MENDED:
                return None
            places |= found
        return rest.room(places)

    def _settled(
        self, party: Mover, taken: Sequence[tuple[Span, int]], leaving: Collection[str], *, alone: bool = False
    ) -> dict[Mover, int] | None:
        """
        A place for a party once others have left, and one for who leaves it for the party, if it takes that.

        Args:
            party: The party.

            taken: What those get who move, and when.

            leaving: The bookings of those who leave their tables.

            alone: Whether nobody else may leave.
        """
        blocked = functools.reduce(operator.or_, [place for span, place in taken if _overlap(span, party.span)], 0)
        places = [place for place in party.choice.option_masks if not place & blocked]
        for place in places:
            if self._are_free(place, party.span, leaving):
                return {party: place}
        for place in () if alone else places:
            other = self._only_one(place, party.span, leaving)
            if other is not None:
                more = self._settled(other, [*taken, (party.span, place)], {*leaving, other.booking_id}, alone=True)
                if more is not None:
                    return {party: place, **more}
        return None

    def _only_one(self, place: int, span: Span, leaving: Collection[str]) -> Mover | None:
        """The party that has these tables then, where it is only one of those that stay, and may be moved."""
        there = {*self._in_the_way(place, span, leaving)}
        if len(there) != 1:
            return None
        booking_id = there.pop()
        return None if booking_id is None else self.mover(booking_id)

    def _are_free(self, mask: int, span: Span, movers: Collection[str]) -> bool:
        """Whether these tables are free once the movers have left theirs."""
        return not self._in_the_way(mask, span, movers)

    def _in_the_way(self, mask: int, span: Span, movers: Collection[str]) -> list[str | None]:
        """Who has some of these tables then, the movers aside; None stands for who is no booking of ours."""
        busy = self._busy.get(span)
        if busy is None:
            busy = self._busy[span] = self._floor.occupancy.taken(*span)
        found: list[str | None] = []
        start, end = span
        left = mask & busy
        while left:
            table = left & -left
            left ^= table
            for (began, ended), booking_id in self._at[table]:
                if began < end and start < ended and booking_id not in movers:
                    found.append(booking_id)
        return found


def _overlap(one: Span, other: Span) -> bool:
    """Whether they share a minute."""
    return one[0] < other[1] and other[0] < one[1]


class FoundRooms:
    """
    The room that was found at one version of a venue.

    What serves a large party serves a smaller one that may sit at the same tables, and often serves the next arrival.

    Args:
        seatings: What is known of the venue.
    """

    def __init__(self, seatings: CandidateSeatings) -> None:
        self._seatings = seatings
        self._known: dict[Span, dict[Choice, FoundRoom]] = {}
        self._last: dict[Choice, FoundRoom] = {}

    def remember(self, found: Mapping[Span, Mapping[Choice, FoundRoom]]) -> None:
        """Keep it, by when the parties that it was found for block their tables, and by where they could sit."""
        if len(self._known) > MOST_SPANS:
            for oldest in list(self._known)[:-MOST_SPANS]:
                self._known.pop(oldest, None)
        for span, rooms in found.items():
            self._known.setdefault(span, {}).update(rooms)
            self._last.update(rooms)

    def on(self, seats: Seats, choice: Choice, span: Span) -> FoundRoom | None:
        """What does on that floor for a party that could sit there; None if nothing that is known does."""
        for found in self._likely(choice, span):
            if found.place in choice.places and seats.has(found, span):
                return found
        return None

    def last(self, choice: Choice) -> FoundRoom | None:
        """What was last found for a party that could sit there."""
        return self._last.get(choice)

    def room(self, request: SeatingRequest, choice: Choice, floor: FloorSnapshot, options: Options) -> Room | None:
        """What was found for that very kind of party and time, if it still does, as the engine plans it."""
        span = span_of(request)
        found = self._known.get(span, {}).get(choice)
        if found is None:
            return None
        seats = Seats(floor, self._seatings)
        return Room(as_arrangement(seats, found, request, options), found.strategy) if seats.has(found, span) else None

    def _likely(self, choice: Choice, span: Span) -> Iterator[FoundRoom]:
        there = self._known.get(span, {})
        if choice in there:
            yield there[choice]
        yield from reversed(list(there.values()))
        if choice in self._last:
            yield self._last[choice]


def as_found(seats: Seats, place: int, moves: Iterable[tuple[Sitting, int]], strategy: str = RESEATING) -> FoundRoom:
    """A place on that floor, and who goes to which tables for it, as it is remembered."""
    return FoundRoom(place, tuple(seats.movers(moves).items()), strategy)


def as_arrangement(seats: Seats, found: FoundRoom, request: SeatingRequest, options: Options) -> Arrangement:
    """That room on a floor which has it, for a party that may sit there."""
    moves = ((seats.party(mover), place) for mover, place in found.moves)
    known = tuple((party, _option(options(party.request), place)) for party, place in moves)
    return Arrangement(_option(options(request), found.place), known)


def _option(options: Sequence[Option], place: int) -> Option:
    return next(option for option in options if option.seating.mask == place)
