"""What the last load on a connection has found, for a commit on the same connection that comes next."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import attrs

from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.ports import AssignmentContext, LoadQuery


@attrs.frozen(eq=False)
class Seen:
    """
    What a load has found.

    Attributes:
        query: What was asked.

        window: The time for which it was asked what is taken; None if for none.

        context: The answer.
    """

    query: LoadQuery
    window: TimeWindow | None
    context: AssignmentContext

    def covers(self, changes: Sequence[AssignmentChange]) -> bool:
        """Whether it has all that a commit of *changes* compares. Where a party sits, its time depends on the clock."""
        context, window = self.context, self.window
        looked_up = {*self.query.ids, *context.records}
        asked_of_host = self.query.asked_of_host(context.records)
        for change in changes:
            record = change.record
            if record.restaurant_id != context.venue.id or record.booking_id not in looked_up:
                return False
            if change.preconditions is not None and record.booking_id not in asked_of_host:
                return False
            if record.allocation is not None and (window is None or not window.covers(record.allocation.blocked)):
                return False
        return not any(row.sits for row in context.taken)

    def records(self, booking_ids: Collection[str]) -> dict[str, AssignmentRecord]:
        """The records of those bookings, by id, where there are any."""
        known = self.context.records
        return {booking_id: known[booking_id] for booking_id in booking_ids if booking_id in known}

    def taken_beside(self, booking_ids: Collection[str]) -> list[Occupied]:
        """What is taken, and not by one of those bookings."""
        return [row for row in self.context.taken if row.booking_id not in booking_ids]
