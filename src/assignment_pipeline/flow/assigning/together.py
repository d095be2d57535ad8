"""Decisions that are made on one snapshot, one after the other, and land together."""

from __future__ import annotations

import attrs

from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.landing import ToCommit
from assignment_pipeline.ports import AssignmentContext


@attrs.define
class Together:
    """
    What has been decided on a snapshot, and the snapshot as it will be.

    Attributes:
        loaded: The snapshot, with the tables and arrivals that were decided on.

        writes: For each booking that something is to be written of, its call and what.
    """

    loaded: AssignmentContext
    writes: dict[str, tuple[Call, ToCommit]] = attrs.field(factory=dict)

    def add(self, call: Call, decided: ToCommit) -> None:
        """Take note of a decision: those that follow find its tables taken."""
        record = decided.change.record
        self.writes[record.booking_id] = call, decided
        if record.allocation is None:
            return
        self.loaded = attrs.evolve(self.loaded, taken=(*self.loaded.taken, *record.seats_as_written()))
        if record.arrival is not None and self.loaded.venue.policy.pacing:
            self.loaded = attrs.evolve(self.loaded, arrivals=(*self.loaded.arrivals, record.arrival))
