"""Restaurants that are too small for the bookings that they get."""

from __future__ import annotations

import datetime as dt
import itertools
import random

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.combination import Combination
from assignment_pipeline.domain.floor import FloorPlan, Table
from assignment_pipeline.domain.pacing import PacingRule
from assignment_pipeline.domain.policy import ServicePeriod, VenuePolicy
from assignment_pipeline.domain.venue import Venue

CAPACITIES = (2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 8)
PARTIES = (1, 2, 2, 2, 2, 3, 3, 4, 4, 4, 5, 6, 7, 8, 10)
AN_EVENING = 30
"""Bookings for an evening at a restaurant: more than it has room for at the times that most want."""


def venues(count: int) -> tuple[Venue, ...]:
    """That many restaurants of twelve tables, each a row in which neighbours can be joined."""
    tables = [Table(f"T{number}", seats) for number, seats in enumerate(CAPACITIES, start=1)]
    pairs = itertools.pairwise(table.id for table in tables)
    floor = FloorPlan(tables, pairs, (Combination("the long table", ("T10", "T11", "T12"), 18),))
    rules = (PacingRule(minutes=15, covers=14), PacingRule(minutes=60, parties=9, periods=["dinner"]))
    periods = (ServicePeriod("dinner", dt.time(17), dt.time(23), end_rule="arrive_by"),)
    policy = VenuePolicy(post_buffer_minutes=15, service_periods=periods, pacing=rules)
    return tuple(Venue(f"r-{number}", "Europe/London", floor, policy) for number in range(1, count + 1))


class Guests:
    """
    Who books, drawn from a seed.

    Args:
        chance: What they are drawn by.

        restaurants: The ids of the restaurants.

        bookings: How many will come, which says over how many evenings.

        now: The time; the first evening is tomorrow's.
    """

    def __init__(self, chance: random.Random, restaurants: tuple[str, ...], bookings: int, now: dt.datetime) -> None:
        self._chance = chance
        self._restaurants = restaurants
        self._evenings = max(1, round(bookings / len(restaurants) / AN_EVENING))
        self._first = now.replace(hour=17, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)
        self._came = 0

    def comes(self) -> Booking:
        """Another booking."""
        self._came += 1
        restaurant = self._restaurants[self._came % len(self._restaurants)]
        return Booking(f"b-{self._came:06}", restaurant, self._chance.choice(PARTIES), self.moment())

    def moment(self) -> dt.datetime:
        """When somebody arrives."""
        quarters = min(self._chance.randrange(16), self._chance.randrange(4, 20))
        return self._first + dt.timedelta(days=self._chance.randrange(self._evenings), minutes=15 * quarters)

    def party(self) -> int:
        """How many come."""
        return self._chance.choice(PARTIES)
