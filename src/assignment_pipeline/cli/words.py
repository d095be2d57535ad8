"""What the pipeline's terms are called when people read them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from assignment_pipeline.domain.reasons import sentence_of
from assignment_pipeline.domain.wording import count
from assignment_pipeline.planning.sentences import turned_away

__all__ = ["age", "clock", "count", "date", "reason", "times", "turned_away"]

_DAY = 24 * 60


def reason(code: str | None) -> str:
    """Why a booking has no tables."""
    return sentence_of(code)


def clock(moment: dt.datetime, zone: dt.tzinfo) -> str:
    """A local time of day: ``19:30``. In the hour of the year that comes twice it says which one: ``01:30 GMT``."""
    there = moment.astimezone(zone)
    twice = there.utcoffset() != there.replace(fold=1 - there.fold).utcoffset()
    return f"{there:%H:%M} {there.tzname()}" if twice else f"{there:%H:%M}"


def times(moments: Sequence[dt.datetime], zone: dt.tzinfo) -> str:
    """Local times of day, the earliest first, of the three nearest."""
    clocks = [clock(moment, zone) for moment in sorted(moments[:3])]
    return (", " if any(" " in each for each in clocks) else " ").join(clocks)


def date(moment: dt.date) -> str:
    """A date for people: ``Saturday 28 November 2026``."""
    return f"{moment:%A} {moment.day} {moment:%B} {moment.year}"


def age(span: dt.timedelta) -> str:
    """How long something has lasted: ``3 min``, ``2 h 10 min``, ``4 d 3 h``."""
    minutes = max(0, int(span.total_seconds() // 60))
    if minutes < 60:  # noqa: PLR2004 - minutes an hour
        return f"{minutes} min"
    if minutes < _DAY:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes // _DAY} d {minutes % _DAY // 60} h"
