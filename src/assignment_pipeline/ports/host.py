"""The application's side: its bookings and floors, the planner being replaced, and its code inside our commits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.result import LegacyResult
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow


class Host(Protocol):
    """
    The application's side, read only.

    Its store calls it inside its own transactions: *connection* is the store's
    connection, so that a commit sees the host's rows as they are at that moment.
    The in-memory store has none and hands over None. Methods must not commit, roll
    back or wait for anything else.
    """

    def booking(self, connection: Any, booking_id: str) -> Booking | None:
        """The booking as it stands, or None if there is none."""
        ...

    def venue(self, connection: Any, restaurant_id: str, known_version: str | None) -> Venue | None:
        """
        The restaurant's venue, or None if its version is still *known_version*.

        Raises:
            VenueNotFoundError: There is no such restaurant.
        """
        ...

    def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        """What the pipeline did not write (legacy's seats, the staff's) and that overlaps *window*."""
        ...

    def unassigned(self, connection: Any, since: dt.datetime, limit: int) -> Iterable[Booking]:
        """Pending bookings that start after *since* and were never enqueued, at most *limit*, soonest first."""
        ...


LegacyPlanner = Callable[[Booking], LegacyResult]
"""The planner being replaced. What it answers or raises passes through untouched."""

AsyncLegacyPlanner = Callable[[Booking], Awaitable[LegacyResult]]
"""The same, for asyncio."""

OnCommit = Callable[[Any, Sequence[AssignmentChange]], None]
"""
Host code inside the store's transaction: gets its connection and what is being committed.

What it raises rolls the commit back and reaches the caller. It may run more than once for one
commit, so it has no effects outside the transaction; it must not commit or roll back. Where an
error fails the whole transaction, as in PostgreSQL, what may fail belongs into a savepoint of its own.
"""
