"""The venues that were asked for last."""

from __future__ import annotations

import collections
import threading

from assignment_pipeline import processes
from assignment_pipeline.domain.venue import Venue

KEPT = 512


class Venues(processes.Watched):
    """
    A venue is loaded again only when its version has changed.

    Args:
        others: Venues that are known beside one's own, and that nothing is added to.
    """

    def __init__(self, others: Venues | None = None) -> None:
        self._others = others
        self._known: collections.OrderedDict[str, Venue] = collections.OrderedDict()
        self.reset_in_child()
        processes.watch(self)

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`."""
        self._lock = threading.Lock()

    def known(self, restaurant_id: str) -> Venue | None:
        """The venue as it was last seen."""
        with self._lock:
            venue = self._known.get(restaurant_id)
        return venue if venue is not None or self._others is None else self._others.known(restaurant_id)

    def keep(self, venue: Venue) -> None:
        """Take note of a venue."""
        with self._lock:
            self._known[venue.id] = venue
            self._known.move_to_end(venue.id)
            if len(self._known) > KEPT:
                self._known.popitem(last=False)
