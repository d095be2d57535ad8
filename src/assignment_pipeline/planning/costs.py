"""What a seating costs: what is known of it for good, and what the host's strategies add. `question` adds the gaps."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator

from assignment_pipeline.domain.floor import Seating
from assignment_pipeline.domain.periods import minutes_of
from assignment_pipeline.domain.policy import VenuePolicy
from assignment_pipeline.domain.rows import RowOfSeats
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest, Strategy

SLOT_MINUTES = 5
FAIR_SLOTS = 4
"""What is lost on average where nobody is near: less than an awkward gap, more than none."""

MOST_DEMAND = 20

LAST = 10_000.0
"""What a seating costs that is given only when nothing else will do, in wasted seats."""

ORPHAN, PARTED, LOOSE = 1.0, 0.3, 0.1
"""
What a place at a counter costs, in wasted seats: for each seat that is left alone beside it, for free seats on both
sides, and for free seats on any.
"""

MOST_PROPOSED = 1000
"""Seatings that a strategy may propose to one booking."""

PROPOSING = 1.0
"""Seconds that it may take for that, looked at between two of them."""


class StrategyFaultError(Exception):
    """A strategy raised, answered what is no cost, or did not come to an end with what it proposes."""

    def __init__(self, strategy: Strategy) -> None:
        super().__init__(strategy.name)
        self.strategy = strategy


def lasting_parts(venue: Venue, seating: Seating, party_size: int, ahead: int | None) -> dict[str, float]:
    """The parts of the cost that do not depend on who sits where, by their names."""
    weights, positions = venue.policy.weights, venue.floor.positions
    row = seating.row
    demand = sum([min(venue.demand[positions[table.id]], MOST_DEMAND) for table in seating.tables])
    last = {"last": LAST} if seating.is_last(ahead) else {}
    return last | {
        "waste": weights.waste * seating.empty_seats(party_size),
        "join": 0.0 if row else weights.join * (len(seating.tables) - 1),
        "scarcity": weights.scarcity * demand,
    }


def orphans(row: RowOfSeats, mask: int, busy: int) -> float:
    """
    What it costs to leave seats of a counter alone, or in two parts; at a communal table it is a matter of comfort.

    Args:
        row: The counter or communal table.

        mask: The party's seats.

        busy: The seats that others have meanwhile.
    """
    left, right = row.beside(mask, busy)
    alone = (left == 1) + (right == 1)
    return ORPHAN * alone + PARTED * (left > 0 and right > 0) + LOOSE * (left + right > 0)


def least_gap(venue: Venue, seating: Seating) -> float:
    """The least that gaps can cost at a seating: with a neighbour on both sides, and no time between."""
    return -2 * FAIR_SLOTS * venue.policy.weights.gap * sum([table.capacity for table in seating.tables])


def sale_minutes(policy: VenuePolicy, party_size: int) -> int:
    """How long a table has to be free to seat a party of that size, with its buffers."""
    return policy.pre_buffer_minutes + minutes_of(policy.turn_bands, party_size) + policy.post_buffer_minutes


def places(venue: Venue, seating: Seating) -> tuple[tuple[int, int, int], ...]:
    """The tables of a seating in the form that `Gaps` wants."""
    positions, policy = venue.floor.positions, venue.policy
    return tuple(
        [(1 << positions[table.id], table.capacity, sale_minutes(policy, table.capacity)) for table in seating.tables]
    )


def weigh(strategy: Strategy, request: SeatingRequest, seating: Seating, floor: FloorSnapshot) -> float | None:
    """
    What the strategy adds to the cost of *seating*, or None if it forbids it.

    Raises:
        StrategyFaultError: It raised, or answered anything else.
    """
    try:
        extra = strategy.weigh(request, seating, floor)
        if extra is None or math.isfinite(extra):
            return extra
    except Exception as error:
        raise StrategyFaultError(strategy) from error
    raise StrategyFaultError(strategy)


def proposals(
    request: SeatingRequest, floor: FloorSnapshot, strategies: Iterable[Strategy]
) -> Iterator[tuple[Strategy, Seating]]:
    """
    The seatings that strategies propose, each with who does.

    Raises:
        StrategyFaultError: One of them raised, or proposed anything else, or too much, or took too long.
    """
    for strategy in strategies:
        propose = getattr(strategy, "propose", None)
        if propose is None:
            continue
        try:
            seatings = _all_of(propose(request, floor))
        except Exception as error:
            raise StrategyFaultError(strategy) from error
        for seating in seatings:
            if not isinstance(seating, Seating):
                raise StrategyFaultError(strategy)
            yield strategy, seating


def _all_of(proposed: Iterable[Seating]) -> list[Seating]:
    """What is proposed, as long as that comes to an end."""
    found: list[Seating] = []
    until = time.monotonic() + PROPOSING
    for seating in proposed:
        found.append(seating)
        if len(found) > MOST_PROPOSED or time.monotonic() > until:
            msg = (
                f"propose: expected at most {MOST_PROPOSED} seatings within {PROPOSING:g} s, got {len(found)} and more"
            )
            raise ValueError(msg)
    return found
