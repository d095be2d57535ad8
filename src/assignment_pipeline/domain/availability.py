"""Which times can still be had."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable

import attrs

from assignment_pipeline.domain.reasons import Reason, sentence_of


class SlotStatus(enum.StrEnum):
    """Whether a time can be had."""

    AVAILABLE = "available"
    """`assign` confirms it."""

    WITH_MOVES = "with_moves"
    """`assign` confirms it, and moves other bookings to make room."""

    REVIEW = "review"
    """A person decides."""

    UNAVAILABLE = "unavailable"
    """It cannot be had."""


_BEST_FIRST = tuple(SlotStatus)

TAKEN, CLOSED = "taken", "closed"

_CODES = {Reason.NO_FIT: TAKEN, Reason.INFEASIBLE: TAKEN, Reason.OUTSIDE_SERVICE: CLOSED}


def code_of(reason: Reason) -> str:
    """What a slot calls a reason: ``taken`` and ``closed``, and all others by their own codes."""
    return _CODES.get(reason, reason.value)


def sentence_of_slot(code: str) -> str:
    """What people read for what a slot calls a reason."""
    return sentence_of(next((reason for reason, called in _CODES.items() if called == code), code))


@attrs.frozen(weakref_slot=False)
class Slot:
    """
    An arrival, for parties of one size.

    Attributes:
        start_at: When the party would arrive, in UTC.

        party_size: Its guests.

        status: Whether it can be had.

        reason: Why it cannot, or why a person decides: ``taken``, ``closed``, or the code of a `Reason`; else None.

        spots: How many parties of that size fit at once; on large floors, at least so many.

        turn_minutes: How long the party would sit, in minutes.

        zones: The zones in which it can be had without moves, sorted.

        seatings: Where it can be had without moves: ``indoor``, ``outdoor``, ``bar``; sorted.
    """

    start_at: dt.datetime
    party_size: int
    status: SlotStatus
    reason: str | None
    spots: int
    turn_minutes: int
    zones: tuple[str, ...] = ()
    seatings: tuple[str, ...] = ()


@attrs.frozen
class DayAvailability:
    """
    What a date has for parties of one size.

    Attributes:
        date: The local date on which the service periods start.

        party_size: Its guests.

        status: The best of all its slots.

        reason: Why there is nothing, or a person decides; else None. A date on which nobody arrives is ``closed``.

        times: How many arrivals have that status.
    """

    date: dt.date
    party_size: int
    status: SlotStatus
    reason: str | None
    times: int

    @classmethod
    def of(cls, date: dt.date, party_size: int, slots: Iterable[Slot]) -> DayAvailability:
        """The best of its slots on that date."""
        found = list(slots)
        statuses = [slot.status for slot in found]
        best = next((status for status in _BEST_FIRST if status in statuses), SlotStatus.UNAVAILABLE)
        times = statuses.count(best)
        if best is SlotStatus.AVAILABLE:
            return cls(date, party_size, best, None, times)
        reasons = (slot.reason for slot in found if slot.status is best and slot.reason != CLOSED)
        return cls(date, party_size, best, next(reasons, CLOSED), times)


@attrs.frozen
class Availability:
    """
    The times of a restaurant that can be had, at the moment of asking.

    Attributes:
        restaurant_id: The restaurant.

        timezone: The IANA name of its timezone.

        date: The local date, or the first of several.

        until: The last date.

        slots: One for each arrival and size of party, by time, then in the order of the sizes that were asked for.

        days: What each date has for each size of party: a month at a glance.
    """

    restaurant_id: str
    timezone: str
    date: dt.date
    until: dt.date
    slots: tuple[Slot, ...]
    days: tuple[DayAvailability, ...] = ()
