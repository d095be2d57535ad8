"""Decisions that are made on one snapshot, one after the other, and land together."""

from __future__ import annotations

import attrs

from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.landing import ToCommit
from assignment_pipeline.planning.base import Occupancy
from assignment_pipeline.ports import AssignmentContext


@attrs.define
class Together:
    """
    What has been decided on a snapshot, and the snapshot as it will be.

    Attributes:
        loaded: The snapshot, with the tables and arrivals that were decided on.

        occupancy: What is taken of it.

        writes: For each booking that something is to be written of, its call and what.
    """

    loaded: AssignmentContext
    occupancy: Occupancy = attrs.field(init=False)
    writes: dict[str, tuple[Call, ToCommit]] = attrs.field(factory=dict)

    @occupancy.default
    def _as_loaded(self) -> Occupancy:
        return Occupancy(self.loaded.venue.floor.bits, self.loaded.taken)

    def add(self, call: Call, decided: ToCommit) -> None:
        """Take note of a decision: those that follow find its tables taken."""
        record = decided.change.record
        self.writes[record.booking_id] = call, decided
        if record.allocation is None:
            return
        self.occupancy = self.occupancy.joined_by(record.seats_as_written())
        self.loaded = attrs.evolve(self.loaded, taken=self.occupancy.rows)
        if record.arrival is not None and self.loaded.venue.policy.pacing:
            self.loaded = attrs.evolve(self.loaded, arrivals=(*self.loaded.arrivals, record.arrival))
