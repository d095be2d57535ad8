"""A `Host` on the application's own tables in PostgreSQL."""

from __future__ import annotations

import datetime as dt
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
from assignment_pipeline.domain.record import AssignmentChange

POLICY = VenuePolicy(post_buffer_minutes=15)

WORDS = StatusMap(
    waiting="open", review="open", held="open", confirmed="booked", failed="declined", cancelled="cancelled"
)

RESERVATION = "id::text, house, covers, starts_at, status"

Connection = psycopg.Connection[Any]


class ReservationHost:
    """Reads the application's tables, and writes into them what was decided, in the transaction that decides it."""

    def booking(self, connection: Connection, booking_id: str) -> Booking | None:
        """The reservation with that id."""
        query = f"SELECT {RESERVATION} FROM reservations WHERE id = %s"  # noqa: S608 - the columns are ours
        row = connection.execute(query, (booking_id,)).fetchone()
        return _booking(*row) if row else None

    def venue(self, connection: Connection, restaurant_id: str, known_version: str | None) -> Venue | None:
        """The house with its tables, or None where nothing has changed since *known_version*."""
        query = "SELECT timezone, revision::text FROM houses WHERE slug = %s"
        house = connection.execute(query, (restaurant_id,)).fetchone()
        if house is None:
            raise VenueNotFoundError(restaurant_id)
        timezone, version = house
        if version == known_version:
            return None
        query = "SELECT label, seats FROM dining_tables WHERE house = %s ORDER BY label"
        tables = [Table(label, seats) for label, seats in connection.execute(query, (restaurant_id,))]
        return Venue(restaurant_id, timezone, FloorPlan(tables), POLICY, version=version)

    def occupied(self, connection: Connection, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:  # noqa: ARG002
        """Nobody but the pipeline seats anyone here."""
        return ()

    def unassigned(self, connection: Connection, since: dt.datetime, limit: int) -> Iterable[Booking]:
        """The open reservations after *since*, soonest first; which of them have a record, the store knows."""
        query = f"""
            SELECT {RESERVATION} FROM reservations
            WHERE status = 'open' AND starts_at > %s ORDER BY starts_at, id LIMIT %s
        """  # noqa: S608 - as above
        return [_booking(*row) for row in connection.execute(query, (since, limit))]

    def on_commit(self, connection: Connection, changes: Sequence[AssignmentChange]) -> None:
        """Tell the reservation how it stands, in the transaction in which that comes true."""
        for change in changes:
            record = change.record
            connection.execute(
                "UPDATE reservations SET sits_at = %s, status = %s WHERE id = %s",
                (", ".join(record.tables) or None, WORDS.word(record), record.booking_id),
            )
            if record.booking is not None:  # For whom it was planned: a change may have asked for more.
                connection.execute(
                    "UPDATE reservations SET covers = %s, starts_at = %s WHERE id = %s",
                    (record.booking.party_size, record.booking.start_at, record.booking_id),
                )


def _booking(booking_id: str, house: str, covers: int, starts_at: dt.datetime, status: str) -> Booking:
    return Booking(
        id=booking_id,
        restaurant_id=house,
        party_size=covers,
        start_at=starts_at,
        status=WORDS.status(status),
    )
