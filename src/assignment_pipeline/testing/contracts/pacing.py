"""What every store promises of caps on arrivals: who counts, and that no commit goes beyond one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.pacing import ArrivingParty, PacingCap, PacingRule
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import StaleRecordError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import AssignmentStore, LoadQuery
from assignment_pipeline.testing.clock import FakeClock
from assignment_pipeline.testing.contracts.suite import StoreSuite
from assignment_pipeline.testing.store_harness import (
    CONFIRM,
    DINNER,
    HOLD,
    HOUR,
    QUEUE,
    StoreHarness,
    make_block,
    make_booking,
    make_change,
    make_venue,
)

QUARTER = dt.timedelta(minutes=15)
SLOT = TimeWindow(DINNER, DINNER + QUARTER)


def capped(minutes: int = 15, **policy: Any) -> Venue:
    """The restaurant, with a rule of pacing."""
    return make_venue(pacing=[PacingRule(minutes=minutes, covers=4)], **policy)


def cap(*spans: TimeWindow, **limits: Any) -> PacingCap:
    """A cap on the arrivals of the slot from dinner on, unless other times are given."""
    return PacingCap(spans=spans or (SLOT,), **limits)


class Pacing(StoreSuite):
    """Caps on arrivals: counted with all who have tables, in the transaction that adds one."""

    def arrive(self, store: AssignmentStore, booking: Booking, table: str, *caps: PacingCap, **how: Any) -> None:
        """Give the booking a table, as far as the caps allow."""
        before = self.record(store, booking.id)
        triggers = CONFIRM if before is None else (Trigger.MOVE,)
        facts = {"preconditions": self.assume(store, booking, caps=caps), "tables": (table,), **how}
        store.commit([make_change(booking, *triggers, before=before, **facts)])

    def refused(self, store: AssignmentStore, booking: Booking, table: str, *caps: PacingCap) -> None:
        """Have the booking refused a table for the caps, and for nothing else."""
        before = self.record(store, booking.id)
        with pytest.raises(StaleRecordError) as error:
            self.arrive(store, booking, table, *caps)
        assert (error.value.booking_id, error.value.what) == (booking.id, "pacing")
        assert self.record(store, booking.id) == before

    # -- Who is loaded ---------------------------------------------------------------------------------------------

    def test_who_has_tables_arrives(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Held, confirmed or legacy's: with its time, its guests and its channel; who waits does not arrive."""
        harness.put_venue(capped())
        held, legacys = make_booking("held", channel="online"), make_booking("legacys", party_size=3)
        late = make_booking("late", at=DINNER + HOUR)
        self.commit(store, held, *HOLD, tables=("T1",))
        self.commit(store, legacys, *CONFIRM, tables=("T2",), owner=Owner.LEGACY)
        self.commit(store, late, *CONFIRM, tables=("T3",))
        self.commit(store, make_booking("waits"), *QUEUE)
        for query in (
            LoadQuery(restaurant_id="r-1", bookings=(make_booking("anyone"),)),
            LoadQuery(restaurant_id="r-1", booking_ids=("waits",)),
            LoadQuery(restaurant_id="r-1", day=TimeWindow(DINNER, DINNER + 2 * HOUR)),
        ):
            context = store.load(query)
            assert context is not None
            found = sorted(context.arrivals, key=lambda party: party.booking_id)
            assert found == [ArrivingParty.of(booking) for booking in (held, late, legacys)]

    def test_without_rules_nobody_is_counted(self, store: AssignmentStore) -> None:
        """A restaurant without pacing pays nothing for it."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        context = store.load(LoadQuery(restaurant_id="r-1", bookings=(make_booking("anyone"),)))
        assert context is not None
        assert context.arrivals == ()

    # -- What a commit counts --------------------------------------------------------------------------------------

    def test_guests_are_counted(self, store: AssignmentStore) -> None:
        """As many as the cap allows, and not one more."""
        self.arrive(store, make_booking("b-1"), "T1", cap(covers=4))
        self.refused(store, make_booking("b-2", party_size=3), "T2", cap(covers=4))
        self.arrive(store, make_booking("b-2"), "T2", cap(covers=4))
        self.refused(store, make_booking("b-3", party_size=1), "T3", cap(covers=4))

    def test_parties_are_counted(self, store: AssignmentStore) -> None:
        """A party is one, however many guests it has and tables it takes."""
        booking = make_booking("b-1", party_size=8)
        self.commit(store, booking, *CONFIRM, tables=("T1", "T2"))
        self.arrive(store, make_booking("b-2"), "T3", cap(parties=2))
        self.refused(store, make_booking("b-3", party_size=1), "T4", cap(parties=2))

    def test_each_cap_holds(self, store: AssignmentStore) -> None:
        """One of several is enough to refuse a party."""
        self.arrive(store, make_booking("b-1"), "T1")
        self.refused(store, make_booking("b-2"), "T2", cap(covers=9), cap(parties=1))

    def test_legacys_parties_are_counted(self, store: AssignmentStore) -> None:
        """Who seated a party does not matter, nor whether its tables are conflicted."""
        facts = {"owner": Owner.LEGACY, "conflicted": True}
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",), **facts)
        self.refused(store, make_booking("b-2"), "T2", cap(covers=3))

    def test_a_channel_counts_its_own(self, store: AssignmentStore) -> None:
        """A cap of a channel counts bookings that came by it, and no others."""
        self.arrive(store, make_booking("b-1", channel="phone"), "T1")
        self.arrive(store, make_booking("b-2"), "T2")
        self.arrive(store, make_booking("b-3", channel="online"), "T3", cap(covers=2, channel="online"))
        self.refused(store, make_booking("b-4", channel="online"), "T4", cap(covers=3, channel="online"))

    def test_a_slot_begins_and_ends(self, store: AssignmentStore) -> None:
        """Its first minute counts, the one behind its end does not; of several times, all that lie in one do."""
        later = TimeWindow(DINNER + HOUR, DINNER + HOUR + QUARTER)
        minute = dt.timedelta(minutes=1)
        for number, at in enumerate((SLOT.start - minute, SLOT.end, later.start - minute, later.end), 1):
            self.arrive(store, make_booking(f"b-{number}", at=at, end_at=at + QUARTER), f"T{number}")
        self.arrive(store, make_booking("in", end_at=DINNER + QUARTER), "T3", cap(SLOT, later, parties=1))
        self.refused(store, make_booking("too", at=later.end - minute), "T1", cap(SLOT, later, parties=1))

    def test_a_party_that_gave_up_its_tables_does_not_count(self, store: AssignmentStore) -> None:
        """Who cancels makes room under the cap."""
        booking = make_booking("b-1")
        self.arrive(store, booking, "T1")
        self.refused(store, make_booking("b-2"), "T2", cap(parties=1))
        self.commit(store, booking, Trigger.CANCEL)
        self.arrive(store, make_booking("b-2"), "T2", cap(parties=1))

    def test_a_booking_is_no_rival_to_itself(self, store: AssignmentStore) -> None:
        """What it had counts no more: its guests are counted once, as they will be."""
        booking = make_booking("b-1")
        self.arrive(store, booking, "T1")
        self.arrive(store, attrs.evolve(booking, party_size=4), "T1", cap(covers=4))
        self.refused(store, attrs.evolve(booking, party_size=5), "T1", cap(covers=4))

    def test_changes_of_a_commit_count_together(self, store: AssignmentStore) -> None:
        """Two parties that fit one by one do not fit in one commit; who leaves in it makes room in it."""
        first, second, leaves = (make_booking(name) for name in ("b-1", "b-2", "leaves"))
        self.arrive(store, leaves, "T3")
        seated = [
            make_change(
                booking, *CONFIRM, tables=(table,), preconditions=self.assume(store, booking, caps=(cap(covers=4),))
            )
            for booking, table in ((first, "T1"), (second, "T2"))
        ]
        with pytest.raises(StaleRecordError) as error:
            store.commit(seated)
        assert error.value.what == "pacing"
        assert self.record(store, "b-1") is None
        gone = make_change(leaves, Trigger.CANCEL, before=self.record(store, "leaves"))
        store.commit([*seated, gone])

    def test_restaurants_count_apart(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """A party elsewhere is in nobody's way."""
        harness.put_venue(make_venue("r-2"))
        self.arrive(store, make_booking("b-1", restaurant_id="r-2"), "T1")
        self.arrive(store, make_booking("b-2"), "T1", cap(parties=1))

    # -- Who is woken ----------------------------------------------------------------------------------------------

    def waiting(self, store: AssignmentStore, harness: StoreHarness) -> Booking:
        """Two who wait three hours behind dinner, in a slot of a day, and the party of dinner that has a table."""
        harness.put_venue(capped(minutes=24 * 60))
        sits, waits = make_booking("b-1"), make_booking("waits", at=DINNER + 3 * HOUR)
        self.commit(store, sits, *CONFIRM, tables=("T1",))
        self.commit(store, waits, *QUEUE, next_attempt_at=DINNER + 90 * HOUR)
        return sits

    def test_room_under_a_cap_wakes(self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock) -> None:
        """Who waits in the same slot is due when a party cancels, although it wanted none of its time."""
        sits = self.waiting(store, harness)
        clock.advance(QUARTER)
        assert store.due(10) == ()
        self.commit(store, sits, Trigger.CANCEL)
        assert [due.booking_id for due in store.due(10)] == ["waits"]

    def test_room_wakes_at_the_far_ends_of_slots(
        self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock
    ) -> None:
        """A day's slot around a stay of a day with long buffers: who waits two days before is due, and a day behind."""
        longest = {"pre_buffer_minutes": 360, "post_buffer_minutes": 360}
        harness.put_venue(capped(minutes=24 * 60, **longest))
        freed = TimeWindow(DINNER, DINNER + HOUR)
        minute = dt.timedelta(minutes=1)
        before, behind = freed.start - 54 * HOUR + minute, freed.end + 30 * HOUR - minute
        waiting = {
            "before": make_booking("before", at=before, end_at=before + 24 * HOUR),
            "too early": make_booking("too early", at=before - minute, end_at=before - minute + 24 * HOUR),
            "behind": make_booking("behind", at=behind),
            "too late": make_booking("too late", at=behind + minute),
        }
        for booking in waiting.values():
            self.commit(store, booking, *QUEUE, next_attempt_at=DINNER + 90 * HOUR)
        store.block([make_block(window=freed)], ())
        clock.advance(QUARTER)
        store.unblock([make_block(window=freed)], ())
        assert {due.booking_id for due in store.due(10)} == {"before", "behind"}

    def test_who_sits_long_before_or_after_its_time_counts(self, store: AssignmentStore) -> None:
        """A party counts in the slot that it booked, also where its tables are kept for it half a day apart."""
        for name, table, apart in (("early", "T1", -11), ("late", "T2", 11)):
            booking, at = make_booking(name), DINNER + apart * HOUR
            self.commit(store, booking, *CONFIRM, tables=(table,))
            record = self.record(store, name)
            assert record is not None
            assert record.allocation is not None
            span = TimeWindow(at, at + HOUR)
            moved = attrs.evolve(record.allocation, turn=span, blocked=span)
            self.commit(store, booking, Trigger.MOVE, allocation=moved)
        self.refused(store, make_booking("b-3"), "T3", cap(parties=2))
        self.arrive(store, make_booking("b-3"), "T3", cap(parties=3))

    def test_fewer_guests_wake(self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock) -> None:
        """So is it when a party stays at its table with fewer guests; a move of as many wakes nobody."""
        sits = self.waiting(store, harness)
        clock.advance(QUARTER)
        self.arrive(store, sits, "T1")
        assert store.due(10) == ()
        self.arrive(store, attrs.evolve(sits, party_size=1), "T1")
        assert [due.booking_id for due in store.due(10)] == ["waits"]
