"""The venues that were asked for last."""

from __future__ import annotations

import contextlib
import time

from assignment_pipeline.domain.venue import Venue

KEPT = 512
TRUSTED = 60.0
"""Seconds for which a version that a host makes itself is taken for its floor; then the floor is read once more."""


class Venues:
    """
    A venue is loaded again only when its version has changed.

    Without a lock, so that a thread that is interrupted leaves nothing locked.

    Args:
        others: Venues that are known beside one's own, and that nothing is added to.
    """

    def __init__(self, others: Venues | None = None) -> None:
        self._others = others
        self._known: dict[str, tuple[Venue, float]] = {}  # In the order in which they were read.

    def known(self, restaurant_id: str) -> Venue | None:
        """The venue as it was last seen."""
        found = self.find(restaurant_id)
        return found[0] if found else None

    def version(self, restaurant_id: str, *, seats: bool = False) -> str | None:
        """
        The version for which a host may answer that nothing has changed; None has it read the floor.

        A host may have forgotten to change a version that it makes itself. So its floor is read once a minute, and in
        every commit that *seats* somebody.
        """
        found = self.find(restaurant_id)
        if found is None:
            return None
        venue, read_at = found
        if venue.has_own_version and (seats or time.monotonic() - read_at > TRUSTED):
            return None
        return venue.version

    def find(self, restaurant_id: str) -> tuple[Venue, float] | None:
        """The venue as it was last seen, and when (monotonic)."""
        found = self._known.get(restaurant_id)
        return found if found is not None or self._others is None else self._others.find(restaurant_id)

    def keep(self, venue: Venue) -> None:
        """Take note of a venue that was read."""
        self._known.pop(venue.id, None)
        self._known[venue.id] = venue, time.monotonic()
        if len(self._known) > KEPT:
            with contextlib.suppress(RuntimeError, KeyError):  # Another thread has just changed it.
                del self._known[next(iter(self._known))]
