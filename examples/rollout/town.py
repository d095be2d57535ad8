"""A town of restaurants, the bookings that they get, and the planner that they have had for years."""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from assignment_pipeline import Booking, FloorPlan, LegacyResult, Occupied, Table, TimeWindow, Venue
from assignment_pipeline.adapters.sqlite import StandaloneHost

NAMES = tuple(f"kitchen-{number:02}" for number in range(1, 13))
SEATS = (2, 2, 2, 4, 4, 4, 6, 8)
PARTIES, WEIGHTS = (1, 2, 3, 4, 5, 6), (8, 44, 12, 22, 5, 9)
BOOKINGS_A_DAY = 10
SERVED_IN = range(72, 88)  # Quarters of an hour, from 18:00 on.

VENUES = tuple(
    Venue(name, "UTC", FloorPlan([Table(f"T{number}", seats) for number, seats in enumerate(SEATS, 1)]))
    for name in NAMES
)


class Town(StandaloneHost):
    """The host: beside what the pipeline keeps for it, it knows what its old planner has seated."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self._seats: defaultdict[tuple[str, dt.date], list[Occupied]] = defaultdict(list)

    def seat(self, restaurant_id: str, seat: Occupied) -> None:
        """The old planner has seated somebody; no evening lasts past midnight."""
        self._seats[restaurant_id, seat.window.start.date()].append(seat)

    def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:  # noqa: ARG002
        """What the old planner has seated."""
        days = {window.start.date() + dt.timedelta(days=day) for day in range(window.duration.days + 2)}
        seats = (seat for day in sorted(days) for seat in self._seats[restaurant_id, day])
        return [seat for seat in seats if seat.window.overlaps(window)]


class OldPlanner:
    """The first table that is large enough. It has never heard of the pipeline, but looks where that has seated."""

    def __init__(self, town: Town, taken: Any) -> None:
        self._town = town
        self._taken = taken

    def __call__(self, booking: Booking) -> LegacyResult:
        """Seat it, or do not."""
        window = TimeWindow(booking.start_at, booking.start_at + dt.timedelta(hours=2))
        mine = {seat.table_id for seat in self._town.occupied(None, booking.restaurant_id, window)}
        taken = mine | self._taken(booking.restaurant_id, window)
        for number, seats in enumerate(SEATS, 1):
            name = f"T{number}"
            if seats >= booking.party_size and name not in taken:
                seat = Occupied(table_id=name, window=window, booking_id=booking.id)
                self._town.seat(booking.restaurant_id, seat)
                return LegacyResult((name,))
        return LegacyResult()


def bookings_of(day: dt.date) -> Iterator[tuple[dt.datetime, Booking]]:
    """What is booked on a day for the evening of the next, and when; the same every time."""
    chance = random.Random(day.isoformat())  # noqa: S311 - the same every time
    midnight = dt.datetime.combine(day, dt.time(), dt.UTC)
    taken = []
    for name in NAMES:
        for number in range(BOOKINGS_A_DAY):
            at = midnight + dt.timedelta(minutes=chance.randrange(9 * 60, 22 * 60))
            start_at = midnight + dt.timedelta(days=1, minutes=15 * chance.choice(SERVED_IN))
            (party,) = chance.choices(PARTIES, WEIGHTS)
            taken.append((at, Booking(f"{name}/{day:%m%d}-{number}", name, party, start_at)))
    yield from sorted(taken, key=lambda pair: (pair[0], pair[1].id))
