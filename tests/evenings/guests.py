"""Who comes on an evening, and how: drawn from a seed."""

from __future__ import annotations

import datetime as dt
import random

import attrs

from assignment_pipeline import Booking, FloorPlan, Table, Venue, VenuePolicy

MINUTE = dt.timedelta(minutes=1)
HOUSE = "house"
BOOKINGS, WALK_INS = 200, 60
NO_SHOWS, LATE_AFTER_ALL = 30, 6  # 15 %, a fifth of whom come after all.
OVERSTAYS, EARLY_LEAVERS, EARLY_ARRIVALS = 40, 20, 20  # 20 %, 10 %, 10 %.
WRONG_CANCELLATIONS, SWAPS, ROUNDS, RECOUNTS = 10, 12, 6, 10
SIZES = (1, 2, 2, 2, 2, 3, 3, 4, 4, 4, 5, 6)


def house() -> Venue:
    """90 tables, some of which can be joined; a quarter of an hour to lay each."""
    seats = (2, 2, 4, 4, 4, 6)
    tables = [Table(f"T{number:02}", seats[number % 6], zone=f"room {number // 20}") for number in range(90)]
    pairs = [(f"T{number:02}", f"T{number + 1:02}") for number in range(0, 90, 6)]
    policy = VenuePolicy(post_buffer_minutes=15, shortest_stay_minutes=40, freeze_minutes=20)
    return Venue(HOUSE, "Europe/Madrid", FloorPlan(tables, pairs), policy)


@attrs.define
class Guest:
    """
    A party that has booked.

    Attributes:
        booking: What it booked.

        comes: When it comes; None for one that never does.

        stays: For how long it stays, against its turn.

        is_missed: Whether it is marked as a no-show before it comes.

        is_cancelled: Whether its booking is cancelled by mistake, and when.

        is_put_back: When that is undone.

        becomes: How many there are in the end; None for as many as were booked.
    """

    booking: Booking
    comes: dt.datetime | None
    stays: dt.timedelta = dt.timedelta()
    is_missed: bool = False
    is_cancelled: dt.datetime | None = None
    is_put_back: dt.datetime | None = None
    becomes: int | None = None


@attrs.frozen
class WalkIn:
    """
    A party that has not booked.

    Attributes:
        name: The id of its booking.

        comes: When.

        size: How many.

        asks_first: Whether it is offered a table first.

        twice: Whether the call is made twice, as after a lost answer.

        stays: For how long it stays, against what it was told.
    """

    name: str
    comes: dt.datetime
    size: int
    asks_first: bool
    twice: bool
    stays: dt.timedelta


@attrs.frozen
class Script:
    """
    An evening.

    Attributes:
        opens: When it begins.

        guests: Who has booked.

        walk_ins: Who has not.

        swaps: When two parties change tables.

        rounds: When three do.
    """

    opens: dt.datetime
    guests: tuple[Guest, ...]
    walk_ins: tuple[WalkIn, ...]
    swaps: tuple[dt.datetime, ...]
    rounds: tuple[dt.datetime, ...]


def draw(seed: int, opens: dt.datetime, part: int = 1) -> Script:
    """The evening of that seed, from *opens* on: five hours of arrivals; one guest in *part* of a whole evening's."""
    chance = random.Random(seed)
    guests = [_booked(chance, number, opens) for number in range(BOOKINGS // part)]
    chance.shuffle(guests)
    left = iter(guests)
    missing = [next(left) for _ in range(NO_SHOWS // part)]
    for place, guest in enumerate(missing):
        guest.is_missed = True
        late = guest.booking.start_at + chance.randrange(30, 50) * MINUTE
        guest.comes = late if place < LATE_AFTER_ALL // part else None
    for _ in range(OVERSTAYS // part):
        next(left).stays = chance.randrange(10, 55) * MINUTE
    for _ in range(EARLY_LEAVERS // part):
        next(left).stays = -chance.randrange(15, 45) * MINUTE
    for _ in range(EARLY_ARRIVALS // part):
        guest = next(left)
        guest.comes = guest.booking.start_at - chance.randrange(5, 30) * MINUTE
    for guest in chance.sample([one for one in guests if not one.is_missed], WRONG_CANCELLATIONS // part):
        before = min(guest.comes or guest.booking.start_at, guest.booking.start_at)
        guest.is_put_back = before - chance.randrange(10, 30) * MINUTE
        guest.is_cancelled = guest.is_put_back - chance.randrange(2, 25) * MINUTE
    for guest in chance.sample([one for one in guests if not one.is_missed], RECOUNTS // part):
        guest.becomes = max(1, guest.booking.party_size + chance.choice((-1, 1)))
    walk_ins = [_walk_in(chance, number, opens) for number in range(WALK_INS // part)]
    swaps = [opens + chance.randrange(300) * MINUTE for _ in range(SWAPS // part)]
    rounds = [opens + chance.randrange(300) * MINUTE for _ in range(ROUNDS // part)]
    guests.sort(key=lambda guest: guest.booking.id)
    return Script(opens, tuple(guests), tuple(walk_ins), tuple(swaps), tuple(rounds))


def _booked(chance: random.Random, number: int, opens: dt.datetime) -> Guest:
    start = opens + 15 * chance.randrange(19) * MINUTE
    booking = Booking(f"b-{number:03}", HOUSE, chance.choice(SIZES), start)
    return Guest(booking, comes=start + chance.choice((0, 0, 2, 5, 8, 12)) * MINUTE)


def _walk_in(chance: random.Random, number: int, opens: dt.datetime) -> WalkIn:
    return WalkIn(
        name=f"w-{number:02}",
        comes=opens + chance.randrange(290) * MINUTE,
        size=chance.choice(SIZES),
        asks_first=bool(chance.randrange(2)),
        twice=not chance.randrange(4),
        stays=chance.choice((-20, 0, 0, 0, 15)) * MINUTE,
    )
