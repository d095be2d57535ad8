"""Looking back: all that is kept of a booking, and who sat where at a time."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

from assignment_pipeline.domain.allocation import LONGEST_STAY
from assignment_pipeline.domain.checks import require_moment, require_short
from assignment_pipeline.domain.trail import (
    BookingTrail,
    FloorView,
    PartyOnFloor,
    Presence,
    TableOnFloor,
    Whereabouts,
)
from assignment_pipeline.domain.windows import TimeWindow, minute_of
from assignment_pipeline.errors import BookingNotFoundError, OtherRestaurantError
from assignment_pipeline.flow.effects import Flow, LoadContext, ReadTrail, ReadWhereabouts
from assignment_pipeline.ports import AssignmentContext, LoadQuery

_MINUTE = dt.timedelta(minutes=1)
_ZERO = dt.timedelta()


def show(booking_id: str, restaurant_id: str | None) -> Flow[BookingTrail]:
    """
    All that is kept of a booking.

    Raises:
        BookingNotFoundError: Nobody knows it.
        OtherRestaurantError: It is another restaurant's than *restaurant_id*.
        InvalidValueError: *booking_id* is no text.
    """
    require_short("booking_id", booking_id)
    trail = yield from ReadTrail(booking_id)
    if trail.record is None and trail.booking is None:
        raise BookingNotFoundError(booking_id)
    if restaurant_id is not None and trail.restaurant_id != restaurant_id:
        raise OtherRestaurantError(booking_id, restaurant_id, trail.restaurant_id)
    return trail


def floor(restaurant_id: str, at: dt.datetime | None) -> Flow[FloorView]:
    """
    Who sits where at a time; by default now, by the store's clock.

    Raises:
        VenueNotFoundError: The host has no such restaurant.
        InvalidValueError: *restaurant_id* is no text, or *at* has no offset or is not in the years 1971 to 9997.
    """
    require_short("restaurant_id", restaurant_id)
    moment = None if at is None else require_moment("at", at)
    loaded = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id))
    assert loaded is not None  # noqa: S101 - only of bookings is it not known whether they are there
    moment = moment or loaded.now
    minute = minute_of(moment)
    loaded = yield from LoadContext(LoadQuery(restaurant_id=restaurant_id, day=TimeWindow(minute, minute + _MINUTE)))
    assert loaded is not None  # noqa: S101
    parties: defaultdict[str, list[PartyOnFloor]] = defaultdict(list)
    closed: defaultdict[str, list[str]] = defaultdict(list)
    known = set(loaded.records)
    for found in (yield from ReadWhereabouts(restaurant_id, moment)):
        known.add(found.booking_id)
        party = _party(found, moment, loaded.now)
        if party is not None:
            for table_id in party.tables:
                parties[table_id].append(party)
    for row in loaded.taken:
        if row.booking_id in known or not row.window.start <= moment < row.window.end:
            continue
        if row.booking_id is None:
            closed[row.table_id].append(row.reason or "taken")
        else:  # The host's own: legacy has seated it.
            parties[row.table_id].append(
                PartyOnFloor(
                    booking_id=row.booking_id, presence=Presence.EXPECTED, tables=(row.table_id,), turn=row.window
                )
            )
    return FloorView(
        restaurant_id=restaurant_id,
        timezone=loaded.venue.timezone,
        at=moment,
        now=loaded.now,
        tables=_tables(loaded, parties, closed),
    )


def _tables(
    loaded: AssignmentContext, parties: dict[str, list[PartyOnFloor]], closed: dict[str, list[str]]
) -> tuple[TableOnFloor, ...]:
    own = {table.id: table for table in loaded.venue.floor.tables}
    gone = sorted({*parties, *closed} - set(own))
    return tuple(
        TableOnFloor(
            table_id=table_id,
            table=own.get(table_id),
            parties=sorted(parties.get(table_id, ()), key=lambda party: (party.turn.start, party.booking_id)),
            closed=sorted(closed.get(table_id, ())),
        )
        for table_id in (*own, *gone)
    )


def _party(found: Whereabouts, at: dt.datetime, now: dt.datetime) -> PartyOnFloor | None:
    """The party, if it had its tables then: until it has left, or else for its turn."""
    step, turn = found.step, found.step.turn
    if turn is None or (step.left_at is not None and step.left_at <= at):
        return None
    sits = step.seated_at is not None and step.seated_at <= at < step.seated_at + LONGEST_STAY
    is_within = turn.start <= at < turn.end
    if not is_within and not (sits and at <= max(now, turn.end)):
        return None
    return PartyOnFloor(
        booking_id=found.booking_id,
        party_size=found.booking.party_size if found.booking is not None else None,
        presence=Presence.SITS if sits else Presence.EXPECTED,
        tables=step.tables,
        turn=turn,
        seated_at=step.seated_at if sits else None,
        late=_ZERO if sits else max(min(at, now) - turn.start, _ZERO),  # Nobody is late at a time to come.
        over=max(at - turn.end, _ZERO) if sits else _ZERO,
    )
