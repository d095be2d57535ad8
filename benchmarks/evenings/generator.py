"""
Evenings drawn from a seed: a floor, and who asks for a table in which order.

`docs/concepts/benchmark.md` says where the numbers come from, and which of them are assumptions.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
import re
from collections.abc import Mapping

import attrs

from assignment_pipeline import Booking, FloorPlan, Table, Venue, VenuePolicy

OPENING = dt.datetime(2031, 5, 2, 17, tzinfo=dt.UTC)
QUARTER = dt.timedelta(minutes=15)
ARRIVALS = 20
"""Quarters of an hour in which parties may arrive: from 17:00 to 21:45."""

PEAK = (8, 12)
"""The first and last quarter of the peak: 19:00 and 20:00."""


@attrs.frozen
class Size:
    """
    How large an evening is, written as in ``60x130``.

    Attributes:
        tables: Tables on the floor.

        bookings: Parties that ask for one.
    """

    tables: int
    bookings: int

    @classmethod
    def parse(cls, text: str) -> Size:
        """
        The size that *text* says.

        Raises:
            ValueError: It says none.
        """
        match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", text)
        if match is None:
            msg = f"expected a size such as 60x130, got {text!r}"
            raise ValueError(msg)
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.tables}x{self.bookings}"


SIZES = tuple(map(Size.parse, ("20x40", "20x60", "60x130", "60x200", "200x420", "200x800")))


@attrs.frozen(kw_only=True)
class Mix:
    """
    What kind of house an evening is drawn for.

    Attributes:
        parties: How often each party size asks; the weights need not add up to 1.

        tables: The share of the tables with each number of seats.

        least: The smallest party that may sit alone at a table with that many seats.

        zone_tables: Tables in a zone, about.

        row_tables: Tables in a row at most: neighbours in a row may be joined. A zone is one row unless told otherwise.

        zone_requests: The share of parties that want a certain zone and take no other.

        accessible_requests: The share of parties that need an accessible table.

        accessible_tables: The share of tables that are accessible.
    """

    parties: Mapping[int, float]
    tables: Mapping[int, float] = {2: 0.45, 4: 0.40, 6: 0.10, 8: 0.05}
    least: Mapping[int, int] = {2: 1, 4: 2, 6: 4, 8: 5}
    zone_tables: int = 10
    row_tables: int = 1_000
    zone_requests: float = 0.08
    accessible_requests: float = 0.03
    accessible_tables: float = 0.2


STANDARD = {1: 0.05, 2: 0.55, 3: 0.11, 4: 0.16, 5: 0.05, 6: 0.04, 7: 0.015, 8: 0.015, 10: 0.007, 12: 0.003}
COUPLES = {1: 0.08, 2: 0.68, 3: 0.08, 4: 0.12, 5: 0.02, 6: 0.02}
FAMILIES = {1: 0.02, 2: 0.30, 3: 0.18, 4: 0.25, 5: 0.11, 6: 0.08, 7: 0.03, 8: 0.02, 9: 0.005, 10: 0.005}
GROUPS = {2: 0.42, 3: 0.08, 4: 0.18, 5: 0.06, 6: 0.12, 7: 0.03, 8: 0.07, 10: 0.03, 12: 0.01}

MIXES = {
    "standard": Mix(parties=STANDARD),
    "couples": Mix(parties=COUPLES),
    "families": Mix(parties=FAMILIES),
    "groups": Mix(parties=GROUPS, row_tables=5, zone_requests=0.15, accessible_requests=0.05),
    "fours": Mix(parties=STANDARD, tables={2: 0.25, 4: 0.60, 6: 0.15}, least={2: 1, 4: 1, 6: 3}, row_tables=4),
}


@attrs.frozen
class Evening:
    """
    A floor, and who asks for a table on it.

    Attributes:
        name: What it was drawn from, such as ``standard-20x40-1003``.

        venue: The restaurant.

        bookings: The requests, in the order in which they are made.
    """

    name: str
    venue: Venue
    bookings: tuple[Booking, ...]


def evening(size: Size, seed: int, mix: str = "standard", policy: VenuePolicy | None = None) -> Evening:
    """The evening of that size, seed and mix; the same for ever. The *policy* takes no part in the drawing."""
    name = f"{mix}-{size}-{seed}"
    drawn = random.Random(name)  # noqa: S311
    recipe = MIXES[mix]
    venue = Venue(name, "UTC", _floor(drawn, size.tables, recipe), policy or VenuePolicy())
    return Evening(name, venue, _bookings(drawn, size.bookings, recipe, venue))


def _floor(drawn: random.Random, count: int, mix: Mix) -> FloorPlan:
    """Tables by their shares in a drawn order, cut into zones of equal length and these into rows."""
    seats = _by_share(count, mix.tables)
    drawn.shuffle(seats)
    accessible = set(drawn.sample(range(count), max(1, round(count * mix.accessible_tables))))
    zones = max(1, round(count / mix.zone_tables))
    tables = [
        Table(
            f"T{number + 1:03}",
            capacity,
            min_party_size=mix.least[capacity],
            zone=f"zone-{number * zones // count + 1}",
            accessible=number in accessible,
        )
        for number, capacity in enumerate(seats)
    ]
    pairs = []
    for _, members in itertools.groupby(tables, key=lambda table: table.zone):
        names = [table.id for table in members]
        for place, pair in enumerate(itertools.pairwise(names), 1):
            if place % mix.row_tables:
                pairs.append(pair)
    return FloorPlan(tables, pairs)


def _by_share(count: int, shares: Mapping[int, float]) -> list[int]:
    """*count* numbers of seats, each as often as its share says, to the nearest whole number."""
    found: list[int] = []
    total = 0.0
    for seats, share in shares.items():
        total += share
        found += [seats] * (round(count * total / sum(shares.values())) - len(found))
    return found


def _bookings(drawn: random.Random, count: int, mix: Mix, venue: Venue) -> tuple[Booking, ...]:
    zones = sorted({table.zone for table in venue.floor.tables if table.zone is not None})
    sizes = drawn.choices(list(mix.parties), list(mix.parties.values()), k=count)
    arrivals = drawn.choices(range(ARRIVALS), [_weight(quarter) for quarter in range(ARRIVALS)], k=count)
    # How many days ahead a party books is drawn with its size as the mean.
    ahead = [drawn.expovariate(1 / size) for size in sizes]
    requests = sorted(zip(ahead, sizes, arrivals, strict=True), reverse=True)
    return tuple(
        Booking(
            f"b-{number:04}",
            venue.id,
            size,
            OPENING + quarter * QUARTER,
            zone=drawn.choice(zones) if drawn.random() < mix.zone_requests else None,
            accessible=drawn.random() < mix.accessible_requests,
        )
        for number, (_, size, quarter) in enumerate(requests, 1)
    )


def _weight(quarter: int) -> float:
    """How often parties arrive then: four times as often in the peak, half as much less each quarter off it."""
    first, last = PEAK
    away = max(first - quarter, quarter - last, 0)
    return max(4 - away / 2, 1)
