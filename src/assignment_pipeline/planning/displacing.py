"""A short search for room: who has to leave goes where the fewest others have to leave for it, and so on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from assignment_pipeline.planning.base import SeatingRequest, Sitting
from assignment_pipeline.planning.movable_parties import MovableParties, Span, bits, span_of
from assignment_pipeline.planning.options import Arrangement, Option

MOST_MOVES = (10, 16)
"""How many parties move at most to make room for one: what is tried first, and then."""

WAYS = 4
"""How many ways are tried for a party that has to leave: the easiest."""

LOOKS = 12_000
LOOKS_A_PLACE = 2_000
LOOKS_AGAIN = 300
"""
How many places are looked at until it gives up: in all, for each place that the new party could have, and for who has
lost a place in an arrangement.
"""

Moves = tuple[tuple[int, int], ...]
"""Which of the movable parties go, and the tables that each gets."""


class Displacing:
    """
    A search that looks far instead of at everything. It proves nothing, and what it finds may not be the fewest moves.

    Of nine in ten rearrangements that take an exact search, it finds one in a tenth of the time. It takes no clock: on
    one floor it always finds the same.

    Args:
        movable: The parties that may be moved, and where to.
    """

    def __init__(self, movable: MovableParties) -> None:
        self._movable = movable
        self._looks = self._most = 0
        self._known: dict[tuple[int, Span], Arrangement | None] = {}
        self._troubles: dict[int, int] = {}

    def room(self, request: SeatingRequest) -> Arrangement | None:
        """A place for the party, and who goes where; None where none was found."""
        key = id(self._movable.kind_for(request)), span_of(request)
        if key not in self._known:
            self._known[key] = next(filter(None, (self._room(request, most) for most in MOST_MOVES)), None)
        return self._known[key]

    def again(
        self, place: int, span: Span, kept: Mapping[str, int], lost: Iterable[str]
    ) -> tuple[tuple[Sitting, int], ...] | None:
        """
        The moves of an arrangement in which some have lost their places, or None where none were found.

        Args:
            place: The new party's tables, as a mask.

            span: For when it blocks them.

            kept: Who moves, by the ids of their bookings, and the tables that each goes to.

            lost: Who has to leave, and has no place.
        """
        movable, self._looks, self._most = self._movable, LOOKS_AGAIN, MOST_MOVES[-1]
        moves = tuple((movable.numbers[name], mask) for name, mask in kept.items())
        pending = sum(1 << movable.numbers[name] for name in lost)
        placed = ((movable.meeting(span), place), *((movable.meeting(movable.spans[who]), mask) for who, mask in moves))
        settled = self._settled(pending, pending | sum(1 << who for who, _ in moves), placed, ())
        if settled is None:
            return None
        found = ((who, movable.places(who).kind.masks[place]) for who, place in settled)
        return tuple((movable.parties[who], mask) for who, mask in (*moves, *found))

    def _room(self, request: SeatingRequest, most: int) -> Arrangement | None:
        meeting, places = self._movable.meeting(span_of(request)), self._movable.places_for(request)
        masks, sitters, left = places.kind.masks, places.sitters, LOOKS
        self._most = most
        for place in sorted(range(len(masks)), key=lambda place: self._trouble(sitters[place])):
            who = sitters[place]
            if left > 0 and who.bit_count() <= most:
                self._looks = given = min(LOOKS_A_PLACE, left)
                moves = self._settled(who, who, ((meeting, masks[place]),), ())
                if moves is not None:
                    return Arrangement(places.kind.options[place], tuple(map(self._named, moves)))
                left -= given - self._looks
        return None

    def _settled(self, pending: int, gone: int, placed: Moves, moves: Moves) -> Moves | None:
        """
        Places for all that have none.

        Args:
            pending: Who has none, as bits.

            gone: Who has left, as bits.

            placed: Who meets a party that has a new place, and the tables of that.

            moves: Who has moved.
        """
        if not pending or self._looks <= 0:
            return None if pending else moves
        # The party with the fewest free places is first: if it has none, the others need not be tried.
        found = []
        for party in bits(pending):
            ways = self._ways(party, gone, placed)
            if not ways:
                return None
            found.append((sum(not who for _, _, who in ways), len(ways), party, ways))
        _, _, party, ways = min(found)
        masks, meeting = self._movable.places(party).kind.masks, self._movable.meeting(self._movable.spans[party])
        for _, place, who in sorted(ways)[:WAYS]:
            mask, others = masks[place], pending & ~(1 << party)
            settled = self._settled(others | who, gone | who, (*placed, (meeting, mask)), (*moves, (party, place)))
            if settled is not None:
                return settled
        return None

    def _ways(self, party: int, gone: int, placed: Moves) -> list[tuple[int, int, int]]:
        """Where a party could go: the trouble that this makes, the place, and who would have to leave."""
        places = self._movable.places(party)
        self._looks -= len(places.sitters)
        blocked, left = 0, self._most - gone.bit_count()
        for meeting, mask in placed:
            if meeting >> party & 1:
                blocked |= mask
        ways, stay = [], ~gone
        for place, (mask, sitters) in enumerate(zip(places.kind.masks, places.sitters, strict=True)):
            who = sitters & stay
            if not mask & blocked and who.bit_count() <= left:
                ways.append((self._trouble(who), place, who))
        return ways

    def _trouble(self, who: int) -> int:
        """How much it takes to have these leave: those count twice who would find no table free."""
        known = self._troubles.get(who)
        if known is None:
            known = sum([1 if self._movable.places(party).free else 2 for party in bits(who)])
            self._troubles[who] = known
        return known

    def _named(self, move: tuple[int, int]) -> tuple[Sitting, Option]:
        party, place = move
        return self._movable.parties[party], self._movable.places(party).kind.options[place]
