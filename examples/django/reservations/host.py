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

POLICY = VenuePolicy(post_buffer_minutes=15)

BOOKING = "SELECT id, restaurant_id, party_size, start_at, status FROM reservations_booking"

WORDS = StatusMap(
    waiting="pending", review="pending", held="pending", confirmed="confirmed", failed="declined", cancelled="cancelled"
)


class ReservationHost:
    """
    Reads the application's tables, and writes into them what the pipeline has decided.

    In SQL, not with the ORM: a method has to use the connection that it is given, in whose transaction the pipeline
    works, and the ORM has one of its own. Ids stay uuids in the queries, so that their indexes are used.
    """

    def booking(self, connection: psycopg.Connection[Any], booking_id: str) -> Booking | None:
        """The booking with that id."""
        row = connection.execute(f"{BOOKING} WHERE id = %s", (uuid.UUID(booking_id),)).fetchone()
        return _booking(row) if row else None

    def venue(self, connection: psycopg.Connection[Any], restaurant_id: str, known_version: str | None) -> Venue | None:
        """The restaurant with its tables. Its version is a digest of all that: nobody has to count one up."""
        key = (uuid.UUID(restaurant_id),)
        found = connection.execute("SELECT timezone FROM reservations_restaurant WHERE id = %s", key).fetchone()
        if found is None:
            raise VenueNotFoundError(restaurant_id)
        rows = connection.execute(
            """
            SELECT t.label, t.seats, t.room, t.in_use, n.label
            FROM reservations_diningtable t LEFT JOIN reservations_diningtable n ON n.id = t.next_to_id
            WHERE t.restaurant_id = %s ORDER BY t.label
            """,
            key,
        ).fetchall()
        tables = [Table(label, seats, zone=room or None, active=in_use) for label, seats, room, in_use, _ in rows]
        pairs = [(label, next_to) for label, *_, next_to in rows if next_to]
        venue = Venue(restaurant_id, found[0], FloorPlan(tables, pairs), POLICY)
        return None if venue.version == known_version else venue

    def occupied(
        self, connection: psycopg.Connection[Any], restaurant_id: str, window: TimeWindow
    ) -> Iterable[Occupied]:
        """What the old planner and the staff have given away. What the pipeline has, it knows itself."""
        rows = connection.execute(
            """
            SELECT t.label, s.start_at, s.end_at, s.booking_id
            FROM reservations_seat s JOIN reservations_diningtable t ON t.id = s.table_id
            WHERE t.restaurant_id = %s AND s.by <> 'pipeline' AND s.start_at < %s AND s.end_at > %s
            """,
            (uuid.UUID(restaurant_id), window.end, window.start),
        )
        for label, start_at, end_at, booking_id in rows.fetchall():
            yield Occupied(
                table_id=label, window=TimeWindow(start_at, end_at), booking_id=booking_id and str(booking_id)
            )

    def unassigned(self, connection: psycopg.Connection[Any], since: dt.datetime, limit: int) -> Iterable[Booking]:
        """The pending bookings after *since*, soonest first; which of them have a record, the store knows."""
        query = f"{BOOKING} WHERE status = 'pending' AND start_at > %s ORDER BY start_at, id LIMIT %s"
        return [_booking(row) for row in connection.execute(query, (since, limit)).fetchall()]

    def on_commit(self, connection: psycopg.Connection[Any], changes: Sequence[AssignmentChange]) -> None:
        """
        Write down how a booking stands and where it sits, in the transaction in which that comes true.

        The seats are copied for the old planner's sake: should it take over again, it sees what is taken. Those of
        bookings that were handed over to it, it has written itself.
        """
        for change in changes:
            record = change.record
            key = uuid.UUID(record.booking_id)
            connection.execute("DELETE FROM reservations_seat WHERE booking_id = %s AND by = 'pipeline'", (key,))
            if record.owner is Owner.PIPELINE and record.allocation is not None:
                connection.execute(
                    """
                    INSERT INTO reservations_seat (booking_id, table_id, start_at, end_at, by)
                    SELECT %s, id, %s, %s, 'pipeline' FROM reservations_diningtable
                    WHERE restaurant_id = %s AND label = ANY (%s)
                    """,
                    (
                        key,
                        record.allocation.blocked.start,
                        record.allocation.blocked.end,
                        uuid.UUID(record.restaurant_id),
                        list(record.tables),
                    ),
                )
            connection.execute(
                "UPDATE reservations_booking SET status = %s WHERE id = %s",
                (WORDS.word(record), key),
            )
            if record.booking is not None:  # For whom it was planned: `services.change` may have asked for more.
                connection.execute(
                    "UPDATE reservations_booking SET party_size = %s, start_at = %s WHERE id = %s",
                    (record.booking.party_size, record.booking.start_at, key),
                )


def _booking(row: tuple[Any, ...]) -> Booking:
    booking_id, restaurant_id, party_size, start_at, status = row
    return Booking(str(booking_id), str(restaurant_id), party_size, start_at, status=WORDS.status(status))
