"""What legacy answers for: it counts as taken, whoever gave it away, and what it was handed is due."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.errors import TableConflictError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import AssignmentStore, LoadQuery
from assignment_pipeline.testing.clock import FakeClock
from assignment_pipeline.testing.contracts.suite import StoreSuite
from assignment_pipeline.testing.store_harness import CONFIRM, DINNER, HOUR, QUEUE, make_booking

LEGACY = Owner.LEGACY
MINUTE = dt.timedelta(minutes=1)


class Legacys(StoreSuite):
    """Handovers, and tables that are conflicted."""

    def give_away(self, store: AssignmentStore, booking_id: str, *tables: str) -> AssignmentRecord:
        """Have legacy answer for a booking at tables that others may have."""
        return self.commit(store, make_booking(booking_id), *CONFIRM, tables=tables, owner=LEGACY, conflicted=True)

    def test_what_legacy_was_handed_is_due(self, store: AssignmentStore, clock: FakeClock) -> None:
        """In progress and not answered in time, it is claimed as any is; and not once that is over."""
        booking = make_booking()
        self.commit(store, booking, *QUEUE, Trigger.BEGIN, owner=LEGACY, next_attempt_at=clock.now() + MINUTE)
        assert store.due(10) == ()
        clock.advance(MINUTE)
        assert [(due.booking_id, due.deliveries) for due in store.due(10)] == [("b-1", 1)]
        self.commit(store, booking, Trigger.SEAT, Trigger.CONFIRM, tables=("T1",), next_attempt_at=clock.now())
        assert store.due(10) == ()

    def test_legacys_tables_are_taken_and_stay(self, store: AssignmentStore) -> None:
        """Planning sees them, and that nobody may be moved; a commit is refused for them."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",), owner=LEGACY)
        context = store.load(LoadQuery(restaurant_id="r-1", bookings=(make_booking("b-2"),)))
        assert context is not None
        assert [(seat.table_id, seat.booking_id, seat.movable) for seat in context.taken] == [("T1", "b-1", False)]
        with pytest.raises(TableConflictError):
            self.commit(store, make_booking("b-2"), *CONFIRM, tables=("T1",))

    def test_conflicted_tables_may_be_taken_by_others(self, store: AssignmentStore) -> None:
        """What legacy gave away twice is written for both, and read as it was written."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        record = self.give_away(store, "b-2", "T1", "T2")
        third = self.give_away(store, "b-3", "T1")
        assert self.record(store, "b-2") == record
        assert self.record(store, "b-3") == third
        assert self.taken(store) == {("T1", "b-1"), ("T1", "b-2"), ("T2", "b-2"), ("T1", "b-3")}

    def test_conflicted_tables_keep_others_off(self, store: AssignmentStore) -> None:
        """Whoever comes later finds them taken, until the last has gone."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        self.give_away(store, "b-2", "T1")
        self.commit(store, make_booking("b-1"), Trigger.CANCEL)
        with pytest.raises(TableConflictError) as caught:
            self.commit(store, make_booking("b-3"), *CONFIRM, tables=("T1",))
        assert caught.value.table_ids == ("T1",)
        self.commit(store, make_booking("b-4", at=DINNER + 2 * HOUR), *CONFIRM, tables=("T1",))
        self.commit(store, make_booking("b-2"), Trigger.CANCEL, allocation=None)
        self.commit(store, make_booking("b-3"), *CONFIRM, tables=("T1",))

    def test_conflicted_tables_become_ones_own_only_when_they_are_free(self, store: AssignmentStore) -> None:
        """Who is to have them like anybody else is refused while somebody has them, in conflict or not."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        record = self.give_away(store, "b-2", "T1")
        self.give_away(store, "b-3", "T1")
        assert record.allocation is not None
        own = attrs.evolve(record.allocation, conflicted=False)
        for gone in ("b-1", "b-3"):
            with pytest.raises(TableConflictError):
                self.commit(store, make_booking("b-2"), Trigger.MOVE, owner=Owner.PIPELINE, allocation=own)
            self.commit(store, make_booking(gone), Trigger.CANCEL, allocation=None)
        after = self.commit(store, make_booking("b-2"), Trigger.MOVE, owner=Owner.PIPELINE, allocation=own)
        assert self.record(store, "b-2") == after

    def test_conflicted_tables_that_are_given_up_wake_those_that_wait(
        self, store: AssignmentStore, clock: FakeClock
    ) -> None:
        """They may be the last that are in the way."""
        self.give_away(store, "b-1", "T1")
        self.commit(store, make_booking("b-2"), *QUEUE, next_attempt_at=DINNER)
        self.commit(store, make_booking("b-1"), Trigger.CANCEL, allocation=None)
        assert [due.booking_id for due in store.due(10)] == ["b-2"]
        assert clock.now() < DINNER
