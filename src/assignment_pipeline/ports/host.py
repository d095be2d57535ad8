"""The application's side: its bookings and floors, the planner being replaced, and its code inside our commits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.result import LegacyResult
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow

if TYPE_CHECKING:
    from assignment_pipeline.ports.waiting import UnreadableBooking


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

    def unassigned(self, connection: Any, since: dt.datetime, limit: int) -> Iterable[Booking | UnreadableBooking]:
        """
        Pending bookings that start after *since* and were never enqueued, at most *limit*, soonest first.

        A row that makes no sense may be an `UnreadableBooking`: a person decides on it, and the others go on.
        """
        ...


class RestaurantsHost(Host, Protocol):
    """
    A host that can look for bookings by restaurant, which it should where there are many: both methods, or none.

    The sweep then looks only at restaurants in charge. Of any other host it reads all pending bookings, some hundred a
    sweep. Both want an index on the restaurant and the start of pending bookings.
    """

    def restaurants_waiting(self, connection: Any) -> Iterable[str]:
        """The restaurants that have pending bookings which were never enqueued, and perhaps more restaurants."""
        ...

    def unassigned(
        self, connection: Any, since: dt.datetime, limit: int, *, restaurants: Sequence[str] | None = None
    ) -> Iterable[Booking | UnreadableBooking]:
        """See `Host.unassigned`: of those *restaurants* only, or of all for None."""
        ...


LegacyPlanner = Callable[[Booking], LegacyResult]
"""The planner being replaced. What it answers or raises passes through untouched."""

AsyncLegacyPlanner = Callable[[Booking], Awaitable[LegacyResult]]
"""The same, for asyncio."""

LegacyDryRun = Callable[[Booking, Sequence[Occupied]], LegacyResult]
"""
The planner being replaced, asked for its tables without effect: what a reverse shadow calls.

It gets a booking, and the tables that are taken for part of the time that planning looks at, the booking's own not
among them. It answers as if these were its own rows. It must not write: no row, no message, no cache that its own
decisions read. It is called in a thread of the shadow's, or in a worker process, never on the path of an assignment.
"""

OnCommit = Callable[[Any, Sequence[AssignmentChange]], None]
"""
Host code inside the store's transaction: gets its connection and what is being committed.

What it raises rolls the commit back and reaches the caller. It may run more than once for one
commit, so it has no effects outside the transaction; it must not commit or roll back. Where an
error fails the whole transaction, as in PostgreSQL, what may fail belongs into a savepoint of its own.
"""
