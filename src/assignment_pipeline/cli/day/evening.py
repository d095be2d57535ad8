"""An evening that never was, for the demo: made up from a seed, and the same for the same seed."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from assignment_pipeline.cli.day.service_file import Service
from assignment_pipeline.domain.booking import MAX_PARTY, Booking, SeatingPreference
from assignment_pipeline.domain.floor import Counter, FloorPlan, Table
from assignment_pipeline.domain.pacing import PacingRule
from assignment_pipeline.domain.policy import Arrivals, ServicePeriod, TurnBand, VenuePolicy
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.zones import TableOffer, Zone

SATURDAY = 5
QUARTER = dt.timedelta(minutes=15)
OPENS, CLOSES = dt.time(17), dt.time(0)

POLICY = VenuePolicy(
    service_periods=(ServicePeriod("dinner", OPENS, CLOSES, arrivals=Arrivals(every=15)),),
    pacing=(PacingRule(minutes=15, covers=32),),
    turn_bands=(TurnBand(2, 75), TurnBand(4, 90), TurnBand(6, 105), TurnBand(MAX_PARTY, 120)),
    post_buffer_minutes=15,
    max_overage=3,
)

# How many guests in a hundred or so arrive in each quarter of an hour from the opening on; most from seven to eight.
ARRIVALS = (6, 7, 8, 6, 4, 4, 4, 6, 8, 9, 8, 5, 4, 4, 5, 7, 8, 6, 4, 3, 2, 1)

# How many in a hundred or so come as a party of each size.
PARTIES = {1: 3, 2: 52, 3: 12, 4: 22, 5: 3, 6: 4, 7: 1, 8: 2, 10: 1}

BOOKINGS = 110
TOO_LARGE = 40
TOO_LATE = dt.time(23, 0)


@attrs.frozen
class _Row:
    """Tables side by side: those of a row can be joined."""

    zone: str
    letter: str
    capacities: tuple[int, ...]
    seating: SeatingPreference = SeatingPreference.INDOOR
    accessible: bool = False


ROWS = (
    _Row("Salon", "S", (2, 2, 2, 4, 4), accessible=True),
    _Row("Salon", "S", (2, 4, 4, 4, 6)),
    _Row("Salon", "S", (4, 4, 6, 6, 6)),
    _Row("Library", "L", (2, 2, 4, 4)),
    _Row("Library", "L", (4, 4, 6)),
    _Row("Terrace", "T", (2, 2, 2, 4, 4, 4), SeatingPreference.OUTDOOR),
    _Row("Terrace", "T", (4, 4, 6, 6), SeatingPreference.OUTDOOR, accessible=True),
    _Row("Bar", "B", (2, 2, 2, 2), SeatingPreference.BAR),
)

COUNTER = Counter("C", 8, zone="Bar", seating=SeatingPreference.BAR)
ZONES = (Zone("Bar", offer=TableOffer.LAST),)


def upcoming_saturday(today: dt.date) -> dt.date:
    """The next Saturday; a week later when today is one."""
    return today + dt.timedelta(days=(SATURDAY - today.weekday() - 1) % 7 + 1)


def evening(date: dt.date, *, seed: int = 1, bookings: int = BOOKINGS) -> Service:
    """
    A busy evening.

    Args:
        date: Its date.

        seed: What the bookings are made up from.

        bookings: How many there are.
    """
    venue = Venue("demo", "Europe/London", _floor(), POLICY)
    return Service(venue, tuple(_bookings(venue, date, random.Random(seed), bookings)))  # noqa: S311 - no secret


def _floor() -> FloorPlan:
    tables: list[Table] = []
    adjacent = []
    for row in ROWS:
        first = len(tables)
        for capacity in row.capacities:
            number = 1 + sum(table.zone == row.zone for table in tables)
            tables.append(
                Table(
                    f"{row.letter}{number}",
                    capacity,
                    zone=row.zone,
                    seating=row.seating,
                    accessible=row.accessible,
                )
            )
        placed = [table.id for table in tables[first:]]
        adjacent += [frozenset(pair) for pair in itertools.pairwise(placed)]
    return FloorPlan((*tables, COUNTER), frozenset(adjacent), zones=ZONES)


def _bookings(venue: Venue, date: dt.date, chance: random.Random, count: int) -> Iterator[Booking]:
    opening = dt.datetime.combine(date, OPENS, venue.zone)
    impossible = dict(zip(chance.sample(range(count), min(2, count // 10)), _impossible(venue, date), strict=False))
    parties = _dealt(chance, PARTIES, count)
    arrivals = _dealt(chance, dict(enumerate(ARRIVALS)), count)
    for index, (party, quarters) in enumerate(zip(parties, arrivals, strict=True)):
        booking = Booking(f"Guest {index + 1}", venue.id, party, opening + quarters * QUARTER, **_wishes(chance, party))
        yield attrs.evolve(impossible.get(index, booking), id=booking.id)


def _dealt(chance: random.Random, shares: Mapping[int, int], count: int) -> list[int]:
    """So many of the keys, each by its share and in any order: closer to the shares than drawing each by itself."""
    keys, edges = list(shares), list(itertools.accumulate(shares.values(), initial=0))
    cards = []
    for key, low, high in zip(keys, edges, edges[1:], strict=False):
        cards += [key] * (round(high * count / edges[-1]) - round(low * count / edges[-1]))
    chance.shuffle(cards)
    return cards


def _wishes(chance: random.Random, party: int) -> dict[str, Any]:
    wish = chance.randrange(100)
    if wish < 7:  # noqa: PLR2004 - guests in a hundred
        return {"seating": SeatingPreference.OUTDOOR}
    if wish < 11 and party <= 2:  # noqa: PLR2004
        return {"seating": SeatingPreference.BAR}
    if wish < 14 and party <= 4:  # noqa: PLR2004
        return {"zone": "Library"}
    return {"accessible": wish < 17 and party <= 6}  # noqa: PLR2004


def _impossible(venue: Venue, date: dt.date) -> tuple[Booking, ...]:
    late = dt.datetime.combine(date, TOO_LATE, venue.zone)
    early = dt.datetime.combine(date, dt.time(19, 30), venue.zone)
    return (Booking("late", venue.id, 2, late), Booking("large", venue.id, TOO_LARGE, early))
