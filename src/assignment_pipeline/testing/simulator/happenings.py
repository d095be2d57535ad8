"""What happens beside the workers: the host, its staff, the rollout, and time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import attrs

from assignment_pipeline.domain.booking import CANCELLED, Booking
from assignment_pipeline.domain.floor import Occupied, Table
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.flow.legacy.handover import is_in_flight
from assignment_pipeline.flow.legacy.outcome import is_handed_over
from assignment_pipeline.testing.simulator.scenario import ARRIVALS, DINNER, OPEN, PARTIES
from assignment_pipeline.testing.simulator.world import World
from assignment_pipeline.testing.store_harness import Ability

SPANS = tuple(dt.timedelta(seconds=seconds) for seconds in (1, 3, 10, 35, 61, 185, 900))

NAP = dt.timedelta(seconds=30)
"""How long a worker may stand still, and still have its claims for certain."""

OUTAGES = tuple(dt.timedelta(seconds=seconds) for seconds in (1, 0.2, 20))


@attrs.frozen
class Happening:
    """
    Something that happens by itself, and at once.

    Attributes:
        name: What the trace calls it.

        weight: How often it comes, against the jobs and the others.

        come_about: Has it happen, and says what did.

        needs: What the harness must be able to do.

        fault: The fault that it is part of, or none.
    """

    name: str
    weight: int
    come_about: Callable[[World], str]
    needs: Ability | None = None
    fault: str = ""


def _time_passes(world: World) -> str:
    span = world.choices.of(SPANS)
    world.clock.advance(span)
    if span >= NAP:
        world.lose_claims()
    return f"{span.total_seconds():.0f} s pass"


def _changes_booking(world: World) -> str:
    before = world.any_booking()
    if before.status == CANCELLED:
        return "nothing"
    change = world.choices.pick(3)
    if change == 0:
        after = attrs.evolve(before, party_size=world.choices.of(PARTIES))
    elif change == 1:
        after = attrs.evolve(before, start_at=world.choices.of(ARRIVALS))
    else:
        after = attrs.evolve(before, restaurant_id=world.choices.of(tuple(world.ledger.venues)))
    world.put_booking(after)
    told = world.choices.of(("reassign", "", "assign"))
    if told:
        world.send(told, after.id)
    return f"{_words(after)}, and the pipeline is {f'told to {told}' if told else 'not told'}"


def _cancels(world: World) -> str:
    booking = attrs.evolve(world.any_booking(), status=CANCELLED)
    world.put_booking(booking)
    told = not world.choices.pick(2)
    if told:
        world.send("cancel", booking.id)
    return f"{booking.id} is cancelled, and the pipeline is {'told' if told else 'not told'}"


def _row_changes(world: World) -> str:
    """A payment is open, or somebody has mistyped: the row says something else for a while, and then what it said."""
    if world.aside and world.choices.pick(2):
        booking_id = world.choices.of(sorted(world.aside))
        world.bring_back(booking_id)
        return f"{booking_id} is as it was"
    world.ledger.look()
    unanswered = [record.booking_id for record in world.ledger.records.values() if is_handed_over(record)]
    booking = world.booking(world.choices.of(sorted(unanswered))) if unanswered else world.any_booking()
    if not booking.is_pending or booking.id in world.aside or booking.id in world.walk_ins:
        return "nothing"
    facts: dict[str, Any] = world.choices.of(({"status": OPEN}, {"party_size": world.choices.of(PARTIES)}))
    world.set_aside(booking, **facts)
    return f"{booking.id} is {', '.join(map(str, facts.values()))} for a while"


def _row_spoils(world: World) -> str:
    if world.ledger.spoiled and world.choices.pick(2):
        booking_id = world.choices.of(sorted(world.ledger.spoiled))
        world.mend(booking_id)
        return f"the row of {booking_id} makes sense again"
    booking_id = world.choices.of(tuple(world.bookings))
    if booking_id in world.walk_ins:
        return "nothing"
    world.spoil(booking_id)
    return f"the row of {booking_id} makes no sense"


def _seated_before(world: World) -> str:
    """Legacy has seated somebody before the pipeline was there: the host's rows say so, and no record does."""
    booking = world.any_booking()
    if not booking.is_pending or booking.id in world.ledger.records or booking.id in world.walk_ins:
        return "nothing"
    venue = world.venue_of(booking)
    if venue.id in world.staff.looked:
        return "nothing"  # It takes the guard, too.
    table = world.choices.of(venue.floor.tables)
    seat = Occupied(table_id=table.id, window=venue.blocked(venue.turn(booking)), booking_id=booking.id)
    if not world.is_free(venue.id, seat):
        return "no table is free"
    world.take(venue.id, seat)
    world.put_booking(attrs.evolve(booking, status="confirmed"))
    return f"{booking.id} at {table.id}"


