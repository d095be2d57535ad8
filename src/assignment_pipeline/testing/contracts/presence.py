"""Parties that sit: what every store keeps of their arrival and departure."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs
import pytest

from assignment_pipeline.domain.allocation import LONGEST_STAY, OVERSTAY
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import TableConflictError
from assignment_pipeline.lifecycle import AssignmentState, Trigger
from assignment_pipeline.ports import AssignmentStore, LoadQuery, RecordQuery
from assignment_pipeline.testing.clock import FakeClock
from assignment_pipeline.testing.contracts.suite import StoreSuite
from assignment_pipeline.testing.store_harness import (
    CONFIRM,
    DINNER,
    HOUR,
    MINUTE,
    QUEUE,
    StoreHarness,
    make_block,
    make_booking,
    make_change,
    make_venue,
)

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

    def test_a_party_that_came_early_has_its_table(self, store: AssignmentStore, clock: FakeClock) -> None:
        """From the minute of its arrival on, planning finds the table taken, and no commit gives it to others."""
        booking = make_booking("b-1", at=DINNER)
        self.commit(store, booking, *CONFIRM, tables=("T1",))
        clock.advance(DINNER - HOUR - clock.now())
        quick = make_booking("b-2", at=DINNER - 30 * MINUTE, end_at=DINNER - 15 * MINUTE)
        assert self.windows(store, quick) == {}
        self.sit(store, "b-1", clock.now() - 10 * SECOND)
        window = self.windows(store, quick)["T1", "b-1"]
        assert window.start == DINNER - HOUR - MINUTE
        with pytest.raises(TableConflictError) as refused:
            self.commit(store, quick, *CONFIRM, tables=("T1",))
        assert refused.value.table_ids == ("T1",)
        assert self.commit(store, quick, *CONFIRM, tables=("T2",)).tables == ("T2",)

    def test_a_party_that_was_moved_has_its_table_since_then(self, store: AssignmentStore, clock: FakeClock) -> None:
        """It was given another while it sat. Who had that before was there at the same time as it was elsewhere."""
        first = self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        assert first.allocation is not None
        self.sit(store, "b-1", DINNER)
        moment = DINNER + 30 * MINUTE
        clock.advance(moment - clock.now())
        self.commit(store, make_booking("b-2", end_at=moment), *CONFIRM, tables=("T2",))
        before = self.record(store, "b-2")
        assert before is not None
        assert before.allocation is not None
        moment = before.allocation.blocked.end
        clock.advance(moment - clock.now())
        sits = self.record(store, "b-1")
        assert sits is not None
        assert sits.allocation is not None
        moved = sits.allocation.moved(["T2"], moment)
        after = self.commit(store, make_booking("b-1"), Trigger.MOVE, allocation=moved)
        assert self.record(store, "b-1") == after
        assert self.windows(store, make_booking("b-3"))["T2", "b-1"] == moved.blocked
        assert moved.blocked.start == moment
        with pytest.raises(TableConflictError):
            self.commit(store, make_booking("b-3", at=moment), *CONFIRM, tables=("T2",))
        assert self.commit(store, make_booking("b-3", at=moment), *CONFIRM, tables=("T1",)).tables == ("T1",)

    def test_a_party_that_stays_too_long_has_its_table(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Past its turn it keeps the table for `OVERSTAY` from each moment on, and others get it behind that."""
        first = self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        assert first.allocation is not None
        over = first.allocation.blocked.end
        self.sit(store, "b-1", DINNER)
        clock.advance(over + 4 * MINUTE + SECOND - clock.now())
        expected = over + 5 * MINUTE + OVERSTAY
        soon = make_booking("b-2", at=expected - MINUTE, end_at=expected + HOUR)
        assert self.windows(store, soon)["T1", "b-1"].end == expected
        with pytest.raises(TableConflictError):
            self.commit(store, soon, *CONFIRM, tables=("T1",))
        later = make_booking("b-3", at=expected, end_at=expected + HOUR)
        assert self.commit(store, later, *CONFIRM, tables=("T1",)).tables == ("T1",)

    def test_nobody_has_said_that_it_left(self, store: AssignmentStore, clock: FakeClock) -> None:
        """A party that sat down `LONGEST_STAY` ago counts as gone."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        self.sit(store, "b-1", DINNER)
        clock.advance(DINNER + LONGEST_STAY - MINUTE - clock.now())
        tomorrow = make_booking("b-2", at=DINNER + LONGEST_STAY)
        assert self.windows(store, tomorrow)["T1", "b-1"].end == DINNER + LONGEST_STAY - MINUTE + OVERSTAY
        clock.advance(MINUTE)
        assert self.windows(store, tomorrow) == {}
        self.commit(store, tomorrow, *CONFIRM, tables=("T1",))
        self.sit(store, "b-2", clock.now())

    def test_no_two_parties_sit_at_one_table(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Who is booked next sits down only once the other has left, be it two commits or one."""
        first = self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        assert first.allocation is not None
        following = make_booking("b-2", at=first.allocation.blocked.end)
        self.commit(store, following, *CONFIRM, tables=("T1", "T2"))
        both = [(self.record(store, name), make_booking(name)) for name in ("b-1", "b-2")]
        clock.advance(following.start_at - clock.now())
        changes = []
        for record, _ in both:
            assert record is not None
            assert record.booking is not None
            assert record.allocation is not None
            sits = attrs.evolve(record.allocation, seated_at=clock.now())
            changes.append(make_change(record.booking, Trigger.MOVE, before=record, allocation=sits))
        with pytest.raises(TableConflictError) as refused:
            store.commit(changes)
        assert refused.value.table_ids == ("T1",)
        self.sit(store, "b-1", DINNER)
        with pytest.raises(TableConflictError):
            self.sit(store, "b-2", clock.now())
        self.sit(store, "b-1", DINNER, clock.now())
        assert self.sit(store, "b-2", clock.now()).tables == ("T1", "T2")

    def test_who_sits_at_another_restaurant_is_in_nobodys_way(
        self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock
    ) -> None:
        """Parties sit at tables of the same name at two restaurants, in one commit or in two, and others come."""
        harness.put_venue(make_venue("r-2"))
        both = [make_booking("b-1"), make_booking("b-2", restaurant_id="r-2")]
        sitting = []
        for booking in both:
            record = self.commit(store, booking, *CONFIRM, tables=("T1", "T2", "T3"))
            assert record.allocation is not None
            sits = attrs.evolve(record.allocation, seated_at=DINNER)
            sitting.append(make_change(booking, Trigger.MOVE, before=record, allocation=sits))
        over = sits.blocked.end
        store.commit(sitting)
        clock.advance(over + MINUTE - clock.now())
        self.sit(store, "b-1", DINNER, clock.now())
        following = make_booking("b-3", at=over)
        assert self.windows(store, following) == {}
        assert store.block([make_block("k-1", "T2", window=TimeWindow(over, over + HOUR))], ()) == ()
        self.commit(store, following, *CONFIRM, tables=("T1",))
        assert self.sit(store, "b-3", clock.now()).tables == ("T1",)
        stays = make_change(both[1], Trigger.MOVE, before=self.record(store, "b-2"))
        soon = make_booking("b-4", at=over + 10 * MINUTE)
        store.commit([stays, make_change(soon, *CONFIRM, tables=("T3",))])

    def test_a_party_that_sits_is_not_moved(self, store: AssignmentStore) -> None:
        """Planning is told that it sits, and that it is not movable, whether or not it is pinned."""
        self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",), pinned=False)
        self.sit(store, "b-1", DINNER)
        context = store.load(LoadQuery(restaurant_id="r-1", bookings=(make_booking("anyone"),)))
        assert context is not None
        assert [(seat.table_id, seat.movable, seat.sits) for seat in context.taken] == [("T1", False, True)]

    def test_time_that_a_party_leaves_is_news(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Who waits for the table of a party past its turn is due in the commit in which that leaves."""
        first = self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        assert first.allocation is not None
        over = first.allocation.blocked.end
        self.sit(store, "b-1", DINNER)
        clock.advance(over + MINUTE - clock.now())
        self.commit(store, make_booking("b-2", at=over + 5 * MINUTE), *QUEUE)
        assert store.due(10) == ()
        self.sit(store, "b-1", DINNER, clock.now())
        assert [due.booking_id for due in store.due(10)] == ["b-2"]

    def test_parties_that_sit_are_found(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """By restaurant, or all of them: not those that are still to come, nor those that have left."""
        harness.put_venue(make_venue("r-2"))
        for name, place in (("b-1", "r-1"), ("b-2", "r-2"), ("b-3", "r-1"), ("b-4", "r-1")):
            self.commit(store, make_booking(name, restaurant_id=place), *CONFIRM, tables=(f"T{name[-1]}",))
        for name in ("b-1", "b-2", "b-3"):
            self.sit(store, name, DINNER)
        self.sit(store, "b-3", DINNER, DINNER + HOUR)
        assert self.sitting(store) == ["b-1", "b-2"]
        assert self.sitting(store, restaurant_id="r-1") == ["b-1"]
        assert self.sitting(store, after="b-1") == ["b-2"]
        assert self.sitting(store, states=(AssignmentState.ASSIGNED,)) == []

    def test_a_block_names_who_sits_there(self, store: AssignmentStore, clock: FakeClock) -> None:
        """Also past its turn."""
        first = self.commit(store, make_booking("b-1"), *CONFIRM, tables=("T1",))
        assert first.allocation is not None
        over = first.allocation.blocked.end
        self.sit(store, "b-1", DINNER)
        clock.advance(over + MINUTE - clock.now())
        window = TimeWindow(over + 2 * MINUTE, over + HOUR)
        assert store.block([make_block(window=window)], ()) == ("b-1",)

    def windows(self, store: AssignmentStore, booking: Booking) -> dict[tuple[str, str | None], TimeWindow]:
        """What is taken near a booking, for as long as its planning is told."""
        context = store.load(LoadQuery(restaurant_id="r-1", bookings=(booking,)))
        assert context is not None
        wanted = context.venue.blocked(context.venue.turn(booking))
        return {(row.table_id, row.booking_id): row.window for row in context.taken if row.window.overlaps(wanted)}

    def sitting(self, store: AssignmentStore, **query: Any) -> list[str]:
        """The bookings whose parties sit."""
        return [record.booking_id for record in store.records(RecordQuery(sitting=True, **query)).records]
