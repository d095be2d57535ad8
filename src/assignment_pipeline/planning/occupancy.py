"""Who sits where when, as bit sets: a minute is a bit, so that a conflict is one AND."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.windows import TimeWindow

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NEVER = 2**62
"""The origin of a floor on which nothing is taken: all time lies before it, and is cut off."""


def _minute(instant: dt.datetime) -> int:
    span = instant - _EPOCH
    return span.days * 1440 + span.seconds // 60


class Occupancy:
    """
    The minutes for which each table of a floor is taken. Rows for tables that it does not have are passed over.

    Attributes:
        taken: For each table, by position, the minutes since `origin` at which it is taken.

        fixed: The same, as far as no reseating could change it.

        origin: The first minute, counted from 1970.
    """

    __slots__ = ("fixed", "origin", "taken")

    def __init__(self, positions: Mapping[str, int], rows: Sequence[Occupied]) -> None:
        self.origin = _minute(min(row.window.start for row in rows)) if rows else _NEVER
        self.taken = [0] * len(positions)
        self.fixed = [0] * len(positions)
        # Parties arrive on the quarter of an hour and stay for a band: few windows, many rows.
        known: dict[tuple[dt.datetime, dt.datetime], int] = {}
        for row in rows:
            position = positions.get(row.table_id)
            if position is not None:
                window = row.window
                minutes = known.get((window.start, window.end))
                if minutes is None:
                    minutes = known[window.start, window.end] = self.minutes(window)
                self.taken[position] |= minutes
                if not row.movable:
                    self.fixed[position] |= minutes

    def span(self, window: TimeWindow) -> tuple[int, int]:
        """The first minute of *window*, and the first past it; what lies before the origin is cut off."""
        start = _minute(window.start) - self.origin
        end = _minute(window.end) - self.origin
        return max(start, 0), max(end, 0)

    def minutes(self, window: TimeWindow) -> int:
        """The minutes of *window*, as bits."""
        start, end = self.span(window)
        return (1 << end) - (1 << start)

    def busy(self, window: TimeWindow) -> int:
        """The tables that are taken at some minute of *window*, as a mask."""
        return hit(self.taken, self.minutes(window))

    def immovable(self, window: TimeWindow) -> int:
        """The same, as far as no reseating could change it."""
        return hit(self.fixed, self.minutes(window))

    def gaps(self, position: int, window: TimeWindow) -> tuple[int | None, int | None]:
        """
        How many minutes the table would stay free right before and right after *window*.

        None where it stays free as far as is known.
        """
        start, end = self.span(window)
        taken = self.taken[position]
        before, after = taken & ((1 << start) - 1), taken >> end
        cut_off = end - (_minute(window.end) - self.origin)  # What of the gap lies before the origin.
        return (
            start - before.bit_length() if before else None,
            cut_off + (after & -after).bit_length() - 1 if after else None,
        )


def hit(tables: list[int], minutes: int) -> int:
    """The tables that are taken at some of *minutes*, as a mask."""
    mask = 0
    bit = 1
    for taken in tables:
        if taken & minutes:
            mask |= bit
        bit <<= 1
    return mask
