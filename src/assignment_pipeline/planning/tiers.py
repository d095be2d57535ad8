"""What the engine tries when no table is free: to move a few, and then to move whomever it takes."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from assignment_pipeline.domain.policy import Reseat
from assignment_pipeline.planning import exact, repack, reseating
from assignment_pipeline.planning.base import Budget, FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.displacing import Displacing
from assignment_pipeline.planning.movable_parties import MovableParties, span_of
from assignment_pipeline.planning.options import Arrangement, NotPossible, Options
from assignment_pipeline.planning.seat_count import SeatCount
from assignment_pipeline.planning.vacating import Vacating

RESEATING = "reseating"

SHARE = 0.8
"""The share of the second tier's budget that it searches; the rest is for what has to be said about its answer."""


@attrs.frozen
class Room:
    """
    What came of the attempt to make room.

    Attributes:
        arrangement: Who would sit where, or None.

        strategy: What a plan of it is called.

        proved: Whether it is certain that there is none.
    """

    arrangement: Arrangement | None = None
    strategy: str = RESEATING
    proved: bool = False


def make_room(
    request: SeatingRequest,
    floor: FloorSnapshot,
    options: Options,
    budget: Budget,
    *,
    began: float,
    monotonic: Callable[[], float],
    movable: MovableParties | None = None,
    seat_count: SeatCount | None = None,
    displacing: Displacing | None = None,
) -> Room:
    """
    Look for tables that others would have to leave, as far as the policy and the floor let them.

    Args:
        request: The party.

        floor: Who sits where, and who of them may be moved.

        options: Where they may sit.

        budget: For how long to look.

        began: Since when, by the clock.

        monotonic: The clock, in seconds.

        movable: Who may be moved, for a caller that asks about one floor and its options again.

        seat_count: The seats that such a caller has counted.

        displacing: The short searches that such a caller has made.

    Raises:
        StrategyFaultError: A strategy raised, or answered what is no cost.
    """
    # At a communal table any seats do, and not all sets of them are looked at.
    proves = not floor.venue.floor.has_any_seats
    if floor.venue.policy.reseat is Reseat.OFF or not floor.sitting:
        return Room()
    exactly = budget.total > budget.reseating and exact.available()
    total = budget.total.total_seconds()
    seconds = SHARE * min(budget.reseating.total_seconds(), total / 2 if exactly else total)
    movable = movable or MovableParties(floor, options)
    few = reseating.make_room(request, floor, movable, began + seconds, monotonic)
    if few is None and budget.total:  # It gave up. What takes no search is found all the same.
        few = Vacating(floor, movable).arrangement(request)
    if isinstance(few, Arrangement):
        return Room(few)
    if few is NotPossible.PROVED:
        return Room(proved=proves)
    seat_count = seat_count or SeatCount(floor, movable)
    if seat_count.are_too_few(movable.kind_for(request), span_of(request)):
        return Room(proved=floor.complete)
    left = began + total - monotonic()
    if exactly and repack.least_seconds(floor) <= left and exact.is_at_hand(left):
        many = repack.make_room(request, floor, options, left)
        if many.arrangement is not None or many.proved:
            return Room(many.arrangement, repack.REPACK, proved=proves and many.arrangement is None)
    return Room((displacing or Displacing(movable)).room(request) if budget.total else None)
