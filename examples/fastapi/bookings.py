"""Bookings: the one path is *enqueue inside, assign after*."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Annotated, Any

import attrs
from fastapi import APIRouter, HTTPException
from psycopg.rows import dict_row
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from assignment_pipeline import AssignmentResult, Booking, BookingNotFoundError, Outcome, VenueNotFoundError
from services import Services, Used

router = APIRouter(prefix="/bookings", tags=["bookings"])

SHOWN = """
SELECT id, restaurant_id, party_size, start_at, status,
    ARRAY(SELECT label FROM seats WHERE booking_id = bookings.id ORDER BY label) AS tables
FROM bookings WHERE id = %s
"""

ENDED = ("cancelled", "failed")


def _whole_minute(moment: dt.datetime) -> dt.datetime:
    if moment.second or moment.microsecond:
        msg = "expected a whole minute"
        raise ValueError(msg)
    return moment


PartySize = Annotated[int, Field(ge=1, le=500)]
StartAt = Annotated[AwareDatetime, AfterValidator(_whole_minute)]


class NewBooking(BaseModel):
    """What a guest asks for."""

    restaurant_id: uuid.UUID
    guest: str = Field(max_length=80)
    party_size: PartySize
    start_at: StartAt


class Change(BaseModel):
    """What a guest asks for instead."""

    party_size: PartySize | None = None
    start_at: StartAt | None = None


class ShownBooking(BaseModel):
    """How a booking stands."""

    id: uuid.UUID
    restaurant_id: uuid.UUID
    party_size: int
    start_at: dt.datetime
    status: str
    tables: list[str]


@router.post("", status_code=201)
async def create(wanted: NewBooking, used: Used) -> ShownBooking:
    """Take a booking. It and the note that it wants tables land together, or neither does; tables come after."""
    key = uuid.uuid4()
    async with used.pool.connection() as connection:  # A transaction: it is committed at the end of the block.
        found = await connection.execute("SELECT 1 FROM restaurants WHERE id = %s", (wanted.restaurant_id,))
        if await found.fetchone() is None:
            raise VenueNotFoundError(str(wanted.restaurant_id))
        await connection.execute(
            "INSERT INTO bookings (id, restaurant_id, guest, party_size, start_at) VALUES (%s, %s, %s, %s, %s)",
            (key, wanted.restaurant_id, wanted.guest, wanted.party_size, wanted.start_at),
        )
        booking = Booking(str(key), str(wanted.restaurant_id), wanted.party_size, wanted.start_at)
        await used.coordinator.joined(connection).enqueue(booking)
    # From here on the sweep would find tables for it, if this process died. While nobody has any, it is pending.
    await used.coordinator.assign(booking)
    return await _shown(used, key)


@router.get("/{booking_id}")
async def show(booking_id: uuid.UUID, used: Used) -> ShownBooking:
    """How a booking stands."""
    return await _shown(used, booking_id)


@router.patch("/{booking_id}")
async def change(booking_id: uuid.UUID, wanted: Change, used: Used) -> ShownBooking:
    """
    Another party or another time: the row and its tables change in one commit of the pipeline's, see the host.

    Where there are no tables for it everything stays as it was, and the answer has the nearest times that would do.
    """
    async with used.pool.connection() as connection:
        booking = await used.host.booking(connection, str(booking_id))
    if booking is None:
        raise BookingNotFoundError(str(booking_id))
    if booking.status in ENDED:
        raise HTTPException(409, {"code": booking.status})
    asked = attrs.evolve(booking, **wanted.model_dump(exclude_none=True))
    result = await used.coordinator.reassign(asked)
    shown = await _shown(used, booking_id)
    if (shown.party_size, shown.start_at) != (asked.party_size, asked.start_at):
        raise _not_changed(result)
    return shown


@router.delete("/{booking_id}", status_code=204)
async def cancel(booking_id: uuid.UUID, used: Used) -> None:
    """
    Cancel a booking and free its tables, in one transaction.

    The pipeline first: it locks before it writes the row, and who does it the other way round may wait for it in a
    circle.
    """
    async with used.pool.connection() as connection:
        booking = await used.host.booking(connection, str(booking_id))
        if booking is None:
            raise BookingNotFoundError(str(booking_id))
        await used.coordinator.joined(connection).cancel(booking.id, booking.restaurant_id)
        await connection.execute("UPDATE bookings SET status = 'cancelled' WHERE id = %s", (booking_id,))
        await connection.execute("DELETE FROM seats WHERE booking_id = %s", (booking_id,))


async def _shown(used: Services, booking_id: uuid.UUID) -> ShownBooking:
    async with used.pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
        row: dict[str, Any] | None = await (await cursor.execute(SHOWN, (booking_id,))).fetchone()
    if row is None:
        raise BookingNotFoundError(str(booking_id))
    return ShownBooking(**row)


def _not_changed(result: AssignmentResult) -> HTTPException:
    if result.outcome is Outcome.RETRY and result.retry_after is not None:
        seconds = -(-result.retry_after // dt.timedelta(seconds=1))
        return HTTPException(503, {"code": result.reason}, {"Retry-After": str(seconds)})
    nearest = result.decision.nearest if result.decision else ()
    return HTTPException(409, {"code": result.reason, "nearest": [moment.isoformat() for moment in nearest]})
