"""All that is kept of a booking as JSON: each field under the name of its column, a few under shorter ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from assignment_pipeline.adapters.columns import ATTEMPT, BOOKING, EVENT, HISTORY, RECORD, SEAT, Kind, Rows
from assignment_pipeline.adapters.seats import Seat, seats_of
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentRecord, Attempt, StateChange
from assignment_pipeline.domain.trail import BookingTrail

_IDS = frozenset({"booking_id", "restaurant_id"})
"""What the whole is about: its parts do not repeat it."""

_CALLED = {"created_at": "at", "attempt_no": "number", "event_type": "type", "from_state": "from", "to_state": "to"}
_OF_A_SEAT = {"start_at": "blocked_start_at", "end_at": "blocked_end_at"}


def text(moment: dt.datetime | None) -> str | None:
    """A time."""
    return None if moment is None else moment.isoformat()


def booking_document(booking: Booking | None) -> dict[str, Any] | None:
    """A booking."""
    return None if booking is None else _named(_BOOKINGS.named_row(booking), besides={"id", "restaurant_id"})


_WRITTEN: Mapping[Kind, Callable[[Any], Any]] = {
    Kind.WORD: attrgetter("value"),
    Kind.MOMENT: text,
    Kind.BOOKING: booking_document,
    Kind.TEXTS: list,
    Kind.DOCUMENT: dict,
}
_BOOKINGS = Rows(Booking, BOOKING, _WRITTEN, {})
_RECORDS = Rows(AssignmentRecord, RECORD, _WRITTEN, {})
_SEATS = Rows(Seat, SEAT, _WRITTEN, {})
_STEPS = Rows(StateChange, HISTORY, _WRITTEN, {})
_ATTEMPTS = Rows(Attempt, ATTEMPT, _WRITTEN, {})
_EVENTS = Rows(Event, EVENT, _WRITTEN, {})


def trail_document(booking_id: str, trail: BookingTrail) -> dict[str, Any]:
    """What ``show --json`` prints. Times are in UTC."""
    record = trail.record
    return {
        "booking_id": booking_id,
        "restaurant_id": trail.restaurant_id,
        "now": text(trail.now),
        "booking": booking_document(trail.booking or (record.booking if record else None)),
        "record": _record(record),
        "tables": list(record.tables) if record else [],
        "history": [_named(_STEPS.named_row(step)) for step in trail.history],
        "attempts": [_named(_ATTEMPTS.named_row(attempt)) for attempt in trail.attempts],
        "events": [_named(_EVENTS.named_row(event)) for event in trail.events],
    }


def _record(record: AssignmentRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    seats = seats_of(record)
    held = None
    if seats:
        row = _named(_SEATS.named_row(seats[0]), _OF_A_SEAT, {"table_id", "movable"})
        held = {"tables": list(record.tables), **row}
    return {**_named(_RECORDS.named_row(record), besides={"booking"}), "allocation": held}


def _named(
    row: Mapping[str, Any], called: Mapping[str, str] = _CALLED, besides: frozenset[str] | set[str] = frozenset()
) -> dict[str, Any]:
    """A row with its shorter names, without what is said elsewhere."""
    return {called.get(name, name): value for name, value in row.items() if name not in _IDS | besides}
