"""What is kept of one booking, and where parties were at a time: for people to look at."""

from __future__ import annotations

import datetime as dt
import enum

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import as_tuple, aware, enum_fields, to_utc
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.floor import Table
from assignment_pipeline.domain.record import AssignmentRecord, Attempt, StateChange
from assignment_pipeline.domain.windows import TimeWindow


@attrs.frozen(kw_only=True)
class BookingTrail:
    """
    All that the store keeps of one booking, in one snapshot.

    Attributes:
        now: The store's time.

        record: Where its assignment stands; None if it has no record.

        booking: The booking at the host; None if the host does not know it, or its row makes no sense.

        history: Its transitions, oldest first.

        attempts: Its recorded plannings, oldest first.

        events: Its events, oldest first: the newest thousand that the store still has.
    """

    now: dt.datetime
    record: AssignmentRecord | None = None
    booking: Booking | None = None
    history: tuple[StateChange, ...] = attrs.field(default=(), converter=as_tuple)
    attempts: tuple[Attempt, ...] = attrs.field(default=(), converter=as_tuple)
    events: tuple[Event, ...] = attrs.field(default=(), converter=as_tuple)

    @property
    def restaurant_id(self) -> str:
        """Its restaurant: the record's, else the host's; empty where neither is known."""
        known = self.record.restaurant_id if self.record is not None else ""
        return known or (self.booking.restaurant_id if self.booking is not None else "")


@attrs.frozen(kw_only=True)
class Whereabouts:
    """
    Where a booking stood at a time.

    Attributes:
        booking_id: The booking.

        step: Its last transition until then: the tables, the turn, the arrival and the departure.

        booking: The booking as the pipeline last dealt with it, or None.
    """

    booking_id: str
    step: StateChange
    booking: Booking | None = None


class Presence(enum.StrEnum):
    """Whether a party is there."""

    SITS = "sits"
    """It has sat down, and has not left."""

    EXPECTED = "expected"
    """Its turn has begun, and nobody has said that it sits."""


@attrs.frozen(kw_only=True, field_transformer=enum_fields)
class PartyOnFloor:
    """
    A party that has tables at a time.

    Attributes:
        booking_id: Its booking.

        party_size: How many guests; None where only the host or staff know.

        presence: Whether it is there.

        tables: The ids of all its tables, sorted.

        turn: From when to when it was to sit, as planned then.

        seated_at: When it sat down, or None.

        late: For how long it is expected and has not come; zero where it sits, or is not due yet.

        over: For how long it has sat past the end of its turn; zero within it.
    """

    booking_id: str
    party_size: int | None = None
    presence: Presence = attrs.field(converter=Presence)
    tables: tuple[str, ...] = attrs.field(converter=as_tuple)
    turn: TimeWindow
    seated_at: dt.datetime | None = None
    late: dt.timedelta = dt.timedelta()
    over: dt.timedelta = dt.timedelta()


@attrs.frozen(kw_only=True)
class TableOnFloor:
    """
    A table at a time.

    Attributes:
        table_id: Its id.

        table: The table; None for one that the restaurant has no more.

        parties: The parties that have it. More than one is a conflict.

        closed: Why it cannot be used then: reasons of blocks, and of what the host has taken without a booking.
    """

    table_id: str
    table: Table | None
    parties: tuple[PartyOnFloor, ...] = attrs.field(default=(), converter=as_tuple)
    closed: tuple[str, ...] = attrs.field(default=(), converter=as_tuple)


@attrs.frozen(kw_only=True)
class FloorView:
    """
    Who sits where at a restaurant, at a time.

    Attributes:
        restaurant_id: The restaurant.

        timezone: Its IANA timezone.

        at: The time. Past times are as the history has them; later ones are as planned now.

        now: The store's time.

        tables: Every table, in the floor's order; then those that the restaurant has no more.
    """

    restaurant_id: str
    timezone: str
    at: dt.datetime = attrs.field(converter=to_utc, validator=aware)
    now: dt.datetime
    tables: tuple[TableOnFloor, ...] = attrs.field(converter=as_tuple)

    @property
    def parties(self) -> tuple[PartyOnFloor, ...]:
        """Every party once, in the order of the tables."""
        return tuple({party.booking_id: party for table in self.tables for party in table.parties}.values())
