"""What a store that people look at promises."""

from __future__ import annotations

import datetime as dt

import attrs

from assignment_pipeline.domain.record import AttemptResult
from assignment_pipeline.domain.trail import BookingTrail
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import AssignmentStore, AuditStore
from assignment_pipeline.testing.clock import START, FakeClock
from assignment_pipeline.testing.contracts.suite import StoreSuite
from assignment_pipeline.testing.store_harness import CONFIRM, DINNER, HOUR, StoreHarness, make_booking, make_venue

SECOND = dt.timedelta(seconds=1)


class AuditStoreContract(StoreSuite):
    """The suite for an `AuditStore` that is an `AssignmentStore`; its fixtures are those of that one's."""

    def audits(self, store: AssignmentStore) -> AuditStore:
        """The store, as people look at it."""
        found: AuditStore = store  # type: ignore[assignment]
        return found

    def seen(self, store: AssignmentStore, at: dt.datetime, restaurant_id: str = "r-1") -> dict[str, tuple[str, ...]]:
        """The tables of each booking that had some around a time."""
        found = self.audits(store).whereabouts(restaurant_id, at)
        assert [one.booking_id for one in found] == sorted(one.booking_id for one in found)
        return {one.booking_id: one.step.tables for one in found}

    def test_a_trail_has_all_that_is_kept(
        self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock
    ) -> None:
        """The record, the host's booking, transitions with actors, attempts and events, each in order."""
        booking = make_booking()
        harness.put_booking(booking)
        for other in ("b-0", "b-2"):
            self.commit(store, make_booking(other), *CONFIRM[:2], attempt=AttemptResult.FAILURE)
        self.commit(store, booking, *CONFIRM[:2], attempt=AttemptResult.FAILURE, change_id="first")
        record = self.commit(
            store, booking, *CONFIRM[2:], tables=["T1"], attempt=AttemptResult.SUCCESS, change_id="second", actor="ann"
        )
        trail = self.audits(store).trail("b-1")
        assert trail.now == clock.now()
        assert trail.record == record
        assert trail.booking is not None
        assert trail.booking.same_request(booking)
        assert trail.history == store.history("b-1")
        assert [step.actor for step in trail.history] == [None, None, "ann", "ann", "ann"]
        turn = record.allocation.turn if record.allocation else None
        assert [step.turn for step in trail.history] == [None, None, None, turn, turn]
        assert [(one.number, one.result, one.created_at) for one in trail.attempts] == [
            (1, "failure", START),
            (2, "success", START),
        ]
        assert trail.attempts[0].metadata == {"waste": 0.5, "rules": "Zoë's"}
        assert [event.id for event in trail.events] == ["e-first", "e-second"]
        assert trail.events[1].context == {"attempts": 2}

    def test_what_nobody_knows_has_an_empty_trail(self, store: AssignmentStore, clock: FakeClock) -> None:
        """It is not an error: who asks decides."""
        assert self.audits(store).trail("b-1") == BookingTrail(now=clock.now())

    def test_whereabouts_are_as_they_were(self, store: AssignmentStore) -> None:
        """The last transition until the time, whatever came later; the time itself counts."""
        booking = make_booking()
        self.commit(store, booking, *CONFIRM, tables=["T1"], now=START)
        self.commit(store, booking, Trigger.MOVE, tables=["T2", "T3"], now=START + HOUR)
        self.commit(store, booking, Trigger.CANCEL, now=START + 2 * HOUR)
        assert self.seen(store, START - SECOND) == {}
        assert self.seen(store, START) == {"b-1": ("T1",)}
        assert self.seen(store, START + HOUR - SECOND) == {"b-1": ("T1",)}
        assert self.seen(store, START + HOUR) == {"b-1": ("T2", "T3")}
        assert self.seen(store, START + 2 * HOUR) == {}
        (found,) = self.audits(store).whereabouts("r-1", START)
        assert found.booking == attrs.evolve(booking, attributes={})
        assert (found.step.version, found.step.turn_start_at) == (5, booking.start_at)

    def test_whereabouts_are_of_one_restaurant_and_time(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Bookings elsewhere, or on other days, are left out; who was at another restaurant stays there."""
        harness.put_venue(make_venue("r-2"))
        for name, days in (("b-past", -3), ("b-0", 0), ("b-late", 3)):
            at = DINNER + dt.timedelta(days=days)
            self.commit(store, make_booking(name, at=at), *CONFIRM, tables=["T1"])
        elsewhere = make_booking("b-1", restaurant_id="r-2")
        self.commit(store, elsewhere, *CONFIRM, tables=["T1"])
        assert self.seen(store, DINNER) == {"b-0": ("T1",)}
        assert self.seen(store, DINNER, "r-2") == {"b-1": ("T1",)}
        moved = make_booking("b-1")
        self.commit(store, moved, Trigger.MOVE, tables=["T2"], now=DINNER)
        assert self.seen(store, DINNER) == {"b-0": ("T1",), "b-1": ("T2",)}
        assert self.seen(store, DINNER - SECOND, "r-2") == {"b-1": ("T1",)}
        assert self.seen(store, DINNER, "r-2") == {}
