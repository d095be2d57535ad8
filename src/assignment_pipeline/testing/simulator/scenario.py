"""What a run begins with: restaurants, bookings that want the same tables, settings, and a fleet."""

from __future__ import annotations

import datetime as dt
import itertools

import attrs

from assignment_pipeline.domain.booking import Booking, SeatingPreference
from assignment_pipeline.domain.combination import Group
from assignment_pipeline.domain.floor import CommunalTable, Counter, FloorPlan, Table
from assignment_pipeline.domain.pacing import PacingRule
from assignment_pipeline.domain.policy import ServicePeriod, VenuePolicy
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.zones import TableOffer, Zone
from assignment_pipeline.flow.settings import Confirmation, Impossible, InFlight, Settings, Takeover
from assignment_pipeline.testing.clock import START
from assignment_pipeline.testing.simulator.choices import Choices

DINNER = START + dt.timedelta(hours=10)
QUARTER = dt.timedelta(minutes=15)

ARRIVALS = (
    DINNER,
    DINNER,
    DINNER + 2 * QUARTER,
    DINNER,
    DINNER - 3 * QUARTER,
    DINNER + 6 * QUARTER,
    START + 2 * QUARTER,
)
"""Close enough for most to want the same tables; the last within a retry's cutoff before long."""

PARTIES = (2, 2, 4, 2, 3, 4, 2, 5)


ELSEWHERE = "E1"
"""The restaurant that the pipeline is never in charge of."""

ALL_AT_ONCE = 100
PACED = 5
"""One scenario in so many has caps on arrivals."""

FURNISHED, FURNITURE = 7, 2
"""One scenario in so many has a counter or a communal table, tables for staff, and some that are never joined."""

OPEN = "payment_open"
"""What the host calls a booking that does not wait for tables now, and may again."""


@attrs.frozen(kw_only=True)
class Scenario:
    """
    What a run begins with.

    Attributes:
        venues: The restaurants.

        bookings: Who wants a table.

        walk_ins: Those of them that the host does not know, by id.

        legacys: Those of them that legacy answers for, by id.

        enqueued: Those of them that wait for the pipeline, by id.

        settings: How the flows behave.

        workers: How many there are.

        max_parallel: Assignments at one time at a restaurant, at most.

        blind: Whether the flags come without the rollout's generation, as those of the environment do.

        legacy: Whether there is a legacy planner.

        length: How many jobs and happenings there are.

        backlog: Bookings that wait at a restaurant which the pipeline is never in charge of.

        page: How many bookings a sweep takes up at most, in the end.

        lists: Whether the host names the restaurants that wait.
    """

    venues: tuple[Venue, ...]
    bookings: tuple[Booking, ...]
    walk_ins: frozenset[str]
    legacys: frozenset[str]
    enqueued: frozenset[str]
    settings: Settings
    workers: int
    max_parallel: int
    blind: bool
    legacy: bool
    length: int
    backlog: tuple[Booking, ...]
    page: int
    lists: bool


def draw_scenario(choices: Choices) -> Scenario:
    """A scenario; the plainest is one small restaurant, three parties of two, two workers, and nothing to do."""
    length = choices.pick(29)
    workers = 2 + choices.pick(3)
    venues = tuple(_venue(choices, f"R{number}") for number in range(1, 2 + choices.of((0, 0, 0, 1))))
    parties = 3 + choices.of((0, 2, 3, 4, 5, 6))
    bookings = tuple(_booking(choices, f"B{number}", venues) for number in range(1, 1 + parties))
    walk_ins = [booking.id for booking in bookings if choices.chance(0.08)]
    legacys = frozenset(booking.id for booking in bookings if choices.chance(0.05))
    enqueued = frozenset(booking.id for booking in bookings if choices.chance(0.25))
    settings, max_parallel = _settings(choices), choices.of((3, 3, 2, 1))
    blind, legacy = choices.chance(0.2), not choices.chance(0.3)
    # What came later is drawn last: a seed begins as it did before.
    settings = attrs.evolve(settings, takeover=Takeover.ON_TOUCH if choices.chance(0.3) else Takeover.NEVER)
    backlog = _backlog(choices) if choices.chance(0.06) else ()
    page = choices.of((3, 1)) if backlog else ALL_AT_ONCE
    lists = not choices.chance(0.5 if backlog else 0.1)
    # No draw decides on these, so that the other seeds stay as they were.
    if length % PACED == PACED - 1:
        venues = tuple(_paced(choices, venue) for venue in venues)
    if length % FURNISHED == FURNITURE:
        venues = tuple(_furnished(choices, venue) for venue in venues)
    return Scenario(
        venues=venues,
        bookings=bookings,
        walk_ins=frozenset(walk_ins),
        legacys=legacys,
        enqueued=enqueued - legacys,
        settings=settings,
        workers=workers,
        max_parallel=max_parallel,
        blind=blind,
        legacy=legacy,
        length=length,
        backlog=backlog,
        page=page,
        lists=lists,
    )


