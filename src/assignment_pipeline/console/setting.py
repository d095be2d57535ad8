"""What an act is, and where it is done: a request, a day and perhaps a booking."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

import attrs

from assignment_pipeline.console.view import AbsentError, View
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.day import ServiceDay
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import AssignmentResult
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import InvalidValueError

Says: TypeAlias = Callable[["Setting"], Iterable[str] | Awaitable[Iterable[str]]]
Offers: TypeAlias = Callable[["Setting"], Awaitable[AssignmentResult | None]]
Runs: TypeAlias = Callable[["Setting"], Awaitable[Any]]


@attrs.frozen(kw_only=True)
class Setting:
    """
    Where an act is done.

    Attributes:
        view: The request.

        day: The restaurant's day on which the booking is, or now.

        record: The booking, for what is done to one.

        at_host: The same as the host has it; None where it does not know it.

        offer: What the coordinator offers, for an act that asks it first.
    """

    view: View
    day: ServiceDay
    record: AssignmentRecord | None = None
    at_host: Booking | None = None
    offer: AssignmentResult | None = None

    @property
    def party(self) -> AssignmentRecord:
        """The booking."""
        if self.record is None:
            raise AbsentError
        return self.record

    @property
    def booking(self) -> Booking:
        """The booking as the host has it, or else as the pipeline last dealt with it."""
        known = self.at_host or self.party.booking
        if known is None:
            raise InvalidValueError("id", "a booking that the pipeline has dealt with", repr(self.party.booking_id))
        return known

    @property
    def turn(self) -> TimeWindow:
        """When the party sits: as long as it has its tables, unless its booking has changed since."""
        held, dealt_with = self.party.allocation, self.party.booking
        if held is not None and (dealt_with is None or self.booking.same_request(dealt_with)):
            return held.turn
        return self.day.venue.turn(self.booking)

    def clock(self, moment: dt.datetime) -> str:
        """A local time of day."""
        return f"{moment.astimezone(self.day.venue.zone):%H:%M}"

    def span(self, window: TimeWindow) -> str:
        """From when to when, local."""
        return f"{self.clock(window.start)} to {self.clock(window.end)}"

    def tables(self, table_ids: Iterable[str]) -> str:
        """Tables as people call them."""
        labels = {table.id: table.label for table in self.day.venue.floor.tables}
        return " + ".join(labels.get(table_id, table_id) for table_id in table_ids)

    def other(self) -> AssignmentRecord | None:
        """
        The other booking that was chosen, or None if none was.

        Raises:
            InvalidValueError: It is none of this day's that has tables.
        """
        asked = self.view.asked("other")
        if not asked:
            return None
        for record in self.day.records:
            if record.booking_id == asked and record.tables and record.booking_id != self.party.booking_id:
                return record
        raise InvalidValueError("other", "another booking of this day that has tables", repr(asked))

    def zone(self) -> str | None:
        """The zone that was chosen in place of tables, or None."""
        asked, tables = self.view.asked("tables").strip(), self.day.venue.floor.tables
        is_a_table = any(asked in (table.id, table.label) for table in tables)
        return asked if not is_a_table and any(asked == table.zone for table in tables) else None

    def chosen(self) -> list[str]:
        """
        The tables that were chosen, by id or label, or by their zone.

        Raises:
            InvalidValueError: None was, or one is not on the floor.
        """
        if (zone := self.zone()) is not None:
            return [table.id for table in self.day.venue.floor.tables if table.zone == zone]
        by_name = {table.label: table.id for table in self.day.venue.floor.tables}
        by_name |= {table.id: table.id for table in self.day.venue.floor.tables}
        asked = [each.strip() for each in self.view.asked("tables").replace("+", ",").split(",") if each.strip()]
        unknown = [each for each in asked if each not in by_name]
        if not asked or unknown:
            got = repr(unknown[0]) if unknown else "none"
            raise InvalidValueError("tables", "tables of the floor, with commas between them", got)
        return [by_name[each] for each in asked]

    def window(self) -> TimeWindow:
        """
        The time that was chosen, on the day of the setting; an end before the start is on the next one.

        Raises:
            InvalidValueError: It is none.
        """
        start, end = self.at("from"), self.at("to")
        return TimeWindow(start, end if end > start else end + dt.timedelta(days=1))

    def at(self, name: str) -> dt.datetime:
        """
        A local time of day that was chosen.

        Raises:
            InvalidValueError: It is none.
        """
        asked = self.view.asked(name)
        try:
            time = dt.datetime.strptime(asked, "%H:%M").time()  # noqa: DTZ007 - the restaurant's zone comes below
        except ValueError:
            raise InvalidValueError(name, "a time such as 20:15", repr(asked)) from None
        return dt.datetime.combine(self.day.date, time, self.day.venue.zone).astimezone(dt.UTC)

    def others_at(self, table_ids: Iterable[str], window: TimeWindow) -> list[AssignmentRecord]:
        """The other bookings that have one of those tables for part of that time."""
        wanted, own = set(table_ids), self.record.booking_id if self.record else None
        return [
            record
            for record in self.day.records
            if record.allocation is not None
            and record.booking_id != own
            and wanted.intersection(record.tables)
            and record.allocation.occupied(self.day.now).overlaps(window)
        ]


@attrs.frozen(kw_only=True)
class Field:
    """Something that an act asks for: a name, what people read, and the kind of the input."""

    name: str
    label: str
    kind: str = "text"
    hint: str = ""
    value: Callable[[Setting], str] = attrs.field(default=lambda _: "")


@attrs.frozen(kw_only=True)
class Act:
    """
    Something that staff do.

    Attributes:
        name: What addresses call it.

        button: What people read.

        fields: What it asks for.

        fits: Whether it can be done to a booking, as far as its record tells; the coordinator decides.

        says: What it will do, in sentences.

        runs: Does it.

        offers: What it asks the coordinator for, before it says what it will do.

        of_party: Whether it is done to a booking.
    """

    name: str
    button: str
    says: Says
    runs: Runs
    fields: tuple[Field, ...] = ()
    fits: Callable[[AssignmentRecord], bool] = attrs.field(default=lambda _: True)
    offers: Offers | None = None
    of_party: bool = True
