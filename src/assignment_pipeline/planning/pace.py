"""Who arrives when, held against the caps of a restaurant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.calendar import Calendar
from assignment_pipeline.domain.pacing import ArrivingParty, PacingCap


class Pace:
    """
    The arrivals at a restaurant, and its caps on them.

    Args:
        calendar: The restaurant's.

        arrivals: The parties that have tables, each once.
    """

    __slots__ = ("_arrivals", "_calendar", "_own", "_sums")

    def __init__(self, calendar: Calendar, arrivals: Iterable[ArrivingParty]) -> None:
        self._calendar = calendar
        self._arrivals = tuple(arrivals)
        self._own = {arrival.booking_id: arrival for arrival in self._arrivals}
        self._sums: dict[PacingCap, tuple[int, int]] = {}

    def caps(self, booking: Booking) -> tuple[PacingCap, ...]:
        """The caps to which the booking adds something, beside what it has tables for already."""
        caps = self._calendar.caps(booking.start_at, booking.channel)
        own = self._own.get(booking.id)
        if own is None:
            return caps
        return tuple(cap for cap in caps if own.party_size < booking.party_size or not cap.counts(own))

    def refuses(self, booking: Booking) -> bool:
        """Whether the booking would go beyond a cap."""
        return any(self._spots(cap, booking) == 0 for cap in self.caps(booking))

    def with_arrival(self, arrival: ArrivingParty) -> Pace:
        """The same with one more party, or with other facts of one that is there."""
        others = (one for one in self._arrivals if one.booking_id != arrival.booking_id)
        return Pace(self._calendar, (*others, arrival))

    def left(self, start: dt.datetime, channel: str | None) -> tuple[int | None, int | None] | None:
        """How many more guests, and parties, may arrive at *start*: each None without a cap, as is all of it."""
        caps = self._calendar.caps(start, channel)
        if not caps:
            return None
        sums = [(cap, *self._sum(cap)) for cap in caps]
        covers = [max(cap.covers - there, 0) for cap, there, _ in sums if cap.covers is not None]
        parties = [max(cap.parties - there, 0) for cap, _, there in sums if cap.parties is not None]
        return min(covers, default=None), min(parties, default=None)

    def _spots(self, cap: PacingCap, booking: Booking) -> int:
        covers, parties = self._sum(cap)
        own = self._own.get(booking.id)
        if own is not None and cap.counts(own):
            covers, parties = covers - own.party_size, parties - 1
        return self._left(cap, booking.party_size, (covers, parties))

    @staticmethod
    def _left(cap: PacingCap, party_size: int, there: tuple[int, int]) -> int:
        covers, parties = there
        left = []
        if cap.covers is not None:
            left.append((cap.covers - covers) // party_size)
        if cap.parties is not None:
            left.append(cap.parties - parties)
        return max(min(left), 0)

    def _sum(self, cap: PacingCap) -> tuple[int, int]:
        found = self._sums.get(cap)
        if found is None:
            sizes = [arrival.party_size for arrival in self._arrivals if cap.counts(arrival)]
            found = self._sums[cap] = (sum(sizes), len(sizes))
        return found
