"""Which bookings keep tables although the host has no row of them."""

import datetime as dt

import pytest

from assignment_pipeline import Booking, FloorPlan, Table, TimeWindow, Venue
from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.ports import AssignmentContext

AT = dt.datetime(2031, 5, 1, 20, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
BOOKING = Booking("b-1", "v", 2, AT)
TURN = TimeWindow(AT, AT + 2 * HOUR)


@pytest.mark.parametrize(
    ("now", "facts", "seen", "expected"),
    [
        (AT - HOUR, {}, {}, ["b-1"]),
        (AT + HOUR, {}, {}, ["b-1"]),
        (AT + 2 * HOUR, {}, {}, []),  # Its time is over: others may have the tables.
        (AT - HOUR, {"owner": Owner.LEGACY}, {}, []),
        (AT - HOUR, {"state": "manual_review", "allocation": None}, {}, []),
        (AT - HOUR, {"next_attempt_at": AT}, {}, []),  # The sweep still looks for the row.
        (AT - HOUR, {}, {"unreadable": frozenset({"b-1"})}, []),
        (AT - HOUR, {}, {"bookings": {"b-1": BOOKING}}, []),
    ],
)
def test_a_booking_without_a_row(now, facts, seen, expected):
    """It is named while it keeps tables from others, unless its row is there, unreadable, or may still come."""
    held = Allocation(tables=("T1",), turn=TURN, blocked=TURN)
    given = {"state": "confirmed", "allocation": held, "booking": BOOKING} | facts
    context = AssignmentContext(
        now=now,
        generation=0,
        venue=Venue("v", "UTC", FloorPlan([Table("T1", 2)])),
        records={"b-1": AssignmentRecord(booking_id="b-1", restaurant_id="v", **given)},
        taken=(),
        **{"bookings": {}} | seen,
    )
    assert context.without_row == expected
