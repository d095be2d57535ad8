"""What every store promises of parties that stay as long as they may, between buffers as long as they may be."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from assignment_pipeline.domain.booking import MAX_TURN, Booking
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import TableConflictError
from assignment_pipeline.lifecycle import Trigger
from assignment_pipeline.ports import AssignmentStore, LoadQuery
from assignment_pipeline.testing.clock import FakeClock
from assignment_pipeline.testing.contracts.suite import StoreSuite
from assignment_pipeline.testing.store_harness import (
    CONFIRM,
    DINNER,
    HOUR,
    QUEUE,
    StoreHarness,
    make_block,
    make_booking,
    make_venue,
)

MINUTE = dt.timedelta(minutes=1)
BUFFER = 6 * HOUR
BUFFERS: dict[str, Any] = {"pre_buffer_minutes": 360, "post_buffer_minutes": 360}
LAST = DINNER + MAX_TURN + BUFFER - MINUTE
"""The last minute for which the table of a party from `DINNER` on is blocked."""


def long_stay(booking_id: str = "long", *, at: dt.datetime = DINNER) -> Booking:
    """Two guests who stay for a day."""
    return make_booking(booking_id, at=at, end_at=at + MAX_TURN)


class Spans(StoreSuite):
    """However long before or after a window somebody starts: who overlaps it is found, and woken."""

    # The venue's buffers are six hours each. A stay of a day blocks its table for 36 hours.

    def stay(self, store: AssignmentStore, booking: Booking) -> None:
        """Have the booking at table T1."""
        self.commit(store, booking, *CONFIRM, tables=("T1",), venue=make_venue(**BUFFERS))

    def test_a_long_stay_keeps_its_table_to_the_end(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Nobody is seated over the last minute of its buffer, and from the next one on anybody may be."""
        harness.put_venue(make_venue(**BUFFERS))
        self.stay(store, long_stay())
        with pytest.raises(TableConflictError):
            self.stay(store, make_booking("over", at=LAST + BUFFER))
        self.stay(store, make_booking("after", at=LAST + MINUTE + BUFFER))

    def test_a_long_stay_finds_who_comes_at_its_end(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """The other way round: it is not seated over somebody who has the last minute of it."""
        harness.put_venue(make_venue(**BUFFERS))
        self.stay(store, make_booking("short", at=LAST + BUFFER))
        with pytest.raises(TableConflictError):
            self.stay(store, long_stay())

    def test_planning_sees_a_long_stay_at_its_end(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Its table is taken for who wants the last minute, whether the store knows the venue already or not."""
        harness.put_venue(make_venue(**BUFFERS))
        self.stay(store, long_stay())
        wanted = make_booking("wants", at=LAST + BUFFER)
        for _ in range(3):
            context = store.load(LoadQuery(restaurant_id="r-1", bookings=(wanted,)))
            assert context is not None
            assert {one.booking_id for one in context.taken} == {"long"}

    def test_a_day_has_who_has_sat_since_long_before(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Who still sits when a day begins is of that day, and so is who waits for tables until then."""
        harness.put_venue(make_venue(**BUFFERS))
        day = TimeWindow(DINNER + MAX_TURN - 10 * MINUTE, DINNER + MAX_TURN + HOUR)
        self.stay(store, long_stay())
        self.commit(store, long_stay("waits"), *QUEUE)
        context = store.load(LoadQuery(restaurant_id="r-1", day=day))
        assert context is not None
        assert context.records.keys() == {"long", "waits"}

    def test_a_block_names_a_long_stay(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """Who loses the last minute is named."""
        harness.put_venue(make_venue(**BUFFERS))
        self.stay(store, long_stay())
        assert store.block([make_block(window=TimeWindow(LAST, LAST + HOUR))], ()) == ("long",)
        assert store.block([make_block("k-2", window=TimeWindow(LAST + MINUTE, LAST + HOUR))], ()) == ()

    def test_a_long_block_keeps_a_table_to_its_end(self, store: AssignmentStore, harness: StoreHarness) -> None:
        """A table that is out of service for weeks is given to nobody in its last minute."""
        harness.put_venue(make_venue(**BUFFERS))
        end = DINNER + dt.timedelta(days=40)
        store.block([make_block(window=TimeWindow(DINNER, end))], ())
        with pytest.raises(TableConflictError):
            self.stay(store, make_booking("over", at=end - MINUTE + BUFFER))
        self.stay(store, make_booking("after", at=end + BUFFER))

    def test_who_waits_far_off_is_woken(self, store: AssignmentStore, harness: StoreHarness, clock: FakeClock) -> None:
        """A stay that would run into the first minute that came free, and a party whose buffer begins in the last."""
        harness.put_venue(make_venue(**BUFFERS))
        freed = TimeWindow(DINNER - BUFFER, DINNER + HOUR + BUFFER)
        waiting = {
            "runs-into": long_stay("runs-into", at=freed.start + MINUTE - BUFFER - MAX_TURN),
            "touches-before": long_stay("touches-before", at=freed.start - BUFFER - MAX_TURN),
            "begins-in": make_booking("begins-in", at=freed.end - MINUTE + BUFFER),
            "touches-after": make_booking("touches-after", at=freed.end + BUFFER),
        }
        self.stay(store, make_booking("b-1"))
        for booking in waiting.values():
            self.commit(store, booking, *QUEUE, next_attempt_at=DINNER + 90 * HOUR)
        clock.advance(MINUTE)
        self.commit(store, make_booking("b-1"), Trigger.CANCEL)
        assert {due.booking_id for due in store.due(10)} == {"runs-into", "begins-in"}
