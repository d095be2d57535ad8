"""What the exact tiers know of a floor: who sits where, and could sit elsewhere."""

from __future__ import annotations

from assignment_pipeline.planning.base import FloorSnapshot, SeatingRequest, Sitting
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

    def open(self, request: SeatingRequest) -> list[Option]:
        """The places that *request* may have, once everybody who may be moved has made room."""
        return list(self._options(request))

    def present(self, party: Sitting) -> int:
        """The tables that a party has, as a mask; those that the floor has no more are left out."""
        return self._floor.home(party)

    def others(self, party: Sitting) -> tuple[float, list[Option]]:
        """
        What a party's own place costs, and the places that it might have instead.

        A place that is not among its options costs nothing: a person put it there for a reason.
        """
        present, found = self.present(party), self.open(party.request)
        now = next((option.cost for option in found if option.seating.mask == present), 0.0)
        return now, [option for option in found if option.seating.mask != present]
