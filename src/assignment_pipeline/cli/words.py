"""What the pipeline's terms are called when people read them."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping, Sequence

from assignment_pipeline.domain.result import Reason
from assignment_pipeline.planning.sentences import REFUSALS, turned_away

__all__ = ["age", "count", "date", "reason", "times", "turned_away"]

REASONS: Mapping[str, str] = {
    **REFUSALS,
    Reason.INFEASIBLE: "every table that would do is taken",
    Reason.CRASH_LOOP: "kept ending its worker",
    Reason.HOLD_EXPIRED: "was not confirmed in time",
    Reason.BOOKING_GONE: "the booking is gone",
    Reason.BOOKING_UNREADABLE: "its row is no booking",
    Reason.TIME_PASSED: "its time has passed",
    Reason.BOOKING_CHANGED: "has changed since",
    Reason.OTHER_RESTAURANT: "is another restaurant's at the host",
    Reason.TERMINAL_STATE: "not waiting for tables",
    Reason.OWNED_BY_LEGACY: "with the legacy planner",
    Reason.LOCK_CONTENTION: "somebody else is at it",
    Reason.CONFLICT: "others were faster every time",
    Reason.STORE_UNAVAILABLE: "the store could not be reached",
    Reason.FLAGS_UNREAD: "the feature flags were not read yet",
    Reason.BY_REQUEST: "as somebody asked for",
    Reason.PIPELINE_DISABLED: "the pipeline was switched off",
    Reason.LEGACY_EXHAUSTED: "the legacy planner found no tables",
    Reason.LEGACY_ERROR: "the legacy planner failed",
    Reason.HANDOVER_TIMEOUT: "the legacy planner did not answer",
    Reason.NO_SHOW: "nobody came",
}

_DAY = 24 * 60


def reason(code: str | None) -> str:
    """Why a booking has no tables."""
    return "" if code is None else REASONS.get(code, code.replace("_", " "))


def times(moments: Sequence[dt.datetime], zone: zoneinfo.ZoneInfo, most: int = 3) -> str:
    """Local times of day, the earliest first, of the *most* nearest."""
    return " ".join(f"{moment.astimezone(zone):%H:%M}" for moment in sorted(moments[:most]))


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


def count(number: int, what: str) -> str:
    """So many of something."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
