"""What is known of a restaurant on a connection, for as long as nobody else writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow

LONGEST_KNOWN = dt.timedelta(hours=48)
"""For no longer a time is it known what is taken."""


@attrs.frozen(kw_only=True, eq=False)
class LastLook:
    """
    What the last load on a connection has found, or the commit behind it has left.

    All of it is so in each transaction of that connection that has the same `data_version`, until the connection
    writes anything else.

    Attributes:
        version: The `data_version`.

        venue: The restaurant.

        generation: The rollout's generation.

        window: The time for which it is known what is taken; None if for none.

        taken: Our seats in that time, and the staff's blocks.

        records: Records, by id.

        looked_up: The ids of the bookings that have no other record.

        bookings: The host's bookings, by id.

        asked_for: The ids for which it has no others.
    """

    version: int
    venue: Venue
    generation: int
    window: TimeWindow | None
    taken: Sequence[Occupied]
    records: Mapping[str, AssignmentRecord] = {}
    looked_up: Collection[str] = frozenset()
    bookings: Mapping[str, Booking] = {}
    asked_for: Collection[str] = frozenset()

    def taken_in(self, window: TimeWindow) -> list[Occupied]:
        """Those that overlap *window*, which it has to cover."""
        return [row for row in self.taken if row.window.overlaps(window)]

    def covers(self, changes: Sequence[AssignmentChange]) -> bool:
        """Whether it has all that a commit of *changes* compares."""
        for change in changes:
            record = change.record
            if record.restaurant_id != self.venue.id or record.booking_id not in self.looked_up:
                return False
            if change.preconditions is not None and record.booking_id not in self.asked_for:
                return False
            if record.allocation is not None and (
                self.window is None or not self.window.covers(record.allocation.blocked)
            ):
                return False
        return True

    def after(self, records: Mapping[str, AssignmentRecord]) -> LastLook:
        """What is known once *records* have been written."""
        taken = [row for row in self.taken if row.booking_id not in records]
        for record in records.values():
            if record.restaurant_id == self.venue.id:
                taken += record.seats_as_written()
        return attrs.evolve(self, taken=taken, records={}, looked_up=frozenset(), bookings={}, asked_for=frozenset())
