"""What the pipeline's terms are called when people read them."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping, Sequence

from assignment_pipeline.domain.result import Reason
from assignment_pipeline.planning.base import Rule

REASONS: Mapping[str, str] = {
    Reason.PARTY_TOO_LARGE: "too large for any table or combination",
    Reason.PARTY_TOO_SMALL: "too small for any table",
    Reason.NO_SUCH_SEATING: "no such place to sit for a party of that size",
    Reason.OUTSIDE_SERVICE: "outside the hours of service",
    Reason.IN_PAST: "the time has passed",
    Reason.NO_FIT: "no free tables were found",
    Reason.INFEASIBLE: "every table that would do is taken",
    Reason.CRASH_LOOP: "kept ending its worker",
    Reason.HOLD_EXPIRED: "was not confirmed in time",
    Reason.BOOKING_GONE: "the booking is gone",
    Reason.BOOKING_CHANGED: "has changed since",
    Reason.TERMINAL_STATE: "not waiting for tables",
    Reason.OWNED_BY_LEGACY: "with the legacy planner",
    Reason.LOCK_CONTENTION: "somebody else is at it",
    Reason.CONFLICT: "others were faster every time",
    Reason.STORE_UNAVAILABLE: "the store could not be reached",
    Reason.BY_REQUEST: "as somebody asked for",
}

_RULES: Mapping[str, str] = {
    Rule.UNKNOWN_TABLE: "unknown",
    Rule.INACTIVE: "out of use",
    Rule.SEATING: "in the wrong place",
    Rule.ZONE: "in another zone",
    Rule.ACCESSIBLE: "not accessible",
    Rule.SIZE: "of the wrong size",
    Rule.TAKEN: "taken",
    Rule.PARTNER_TAKEN: "next to taken ones",
    Rule.FORBIDDEN: "forbidden by a strategy",
}

_DAY = 24 * 60


def reason(code: str | None) -> str:
    """Why a booking has no tables."""
    return "" if code is None else REASONS.get(code, code.replace("_", " "))


def turned_away(counts: Mapping[str, int]) -> str:
    """How many tables each rule turned away, most first."""
    most_first = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{count} {_RULES.get(rule, rule.replace('_', ' '))}" for rule, count in most_first)


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
