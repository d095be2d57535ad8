"""What every store promises of tables that are taken out of service, and of parties that stay for less or more."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline.domain.events import Event, EventType, Source
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import TableConflictError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import AssignmentStore, Occupied
from assignment_pipeline.testing.clock import START, FakeClock
from assignment_pipeline.testing.contracts.suite import StoreSuite, need
from assignment_pipeline.testing.store_harness import (
    CONFIRM,
    DINNER,
    HOLD,
    HOUR,
    QUEUE,
    REVIEW,
    StoreHarness,
    make_block,
    make_booking,
    make_change,
    make_venue,
)

MINUTE = dt.timedelta(minutes=1)


def told(number: int) -> Event:
    """Something to tell of a block."""
    source, kind = Source.COORDINATOR, EventType.BLOCKED
    return Event(id=f"told-{number}", created_at=START, source=source, type=kind, restaurant_id="r-1")


class Blocks(StoreSuite):
    """Tables out of service, and time that is given up or taken on top."""

    # -- Blocks ---------------------------------------------------------------------------------------------------

    def test_blocks_are_listed_until_they_end(self, store: AssignmentStore) -> None:
        """A restaurant's own, by when they begin and by id, as they were made."""
        late, early = make_block("k-1", "T2", at=DINNER + HOUR), make_block("k-2", "T1")
        same = make_block("k-0", "T3", at=DINNER + HOUR, reason=None, actor=None)
        for block in (late, early, same, make_block("k-3", "T1", restaurant_id="r-2")):
            store.block([block], ())
        assert store.blocked("r-1", START) == (early, same, late)
        assert store.blocked("r-1", early.window.end - MINUTE) == (early, same, late)
        assert store.blocked("r-1", early.window.end) == (same, late)
        assert store.blocked("r-3", START) == ()

    def test_a_block_names_who_has_the_table(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Ours and the host's, held or confirmed, for any part of its time; once each, and sorted. Nobody elsewhere."""
        need(harness, "occupy")
        harness.put_venue(make_venue("r-2"))
        elsewhere = make_booking("b-8", at=DINNER + 2 * HOUR, restaurant_id="r-2")
        self.commit(store, elsewhere, *CONFIRM, tables=("T1",))
        self.commit(store, make_booking("b-2"), *CONFIRM, tables=("T1", "T2"))  # Until 15 minutes past.
        self.commit(store, make_booking("b-1", at=DINNER + 2 * HOUR), *HOLD, tables=("T1",))
        self.commit(store, make_booking("b-3"), *CONFIRM, tables=("T3",))
        self.commit(store, make_booking("b-4", at=DINNER + 4 * HOUR), *CONFIRM, tables=("T1",))
        legacys = make_venue().turn(make_booking(at=DINNER + 3 * HOUR))
        harness.occupy("r-1", Occupied(table_id="T1", window=legacys, booking_id="b-0"))
        harness.occupy("r-1", Occupied(table_id="T1", window=legacys))
        harness.occupy("r-1", Occupied(table_id="T2", window=legacys, booking_id="b-9"))
        window = TimeWindow(DINNER + HOUR + 14 * MINUTE, DINNER + 4 * HOUR)
        assert store.block([make_block(window=window)], ()) == ("b-0", "b-1", "b-2")
        touching = TimeWindow(DINNER + HOUR + 15 * MINUTE, DINNER + 2 * HOUR)
        assert store.block([make_block("k-2", window=touching)], ()) == ()

    def test_a_block_of_each_table_names_its_own(self, store: AssignmentStore) -> None:
        """The booking at the next table is not named."""
        for number in (1, 2, 3):
            self.commit(store, make_booking(f"b-{number}"), *CONFIRM, tables=(f"T{number}",))
        for number in (1, 2, 3):
            assert store.block([make_block(f"k-{number}", f"T{number}")], ()) == (f"b-{number}",)

    def test_who_has_the_table_keeps_it(self, store: AssignmentStore) -> None:
        """A block changes no record; its booking may be confirmed, and stays where it is."""
        record = self.commit(store, make_booking(), *HOLD, tables=("T1",))
        store.block([make_block()], ())
        assert self.record(store) == record
        self.commit(store, make_booking(), Trigger.CONFIRM)
        assert self.taken(store) == {("T1", "b-1"), ("T1", None)}

    def test_a_block_is_written_once(self, store: AssignmentStore) -> None:
        """What comes again, because its answer was lost, changes nothing and is answered the same."""
        self.commit(store, make_booking(), *CONFIRM, tables=("T1",))
        assert store.block([make_block()], ()) == store.block([make_block()], ()) == ("b-1",)
        assert store.blocked("r-1", START) == (make_block(),)

    def test_an_ended_block_frees_its_table(self, store: AssignmentStore) -> None:
        """Once, and no other block's."""
        store.block([make_block("k-1", "T1")], ())
        store.block([make_block("k-2", "T2")], ())
        seat = make_change(make_booking(), *CONFIRM, tables=("T1",))
        with pytest.raises(TableConflictError):
            store.commit([seat])
        assert store.unblock([make_block("k-1", "T1")], ()) is True
        assert store.unblock([make_block("k-1", "T1")], ()) is False
        store.commit([seat])
        assert store.blocked("r-1", START) == (make_block("k-2", "T2"),)

    def test_several_tables_are_taken_in_one_act(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Each of them for its own time; who has one of them is named once, the host's bookings among them."""
        need(harness, "occupy")
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1", "T2"))
        self.commit(store, make_booking("b-2", at=DINNER + 3 * HOUR), *CONFIRM, tables=("T2",))
        host = Occupied(table_id="T3", window=make_venue().turn(make_booking()), booking_id="b-0")
        harness.occupy("r-1", host)
        room = [make_block("k-1", "T1"), make_block("k-2", "T2"), make_block("k-3", "T3")]
        assert store.block(room[:2], ()) == ("b-1",)
        assert store.block(room, ()) == ("b-0", "b-1")
        assert store.blocked("r-1", START) == tuple(room)

    def test_several_tables_come_back_in_one_act(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Those that are back already are passed over, and who waits for one of them is due."""
        room = [make_block("k-1", "T1"), make_block("k-2", "T2", at=DINNER + 2 * HOUR), make_block("k-3", "T3")]
        store.block(room, ())
        self.commit(store, make_booking(at=DINNER + 2 * HOUR), *QUEUE, next_attempt_at=DINNER + 9 * HOUR)
        assert store.unblock(room[:1], ()) is True
        clock.advance(MINUTE)
        assert store.unblock(room[:2], ()) is True
        assert store.blocked("r-1", START) == tuple(room[2:])
        assert {due.booking_id for due in store.due(10)} == {"b-1"}
        assert store.unblock(room[:2], ()) is False

    def test_an_ended_block_wakes_those_that_wait(
        self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock
    ) -> None:
        """Those whose time with its buffers overlaps the block's are due; nobody else is, and a block wakes nobody."""
        harness.put_venue(make_venue("r-2"))
        waiting = {"next_attempt_at": DINNER}
        review = {"reason": "no_fit", "next_attempt_at": None}
        self.commit(store, make_booking("pending", at=DINNER + HOUR - MINUTE), *QUEUE, **waiting)
        self.commit(store, make_booking("review", at=DINNER - HOUR), *REVIEW, **review)
        self.commit(store, make_booking("touches", at=DINNER + HOUR), *QUEUE, **waiting)
        self.commit(store, make_booking("elsewhere", restaurant_id="r-2"), *QUEUE, **waiting)
        store.block([make_block()], ())
        assert store.due(10) == ()
        clock.advance(MINUTE)
        assert store.unblock([make_block()], ())
        assert {due.booking_id for due in store.due(10)} == {"pending", "review"}

    def test_events_go_with_a_block(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """What is told of a block, or of its end, is kept with it; of no block, nothing is."""
        need(harness, "events")
        store.block([make_block()], (told(1),))
        store.unblock([make_block()], (told(2), told(3)))
        store.unblock([make_block()], (told(4),))
        assert list(harness.events()) == [told(1), told(2), told(3)]

    # -- Less time, and more --------------------------------------------------------------------------------------

    def until(self, store: AssignmentStore, end: dt.datetime) -> AssignmentRecord:
        """Have the booking's tables blocked until *end*."""
        record = self.record(store)
        assert record is not None
        assert record.allocation is not None
        start = record.allocation.blocked.start
        window = TimeWindow(start, end)
        allocation = attrs.evolve(record.allocation, turn=TimeWindow(start, start + HOUR / 2), blocked=window)
        return self.commit(store, make_booking(), Trigger.MOVE, allocation=allocation)

    def test_who_gives_up_time_takes_nothing(self, store: AssignmentStore) -> None:
        """A party may leave a table early that has been blocked under it, and others get what is left of its time."""
        self.commit(store, make_booking(), *CONFIRM, tables=("T1", "T2"))
        store.block([make_block()], ())
        assert self.until(store, DINNER + HOUR / 2) == self.record(store)
        self.commit(store, make_booking("b-2", at=DINNER + HOUR / 2), *CONFIRM, tables=("T2",))

    def test_time_given_up_wakes_those_that_want_it(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Who waits for the rest of a party's time is due when it leaves; who waits for the time it had is not."""
        self.commit(store, make_booking(), *CONFIRM, tables=("T1",))
        for name, at in (("after", DINNER + HOUR), ("before", DINNER - HOUR)):
            self.commit(store, make_booking(name, at=at), *QUEUE, next_attempt_at=DINNER)
        clock.advance(MINUTE)
        self.until(store, DINNER + HOUR)
        assert [due.booking_id for due in store.due(10)] == ["after"]

    def test_who_takes_more_time_has_to_find_it_free(self, store: AssignmentStore, clock: FakeClock) -> None:
        """A longer stay conflicts with whoever comes next, and wakes nobody."""
        self.commit(store, make_booking(), *CONFIRM, tables=("T1",))
        self.commit(store, make_booking("b-2", at=DINNER + 2 * HOUR), *CONFIRM, tables=("T1",))
        self.commit(store, make_booking("waits"), *QUEUE, next_attempt_at=DINNER)
        clock.advance(MINUTE)
        with pytest.raises(TableConflictError):
            self.until(store, DINNER + 2 * HOUR + MINUTE)
        self.until(store, DINNER + 2 * HOUR)
        assert store.due(10) == ()
