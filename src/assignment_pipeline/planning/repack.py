"""The third tier: room for one more by moving the fewest of the others, or the proof that there is none."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence

import attrs

from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest
from assignment_pipeline.planning.exact import Model, Proof, Solution
from assignment_pipeline.planning.options import Arrangement, Option, Options
from assignment_pipeline.planning.places import Places

REPACK = "repack"

CENT = 0.01
"""The part of a wasted seat to which costs are compared, where the moves are as many."""


PLACES_A_SECOND = 100_000
"""
How many pairs of a party and a seating are proved impossible in a second.

Measured with highspy 1.16 on full evenings: 10 ms of processor time with 20 tables, 20 with 30, 100 with 60; half as
much again allows for slower machines. HiGHS looks at its time limit rarely, so what may not end is not begun.
"""


def least_seconds(floor: FloorSnapshot) -> float:
    """How long it takes at least to prove on that floor that nobody could make room, in seconds."""
    return len(floor.sitting) * len(floor.venue.seatings) / PLACES_A_SECOND


@attrs.frozen(eq=False)
class Repack:
    """
    What became of an attempt to make room.

    Attributes:
        arrangement: Who moves where, or None.

        proved: That none moves fewer parties or, without an arrangement, that there is none. False where the time ran
            out, or where not everybody who may be moved is known.
    """

    arrangement: Arrangement | None
    proved: bool


def make_room(request: SeatingRequest, floor: FloorSnapshot, options: Options, seconds: float) -> Repack:
    """
    A place for *request* that moves as few of ``floor.sitting`` as possible, and of these arrangements a cheap one.

    A party that sits at another time than the request is first taken to be able to leave without a place to go to:
    that makes the model small, and what it answers is a bound. Then such parties stay where they are, and only where
    that is no answer, or not known to be the best, everybody may move.

    Args:
        request: Who has no table.

        floor: Who sits where.

        options: Where a party may sit.

        seconds: For how long to look.

    Raises:
        MissingExtraError: The solver is not installed.
    """
    deadline = time.monotonic() + seconds
    places = Places(floor, options)
    mine = places.open(request)
    if not mine:
        return Repack(None, floor.complete)
    everybody = range(len(places.sitting))
    around = {place for place, party in enumerate(places.sitting) if party.request.blocked.overlaps(request.blocked)}
    bound = 0.0
    best: _Room | None = None
    for active, leaving in ((around, True), (around, False), (everybody, False)):
        room = _Room(request, mine, places, active, leaving=leaving)
        room.solve(deadline)
        if room.answer.verdict is Proof.UNKNOWN:  # The time is up.
            break
        if leaving or active is everybody:  # No arrangement takes fewer moves than this one's bound.
            if room.answer.verdict is Proof.IMPOSSIBLE:
                return Repack(None, floor.complete)
            bound = max(bound, room.answer.bound)
        if not room.sends_away:
            best = _better(best, room)
        if best is not None and best.answer.cost <= bound:
            break
    if best is None or not best.answer.chosen:
        return Repack(None, proved=False)
    proved = floor.complete and best.answer.cost <= bound
    best.cheapen(deadline)
    return Repack(best.arrangement, proved)


class _Room:
    """
    A model of the floor with one party more.

    Attributes:
        answer: What the solver found.
    """

    def __init__(
        self,
        request: SeatingRequest,
        mine: Sequence[Option],
        places: Places,
        active: Collection[int],
        *,
        leaving: bool,
    ) -> None:
        self.answer = Solution(Proof.UNKNOWN)
        self._model = Model()
        self._sitting = places.sitting
        # For each binary, whose it is (the request's is None), where it sits then, and what that costs more than now.
        self._meaning: list[tuple[int | None, Option | None, float]] = [(None, option, option.cost) for option in mine]
        self._model.party(request.blocked, [(option.seating.mask, 0) for option in mine], seated=False)
        for place, party in enumerate(places.sitting):
            present = places.present(party)
            moves: list[tuple[int, float]] = []
            self._meaning.append((place, None, 0.0))
            if place in active:
                now, others = places.others(party)
                moves = [(option.seating.mask, 1) for option in others]
                self._meaning += [(place, option, option.cost - now) for option in others]
            elif leaving:
                moves = [(0, 1)]
                self._meaning.append((place, None, 0.0))
            self._model.party(party.request.blocked, [(present, 0), *moves], seated=True)

    def solve(self, deadline: float) -> None:
        """
        Look for the fewest moves.

        Moves count even where any number of them would do: costs lead the solver. Where it had to find just any
        arrangement on a full floor of 60 tables, it found none in five seconds, and with costs one in half a second.
        """
        self.answer = self._model.solve(deadline - time.monotonic())

    def cheapen(self, deadline: float) -> None:
        """Look for a lower cost with as many moves as were found, and nobody leaving, for as long as it is easy."""
        model, fewest = self._model, self.answer
        leaving = [binary for binary, cost in enumerate(model.costs) if cost and self._meaning[binary][1] is None]
        model.row(range(len(model.costs)), model.costs, most=fewest.cost)
        model.row(leaving, most=0)
        model.costs = [round(cost / CENT) for _, _, cost in self._meaning]
        cheapest = model.solve(deadline - time.monotonic(), start=sorted(fewest.chosen), nodes=1)
        if cheapest.chosen:
            self.answer = cheapest

    @property
    def sends_away(self) -> bool:
        """Whether parties leave without a place to go to."""
        costs, meaning = self._model.costs, self._meaning
        return any(costs[binary] and meaning[binary][1] is None for binary in self.answer.chosen)

    @property
    def arrangement(self) -> Arrangement:
        """What was found."""
        chosen = [self._meaning[binary] for binary in sorted(self.answer.chosen)]
        [own] = [option for place, option, _ in chosen if place is None and option is not None]
        moves = [(self._sitting[place], option) for place, option, _ in chosen if place is not None and option]
        return Arrangement(own, tuple(moves))


def _better(one: _Room | None, other: _Room) -> _Room | None:
    """Whichever found fewer moves."""
    if not other.answer.chosen:
        return one
    return other if one is None or other.answer.cost < one.answer.cost else one
