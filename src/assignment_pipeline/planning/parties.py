"""Who is on a floor, and what has changed since another look at it."""

from __future__ import annotations

import functools
import operator
import weakref
from collections.abc import Iterator

import attrs

from assignment_pipeline.planning.base import FloorSnapshot, Sitting
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings
from assignment_pipeline.planning.found_room import FoundRoom
from assignment_pipeline.planning.movable_parties import Span, span_of


@attrs.frozen(eq=False)
class Changes:
    """
    What differs between two looks at a floor.

    Attributes:
        left: The bookings of those who could move and no longer do as they did: they have gone, sit elsewhere, must
            stay, ask for something else, or could go to tables that were held back from them.

        taken: What somebody has who was not there before, as masks, each with its span.

        frees: Whether there may be room where there was none. Parties that only sit elsewhere make none: wherever
            they sit, they could be moved.

        tables: Those of *taken*, as a mask.
    """

    left: frozenset[str]
    taken: tuple[tuple[int, Span], ...]
    frees: bool
    tables: int = attrs.field(init=False)
    _spared: dict[FoundRoom, bool] = attrs.field(init=False, factory=dict)

    @tables.default
    def _all_taken(self) -> int:
        return functools.reduce(operator.or_, (mask for mask, _ in self.taken), 0)

    def spare(self, room: FoundRoom | None, span: Span) -> bool:
        """Whether that room, or that there is none, is still so for a party that blocks its tables for *span*."""
        if room is None:
            return not (self.frees or self.left)
        known = self._spared.get(room)
        if known is None:
            known = self._spared[room] = self.left.isdisjoint(room.movers) and not any(
                self._takes(place, mover.span) for mover, place in room.moves
            )
        return known and not self._takes(room.place, span)

    def _takes(self, place: int, span: Span) -> bool:
        """Whether somebody has come to these tables for some of *span*."""
        if not place & self.tables:
            return False
        return any(mask & place and span[0] < end and start < span[1] for mask, (start, end) in self.taken)


class Parties:
    """
    Who is on a floor.

    Args:
        floor: The floor.

        seatings: What is known of the venue.

    Attributes:
        movable: Those who could move, by the ids of their bookings.

        fixed: For each span, the tables of the others, as a mask.
    """

    def __init__(self, floor: FloorSnapshot, seatings: CandidateSeatings) -> None:
        self.movable = {party.request.booking.id: party for party in floor.sitting}
        self.fixed = floor.held.spans
        self._floor = floor
        self._seatings = seatings
        self._since: weakref.WeakKeyDictionary[Parties, Changes] = weakref.WeakKeyDictionary()

    def are_among(self, others: Parties) -> bool:
        """Whether nobody of them would have more room on the floor of *others*."""
        return self is others or not others.since(self).frees

    def are(self, others: Parties) -> bool:
        """Whether they are the same, at the same tables."""
        changes = self.since(others)
        return not (changes.left or changes.taken or changes.frees)

    def since(self, before: Parties) -> Changes:
        """What has changed, seen from *before*."""
        known = self._since.get(before)
        if known is None:
            known = self._since[before] = self._changes(before)
        return known

    def _changes(self, before: Parties) -> Changes:
        left, frees, there = set(), False, self.movable.get
        for booking_id, party in [known for known in before.movable.items() if there(known[0]) is not known[1]]:
            now = there(booking_id)
            if now is None or not self._asks_as(now, party):
                left.add(booking_id)
                frees = True
            elif now.tables != party.tables:
                left.add(booking_id)
                frees = frees or not (self._sits_as_offered(now) and self._sits_as_offered(party))
        came = self.movable.keys() & (left | (self.movable.keys() - before.movable.keys()))
        parties = map(self.movable.__getitem__, came)
        taken = [(self._floor.home(party), span_of(party.request)) for party in parties]
        taken += _beyond(self.fixed, before.fixed)
        frees = frees or any(_beyond(before.fixed, self.fixed))
        return Changes(frozenset(left), tuple(taken), frees)

    def _asks_as(self, party: Sitting, before: Sitting) -> bool:
        """Whether it asks for the same. Where tables were released to it in between, it could sit elsewhere, too."""
        one, other = party.request, before.request
        if one.booking is not other.booking and not one.booking.same_request(other.booking):
            return False
        if one.not_before != other.not_before and self._seatings.choice(one) is not self._seatings.choice(other):
            return False
        return one.blocked is other.blocked or one.blocked == other.blocked

    def _sits_as_offered(self, party: Sitting) -> bool:
        """Whether the engine would give it its tables. Who has others keeps them or moves to some, so they count."""
        return self._floor.home(party) in self._seatings.choice(party.request).places


def _beyond(one: dict[Span, int], other: dict[Span, int]) -> Iterator[tuple[int, Span]]:
    """The tables of the *one* that the *other* does not have for the same span."""
    for span, mask in one.items():
        more = mask & ~other.get(span, 0)
        if more:
            yield more, span
