"""Another number of guests than was booked."""

from __future__ import annotations

import datetime as dt

import attrs

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import AssignmentResult
from assignment_pipeline.errors import BookingNotFoundError
from assignment_pipeline.flow.assigning.assign import MANUAL
from assignment_pipeline.flow.assigning.decision_context import DecisionContext
from assignment_pipeline.flow.assigning.sitting_parties import keep_tables
from assignment_pipeline.flow.call import Call
from assignment_pipeline.flow.effects import Flow, LoadContext
from assignment_pipeline.flow.landing import ToCommit
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff.confirm_and_cancel import amend_seated
from assignment_pipeline.ports import LoadQuery


def party_changed(
    booking_id: str, party_size: int, settings: Settings, *, actor: str, restaurant_id: str | None = None
) -> Flow[AssignmentResult]:
    """
    Correct how many guests a party with tables is. It keeps them, for the time that it had, where they have the seats.

    The row of a standalone host follows in the same commit.

    Returns:
        With the outcome ``kept``, nothing is written, and the reason says why. `AssignmentResult.decision` has tables
        that would do, if there are any.

    Raises:
        BookingNotFoundError: The booking has no record.
        NoTablesError: It has no tables.
        OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        ValueError: *party_size* is no number of guests.
    """
    call = yield from Call.by_person((booking_id, restaurant_id or ""), MANUAL, actor=actor)

    def decide(record: AssignmentRecord, held: Allocation, _: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
        if record.booking is None:
            raise BookingNotFoundError(booking_id)
        booking = attrs.evolve(record.booking, party_size=party_size)
        loaded = yield from LoadContext(LoadQuery(restaurant_id=record.restaurant_id, bookings=(booking,)))
        assert loaded is not None  # noqa: S101 - the booking is at hand
        context = DecisionContext(call=call, settings=settings, loaded=loaded, booking=booking)
        decided = yield from keep_tables(context, record, held, booking)
        if not isinstance(decided, ToCommit):
            return decided
        return decided.with_request(attrs.evolve(context.at_host or booking, party_size=party_size))

    return (yield from amend_seated(call, settings, decide))
