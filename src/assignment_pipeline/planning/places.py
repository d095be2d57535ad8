"""What the exact tiers know of a floor: who sits where, and could sit elsewhere."""

from __future__ import annotations

from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest, Sitting
from assignment_pipeline.planning.occupancy import hit
from assignment_pipeline.planning.options import Option, Options


class Places:
    """
    Where the parties of a floor sit, and may sit.

    Args:
        floor: The floor.

        options: Where a party may sit.

    Attributes:
        sitting: The parties that may be moved, by the ids of their bookings: the order must not decide.
    """

    def __init__(self, floor: FloorSnapshot, options: Options) -> None:
        self._floor = floor
        self._options = options
        self.sitting = sorted(floor.sitting, key=lambda party: party.request.booking.id)
        self._stuck = None if floor.complete else self._held_by_others()

    def _held_by_others(self) -> list[int]:
        """For each table, the minutes at which somebody has it whom nobody named."""
        taken = list(self._floor.occupancy.taken)
        positions = self._floor.venue.floor.positions
        for party in self.sitting:
            minutes = self._floor.occupancy.minutes(party.request.blocked)
            for table_id in party.tables:
                if table_id in positions:
                    taken[positions[table_id]] &= ~minutes
        return taken

    def open(self, request: SeatingRequest) -> list[Option]:
        """The places that *request* may have, once everybody who may be moved has made room."""
        found = self._options(request)
        if self._stuck is None:
            return list(found)
        held = hit(self._stuck, self._floor.occupancy.minutes(request.blocked))
        return [option for option in found if not option.seating.mask & held]

    def present(self, party: Sitting) -> int:
        """The tables that a party has, as a mask; those that the floor has no more are left out."""
        positions = self._floor.venue.floor.positions
        return sum(1 << positions[table_id] for table_id in party.tables if table_id in positions)

    def others(self, party: Sitting) -> tuple[float, list[Option]]:
        """
        What a party's own place costs, and the places that it might have instead.

        A place that is not among its options costs nothing: whoever put it there had a reason.
        """
        present, found = self.present(party), self.open(party.request)
        now = next((option.cost for option in found if option.seating.mask == present), 0.0)
        return now, [option for option in found if option.seating.mask != present]
