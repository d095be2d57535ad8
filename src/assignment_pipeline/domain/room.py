"""Who is in the room, who should be, and whose tables are not free for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.allocation import Allocation
from assignment_pipeline.domain.checks import as_tuple
from assignment_pipeline.domain.policy import TurnFrom
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow, minute_of

FARTHEST = dt.timedelta(hours=6)
"""A party that comes further than that from its turn is recorded, and its time stays as it was planned."""


@attrs.frozen(kw_only=True)
class DueParty:
    """
    A party that is due and has not sat down.

    Attributes:
        booking_id: The booking.

        party_size: How many guests; None where only legacy knows.

        tables: Its tables.

        start_at: When it was expected.

        late: For how long it has been expected.
    """

    booking_id: str
    party_size: int | None
    tables: tuple[str, ...]
    start_at: dt.datetime
    late: dt.timedelta


@attrs.frozen(kw_only=True)
class OverParty:
    """
    A party that sits, and whose turn is over.

    Attributes:
        booking_id: The booking.

        party_size: How many guests; None where only legacy knows.

        tables: Its tables.

        seated_at: When it sat down.

        end_at: When its turn ended.

        over: For how long it has been over time.

        waiting: The bookings that are next at its tables and will find them in use, by when they come.
    """

    booking_id: str
    party_size: int | None
    tables: tuple[str, ...]
    seated_at: dt.datetime
    end_at: dt.datetime
    over: dt.timedelta
    waiting: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)


@attrs.frozen(kw_only=True)
class NextParty:
    """
    The party that is expected next at a table.

    Attributes:
        table_id: The table.

        booking_id: The booking.

        party_size: How many guests; None where only legacy knows.

        start_at: When it is expected.

        sitting: The booking whose party sits there now, or None.
    """

    table_id: str
    booking_id: str
    party_size: int | None
    start_at: dt.datetime
    sitting: str | None = None


@attrs.frozen(kw_only=True)
class WayOut:
    """
    Something that a person can do about a conflict, with the call that does it.

    Attributes:
        sentence: What it is, for people.

        method: The coordinator's method.

        arguments: What it is called with, beside ``actor``; a booking is named by its id.
    """

    sentence: str
    method: str
    arguments: Mapping[str, Any] = attrs.field(factory=dict, hash=False)


@attrs.frozen(kw_only=True)
class TableInUse:
    """
    A booking whose tables a party sits at that is not expected to have left by then.

    Attributes:
        booking_id: The booking that is next.

        restaurant_id: The restaurant.

        party_size: How many guests; None where only legacy knows.

        start_at: When they are expected.

        tables: Those of its tables at which the other party sits.

        sitting: The booking of the party that sits there.

        until: Until when that party is expected to sit.

        ways_out: What a person can do, the best first.
    """

    booking_id: str
    restaurant_id: str
    party_size: int | None
    start_at: dt.datetime
    tables: tuple[str, ...]
    sitting: str
    until: dt.datetime
    ways_out: tuple[WayOut, ...] = attrs.field(default=(), converter=as_tuple)

    @property
    def sentence(self) -> str:
        """What is wrong, for people."""
        where = ", ".join(self.tables)
        return f"The party of {self.sitting!r} still sits at {where}, where {self.booking_id!r} is next."


def due(records: Iterable[AssignmentRecord], now: dt.datetime) -> tuple[DueParty, ...]:
    """Who should be there and is not, the longest expected first. A turn that has ended is nobody's any more."""
    found = [
        DueParty(
            booking_id=record.booking_id,
            party_size=_size(record),
            tables=record.tables,
            start_at=held.turn.start,
            late=now - held.turn.start,
        )
        for record in records
        if (held := record.allocation) is not None
        and held.seated_at is None
        and held.left_at is None
        and held.turn.start <= now < held.turn.end
    ]
    return tuple(sorted(found, key=lambda one: (one.start_at, one.booking_id)))


