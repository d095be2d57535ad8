"""What the host does by itself: it seats people, and has the planner that the pipeline replaces."""

from __future__ import annotations

import datetime as dt
import random
import time
from typing import Any

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.result import LegacyResult
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from tests.torture.place import OVERLAPS, Place

TAKEN_TABLES = " UNION ALL ".join(
    f"SELECT table_id FROM {table} {OVERLAPS}"
    for table in ("assignment_pipeline.booking_table_assignments", "assignment_pipeline.table_blocks", "torture_seats")
)
HAS_TABLES = "SELECT table_id FROM assignment_pipeline.booking_table_assignments WHERE booking_id = %s"
SEAT = "INSERT INTO torture_seats (restaurant_id, table_id, start_at, end_at, booking_id) VALUES (%s, %s, %s, %s, %s)"
THINKING = 0.05
"""Seconds between their look and their write, at most."""

IS_OURS = "SELECT table_id FROM torture_seats WHERE booking_id = %s"
GET_UP = "DELETE FROM torture_seats WHERE booking_id = %s"


@attrs.frozen
class Staff:
    """
    People who seat people: at free tables, behind the guard, as any host has to that seats people itself.

    Attributes:
        place: Where their rows are.

        store: What writes them.

        venues: The restaurants, by their ids.
    """

    place: Place
    store: Any
    venues: dict[str, Venue]

    def seat(self, booking: Booking) -> LegacyResult:
        """The planner being replaced: the first table that is free and large enough."""
        answer: LegacyResult = self.store.write(lambda connection: self._seat(connection, booking.id))
        return answer

    def _seat(self, connection: Any, booking_id: str) -> LegacyResult:
        host = self.place.host()
        booking = host.booking(connection, booking_id)
        if booking is None:
            return LegacyResult()
        self.store.joined(connection).guard((booking.restaurant_id,))
        booking = host.booking(connection, booking_id)
        if not booking.is_pending or self.place.ask(connection, HAS_TABLES, booking_id).fetchall():
            return LegacyResult()
        venue = self.venues[booking.restaurant_id]
        stay = venue.policy.turn(booking.party_size) + venue.policy.post_buffer
        window = TimeWindow(booking.start_at, booking.start_at + stay)
        table = self._take(connection, venue, window, booking.party_size, booking_id)
        if table is None:
            return LegacyResult()
        host.put_booking(connection, attrs.evolve(booking, status="confirmed"))
        return LegacyResult((table,))

    def walk_in(self, restaurant_id: str, start: dt.datetime, party_size: int) -> str | None:
        """Seat people who have not booked; their table, if there is one."""
        venue, window = self.venues[restaurant_id], TimeWindow(start, start + dt.timedelta(hours=2))

        def work(connection: Any) -> str | None:
            self.store.joined(connection).guard((restaurant_id,))
            return self._take(connection, venue, window, party_size, None)

        table: str | None = self.store.write(work)
        return table

    def _take(
        self, connection: Any, venue: Venue, window: TimeWindow, party_size: int, booking_id: str | None
    ) -> str | None:
        spans = (venue.id, window.end, window.start) * 3
        taken = {table_id for (table_id,) in self.place.ask(connection, TAKEN_TABLES, *spans).fetchall()}
        time.sleep(random.uniform(0, THINKING))
        for table in venue.floor.tables:
            if table.capacity >= party_size and table.id not in taken:
                self.place.ask(connection, SEAT, venue.id, table.id, window.start, window.end, booking_id)
                return table.id
        return None
