"""A `Host`: the one place that knows both the application's tables and the pipeline's values."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg

from assignment_pipeline import (
    Booking,
    FloorPlan,
    Occupied,
    StatusMap,
    Table,
    TimeWindow,
    Venue,
    VenueNotFoundError,
    VenuePolicy,
)
from assignment_pipeline.domain.record import AssignmentChange, Owner

Connection = psycopg.AsyncConnection[Any]

POLICY = VenuePolicy(post_buffer_minutes=15)
POLICY_VERSION = 1
"""To be counted up with every change of `POLICY`: a plan that was made on the old one is refused then."""

BOOKING = "SELECT id, restaurant_id, party_size, start_at, status FROM bookings"

WORDS = StatusMap(
    waiting="pending", review="pending", held="pending", confirmed="confirmed", failed="declined", cancelled="cancelled"
)


class BookingHost:
    """
    Reads the application's tables, and writes into them what the pipeline has decided.

    The connection is in the caller's transaction: the store's, or the application's own inside `joined`. Nothing here
    commits or rolls back.
    """

    async def booking(self, connection: Connection, booking_id: str) -> Booking | None:
        """The booking with that id."""
        rows = await connection.execute(f"{BOOKING} WHERE id = %s", (uuid.UUID(booking_id),))
        row = await rows.fetchone()
        return _booking(row) if row else None

    async def venue(self, connection: Connection, restaurant_id: str, known_version: str | None) -> Venue | None:
        """The restaurant with its tables, or None where nothing has changed since *known_version*."""
        key = (uuid.UUID(restaurant_id),)
        rows = await connection.execute("SELECT timezone, revision FROM restaurants WHERE id = %s", key)
        found = await rows.fetchone()
        if found is None:
            raise VenueNotFoundError(restaurant_id)
        timezone, revision = found
        version = f"{revision}.{POLICY_VERSION}"
        if version == known_version:
            return None
        rows = await connection.execute(
            "SELECT label, seats, room, next_to, in_use FROM dining_tables WHERE restaurant_id = %s ORDER BY label", key
        )
        listed = await rows.fetchall()
        tables = [Table(label, seats, zone=room, active=in_use) for label, seats, room, _, in_use in listed]
        pairs = [(label, next_to) for label, _, _, next_to, _ in listed if next_to]
        return Venue(restaurant_id, timezone, FloorPlan(tables, pairs), POLICY, version=version)

    async def occupied(self, connection: Connection, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        """What the old planner and the staff have given away. What the pipeline has, it knows itself."""
        rows = await connection.execute(
            """
            SELECT label, start_at, end_at, booking_id FROM seats
            WHERE restaurant_id = %s AND given_by <> 'pipeline' AND start_at < %s AND end_at > %s
            """,
            (uuid.UUID(restaurant_id), window.end, window.start),
        )
        return [
            Occupied(table_id=label, window=TimeWindow(start_at, end_at), booking_id=booking_id and str(booking_id))
            for label, start_at, end_at, booking_id in await rows.fetchall()
        ]

    async def unassigned(self, connection: Connection, since: dt.datetime, limit: int) -> Iterable[Booking]:
        """The pending bookings after *since*, soonest first; which of them have a record, the store knows."""
        query = f"{BOOKING} WHERE status = 'pending' AND start_at > %s ORDER BY start_at, id LIMIT %s"
        rows = await connection.execute(query, (since, limit))
        return [_booking(row) for row in await rows.fetchall()]

    async def on_commit(self, connection: Connection, changes: Sequence[AssignmentChange]) -> None:
        """
        Write down how a booking stands and where it sits, in the transaction in which that comes true.

        The seats are copied for the old planner's sake: should it take over again, it sees what is taken. Those of
        bookings that were handed over to it, it has written itself.
        """
        for change in changes:
            record = change.record
            key = uuid.UUID(record.booking_id)
            await connection.execute("DELETE FROM seats WHERE booking_id = %s AND given_by = 'pipeline'", (key,))
            if record.owner is Owner.PIPELINE and record.allocation is not None:
                await connection.execute(
                    "INSERT INTO seats SELECT %s, unnest(%s::text[]), %s, %s, %s, 'pipeline'",
                    (
                        uuid.UUID(record.restaurant_id),
                        list(record.tables),
                        record.allocation.blocked.start,
                        record.allocation.blocked.end,
                        key,
                    ),
                )
            await connection.execute("UPDATE bookings SET status = %s WHERE id = %s", (WORDS.word(record), key))
            if record.booking is not None:  # For whom it was planned: a change may have asked for more.
                await connection.execute(
                    "UPDATE bookings SET party_size = %s, start_at = %s WHERE id = %s",
                    (record.booking.party_size, record.booking.start_at, key),
                )


def _booking(row: tuple[Any, ...]) -> Booking:
    booking_id, restaurant_id, party_size, start_at, status = row
    return Booking(str(booking_id), str(restaurant_id), party_size, start_at, status=WORDS.status(status))
