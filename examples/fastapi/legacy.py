"""The planner that is being replaced: it tries one table after another, the smallest first."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool

from assignment_pipeline import Booking, LegacyResult

TURN = dt.timedelta(hours=2)

TABLES = """
SELECT label FROM dining_tables WHERE restaurant_id = %s AND seats >= %s AND in_use ORDER BY seats, label
"""

# It looks at every seat, the pipeline's too.
IS_TAKEN = """
SELECT EXISTS (
    SELECT FROM seats
    WHERE restaurant_id = %s AND label = %s AND start_at < %s AND end_at > %s AND booking_id IS DISTINCT FROM %s
)
"""


class LegacyPlanner:
    """Given to the coordinator, which calls it where the pipeline is off, and beside which the shadow runs."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def __call__(self, booking: Booking) -> LegacyResult:
        """Seat a booking, as ever."""
        async with self._pool.connection() as connection:
            key = uuid.UUID(booking.restaurant_id)
            await connection.execute("SELECT FROM restaurants WHERE id = %s FOR NO KEY UPDATE", (key,))
            rows = await connection.execute(TABLES, (key, booking.party_size))
            for (label,) in await rows.fetchall():
                if await self._seat(connection, booking, label):
                    return LegacyResult((label,))
        return LegacyResult()

    @staticmethod
    async def _seat(connection: psycopg.AsyncConnection[Any], booking: Booking, label: str) -> bool:
        restaurant, key = uuid.UUID(booking.restaurant_id), uuid.UUID(booking.id)
        end_at = booking.start_at + TURN
        rows = await connection.execute(IS_TAKEN, (restaurant, label, end_at, booking.start_at, key))
        if (await rows.fetchone()) == (True,):
            return False
        await connection.execute("DELETE FROM seats WHERE booking_id = %s", (key,))
        await connection.execute(
            "INSERT INTO seats VALUES (%s, %s, %s, %s, %s, 'legacy')",
            (restaurant, label, booking.start_at, end_at, key),
        )
        await connection.execute(
            "UPDATE bookings SET status = 'confirmed', party_size = %s, start_at = %s WHERE id = %s",
            (booking.party_size, booking.start_at, key),
        )
        return True
