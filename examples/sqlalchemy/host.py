"""The host, in terms of the models: one class, for threads and for asyncio."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from assignment_pipeline import (
    Booking,
    FloorPlan,
    Occupied,
    StatusMap,
    Table,
    TimeWindow,
    TurnBand,
    Venue,
    VenueNotFoundError,
    VenuePolicy,
)
from assignment_pipeline.domain.record import AssignmentChange, Owner
from assignment_pipeline.lifecycle import AssignmentState
from models import DiningTable, House, Reservation

TURN = dt.timedelta(hours=2)
POLICY = VenuePolicy(turn_bands=[TurnBand(20, minutes=120)])
WORDS = StatusMap(
    waiting="open", review="open", held="open", confirmed="booked", failed="declined", cancelled="cancelled"
)


class ReservationHost:
    """Reads the application's rows, and writes into them what was decided."""

    def booking(self, session: Session, booking_id: str) -> Booking | None:
        """The reservation with that id."""
        row = session.get(Reservation, key) if (key := key_of(booking_id)) else None
        return booking_of(row) if row else None

    def venue(self, session: Session, restaurant_id: str, known_version: str | None) -> Venue | None:
        """The house with its tables. Its version is a digest of all that."""
        house = session.get(House, key) if (key := key_of(restaurant_id)) else None
        if house is None:
            raise VenueNotFoundError(restaurant_id)
        rows = session.scalars(select(DiningTable).filter_by(house_id=key).order_by(DiningTable.label))
        venue = Venue(restaurant_id, house.timezone, FloorPlan([Table(row.label, row.seats) for row in rows]), POLICY)
        return None if venue.version == known_version else venue

    def occupied(self, session: Session, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        """What the old planner has given away. What the pipeline has, it knows itself."""
        rows = select(Reservation).filter_by(house_id=key_of(restaurant_id), seated_by="legacy")
        near = rows.where(Reservation.starts_at < window.end, Reservation.starts_at > window.start - TURN)
        for row in session.scalars(near):
            seated = TimeWindow(row.starts_at, row.starts_at + TURN)
            for label in (row.sits_at or "").split(", "):
                yield Occupied(table_id=label, window=seated, booking_id=str(row.id))

    def unassigned(self, session: Session, since: dt.datetime, limit: int) -> Iterable[Booking]:
        """The open reservations after *since*, soonest first."""
        rows = select(Reservation).filter_by(status=WORDS.waiting).where(Reservation.starts_at > since)
        return map(booking_of, session.scalars(rows.order_by(Reservation.starts_at, Reservation.id).limit(limit)))

    def on_commit(self, session: Session, changes: Sequence[AssignmentChange]) -> None:
        """Write down how each reservation stands, in the transaction in which that comes true."""
        for record in (change.record for change in changes):
            key = key_of(record.booking_id)
            if record.state is AssignmentState.CANCELLED and session.get(Reservation, key) is None:
                continue  # Its row was deleted: its tables come free.
            row = session.get_one(Reservation, key)
            row.status = WORDS.word(record)
            if record.booking is not None:  # For whom it was planned: a change may have asked for more.
                row.covers, row.starts_at = record.booking.party_size, record.booking.start_at
            if record.owner is Owner.PIPELINE:  # Else the old planner has written it.
                row.sits_at = ", ".join(record.tables) or None
                row.seated_by = "pipeline" if record.tables else None


def key_of(text: str) -> uuid.UUID | None:
    """The key that an id stands for: ids are text in the pipeline."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def booking_of(row: Reservation) -> Booking:
    """The reservation, as the pipeline knows it."""
    return Booking(str(row.id), str(row.house_id), row.covers, row.starts_at, status=WORDS.status(row.status))
