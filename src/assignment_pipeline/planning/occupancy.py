"""Who sits where when, as bit sets: between two changes the same tables are taken, so that a conflict is one AND."""

from __future__ import annotations

import bisect
import datetime as dt
from collections.abc import Mapping, Sequence

from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.windows import TimeWindow

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def minute(instant: dt.datetime) -> int:
    """The minutes since 1970."""
    span = instant - _EPOCH
    return span.days * 1440 + span.seconds // 60


class Occupancy:
    """
    The tables of a floor that are taken, and when. Rows for tables that it does not have are passed over.

    Attributes:
        rows: What it was made from.
    """

    __slots__ = ("_edges", "_fixed", "_taken", "rows")

    def __init__(self, positions: Mapping[str, int], rows: Sequence[Occupied]) -> None:
        self.rows = rows
        # Parties arrive on the quarter of an hour and stay for a band: few windows, many rows.
        fixed: dict[tuple[dt.datetime, dt.datetime], int] = {}
        taken: dict[tuple[dt.datetime, dt.datetime], int] = {}
        for row in rows:
            position = positions.get(row.table_id)
            if position is not None:
                span = (row.window.start, row.window.end)
                taken[span] = taken.get(span, 0) | 1 << position
                if not row.movable:
                    fixed[span] = fixed.get(span, 0) | 1 << position
        edges = sorted({instant for span in taken for instant in span})
        places = {instant: place for place, instant in enumerate(edges)}
        # The minutes at which something changes; between one and the next the same tables are taken.
        self._edges = [minute(instant) for instant in edges]
        self._taken = _timeline(taken, places)
        self._fixed = _timeline(fixed, places)

    def busy(self, window: TimeWindow) -> int:
        """The tables that are taken at some minute of *window*, as a mask."""
        return self.taken(minute(window.start), minute(window.end))

    def immovable(self, window: TimeWindow) -> int:
        """The same, as far as no reseating could change it."""
        return self._hit(self._fixed, minute(window.start), minute(window.end))

    def taken(self, start: int, end: int) -> int:
        """The tables that are taken at some minute from *start* up to *end*, counted from 1970, as a mask."""
        return self._hit(self._taken, start, end)

    def before(self, start: int, reach: int) -> list[tuple[int, int]]:
        """
        For how long tables that are free at *start* have been so.

        Args:
            start: A minute, counted from 1970.

            reach: Minutes; who has been free for as long is left out.

        Returns:
            Minutes, ascending, and the tables of which it is true, as a mask.
        """
        edges, taken = self._edges, self._taken
        found = []
        seen = 0
        for place in range(bisect.bisect_left(edges, start) - 1, -1, -1):
            minutes = start - edges[place + 1] if place + 1 < len(edges) and edges[place + 1] < start else 0
            if minutes >= reach:
                break
            new = taken[place] & ~seen
            if new:
                found.append((minutes, new))
                seen |= new
        return found

    def after(self, end: int, reach: int) -> list[tuple[int, int]]:
        """The same for how long tables stay free from the minute *end*."""
        edges, taken = self._edges, self._taken
        found = []
        seen = 0
        for place in range(max(bisect.bisect_right(edges, end) - 1, 0), len(edges)):
            minutes = max(edges[place] - end, 0)
            if minutes >= reach:
                break
            new = taken[place] & ~seen
            if new:
                found.append((minutes, new))
                seen |= new
        return found

    def _hit(self, timeline: list[int], start: int, end: int) -> int:
        edges = self._edges
        mask = 0
        first = bisect.bisect_right(edges, start) - 1
        for tables in timeline[max(first, 0) : bisect.bisect_left(edges, end)]:
            mask |= tables
        return mask


def _timeline(spans: Mapping[tuple[dt.datetime, dt.datetime], int], places: Mapping[dt.datetime, int]) -> list[int]:
    """From each change to the next, the tables that are taken; from the last on, none."""
    timeline = [0] * len(places)
    for (start, end), tables in spans.items():
        for place in range(places[start], places[end]):
            timeline[place] |= tables
    return timeline
