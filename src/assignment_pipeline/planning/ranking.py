"""Tier 1: of the seatings that are free, the cheapest."""

from __future__ import annotations

import bisect

import attrs

from assignment_pipeline.domain.result import Plan
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest, Strategy
from assignment_pipeline.planning.candidate_seatings import Candidate, Choice, digest
from assignment_pipeline.planning.costs import Gaps, weigh

ROUNDED = 1e-8
"""More than rounding takes from a cost, or adds to it."""

# Cost, operator's priority turned round, hash, position among the candidates, the candidate, and what was added.
_Scored = tuple[float, int, int, int, Candidate, dict[str, float]]


@attrs.frozen(eq=False)
class Question:
    """
    Where one party could sit.

    Attributes:
        request: The party.

        floor: Who sits where.

        choice: Where it could sit if nobody did.

        strategies: The host's, as far as they have not raised.

        reach: Minutes from which on no gap is too short.
    """

    request: SeatingRequest
    floor: FloorSnapshot
    choice: Choice
    strategies: tuple[Strategy, ...]
    reach: int

    def shifted(self, request: SeatingRequest) -> Question:
        """The same question for another time."""
        return Question(request, self.floor, self.choice, self.strategies, self.reach)

    def best(self, most: int) -> list[Plan]:
        """
        The cheapest free seatings, at most so many.

        Raises:
            StrategyFaultError: A strategy raised, or answered what is no cost.
        """
        request, floor, strategies = self.request, self.floor, self.strategies
        candidates = self.choice.candidates
        busy = floor.occupancy.busy(request.blocked)
        gaps = Gaps(request, floor, self.reach)
        seed = digest(request.booking.id)
        best: list[_Scored] = []
        for place, mask in enumerate(self.choice.masks):
            if mask & busy:
                continue
            candidate = candidates[place]
            # Without strategies nothing makes a seating cheaper than its bound, and candidates come by their bounds.
            if not strategies and len(best) == most and candidate.bound > best[-1][0]:
                break
            added = {"gap": gaps.cost(candidate.places)}
            for strategy in strategies:
                extra = weigh(strategy, request, candidate.seating, floor)
                if extra is None:
                    break
                added[strategy.name] = extra
            else:
                cost = candidate.cost + sum(added.values())
                if len(best) < most or cost < best[-1][0] + ROUNDED:
                    scored = (round(cost, 9), -candidate.priority, seed ^ candidate.salt, place, candidate, added)
                    bisect.insort(best, scored)
                    del best[most:]
        return [
            Plan(candidate.tables, cost, candidate.parts | added, candidate.strategy)
            for cost, _, _, _, candidate, added in best
        ]
