"""Where a party may sit, for tiers 2 and 3: movable parties that sit there now do not count."""

from __future__ import annotations

from collections.abc import Sequence

from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest, Strategy
from assignment_pipeline.planning.candidate_seatings import CandidateSeatings
from assignment_pipeline.planning.costs import weigh
from assignment_pipeline.planning.options import Option


class Offers:
    """
    The places on one floor, as `Options`.

    Args:
        seatings: What is known of the venue.

        floor: Who sits where.

        strategies: The host's; what they forbid is no option, and what they add is in the cost.
    """

    def __init__(self, seatings: CandidateSeatings, floor: FloorSnapshot, strategies: tuple[Strategy, ...]) -> None:
        self._seatings = seatings
        self._floor = floor
        self._strategies = strategies
        self._known: dict[object, Sequence[Option]] = {}

    def __call__(self, request: SeatingRequest) -> Sequence[Option]:
        """
        Where the party may sit, the cheapest first.

        Raises:
            StrategyFaultError: A strategy raised, or answered what is no cost.
        """
        held = self._floor.held_from(request)
        # What strategies say may depend on all of the request; the rest does on who may sit where, and what is held.
        choice = self._seatings.choice(request)
        key = request.booking.id if self._strategies else (id(choice), held)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = (
                self._weighed(request, held)
                if self._strategies
                else [option for option in choice.options if not option.seating.mask & held]
            )
        return known

    def _weighed(self, request: SeatingRequest, held: int) -> list[Option]:
        found = []
        for candidate in self._seatings.gather(request, self._floor, self._strategies).candidates:
            if not candidate.mask & held:
                cost = candidate.cost
                for strategy in self._strategies:
                    extra = weigh(strategy, request, candidate.seating, self._floor)
                    if extra is None:
                        break
                    cost += extra
                else:
                    found.append(Option(candidate.seating, cost))
        return sorted(found, key=lambda option: option.cost)