def _backlog(choices: Choices) -> tuple[Booking, ...]:
    """More bookings than a sweep takes up, sooner than most others: all at one time, or one a minute."""
    count, apart = choices.of((4, 9, 30)), choices.of((dt.timedelta(), dt.timedelta(minutes=1)))
    first = DINNER - dt.timedelta(hours=1)
    return tuple(Booking(f"E{number}", ELSEWHERE, 2, first + number * apart) for number in range(1, 1 + count))


def _settings(choices: Choices) -> Settings:
    return Settings(
        confirmation=choices.of((Confirmation.IMMEDIATE, Confirmation.EXTERNAL)),
        impossible=choices.of((Impossible.REVIEW, Impossible.FAIL)),
        max_retries=choices.of((1, 0, 2)),
        max_holds=choices.of((1, 2)),
        tries=choices.of((5, 2, 3)),
        max_deliveries=choices.of((5, 2)),
        in_flight=choices.of((InFlight.HANDOVER, InFlight.HANDOVER, InFlight.DRAIN)),
    )


def _venue(choices: Choices, restaurant_id: str) -> Venue:
    tables = [_table(choices, f"{restaurant_id}-T{number}") for number in range(1, 4 + choices.of((0, 0, 0, 1, 2, 3)))]
    side_by_side = [pair for pair in itertools.pairwise(table.id for table in tables) if choices.pick(2)]
    policy = VenuePolicy(
        service_periods=() if not choices.chance(0.25) else (ServicePeriod("day", dt.time(9), dt.time(23)),),
        post_buffer_minutes=choices.of((0, 0, 15)),
        pre_buffer_minutes=choices.of((0, 0, 0, 5)),
        max_overage=choices.of((None, None, 1)),
    )
    return Venue(restaurant_id, "Europe/London", FloorPlan(tables, side_by_side), policy)


def _paced(choices: Choices, venue: Venue) -> Venue:
    rule = PacingRule(minutes=choices.of((15, 60, 240)), parties=choices.of((1, 2, 3)), covers=choices.of((None, 4)))
    return Venue(venue.id, venue.timezone, venue.floor, attrs.evolve(venue.policy, pacing=(rule,)))


def _furnished(choices: Choices, venue: Venue) -> Venue:
    """The venue with a row of seats, its last table for staff, what its zone says, and two tables that stay apart."""
    row = choices.of((Counter, CommunalTable))(f"{venue.id}-S", choices.of((4, 3, 5)))
    *tables, last = venue.floor.tables
    held = choices.of((None, None, 60, 24 * 60))
    kept = attrs.evolve(last, offer=choices.of((TableOffer.STAFF, TableOffer.ON_REQUEST)), held_until_minutes=held)
    window = Zone("window", offer=choices.of((TableOffer.LAST, TableOffer.ON_REQUEST)), held_until_minutes=held)
    names = [table.id for table in venue.floor.tables]
    floor = FloorPlan(
        [*tables, kept, row],
        venue.floor.adjacent,
        zones=[window] if any(table.zone == window.name for table in venue.floor.tables) else [],
        groups=[Group("all", names)],
        never_joined=[names[:2]],
    )
    return Venue(venue.id, venue.timezone, floor, venue.policy)


def _table(choices: Choices, table_id: str) -> Table:
    capacity = choices.of((2, 4, 2, 4, 6))
    return Table(
        table_id,
        capacity,
        min_party_size=choices.of((1, 1, 1, capacity - 1)),
        zone=choices.of((None, None, "window")),
        seating=choices.of((SeatingPreference.INDOOR,) * 4 + (SeatingPreference.OUTDOOR,)),
        accessible=choices.of((True, True, False)),
        active=not choices.chance(0.08),
    )


def _booking(choices: Choices, booking_id: str, venues: tuple[Venue, ...]) -> Booking:
    return Booking(
        booking_id,
        choices.of(venues).id,
        choices.of(PARTIES),
        choices.of(ARRIVALS),
        seating=SeatingPreference.OUTDOOR if choices.chance(0.05) else SeatingPreference.ANY,
        zone="window" if choices.chance(0.05) else None,
        accessible=choices.chance(0.1),
    )
