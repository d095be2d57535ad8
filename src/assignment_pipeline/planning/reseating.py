"""Tier 2: room for a party by moving a few others to other tables, at their times."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.movable_parties import MovableParties, PartyPlaces, bits, span_of
from assignment_pipeline.planning.options import Arrangement, NotPossible
from assignment_pipeline.planning.vacating import MOST_MOVES

# How many have to leave for it, what it costs, which place it is, and who leaves.
_Way = tuple[int, float, int, int]

MOST_STEPS = 20_000
MORE_STEPS = 300
"""For how long a cheaper arrangement is looked for once there is one."""


def make_room(
    request: SeatingRequest,
    floor: FloorSnapshot,
    movable: MovableParties,
    deadline: float = float("inf"),
    monotonic: Callable[[], float] = time.monotonic,
) -> Arrangement | NotPossible | None:
    """
    Find a place for one more party by moving others.

    All ways with one move are tried, then those with two, and so on up to five, until there is one: of those with
    the fewest moves, the cheapest that it comes across. It gives up after 20,000 steps, or when time is up.

    Args:
        request: The party.

        floor: Who sits where, and who of them may be moved.

        movable: The same parties, and where they may sit.

        deadline: When to give up, by the clock.

        monotonic: The clock, in seconds.

    Returns:
        The arrangement; `NotPossible` where everything was tried, however many were to move, and the floor names all
        that may; None where nothing was found.
    """
    search = _Search(movable, deadline, monotonic)
    places = movable.places_for(request)
    try:
        for most in range(1, MOST_MOVES + 1):
            search.seat(request, places, most)
            if search.found is not None:
                break
            if not search.cut_off:
                return NotPossible.PROVED if floor.complete else None
    except _GivenUpError:
        pass
    if search.found is None:
        return None
    place, moved = search.found
    return Arrangement(
        places.kind.options[place],
        tuple((movable.parties[party], movable.places(party).kind.options[to]) for party, to in sorted(moved)),
    )


class _GivenUpError(Exception):
    """Time is up, or enough was tried."""


@attrs.frozen(eq=False)
class _State:
    """
    Some have left their tables, and some of those have others.

    Attributes:
        pending: Who has none yet, as bits.

        gone: Who has left, as bits.

        placed: Who meets a party that has a new place, and the tables of that.

        left: How many more may leave.

        cost: Of the new places, less that of the old.

        place: Which place the new party has.

        moved: Who has moved, and to which place.
    """

    pending: int
    gone: int
    placed: tuple[tuple[int, int], ...]
    left: int
    cost: float
    place: int
    moved: tuple[tuple[int, int], ...] = ()


class _Search:
    def __init__(self, movable: MovableParties, deadline: float, monotonic: Callable[[], float]) -> None:
        self.movable = movable
        self.found: tuple[int, tuple[tuple[int, int], ...]] | None = None
        self.cut_off = False
        self._deadline = deadline
        self._monotonic = monotonic
        self._steps = MOST_STEPS
        self._cost = float("inf")

    def seat(self, request: SeatingRequest, places: PartyPlaces, most: int) -> None:
        """Try each place for the new party, with so many moves; `cut_off` says whether more would be more to try."""
        self.cut_off = False
        meeting = self.movable.meeting(span_of(request))
        for place in places.order:
            who, left = places.sitters[place], most - places.counts[place]
            if left < 0:
                self.cut_off = True
                break
            placed = ((meeting, places.kind.masks[place]),)
            self._settle(_State(who, who, placed, left, places.kind.options[place].cost, place))

    def _settle(self, state: _State) -> None:
        """Find places for all that have none."""
        self._step()
        if state.cost >= self._cost:
            return
        if not state.pending:
            if self.found is None:
                self._steps = min(self._steps, MORE_STEPS)
            self._cost = state.cost
            self.found = state.place, state.moved
            return
        # The party with the fewest options is first: if it has none, the others need not be tried.
        mover, ways = -1, list[_Way]()
        for party in bits(state.pending):
            its = self._ways(party, state)
            if not its:
                return
            if mover < 0 or len(its) < len(ways):
                mover, ways = party, its
        kind = self.movable.places(mover).kind
        meeting = self.movable.meeting(self.movable.spans[mover])
        home = kind.of.get(self.movable.homes[mover], kind.options[0]).cost
        for count, price, place, who in sorted(ways):
            self._settle(
                _State(
                    pending=state.pending & ~(1 << mover) | who,
                    gone=state.gone | who,
                    placed=(*state.placed, (meeting, kind.masks[place])),
                    left=state.left - count,
                    cost=state.cost + price - home,
                    place=state.place,
                    moved=(*state.moved, (mover, place)),
                )
            )

    def _step(self) -> None:
        self._steps -= 1
        if self._steps < 0 or self._monotonic() >= self._deadline:
            raise _GivenUpError

    def _ways(self, party: int, state: _State) -> list[_Way]:
        """Where a party could go."""
        places = self.movable.places(party)
        options, masks, sitters = places.kind.options, places.kind.masks, places.sitters
        blocked = 0
        for meeting, mask in state.placed:
            if meeting >> party & 1:
                blocked |= mask
        if not state.left:
            ways = [place for place in places.order[: places.free] if not masks[place] & blocked]
            ways += self._vacated(places, state.gone, blocked)
            if not self.cut_off:
                self.cut_off = sum(1 for mask in masks if not mask & blocked) > len(ways)
            return [(0, options[place].cost, place, 0) for place in ways]
        found = []
        stay, most = ~state.gone, state.left + state.gone.bit_count()
        for place in places.order:
            if places.counts[place] > most:
                self.cut_off = True
                break
            if not masks[place] & blocked:
                who = sitters[place] & stay
                leave = who.bit_count()
                if leave <= state.left:
                    found.append((leave, options[place].cost, place, who))
                else:
                    self.cut_off = True
        return found

    def _vacated(self, places: PartyPlaces, gone: int, blocked: int) -> set[int]:
        """The places that were taken, and are free now that some have gone."""
        left = 0
        for party in bits(gone):
            left |= self.movable.homes[party]
        masks, sitters = places.kind.masks, places.sitters
        return {
            place
            for table in bits(left & ~blocked)
            for place in places.kind.at.get(table, ())
            if sitters[place] and not sitters[place] & ~gone and not masks[place] & blocked
        }
