"""What the doctor says."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import attrs

ADVICE: Mapping[str, str] = {
    "no_fit": "more tables, shorter turns or buffers, more tables that may be joined; or fewer bookings taken",
    "infeasible": "more tables, shorter turns or buffers, more tables that may be joined; or fewer bookings taken",
    "party_too_large": "not taking such bookings, or larger combinations",
    "party_too_small": "tables with a smaller min_party_size",
    "no_such_seating": "not taking such bookings, or tables of that kind",
    "outside_service": "not taking such bookings; and a look at the restaurants' timezones",
    "in_past": "a look at timezones, and at how long bookings wait in queues",
    "booking_unreadable": "the row of the booking: its value makes no sense, such as a party of 0; the event names it",
    "crash_loop": "the log: something kills the worker, or raises, each time",
}
"""What helps against each reason for a review."""


class Health(enum.StrEnum):
    """What a check has found."""

    GOOD = "good"
    NOTE = "note"
    WRONG = "wrong"


@attrs.frozen(kw_only=True)
class Finding:
    """
    What one check says.

    Attributes:
        check: Its name.

        health: Whether anything is wrong; a note is only worth knowing.

        evidence: What was found.

        cause: What is likely behind it; None where all is well.

        fix: What to do.
    """

    check: str
    health: Health
    evidence: str
    cause: str | None = None
    fix: str | None = None