def _shows_a_seat(world: World) -> str:
    """The host shows a booking's own seat, and may call it pending: a copy of ours that stays, or one of its own."""
    world.ledger.look()
    booking = world.any_booking()
    record, venue = world.ledger.records.get(booking.id), world.venue_of(booking)
    if venue.id in world.staff.looked or any(row.booking_id == booking.id for row in world.ledger.rows[venue.id]):
        return "nothing"
    if record is not None and record.allocation is not None:
        if record.restaurant_id != venue.id:
            return "nothing"
        table_id, window = world.choices.of(record.tables), record.allocation.blocked
    else:
        table_id, window = world.choices.of(venue.floor.tables).id, venue.blocked(venue.turn(booking))
    seat = Occupied(table_id=table_id, window=window, booking_id=booking.id)
    if any(other.table_id == table_id and other.window.overlaps(window) for other in _others(world, venue, booking)):
        return "no table is free"
    world.take(venue.id, seat)
    return f"{booking.id} at {table_id}"


def _others(world: World, venue: Venue, booking: Booking) -> list[Occupied]:
    return [row for row in world.ledger.taken(venue.id) if row.booking_id != booking.id]


def _seats_somebody(world: World) -> str:
    row = _free_row(world)
    if row is None:
        return "no table is free"
    venue, seat = row
    world.take(venue.id, seat)
    return f"{seat.table_id} from {seat.window.start:%H:%M} to {seat.window.end:%H:%M}"


def _takes_its_time(world: World) -> str:
    row = _free_row(world)
    return "no table is free" if row is None else world.staff.begin(row[0].id, row[1])


def _blocks(world: World) -> str:
    row = _free_row(world)
    if row is None:
        return "no table is free"
    venue, seat = row
    world.block(venue.id, attrs.evolve(seat, reason="maintenance"))
    return f"{seat.table_id} from {seat.window.start:%H:%M} to {seat.window.end:%H:%M}"


def _free_row(world: World) -> tuple[Venue, Occupied] | None:
    venue = world.choices.of(tuple(world.ledger.venues.values()))
    start = world.choices.of((DINNER, DINNER + dt.timedelta(hours=1), DINNER - dt.timedelta(hours=2)))
    table = world.choices.of(venue.floor.tables)
    seat = Occupied(table_id=table.id, window=TimeWindow(start, start + dt.timedelta(hours=2)))
    is_guarded = venue.id in world.staff.looked
    return (venue, seat) if not is_guarded and world.is_free(venue.id, seat) else None


def _table_goes(world: World) -> str:
    venue = world.choices.of(tuple(world.ledger.venues.values()))
    gone = world.choices.of(venue.floor.tables)
    tables = tuple(attrs.evolve(table, active=table.active and table is not gone) for table in venue.floor.tables)
    floor = attrs.evolve(venue.floor, tables=tables)
    world.put_venue(Venue(venue.id, venue.timezone, floor, venue.policy))
    return gone.id


