"""The host of ``--db`` where an application keeps the bookings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import FloorPlan, Occupied, Table
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow

_FLOOR = FloorPlan([Table("unknown", 1)])


class AbsentHost:
    """
    An application's side where its code is not at hand.

    What its restaurants are like is not known, their times are in UTC, and nothing can be committed.
    """

    def booking(self, _connection: object, _booking_id: str) -> Booking | None:
        return None

    def venue(self, _connection: object, restaurant_id: str, _known_version: str | None) -> Venue | None:
        return Venue(restaurant_id, "UTC", _FLOOR)

    def occupied(self, _connection: object, _restaurant_id: str, _window: TimeWindow) -> Iterable[Occupied]:
        return ()

    def unassigned(self, _connection: object, _since: dt.datetime, _limit: int) -> Iterable[Booking]:
        return ()

    def on_commit(self, _connection: object, _changes: Sequence[AssignmentChange]) -> None:
        """
        See `OnCommit`.

        Raises:
            BadInputError: Always. The application's own rows would not follow.
        """
        refuse("--db", "a database without an application's bookings", "one that only the application writes to")
