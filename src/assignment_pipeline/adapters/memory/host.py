"""A host that keeps its bookings and venues in memory."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import VenueNotFoundError
from assignment_pipeline.ports import Occupied


class MemoryHost:
    """
    A host that keeps its bookings and venues in memory.

    Args:
        venues: The restaurants that it has.
    """

    is_ours = True

    def __init__(self, *venues: Venue) -> None:
        self._lock = threading.RLock()
        self._venues = {venue.id: venue for venue in venues}
        self._bookings: dict[str, Booking] = {}
        self._before: dict[str, Booking | None] | None = None  # What a transaction that is under way has changed.
        self._occupied: defaultdict[str, list[Occupied]] = defaultdict(list)

    @property
    def restaurants(self) -> tuple[str, ...]:
        """The restaurants that it knows, as they were put."""
        with self._lock:
            return tuple(self._venues)

    def put_venue(self, venue: Venue) -> None:
        """Have a restaurant, or change it."""
        with self._lock:
            self._venues[venue.id] = venue

    def put_booking(self, booking: Booking) -> None:
        """Have a booking, or change it."""
        with self._lock:
            if self._before is not None:
                self._before.setdefault(booking.id, self._bookings.get(booking.id))
            self._bookings[booking.id] = booking

    def occupy(self, restaurant_id: str, occupied: Occupied) -> None:
        """Take a table by other means than the pipeline's, as legacy or the staff do."""
        with self._lock:
            self._occupied[restaurant_id].append(occupied)

    def vacate(self, restaurant_id: str, occupied: Occupied) -> None:
        """Undo `occupy`."""
        with self._lock:
            self._occupied[restaurant_id].remove(occupied)

    def booking(self, connection: Any, booking_id: str) -> Booking | None:  # noqa: ARG002 - there is no connection
        with self._lock:
            return self._bookings.get(booking_id)

    def bookings(self, booking_ids: Iterable[str]) -> dict[str, Booking]:
        """Those of them that it knows, by id."""
        with self._lock:
            known = self._bookings
            return {booking_id: known[booking_id] for booking_id in booking_ids if booking_id in known}

    def venue(self, connection: Any, restaurant_id: str, known_version: str | None) -> Venue | None:  # noqa: ARG002
        with self._lock:
            venue = self._venues.get(restaurant_id)
        if venue is None:
            raise VenueNotFoundError(restaurant_id)
        return None if venue.version == known_version else venue

    def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:  # noqa: ARG002
        with self._lock:
            return [taken for taken in self._occupied.get(restaurant_id, ()) if taken.window.overlaps(window)]

    def restaurants_waiting(self, connection: Any) -> Iterable[str]:  # noqa: ARG002
        with self._lock:
            return sorted({known.restaurant_id for known in self._bookings.values() if known.is_pending})

    def restaurants_pending(self, *, without: Container[str]) -> frozenset[str]:
        """The restaurants that have pending bookings, those *without* aside."""
        with self._lock:
            known = self._bookings.values()
            return frozenset(one.restaurant_id for one in known if one.is_pending and one.id not in without)

    def unassigned(
        self,
        connection: Any,  # noqa: ARG002
        since: dt.datetime,
        limit: int,
        *,
        restaurants: Sequence[str] | None = None,
    ) -> Iterable[Booking]:
        """See `RestaurantsHost.unassigned`; it does not know which were enqueued, and leaves that to the store."""
        wanted = None if restaurants is None else frozenset(restaurants)
        with self._lock:
            pending = [
                known
                for known in self._bookings.values()
                if known.is_pending and known.start_at > since and (wanted is None or known.restaurant_id in wanted)
            ]
        return sorted(pending, key=lambda booking: (booking.start_at, booking.id))[: max(limit, 0)]

    def on_commit(self, connection: Any, changes: Sequence[AssignmentChange]) -> None:  # noqa: ARG002
        """Remember bookings that were passed in, and tell their guests how they came out."""
        with self._lock:
            for change in changes:
                booking = self._bookings.get(change.record.booking_id) or change.record.booking
                if booking is not None:
                    status = change.guest_status
                    if change.request is not None:
                        booking = booking.asking_for(change.request)
                    self.put_booking(booking.with_status(status) if status else booking)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Undo what happens to its bookings inside the block if the block raises."""
        with self._lock:
            around = self._before
            before: dict[str, Booking | None] = {}
            self._before = before
            try:
                yield
            except BaseException:
                for booking_id, booking in before.items():
                    if booking is None:
                        del self._bookings[booking_id]
                    else:
                        self._bookings[booking_id] = booking
                before.clear()
                raise
            finally:
                self._before = None if around is None else before | around
