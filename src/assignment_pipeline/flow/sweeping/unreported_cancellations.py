"""Bookings with tables that the host has cancelled or deleted without telling: looked for where somebody waits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from functools import partial

from assignment_pipeline.domain.booking import CANCELLED, Booking
from assignment_pipeline.domain.events import EventType
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import WAITS_FOR_TABLES, AssignmentResult, Outcome, Reason
from assignment_pipeline.flow.call import SWEEP, Call
from assignment_pipeline.flow.effects import Apart, FindBooking, Flow, LoadContext
from assignment_pipeline.flow.landing import ToCommit
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.staff.confirm_and_cancel import amend, record_transition
from assignment_pipeline.flow.sweeping.told_once import tell_once
from assignment_pipeline.lifecycle import WITH_TABLES, Trigger
from assignment_pipeline.ports import AssignmentContext, LoadQuery

ROW_GONE = "row_gone"
"""The host has no row of a booking with tables."""

MOST_DAYS = 3
"""Days of restaurants that one sweep compares: each is one more look at the store."""


def end_unreported_cancellations(results: Iterable[AssignmentResult], settings: Settings, told: set[str]) -> Flow[None]:
    """
    Where a sweep found no tables for somebody, free those whose guests the host has cancelled without telling.

    Bookings that wait for the tables are due at once, as after any cancellation. Those whose row is gone keep their
    tables, and an event says so: a row that is not found today may be found again tomorrow.

    Args:
        results: What the sweep has done.

        settings: How the flows behave.

        told: The ids of what was told once. The flow adds to it.

    Raises:
        StoreUnavailableError: The store could not be asked.
        VenueNotFoundError: The host has no such restaurant any more.
    """
    looked: dict[tuple[str, dt.date], None] = {}
    for result in results:
        booking = result.record.booking if result.record and result.reason in WAITS_FOR_TABLES else None
        day = (booking.restaurant_id, booking.start_at.date()) if booking else None
        if booking is None or day is None or day in looked:
            continue
        if len(looked) == MOST_DAYS:
            break
        looked[day] = None
        context = yield from _around(booking)
        for booking_id in context.without_row:
            record = context.records[booking_id]
            facts = {"reason": ROW_GONE, "tables": record.tables}
            yield from tell_once(EventType.HOST_FAULT, ROW_GONE, record, context.now, told, **facts)
        for booking_id in _cancelled(context):
            yield from Apart(_end(context.records[booking_id], settings))


def _around(booking: Booking) -> Flow[AssignmentContext]:
    """Everybody who sits on the service day of *booking*."""
    nearby = yield from LoadContext(LoadQuery(restaurant_id=booking.restaurant_id))
    assert nearby is not None  # noqa: S101 - only of bookings is it not known whether they are there
    venue = nearby.venue
    day = venue.service_day(venue.service_date(booking.start_at))
    context = yield from LoadContext(LoadQuery(restaurant_id=booking.restaurant_id, day=day))
    assert context is not None  # noqa: S101
    return context


def _cancelled(context: AssignmentContext) -> list[str]:
    return sorted(
        booking_id
        for booking_id, record in context.records.items()
        if record.state in WITH_TABLES and not _sits(record) and _is_cancelled(context.bookings.get(booking_id))
    )


def _sits(record: AssignmentRecord) -> bool:
    """Whether its party is there, whatever the host says: it keeps its tables until it has left."""
    return record.allocation is not None and record.allocation.sits


def _is_cancelled(at_host: Booking | None) -> bool:
    return at_host is not None and at_host.status == CANCELLED


def _end(record: AssignmentRecord, settings: Settings) -> Flow[AssignmentResult]:
    call = yield from Call.begin((record.booking_id, record.restaurant_id), SWEEP)
    return (yield from amend(call, settings, partial(_decide, call)))


def _decide(call: Call, record: AssignmentRecord | None, _: dt.datetime) -> Flow[ToCommit | AssignmentResult]:
    at_host = yield from FindBooking(call.booking_id)
    if record is None or record.state not in WITH_TABLES or _sits(record) or not _is_cancelled(at_host):
        return (yield from call.answer(Outcome.NOOP, Reason.TERMINAL_STATE, record=record))
    facts = {"allocation": None, "next_attempt_at": None, "reason": Reason.TERMINAL_STATE}
    return record_transition(call, record, (Trigger.CANCEL,), Outcome.CANCELLED, Reason.TERMINAL_STATE, **facts)
