"""What people look at: all that is kept of a booking, and where parties were."""

from __future__ import annotations

import datetime as dt
from typing import Protocol

from assignment_pipeline.domain.trail import BookingTrail, Whereabouts

NEAR = (dt.timedelta(hours=48), dt.timedelta(hours=24))
"""How far before and behind a time the turns begin whose parties may sit then."""

MOST_EVENTS = 1000
"""So many events of a booking are read, the newest."""


class AuditStore(Protocol):
    """
    The part of a store that `Coordinator.show` and `Coordinator.floor` read. Optional: assigning does not need it.

    Each call only reads, in one snapshot. Every method raises `StoreUnavailableError` if the store cannot be reached,
    and `SchemaMismatchError` if its schema does not fit. Implementations pass
    `assignment_pipeline.testing.AuditStoreContract`.
    """

    def trail(self, booking_id: str) -> BookingTrail:
        """All that is kept of a booking. Without a record and unknown to the host, it is empty."""
        ...

    def whereabouts(self, restaurant_id: str, at: dt.datetime) -> tuple[Whereabouts, ...]:
        """
        The last transition until *at* of each booking that may have had tables then, by booking id.

        Those are the bookings with a turn at that restaurant that begins within `NEAR` of *at*; left out are those
        without tables, or at another restaurant, by that transition.
        """
        ...


class AsyncAuditStore(Protocol):
    """`AuditStore`, for asyncio: the same promises."""

    async def trail(self, booking_id: str) -> BookingTrail:
        """All that is kept of a booking. See `AuditStore.trail`."""
        ...

    async def whereabouts(self, restaurant_id: str, at: dt.datetime) -> tuple[Whereabouts, ...]:
        """The last transition until *at* of each booking that may have had tables then. See `AuditStore`."""
        ...
