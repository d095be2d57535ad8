"""The proof by counting that nobody can make room: too few seats for all who would be there at one time."""

from __future__ import annotations

import functools
import math

from assignment_pipeline.planning.base import FloorSnapshot
from assignment_pipeline.planning.movable_parties import Kind, MovableParties, Span, bits


class SeatCount:
    """
    The seats that are left at a time, however the parties are placed.

    Each party takes as many seats as the smallest of its places has. Where the seats of all tables that anybody may
    have are fewer than those, no arrangement seats everybody.

    Args:
        floor: Who sits where.

        movable: The parties that may be moved, and where to.
    """

    def __init__(self, floor: FloorSnapshot, movable: MovableParties) -> None:
        self._held = floor.held
        self._movable = movable
        self._tables = floor.venue.floor.tables
        self._left: dict[int, float] = {}
        self._needed: dict[int, float] = {}
        self._least: dict[int, float] = {}
        self._seats_of: dict[int, int] = {}

    def are_too_few(self, kind: Kind, span: Span) -> bool:
        """Whether there are too few for one more party of a kind, at some time of *span*."""
        needed = self._least_of(kind)
        return any(self._left_at(time) < needed for time in self._times(span))

    def tightest(self, span: Span) -> list[int]:
        """The times of *span* at which somebody comes, those first at which the fewest seats are left."""
        return sorted((time for time in self._times(span) if self._left_at(time) < math.inf), key=self._left_at)

    def _times(self, span: Span) -> set[int]:
        start, end = span
        starts = {self._movable.spans[party][0] for party in bits(self._movable.meeting(span))}
        return {start, *(time for time in starts if start < time < end)}

    def _left_at(self, time: int) -> float:
        left = self._left.get(time)
        if left is None:
            left = self._left[time] = self._count(time)
        return left

    def _count(self, time: int) -> float:
        there = (time, time + 1)
        held = self._held.taken(*there)
        homes, left = 0, float(self._seats(self._usable & ~held))
        for party in bits(self._movable.meeting(there)):
            home = self._movable.homes[party]
            if home & (held | homes):  # People have sat two parties down together: they may stay as they are.
                return math.inf
            homes |= home
            left -= self._needs(party)
        return left

    def _needs(self, party: int) -> float:
        needed = self._needed.get(party)
        if needed is None:
            kind = self._movable.kind_for(self._movable.parties[party].request)
            needed = self._needed[party] = min(self._least_of(kind), self._seats(self._movable.homes[party]))
        return needed

    def _least_of(self, kind: Kind) -> float:
        least = self._least.get(id(kind))
        if least is None:
            least = self._least[id(kind)] = min(map(self._seats, kind.masks), default=math.inf)
        return least

    def _seats(self, mask: int) -> int:
        known = self._seats_of.get(mask)
        if known is None:
            known = self._seats_of[mask] = sum([self._tables[table].capacity for table in bits(mask)])
        return known

    @functools.cached_property
    def _usable(self) -> int:
        """The tables that are in use, and those at which somebody sits all the same."""
        homes = functools.reduce(int.__or__, self._movable.homes, 0)
        return homes | sum(1 << place for place, table in enumerate(self._tables) if table.active)