def _gives_back(world: World) -> str:
    rows = [(restaurant_id, seat) for restaurant_id in world.ledger.venues for seat in world.ledger.rows[restaurant_id]]
    if not rows:
        return "it has none"
    restaurant_id, seat = world.choices.of(rows)
    world.give_back(restaurant_id, seat)
    return f"{seat.table_id} from {seat.window.start:%H:%M} to {seat.window.end:%H:%M} is free"


def _table_comes(world: World) -> str:
    venue = world.choices.of(tuple(world.ledger.venues.values()))
    idle = [table for table in venue.floor.tables if not table.active]
    if idle:
        back = world.choices.of(idle)
        tables = tuple(attrs.evolve(table, active=table.active or table is back) for table in venue.floor.tables)
    else:
        back = Table(f"{venue.id}-T{1 + len(venue.floor.tables)}", world.choices.of((2, 4, 6)))
        tables = (*venue.floor.tables, back)
    world.put_venue(Venue(venue.id, venue.timezone, attrs.evolve(venue.floor, tables=tables), venue.policy))
    return back.id


def _policy_allows_more(world: World) -> str:
    venue = world.choices.of(tuple(world.ledger.venues.values()))
    policy = attrs.evolve(venue.policy, service_periods=(), pacing=(), max_overage=None, post_buffer_minutes=0)
    world.put_venue(Venue(venue.id, venue.timezone, venue.floor, policy))
    return f"{venue.id} serves always, and joins what it likes"


def _rollout_moves(world: World) -> str:
    restaurant_id = world.choices.of(tuple(world.ledger.venues))
    is_active = world.rollout.modes[restaurant_id] is Mode.ACTIVE
    mode = world.choices.of((Mode.OFF, Mode.ACTIVE, Mode.SHADOW, Mode.ACTIVE) if is_active else (Mode.ACTIVE,))
    world.move_rollout(restaurant_id, mode)
    if mode is not Mode.ACTIVE:
        _come_back(world, restaurant_id)
    return f"{restaurant_id} is {mode}, generation {world.rollout.generation}"


def _come_back(world: World, restaurant_id: str) -> None:
    """Have those who wait be asked about, as queues and sweeps do it."""
    for booking_id, record in sorted(world.ledger.records.items()):
        if record.restaurant_id == restaurant_id and is_in_flight(record) and booking_id in world.bookings:
            told = world.choices.of(("assign by id", "", "sweep", "assign"))
            if told:
                world.send(told, booking_id)


def _store_goes_down(world: World) -> str:
    world.down_until = world.clock.now() + world.choices.of(OUTAGES)
    return f"until {world.down_until:%H:%M:%S}"


def _words(booking: Booking) -> str:
    return f"{booking.id} is for {booking.party_size} at {booking.restaurant_id}, {booking.start_at:%H:%M}"


ALLOWS_MORE: tuple[Happening, ...] = (
    Happening("a table comes into use", 2, _table_comes),
    Happening("the policy allows more", 1, _policy_allows_more),
    Happening("the host takes its row back", 2, _gives_back, "vacate"),
)
"""What may give somebody tables who waits for them."""

HAPPENINGS: tuple[Happening, ...] = (
    Happening("time passes", 7, _time_passes),
    Happening("the host changes a booking", 3, _changes_booking),
    Happening("the host cancels a booking", 3, _cancels),
    Happening("the staff seat somebody", 3, _seats_somebody, "occupy"),
    Happening("the host shows a booking's own seat", 2, _shows_a_seat, "occupy"),
    Happening("the staff take their time", 2, _takes_its_time, "occupy"),
    Happening("a table is blocked", 1, _blocks),
    Happening("a table goes out of use", 1, _table_goes),
    *ALLOWS_MORE,
    Happening("the store goes down", 1, _store_goes_down, None, "store-down"),
    Happening("the rollout moves", 6, _rollout_moves, "bump_generation", "flags-flip"),
    Happening("a row changes for a while", 3, _row_changes),
    Happening("a row makes no sense", 2, _row_spoils, "spoil"),
    Happening("legacy has seated somebody before", 1, _seated_before, "occupy"),
)
"""Everything that happens beside the workers."""
