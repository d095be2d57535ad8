"""The venues that were asked for last."""

from __future__ import annotations

import collections
import sqlite3
import threading

from assignment_pipeline import processes
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.errors import VenueNotFoundError
from assignment_pipeline.ports import Host

KEPT = 512


class Venues(processes.Watched):
    """
    Asks the host for a venue, and for no more than its version where that is enough.

    Args:
        host: The host's side.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._known: collections.OrderedDict[str, Venue] = collections.OrderedDict()
        self.reset_in_child()
        processes.watch(self)

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`."""
        self._lock = threading.Lock()

    def find(self, connection: sqlite3.Connection, restaurant_id: str) -> Venue:
        """
        The venue, as the connection's transaction sees it.

        Raises:
            VenueNotFoundError: The host has no such restaurant.
        """
        with self._lock:
            known = self._known.get(restaurant_id)
        venue = self._host.venue(connection, restaurant_id, known.version if known else None) or known
        if venue is None:  # Only a host that takes None for a version would say so.
            raise VenueNotFoundError(restaurant_id)
        with self._lock:
            self._known[restaurant_id] = venue
            self._known.move_to_end(restaurant_id)
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
        return venue