def over(venue: Venue, records: Iterable[AssignmentRecord], now: dt.datetime) -> tuple[OverParty, ...]:
    """Who sits and is over time, the longest first, each with who is next at its tables."""
    known = list(records)
    waiting: dict[str, list[tuple[dt.datetime, str]]] = {}
    for conflict in conflicts(venue, known, now):
        waiting.setdefault(conflict.sitting, []).append((conflict.start_at, conflict.booking_id))
    found = [
        OverParty(
            booking_id=record.booking_id,
            party_size=_size(record),
            tables=record.tables,
            seated_at=held.seated_at,
            end_at=held.turn.end,
            over=now - held.turn.end,
            waiting=[booking_id for _, booking_id in sorted(waiting.get(record.booking_id, ()))],
        )
        for record in known
        if (held := record.allocation) is not None
        and held.sits_at(now)
        and held.seated_at is not None
        and held.turn.end <= now
    ]
    return tuple(sorted(found, key=lambda one: (one.end_at, one.booking_id)))


def next_parties(records: Iterable[AssignmentRecord], now: dt.datetime) -> tuple[NextParty, ...]:
    """Who is expected next at each table: who should be there and is not, or else who comes first after *now*."""
    known = list(records)
    sitting = {
        name: one.booking_id for one in known if one.allocation and one.allocation.sits_at(now) for name in one.tables
    }
    first: dict[str, NextParty] = {}
    for record in known:
        held = record.allocation
        if held is None or held.seated_at is not None or held.left_at is not None or held.turn.end <= now:
            continue
        for name in record.tables:
            if name not in first or held.turn.start < first[name].start_at:
                first[name] = NextParty(
                    table_id=name,
                    booking_id=record.booking_id,
                    party_size=_size(record),
                    start_at=held.turn.start,
                    sitting=sitting.get(name),
                )
    return tuple(first[name] for name in sorted(first))


def conflicts(venue: Venue, records: Iterable[AssignmentRecord], now: dt.datetime) -> tuple[TableInUse, ...]:
    """The bookings whose tables are not free for them as long as who sits there stays, by when they come."""
    known = list(records)
    found = []
    for there in known:
        held = there.allocation
        if held is None or not held.sits_at(now):
            continue
        kept = held.occupied(now)
        needed = TimeWindow(kept.start, max(kept.end, expected_end(venue, there, held, now)))
        found += [
            TableInUse(
                booking_id=one.booking_id,
                restaurant_id=one.restaurant_id,
                party_size=_size(one),
                start_at=wanted.turn.start,
                tables=shared,
                sitting=there.booking_id,
                until=needed.end,
            )
            for one in known
            if one.restaurant_id == there.restaurant_id
            and one.booking_id != there.booking_id
            and (wanted := one.allocation) is not None
            and wanted.seated_at is None
            and wanted.left_at is None
            and now < wanted.turn.end
            and wanted.turn.overlaps(needed)
            and (shared := tuple(name for name in one.tables if name in there.tables))
        ]
    return tuple(sorted(found, key=lambda one: (one.start_at, one.booking_id)))


def expected_end(venue: Venue, record: AssignmentRecord, held: Allocation, now: dt.datetime) -> dt.datetime:
    """
    Until when the party of *held* is expected to sit that sits, or sits down *now*: see `VenuePolicy.turn_from`.

    One that is back at its tables has the time that it had before it left.
    """
    planned = venue.turn(record.booking) if record.booking and held.seated_at else held.turn
    arrival = minute_of(held.seated_at or now)
    if venue.policy.turn_from is TurnFrom.BOOKING or not is_near(planned, arrival):
        return planned.end
    return arrival + planned.duration


def is_near(turn: TimeWindow, arrival: dt.datetime) -> bool:
    """Whether a party that comes then comes in time, early or late, and not on another day."""
    return turn.start - FARTHEST <= arrival <= turn.end + FARTHEST


def is_of_a_later_day(venue: Venue, turn: TimeWindow, now: dt.datetime) -> bool:
    """Whether a turn belongs to a later service day, and is not `is_near` either: midnight parts no evening."""
    return now < turn.start and not is_near(turn, now) and venue.service_date(now) != venue.service_date(turn.start)


def _size(record: AssignmentRecord) -> int | None:
    return record.booking.party_size if record.booking else None
