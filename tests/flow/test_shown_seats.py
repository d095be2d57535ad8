"""What the host shows of a booking is the booking's own: to planning, to who makes room, and to the commit alike."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest

from assignment_pipeline import (
    AssignmentState,
    Booking,
    Coordinator,
    FixedFlags,
    FloorPlan,
    Mode,
    Outcome,
    Reason,
    Settings,
    Table,
    TableConflictError,
    Venue,
)
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.result import Move
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.ports import RecordQuery
from assignment_pipeline.testing import FakeClock

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


@attrs.define(slots=False)
class Evening:
    """Two tables for two and one for four. S2 sits at T2, S3 alone at T3; T1 is free but for what the host shows."""

    harness: object
    clock: FakeClock
    coordinator: Coordinator
    start: dt.datetime

    def booking(self, name, party_size):
        booking = Booking(name, "R1", party_size, self.start)
        self.harness.put_booking(booking)
        return booking

    def shows(self, booking_id, table_id):
        window = TimeWindow(self.start, self.start + 2 * HOUR)
        row = Occupied(table_id=table_id, window=window, booking_id=booking_id)
        self.harness.occupy("R1", row)
        return row

    def record(self, booking_id):
        (record,) = self.harness.store.records(RecordQuery(booking_ids=(booking_id,))).records
        return record


@pytest.fixture
def evening(harness, clock):
    harness.put_venue(Venue("R1", "Europe/London", FloorPlan((Table("T1", 2), Table("T2", 2), Table("T3", 4)))))
    start = clock.now().replace(second=0, microsecond=0) + DAY
    settings = Settings(max_retries=0)
    with Coordinator(
        harness.store, flags=FixedFlags(Mode.ACTIVE), clock=clock, sinks=(), settings=settings
    ) as coordinator:
        made = Evening(harness, clock, coordinator, start)
        for name, table in (("S2", "T2"), ("S3", "T3")):
            coordinator.place(made.booking(name, 2), [table], actor="anna", pin=False, allow=["size"])
        yield made


def test_nobody_is_moved_to_a_table_that_the_host_shows_for_the_booking(evening):
    """The commit would refuse it at every try; once the host shows it no more, the move is made."""
    row = evening.shows("B1", "T1")
    result = evening.coordinator.assign(evening.booking("B1", 4))
    assert (result.outcome, result.reason) == (Outcome.MANUAL_REVIEW, Reason.INFEASIBLE)
    assert evening.record("S3").tables == ("T3",)
    evening.harness.vacate("R1", row)
    for _ in range(2):
        evening.clock.advance(5 * MINUTE)
        evening.coordinator.sweep()
    assert evening.record("B1").tables == ("T3",)
    assert evening.record("S3").tables == ("T1",)


def test_a_copy_of_our_seat_outlives_it(evening):
    """The host has copied what we confirmed, and calls the booking pending; a person has given its tables up."""
    assert evening.coordinator.assign(evening.booking("B1", 2)).tables == ("T1",)
    evening.shows("B1", "T1")
    evening.coordinator.requeue("B1", actor="anna")
    evening.booking("B1", 4)
    for _ in range(2):
        evening.clock.advance(5 * MINUTE)
        assert Reason.CONFLICT not in {one.reason for one in evening.coordinator.sweep().results}
    assert evening.record("B1").state is AssignmentState.MANUAL_REVIEW
    assert evening.record("S3").tables == ("T3",)


def test_the_booking_itself_may_have_the_table(evening):
    """It is the one that is free for it."""
    evening.shows("B1", "T1")
    result = evening.coordinator.assign(evening.booking("B1", 2))
    assert (result.outcome, result.tables) == (Outcome.CONFIRMED, ("T1",))


@pytest.mark.parametrize("of", ["B1", "S2"])
def test_a_person_is_told_that_it_is_taken(evening, of):
    """For who would make room, be it shown for the booking that is placed or for one that leaves, too."""
    evening.shows(of, "T1" if of == "B1" else "T2")
    moves = (
        [Move("S2", ("T2",), ("T1",))] if of == "B1" else [Move("S2", ("T2",), ("T1",)), Move("S3", ("T3",), ("T2",))]
    )
    with pytest.raises(TableConflictError, match="T1" if of == "B1" else "T2"):
        evening.coordinator.place(evening.booking("B1", 4), ["T3"], actor="anna", moves=moves, allow=["size"])
