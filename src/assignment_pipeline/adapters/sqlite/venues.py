"""The venues that were asked for last."""

from __future__ import annotations

import contextlib
import sqlite3

from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.errors import VenueNotFoundError
from assignment_pipeline.ports import Host

KEPT = 512


class Venues:
    """
    Asks the host for a venue, and for no more than its version where that is enough.

    Without a lock, so that a thread that is interrupted leaves nothing locked: see `jobs`.

    Args:
        host: The host's side.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._known: dict[str, Venue] = {}  # In the order in which they were asked for.

    def find(self, connection: sqlite3.Connection, restaurant_id: str) -> Venue:
        """
        The venue, as the connection's transaction sees it.

        Raises:
            VenueNotFoundError: The host has no such restaurant.
        """
        known = self._known.get(restaurant_id)
        venue = self._host.venue(connection, restaurant_id, known.version if known else None) or known
        if venue is None:  # Only a host that takes None for a version would say so.
            raise VenueNotFoundError(restaurant_id)
        self._known.pop(restaurant_id, None)
        self._known[restaurant_id] = venue
        if len(self._known) > KEPT:
            with contextlib.suppress(RuntimeError, KeyError):  # Another thread has just changed it.
                del self._known[next(iter(self._known))]
        return venue
