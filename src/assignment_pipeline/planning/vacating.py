"""Room for a party where all who are in the way can go to tables that are free, and nobody else has to move."""

from __future__ import annotations

from collections.abc import Collection

import attrs

from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.movable_parties import MovableParties, Span, bits, span_of
from assignment_pipeline.planning.options import Arrangement

MOST_MOVES = 5
"""How many parties move at most to make room for one."""


@attrs.define(eq=False)
class _Tables:
    """
    What is known of the tables for a span of time, as masks.

    Attributes:
        stuck: Those with a party that cannot go elsewhere.

        cleared: Those whose parties all can.

        places: The places of several tables that can be cleared.
    """

    stuck: int
    cleared: int = 0
    places: set[int] = attrs.field(factory=set)


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

    def makes_room(self, single: int, joined: Collection[int], span: Span) -> bool:
        """
        Whether one of the places can be cleared.

        Args:
            single: The tables that would do by themselves, as a mask.

            joined: The places of several tables that would, as masks.

            span: For when, in minutes since 1970.
        """
        known = self._at(span)
        if single & known.cleared:
            return True
        for table in bits(single & ~known.stuck):
            if self._cleared(1 << table, span) is not None:
                known.cleared |= 1 << table
                return True
        if not known.places.isdisjoint(joined):
            return True
        for mask in joined:
            if not mask & known.stuck and self._cleared(mask, span) is not None:
                known.places.add(mask)
                return True
        return False

    def arrangement(self, request: SeatingRequest) -> Arrangement | None:
        """Who would sit where then: the cheapest place that can be cleared, or None if none can."""
        kind, span = self._movable.kind_for(request), span_of(request)
        known = self._at(span)
        for option in kind.options:
            moves = None if option.seating.mask & known.stuck else self._cleared(option.seating.mask, span)
            if moves is not None:
                parties = self._movable.parties
                kinds = ((party, self._movable.kind_for(parties[party].request), mask) for party, mask in moves)
                return Arrangement(option, tuple((parties[party], kind.of[mask]) for party, kind, mask in kinds))
        return None

    def _at(self, span: Span) -> _Tables:
        known = self._known.get(span)
        if known is None:
            known = self._known[span] = _Tables(stuck=self._held.taken(*span))
        return known

    def _cleared(self, mask: int, span: Span) -> list[tuple[int, int]] | None:
        """Where those go who sit at some of these tables for some of *span*; None if they cannot, or are too many."""
        leaving = self._movable.owners(mask) & self._movable.meeting(span)
        if leaving.bit_count() > MOST_MOVES:
            return None
        moves: list[tuple[int, int]] = []
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
