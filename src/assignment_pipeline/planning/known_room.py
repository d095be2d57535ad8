"""What is known of the room that others could make at one arrival, from one floor to the next."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import attrs

from assignment_pipeline.planning.found_room import FoundRoom
from assignment_pipeline.planning.movable_parties import Span
from assignment_pipeline.planning.parties import Changes


@attrs.frozen(eq=False, slots=False)
class KnownRoom:
    """
    For some of the kinds of parties that may arrive then, the room that was found, or that there is none.

    Attributes:
        rooms: The room for each kind, by its place among those asked for; None where there is none.

        spans: For when each kind blocks its tables.
    """

    rooms: Mapping[int, FoundRoom | None]
    spans: Mapping[int, Span]

    def after(self, changes: Changes) -> KnownRoom:
        """What of it still holds."""
        more = changes.frees or bool(changes.left)
        if changes.spare(self._movers, self._tables) and not (more and self._lacks):
            return self
        kept = {
            place: room
            for place, room in self.rooms.items()
            if (not more if room is None else changes.spare(room.movers, room.tables_for(self.spans[place])))
        }
        return KnownRoom(kept, self.spans)

    @functools.cached_property
    def _lacks(self) -> bool:
        """Whether there is none for some kind."""
        return None in self.rooms.values()

    @functools.cached_property
    def _movers(self) -> frozenset[str]:
        return frozenset().union(*(room.movers for room in self.rooms.values() if room is not None))

    @functools.cached_property
    def _tables(self) -> Mapping[Span, int]:
        """For each span, the tables that have to stay free of others."""
        found: dict[Span, int] = {}
        for place, room in self.rooms.items():
            if room is not None:
                for span, mask in room.tables_for(self.spans[place]).items():
                    found[span] = found.get(span, 0) | mask
        return found
