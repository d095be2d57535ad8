"""What planning looks at: which bookings it is loaded for, and the one consistent view that a store answers with."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import to_utc
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.pacing import ArrivingParty
from assignment_pipeline.domain.record import AssignmentRecord, Owner
from assignment_pipeline.domain.result import WAITS_FOR_TABLES
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.lifecycle import AssignmentState
from assignment_pipeline.plain import Printed


@attrs.frozen(kw_only=True, repr=False, weakref_slot=False)
class LoadQuery(Printed):
    """
    Which bookings of one restaurant to load for.

    Attributes:
        restaurant_id: The restaurant.

        bookings: Bookings that are at hand.

        booking_ids: Bookings known only by id.

        day: Also every booking with tables, or waiting for some, whose time overlaps this window.

        records_only: Whether the host is asked about the bookings that are named only, and not about those of the day.

        ids: The ids of all that are named.
    """

    restaurant_id: str
    bookings: tuple[Booking, ...] = ()
    booking_ids: tuple[str, ...] = ()
    day: TimeWindow | None = None
    records_only: bool = False
    ids: tuple[str, ...] = attrs.field(init=False, eq=False, repr=False)

    @ids.default
    def _named(self) -> tuple[str, ...]:
        return (*[booking.id for booking in self.bookings], *self.booking_ids)

    def asked_of_host(self, records: Mapping[str, AssignmentRecord]) -> set[str]:
        """The ids of the bookings whose rows at the host are read, given the records that were found."""
        return {*self.ids} if self.records_only else {*self.ids, *records}

    def is_of_day(self, venue: Venue, record: AssignmentRecord) -> bool:
        """Whether the record's booking sits, or waits for tables, in the time of the day."""
        if self.day is None or record.restaurant_id != venue.id:
            return False
        held = record.allocation
        if held is not None:
            return held.blocked.start < self.day.end and self.day.start < held.blocked.end
        return record.booking is not None and waits(record) and venue.turn(record.booking).overlaps(self.day)

    def window(
        self, venue: Venue, records: Mapping[str, AssignmentRecord], bookings: Mapping[str, Booking]
    ) -> TimeWindow | None:
        """
        The time for which it matters what is taken, given what a store has found; None if none does.

        A booking that is at hand counts as it is there, also where it is named, too.

        Args:
            venue: The restaurant.

            records: The records of the bookings that are named, and of those of the day.

            bookings: The host's view of them.
        """
        windows = [venue.planning_window(booking) for booking in self.bookings]
        for key in {*self.booking_ids}.difference([booking.id for booking in self.bookings]):
            record = records.get(key)
            booking = bookings.get(key) or (record.booking if record else None)
            if booking is not None:
                windows.append(venue.planning_window(booking))
        if self.day is not None:
            windows.append(self.day)
            windows += [record.allocation.blocked for record in records.values() if record.allocation]
        return TimeWindow.around(windows) if windows else None


def waits(record: AssignmentRecord) -> bool:
    """Whether freed tables are news to it."""
    return record.owner is Owner.PIPELINE and (
        record.state is AssignmentState.ASSIGNMENT_PENDING
        or (record.state is AssignmentState.MANUAL_REVIEW and record.reason in WAITS_FOR_TABLES)
    )


@attrs.frozen(kw_only=True, repr=False, weakref_slot=False)
class AssignmentContext(Printed):
    """
    One consistent view of all that planning looks at.

    Attributes:
        now: The store's time.

        generation: The rollout's generation.

        venue: The restaurant's floor and policy.

        records: The records of the bookings asked for, and of the day, by id, where there are any.

        bookings: The host's view of them, by id, where it knows them.

        unreadable: The bookings whose row at the host makes no sense. They are not among *bookings*.

        taken: Everything taken that overlaps the time that planning looks at: ours, blocks, and the host's.

        follows: Whether the host has rows of its own that its ``on_commit`` keeps in step.

        unknown_tables: The tables among the host's that the floor does not have, sorted.

        arrivals: Where the policy has pacing: every booking with tables that starts in that time.
    """

    now: dt.datetime = attrs.field(converter=to_utc)
    generation: int
    venue: Venue
    records: Mapping[str, AssignmentRecord]
    bookings: Mapping[str, Booking]
    taken: tuple[Occupied, ...]
    unreadable: frozenset[str] = frozenset()
    follows: bool = False
    unknown_tables: tuple[str, ...] = ()
    arrivals: tuple[ArrivingParty, ...] = ()

    @property
    def without_row(self) -> list[str]:
        """The bookings that have tables and no row at the host. Left out are those whose row may still come."""
        return sorted(
            booking_id
            for booking_id, record in self.records.items()
            if record.owner is Owner.PIPELINE
            and record.allocation is not None
            and record.next_attempt_at is None  # Else the sweep still looks for the row, or ends the hold.
            and record.allocation.occupied(self.now).end > self.now
            and booking_id not in self.bookings
            and booking_id not in self.unreadable
        )
