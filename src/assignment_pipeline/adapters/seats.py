"""The tables of a record, as the stores keep them: one row for each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import attrs

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import InvalidValueError

LONGEST_BLOCKED = dt.timedelta(hours=36)
"""A turn of 24 hours between two buffers of 6: as far ahead of a window as overlaps are looked for."""


@attrs.frozen(kw_only=True)
class Seat:
    """
    A row of ``booking_table_assignments``.

    Attributes:
        booking_id: The booking.

        table_id: One of its tables.

        restaurant_id: The restaurant.

        blocked: For how long nobody else has the table: the turn with its buffers.

        turn: For how long the party sits.

        movable: Whether the pipeline may move the booking: see `AssignmentRecord.movable`.

        conflicted: Whether others had the table for part of that time when legacy took it.

        seated_at: When the party sat down.

        left_at: When it left.

        utc_offset_minutes: How far local time was ahead of UTC at the turn's start.
    """

    booking_id: str
    table_id: str
    restaurant_id: str
    blocked: TimeWindow
    turn: TimeWindow
    movable: bool
    conflicted: bool
    seated_at: dt.datetime | None
    left_at: dt.datetime | None
    utc_offset_minutes: int | None


_OF_ALL_TABLES = [field.name for field in attrs.fields(Allocation) if field.name != "tables"]


def seats_of(record: AssignmentRecord) -> list[Seat]:
    """
    The rows of a record's allocation.

    Raises:
        InvalidValueError: It blocks its tables for longer than overlaps are looked for.
    """
    allocation = record.allocation
    if allocation is None:
        return []
    if allocation.blocked.duration > LONGEST_BLOCKED:
        expected = f"at most {LONGEST_BLOCKED}, which is how far overlaps are looked for"
        raise InvalidValueError("blocked", expected, str(allocation.blocked))
    shared = {name: getattr(allocation, name) for name in _OF_ALL_TABLES}
    return [
        Seat(
            booking_id=record.booking_id,
            table_id=table_id,
            restaurant_id=record.restaurant_id,
            movable=record.movable,
            **shared,
        )
        for table_id in allocation.tables
    ]


def allocation_of(seats: Sequence[Seat]) -> Allocation | None:
    """The allocation of a record's rows; None of none."""
    if not seats:
        return None
    shared = {name: getattr(seats[0], name) for name in _OF_ALL_TABLES}
    return Allocation(tables=tuple(seat.table_id for seat in seats), **shared)


def sitting_at(seat: Seat, now: dt.datetime) -> Occupied | None:
    """What the party of *seat* has taken at *now*; None if it does not count as sitting."""
    held = allocation_of([seat])
    if held is None or not held.sits_at(now):
        return None
    return Occupied(table_id=seat.table_id, window=held.occupied(now), booking_id=seat.booking_id, sits=True)
