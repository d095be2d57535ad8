"""The tables that a booking has, and the party that sits there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from typing import Any

import attrs
from attrs.validators import optional

from assignment_pipeline.domain.booking import MAX_TURN
from assignment_pipeline.domain.checks import aware, flag, sorted_ids, to_utc, whole
from assignment_pipeline.domain.periods import DAY_MINUTES
from assignment_pipeline.domain.windows import MINUTE, TimeWindow, minute_of, written
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.plain import Printed

OVERSTAY = dt.timedelta(minutes=15)
"""For how much longer a party is expected to sit whose turn is over: each time that one looks."""

LONGEST_STAY = MAX_TURN
"""A party that sat down that long ago counts as gone, whether or not somebody has said so."""


@attrs.frozen(kw_only=True, repr=False, weakref_slot=False)
class Allocation(Printed):
    """
    Tables that a booking has, confirmed or not.

    Attributes:
        tables: The ids of its tables, sorted.

        turn: When the party sits.

        blocked: For how long others are kept away: the turn with its buffers. A party that was given these tables while
            it sat has them only from then on.

        conflicted: Whether other bookings had some of the tables when legacy took them. It still blocks later bookings.

        seated_at: When the party sat down, by the store's clock; None before.

        left_at: When the party left, by the store's clock; None before.

        utc_offset_minutes: Minutes from UTC to local time at the turn's start when it got the tables; None if
            nobody noted it.
    """

    tables: tuple[str, ...] = attrs.field(converter=sorted_ids)
    turn: TimeWindow
    blocked: TimeWindow = attrs.field()
    conflicted: bool = attrs.field(default=False, validator=flag)
    seated_at: dt.datetime | None = attrs.field(default=None, converter=to_utc, validator=optional(aware))
    left_at: dt.datetime | None = attrs.field(default=None, converter=to_utc, validator=optional(aware))
    utc_offset_minutes: int | None = attrs.field(default=None, validator=optional(whole(-DAY_MINUTES, DAY_MINUTES)))

    @tables.validator
    def _are_distinct(self, attribute: Any, tables: tuple[str, ...]) -> None:
        if not tables or len(set(tables)) != len(tables):
            raise InvalidValueError(attribute.name, "one table or more, each once", repr(tables))

    @blocked.validator
    def _covers_the_turn(self, attribute: Any, blocked: TimeWindow) -> None:
        moved = self.seated_at is not None and self.turn.start < blocked.start and self.turn.end <= blocked.end
        if not moved and not blocked.covers(self.turn):
            raise InvalidValueError(attribute.name, f"a window that covers the turn, {self.turn}", f"{blocked}")

    @left_at.validator
    def _comes_after_seated_at(self, attribute: Any, left_at: dt.datetime | None) -> None:
        if left_at is not None and self.seated_at is not None and left_at < self.seated_at:
            raise InvalidValueError(attribute.name, f"a time after seated_at, {self.seated_at}", f"{left_at}")

    def written(self, moment: dt.datetime) -> str:
        """A moment for people, in the local time of its turn's start; in UTC where nobody noted the offset."""
        return written(moment, dt.timezone(dt.timedelta(minutes=self.utc_offset_minutes or 0)))

    @property
    def sits(self) -> bool:
        """Whether the party has sat down and has not left."""
        return self.seated_at is not None and self.left_at is None

    def sits_at(self, now: dt.datetime) -> bool:
        """The same, as far as it is to be believed at *now*: see `LONGEST_STAY`."""
        return self.sits and self.seated_at is not None and now - self.seated_at < LONGEST_STAY

    def occupied(self, now: dt.datetime) -> TimeWindow:
        """
        For how long nobody else may have its tables, as can be told at *now*.

        That is the blocked window. A party that sits has its tables from its arrival on. Past its turn, it keeps them
        for another `OVERSTAY` from *now*, until it has left.
        """
        if self.seated_at is None or not self.sits_at(now):
            return self.blocked
        end = self.blocked.end if now < self.turn.end else max(self.blocked.end, next_minute(now) + OVERSTAY)
        return TimeWindow(min(self.blocked.start, self._since), end)

    @property
    def _since(self) -> dt.datetime:
        """When its party is there from: its turn, its arrival before that, or when it was given these tables."""
        if self.turn.start < self.blocked.start:
            return self.blocked.start
        return self.turn.start if self.seated_at is None else min(self.turn.start, minute_of(self.seated_at))

    @property
    def turn_there(self) -> TimeWindow:
        """Its turn at these tables: the whole of it, or what was left when it was given them."""
        start = self.blocked.start
        return self.turn if start <= self.turn.start else TimeWindow(start, max(self.turn.end, start + MINUTE))

    def moved(self, tables: Collection[str], now: dt.datetime) -> Allocation:
        """
        The same at other tables, which it is given at *now*.

        A party that sits needs them from the next minute on: who had them before that has left.
        """
        start = next_minute(now)
        if not self.sits_at(now) or start <= self.turn.start or sorted_ids(tables) == self.tables:
            return attrs.evolve(self, tables=tables)
        return attrs.evolve(self, tables=tables, blocked=TimeWindow(start, max(self.blocked.end, start + MINUTE)))

    def needed(self, now: dt.datetime) -> TimeWindow:
        """When its party itself is there, as can be told at *now*: `occupied` without laying time."""
        start = self._since
        stays_on = self.sits_at(now) and now >= self.turn.end
        return TimeWindow(start, next_minute(now) + OVERSTAY if stays_on else max(self.turn.end, start + MINUTE))


def next_minute(now: dt.datetime) -> dt.datetime:
    """The whole minute that *now* is, or the next one."""
    minute = minute_of(now)
    return minute if minute == now else minute + MINUTE
