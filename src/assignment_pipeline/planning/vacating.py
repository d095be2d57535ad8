"""Room for a party where all who are in the way can go to tables that are free, and nobody else has to move."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.movable_parties import MovableParties, Span, bits, span_of
from assignment_pipeline.planning.options import Arrangement

MOST_MOVES = 5
"""How many parties move at most to make room for one."""


Moves = list[tuple[int, int]]
"""Which of the movable parties go, and the tables that each gets."""


@attrs.define(eq=False)
class _Tables:
    """
    What is known of the tables for a span of time, as masks.

    Attributes:
        stuck: Those with a party that cannot go elsewhere.

        tried: The places that were asked for, with who goes where; or None where they cannot be cleared.
    """

    stuck: int
    tried: dict[int, Moves | None] = attrs.field(factory=dict)


class Vacating:
    """
    Who can leave which tables, for who asks about one floor many times.

    This is the least that the engine finds: it takes no search, and so no budget. What it says of a party depends on
    nothing but the floor.

    Args:
        floor: Who sits where.

        movable: The parties that may be moved, and where to.
    """

    def __init__(self, floor: FloorSnapshot, movable: MovableParties) -> None:
        self._held = floor.held
        self._occupancy = floor.occupancy
        self._movable = movable
        self._free: dict[int, tuple[int, list[int]]] = {}
        self._known: dict[Span, _Tables] = {}

    def room(self, places: Iterable[int], span: Span) -> tuple[int, Moves] | None:
        """
        The first place that can be cleared, and who goes where; None if none can.

        Args:
            places: The tables of each, as masks.

            span: For when, in minutes since 1970.
        """
        known = self._at(span)
        for place in places:
            if not place & known.stuck:
                if place not in known.tried:
                    known.tried[place] = self._cleared(place, span)
                moves = known.tried[place]
                if moves is not None:
                    return place, moves
        return None

    def arrangement(self, request: SeatingRequest) -> Arrangement | None:
        """Who would sit where then: the cheapest place that can be cleared, or None if none can."""
        kind = self._movable.kind_for(request)
        found = self.room(kind.masks, span_of(request))
        if found is None:
            return None
        place, moves = found
        parties = ((self._movable.parties[party], to) for party, to in moves)
        return Arrangement(
            kind.of[place], tuple((party, self._movable.kind_for(party.request).of[to]) for party, to in parties)
        )

    def _at(self, span: Span) -> _Tables:
        known = self._known.get(span)
        if known is None:
            known = self._known[span] = _Tables(stuck=self._held.taken(*span))
        return known

    def _cleared(self, mask: int, span: Span) -> Moves | None:
        """Where those go who sit at some of these tables for some of *span*; None if they cannot, or are too many."""
        leaving = self._movable.owners(mask) & self._movable.meeting(span)
        if leaving.bit_count() > MOST_MOVES:
            return None
        moves: Moves = []
        for party in bits(leaving):
            free, places = self._free_for(party)
            if not free and not places:
                self._known[span].stuck |= self._movable.homes[party]
                return None
            start, end = self._movable.spans[party]
            wanted = mask
            for other, there in moves:
                begins, ends = self._movable.spans[other]
                if begins < end and start < ends:
                    wanted |= there
            free &= ~wanted
            place = free & -free or next((place for place in places if not place & wanted), 0)
            if not place:
                return None
            moves.append((party, place))
        return moves

    def _free_for(self, party: int) -> tuple[int, list[int]]:
        """The tables that would do for a party while everybody else stays, as a mask; and such places of several."""
        known = self._free.get(party)
        if known is None:
            busy = self._occupancy.taken(*self._movable.spans[party])
            kind = self._movable.kind_for(self._movable.parties[party].request)
            known = self._free[party] = kind.single & ~busy, [mask for mask in kind.joined if not mask & busy]
        return known
