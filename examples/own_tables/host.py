"""A `Host`: the one place that knows both the application's tables and the library's values."""

from __future__ import annotations

import datetime as dt
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from typing import Any
from zoneinfo import ZoneInfo

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
from assignment_pipeline.domain.record import AssignmentChange

DAY = dt.timedelta(days=1)

POLICY = VenuePolicy(post_buffer_minutes=15)
POLICY_VERSION = 1
"""To be counted up with every change of `POLICY`: a plan that was made on the old one is refused then."""

RESERVATION = "id, house, covers, on_date, at_time, timezone, status"

WORDS = StatusMap(
    waiting="open", review="open", held="open", confirmed="booked", failed="declined", cancelled="cancelled"
)


class ReservationHost:
    """
    Reads the application's tables, and writes into them what the pipeline has decided.

    The connection is in the caller's transaction: the store's, or the application's own inside `joined`. Rows are
    unpacked, because that works whatever row factory the connection has. Nothing here commits or rolls back.
    """

    def booking(self, connection: sqlite3.Connection, booking_id: str) -> Booking | None:
        """The reservation with that id."""
        query = f"SELECT {RESERVATION} FROM reservations WHERE id = ?"  # noqa: S608 - the columns are ours
        row = connection.execute(query, (uuid.UUID(booking_id).bytes,)).fetchone()
        return _booking(row) if row else None

    def venue(self, connection: sqlite3.Connection, restaurant_id: str, known_version: str | None) -> Venue | None:
        """The house with its tables, or None where nothing has changed since *known_version*."""
        house = connection.execute("SELECT timezone, revision FROM houses WHERE slug = ?", (restaurant_id,)).fetchone()
        if house is None:
            raise VenueNotFoundError(restaurant_id)
        timezone, revision = house
        version = f"{revision}.{POLICY_VERSION}"
        if version == known_version:
            return None
        rows = connection.execute(
            "SELECT label, seats, room, next_to, in_use FROM dining_tables WHERE house = ? ORDER BY label",
            (restaurant_id,),
        ).fetchall()
        tables = [Table(label, seats, zone=room, active=bool(in_use)) for label, seats, room, _, in_use in rows]
        pairs = [(label, next_to) for label, _, _, next_to, _ in rows if next_to is not None]
        return Venue(restaurant_id, timezone, FloorPlan(tables, pairs), POLICY, version=version)

    def occupied(self, connection: sqlite3.Connection, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        """What the old planner has given away. A date is local: one more on either side, then by the exact time."""
        rows = connection.execute(
            """
            SELECT reservation_id, table_label, on_date, from_time, minutes, timezone
            FROM legacy_seats JOIN houses ON slug = house
            WHERE house = ? AND on_date BETWEEN ? AND ?
            """,
            (restaurant_id, (window.start - DAY).date().isoformat(), (window.end + DAY).date().isoformat()),
        )
        for reservation_id, label, on_date, from_time, minutes, timezone in rows.fetchall():
            start = _instant(on_date, from_time, timezone)
            seat = Occupied(
                table_id=label,
                window=TimeWindow(start, start + dt.timedelta(minutes=minutes)),
                booking_id=str(uuid.UUID(bytes=reservation_id)) if reservation_id else None,
            )
            if seat.window.overlaps(window):
                yield seat

    def unassigned(self, connection: sqlite3.Connection, since: dt.datetime, limit: int) -> Iterable[Booking]:
        """The open reservations after *since*, soonest first; which of them have a record, the store knows."""
        query = f"SELECT {RESERVATION} FROM reservations WHERE status = 'open' AND on_date >= ?"  # noqa: S608
        rows = connection.execute(query, ((since - DAY).date().isoformat(),)).fetchall()
        pending = sorted((_booking(row) for row in rows), key=lambda booking: (booking.start_at, booking.id))
        return [booking for booking in pending if booking.start_at > since][:limit]

    def on_commit(self, connection: sqlite3.Connection, changes: Sequence[AssignmentChange]) -> None:
        """Tell the reservation how it stands, in the transaction in which that comes true."""
        for change in changes:
            record = change.record
            key = uuid.UUID(record.booking_id).bytes
            connection.execute(
                "UPDATE reservations SET sits_at = ?, status = ? WHERE id = ?",
                (", ".join(record.tables) or None, WORDS.word(record), key),
            )
            if record.booking is not None:  # For whom it was planned: a change may have asked for more.
                query = "SELECT timezone FROM reservations WHERE id = ?"
                for (timezone,) in connection.execute(query, (key,)).fetchall():  # None if the row was deleted.
                    local = record.booking.start_at.astimezone(ZoneInfo(timezone))
                    connection.execute(
                        "UPDATE reservations SET covers = ?, on_date = ?, at_time = ? WHERE id = ?",
                        (record.booking.party_size, local.date().isoformat(), f"{local:%H:%M}", key),
                    )


def _booking(row: tuple[Any, ...]) -> Booking:
    reservation_id, house, covers, on_date, at_time, timezone, status = row
    return Booking(
        id=str(uuid.UUID(bytes=reservation_id)),
        restaurant_id=house,
        party_size=covers,
        start_at=_instant(on_date, at_time, timezone),
        status=WORDS.status(status),
    )


def _instant(date: str, time: str, timezone: str) -> dt.datetime:
    return dt.datetime.combine(dt.date.fromisoformat(date), dt.time.fromisoformat(time), ZoneInfo(timezone))
