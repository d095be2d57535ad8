"""What a planner is compared with: first fit and plain best fit, over the engine's seatings and bit sets."""

from __future__ import annotations

from typing import ClassVar

from assignment_pipeline.domain.floor import Seating
from assignment_pipeline.domain.result import Decision, Plan, Reason
from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest


def _free(request: SeatingRequest, floor: FloorSnapshot) -> list[Seating]:
    """Every seating that takes the party where it wants to sit, and is free."""
    busy = floor.occupancy.busy(request.blocked)
    booking = request.booking
    return [
        seating
        for seating in floor.venue.candidates(booking.party_size)
        if not seating.mask & busy and seating.grants(booking)
    ]


def _decision(seating: Seating | None, party_size: int, strategy: str) -> Decision:
    if seating is None:
        return Decision(refusal=Reason.NO_FIT)
    waste = float(seating.capacity - party_size)
    return Decision(plan=Plan(seating.table_ids, waste, {"waste": waste}, strategy))


class FirstFit:
    """The first free table in the floor's order that takes the party; if there is none, the first combination."""

    name: ClassVar[str] = "first-fit"

    def plan(self, request: SeatingRequest, floor: FloorSnapshot) -> Decision:
        """The first tables for *request*."""
        order = floor.venue.floor.positions
        found = min(
            _free(request, floor),
            key=lambda seating: (len(seating.tables), [order[table.id] for table in seating.tables]),
            default=None,
        )
        return _decision(found, request.booking.party_size, self.name)


class BestFit:
    """The free seating with the fewest empty seats, of these the one with the fewest tables, and the first of those."""

    name: ClassVar[str] = "best-fit"

    def plan(self, request: SeatingRequest, floor: FloorSnapshot) -> Decision:
        """The tightest tables for *request*."""
        order = floor.venue.floor.positions
        found = min(
            _free(request, floor),
            key=lambda seating: (
                seating.capacity,
                len(seating.tables),
                [order[table.id] for table in seating.tables],
            ),
            default=None,
        )
        return _decision(found, request.booking.party_size, self.name)
