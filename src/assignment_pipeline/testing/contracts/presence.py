"""Parties that sit: what every store keeps of their arrival and departure."""

from __future__ import annotations

import datetime as dt

import attrs

from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import AssignmentStore
from assignment_pipeline.testing.contracts.harness import CONFIRM, StoreSuite, make_booking

SECOND = dt.timedelta(seconds=1)


class Presence(StoreSuite):
    """When parties sat down, and when they left."""

    def sit(
        self, store: AssignmentStore, booking_id: str, seated_at: dt.datetime, left_at: dt.datetime | None = None
    ) -> AssignmentRecord:
        """Have a party that has tables sit down at a time, and leave."""
        record = self.record(store, booking_id)
        assert record is not None
        assert record.booking is not None
        assert record.allocation is not None
        present = attrs.evolve(record.allocation, seated_at=seated_at, left_at=left_at)
        return self.commit(store, record.booking, Trigger.MOVE, allocation=present)

    def test_arrival_and_departure_are_kept(self, store: AssignmentStore) -> None:
        """To the microsecond, at each of the tables and in the history; a party that has not come has neither."""
        booking = make_booking("b-1")
        first = self.commit(store, booking, *CONFIRM, tables=("T1", "T2"))
        assert first.allocation is not None
        assert not first.allocation.sits
        came = booking.start_at + dt.timedelta(microseconds=7)
        sits = self.sit(store, "b-1", came)
        assert sits.allocation is not None
        assert sits.allocation.sits
        assert self.record(store) == sits
        gone = self.sit(store, "b-1", came, came + SECOND)
        assert gone.allocation is not None
        assert not gone.allocation.sits
        assert self.record(store) == gone
        steps = [(step.seated_at, step.left_at) for step in store.history("b-1")[-3:]]
        assert steps == [(None, None), (came, None), (came, came + SECOND)]
