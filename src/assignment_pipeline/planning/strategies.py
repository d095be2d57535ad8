"""Strategies that come with the engine; hosts write theirs in the same form."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from assignment_pipeline.domain.floor import Seating
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest


@attrs.frozen
class ZonePreference:
    """
    Prefers some zones to others.

    Attributes:
        costs: What a seating in a zone costs more, in wasted seats; zones that are not named cost nothing.
    """

    costs: Mapping[str, float] = attrs.field(converter=dict, hash=False)
    name: str = "zone_preference"

    def weigh(
        self,
        request: SeatingRequest,  # noqa: ARG002 - the form of every strategy
        seating: Seating,
        floor: FloorSnapshot,  # noqa: ARG002 - the form of every strategy
    ) -> float | None:
        """The dearest of the zones that the seating stands in."""
        return max(self.costs.get(table.zone or "", 0.0) for table in seating.tables)


@attrs.frozen
class ZoneBalance:
    """
    Spreads parties over the zones, so that no waiter has all the work.

    Attributes:
        weight: What a seating in a full zone costs more than one in an empty zone, in wasted seats.
    """

    weight: float = 1.0
    name: str = "zone_balance"

    def weigh(self, request: SeatingRequest, seating: Seating, floor: FloorSnapshot) -> float | None:
        """The share of the zone's tables that are taken at the time, times the weight."""
        zones = {table.zone for table in seating.tables}
        busy = floor.occupancy.busy(request.blocked)
        there = [place for place, table in enumerate(floor.venue.floor.tables) if table.zone in zones and table.active]
        return self.weight * sum(busy >> place & 1 for place in there) / len(there)
