"""Spans of time."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Iterable
from typing import Any

import attrs

from assignment_pipeline.domain.checks import FIRST_YEAR, LAST_YEAR, aware_minute, to_utc
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.plain import Printed

MINUTE = dt.timedelta(minutes=1)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def written(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """A moment for people, in local time: ISO 8601 with the offset of *zone*, without seconds where there are none."""
    timespec = "seconds" if moment.second or moment.microsecond else "minutes"
    return moment.astimezone(zone).isoformat(timespec=timespec)


@attrs.frozen(init=False, repr=False)
class TimeWindow(Printed):
    """
    A half-open span of time, ``[start, end)``, kept in UTC.

    Attributes:
        start: First instant inside the window. Timezone-aware, whole minutes.

        end: First instant past it. Timezone-aware, whole minutes, after *start*.

        minutes: The two, in minutes since 1970.
    """

    start: dt.datetime = attrs.field(converter=to_utc, validator=aware_minute)
    end: dt.datetime = attrs.field(converter=to_utc, validator=aware_minute)
    minutes: tuple[int, int] = attrs.field(init=False, eq=False, repr=False)

    def __init__(self, start: dt.datetime, end: dt.datetime) -> None:
        if (  # Nearly always: every window is made of others.
            type(start) is type(end) is dt.datetime
            and start.tzinfo is end.tzinfo is dt.UTC
            and start.year >= FIRST_YEAR
            and end.year <= LAST_YEAR
            and not (start.second or start.microsecond or end.second or end.microsecond)
            and start < end
        ):
            _put_start(self, start)
            _put_end(self, end)
        else:
            self.__attrs_init__(start, end)  # Converts them, and says what is wrong.
        _put_minutes(self, ((self.start - _EPOCH) // MINUTE, (self.end - _EPOCH) // MINUTE))

    @end.validator
    def _is_after_start(self, _: Any, end: dt.datetime) -> None:
        if end <= self.start:
            raise InvalidValueError("end", f"a time after the start, {self.start}", f"{end}")

    @property
    def duration(self) -> dt.timedelta:
        """How long the window is."""
        return self.end - self.start

    def overlaps(self, other: TimeWindow) -> bool:
        """Whether the two share an instant; windows that only touch do not."""
        return self.start < other.end and other.start < self.end

    def covers(self, other: TimeWindow) -> bool:
        """Whether *other* lies within this window."""
        return self.start <= other.start and other.end <= self.end

    def without(self, other: TimeWindow | None) -> tuple[TimeWindow, ...]:
        """What of the window lies outside *other*: nothing, one piece or two."""
        if other is None or not self.overlaps(other):
            return (self,)
        ahead = (TimeWindow(self.start, other.start),) if self.start < other.start else ()
        return (*ahead, TimeWindow(other.end, self.end)) if other.end < self.end else ahead

    def widened(self, before: dt.timedelta, after: dt.timedelta) -> TimeWindow:
        """The window with *before* added ahead of it and *after* behind it."""
        return TimeWindow(self.start - before, self.end + after) if before or after else self

    def shifted(self, by: dt.timedelta) -> TimeWindow:
        """The window, as long as it is, *by* later."""
        return TimeWindow(self.start + by, self.end + by)

    @classmethod
    def around(cls, windows: Iterable[TimeWindow]) -> TimeWindow:
        """The smallest window that covers all of *windows*. There must be at least one."""
        spans = list(windows)
        return spans[0] if len(spans) == 1 else cls(min(spans, key=_START).start, max(spans, key=_END).end)


_START, _END = operator.attrgetter("start"), operator.attrgetter("end")
_slots: Any = TimeWindow
_put_start, _put_end = _slots.start.__set__, _slots.end.__set__  # Past what keeps a frozen value from being changed.
_put_minutes = _slots.minutes.__set__


def minute(instant: dt.datetime) -> int:
    """The minutes since 1970."""
    return (instant - _EPOCH) // MINUTE


def minute_of(now: dt.datetime) -> dt.datetime:
    """The whole minute that *now* is in."""
    return now.replace(second=0, microsecond=0)
