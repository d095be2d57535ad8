"""The pipeline's own records, and the transactions that guard them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import to_utc
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.pacing import ArrivingParty
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner, StateChange
from assignment_pipeline.domain.result import WAITS_FOR_TABLES
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.wake_order import WakeOrder
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.lifecycle import UNSETTLED, AssignmentState
from assignment_pipeline.ports.claims import Due
from assignment_pipeline.ports.waiting import UnreadableBooking, Waiting

if TYPE_CHECKING:
    from assignment_pipeline.domain.blocks import TableBlock

MOST_DUE = 10_000
"""So many bookings that are due are put in order: see `AssignmentStore.due`."""


@attrs.frozen(kw_only=True)
class LoadQuery:
    """
    Which bookings of one restaurant to load for.

    Attributes:
        restaurant_id: The restaurant.

        bookings: Bookings that are at hand.

        booking_ids: Bookings known only by id.

        day: Also every booking with tables, or waiting for some, whose time overlaps this window.

        records_only: Whether the host is asked about the bookings that are named only, and not about those of the day.
    """

    restaurant_id: str
    bookings: tuple[Booking, ...] = ()
    booking_ids: tuple[str, ...] = ()
    day: TimeWindow | None = None
    records_only: bool = False

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids of all that are named."""
        return (*[booking.id for booking in self.bookings], *self.booking_ids)

    def asked_of_host(self, records: Mapping[str, AssignmentRecord]) -> set[str]:
        """The ids of the bookings whose rows at the host are read, given the records that were found."""
        return {*self.ids} if self.records_only else {*self.ids, *records}

    def is_of_day(self, venue: Venue, record: AssignmentRecord) -> bool:
        """Whether the record's booking sits, or waits for tables, in the time of the day."""
        if self.day is None or record.restaurant_id != venue.id:
            return False
        if record.allocation is not None:
            return record.allocation.blocked.overlaps(self.day)
        return record.booking is not None and waits(record) and venue.turn(record.booking).overlaps(self.day)

    def window(
        self, venue: Venue, records: Mapping[str, AssignmentRecord], bookings: Mapping[str, Booking]
    ) -> TimeWindow | None:
        """
        The time for which it matters what is taken, given what a store has found; None if none does.

        Args:
            venue: The restaurant.

            records: The records of the bookings that are named, and of those of the day.

            bookings: The host's view of them.
        """
        given = {booking.id: booking for booking in self.bookings}
        windows = [] if self.day is None else [self.day]
        for key in self.ids:
            record = records.get(key)
            booking = given.get(key) or bookings.get(key) or (record.booking if record else None)
            windows += [] if booking is None else [venue.planning_window(booking)]
        if self.day is not None:
            windows += [record.allocation.blocked for record in records.values() if record.allocation]
        return TimeWindow.around(windows) if windows else None


def waits(record: AssignmentRecord) -> bool:
    """Whether freed tables are news to it."""
    return record.owner is Owner.PIPELINE and (
        record.state is AssignmentState.ASSIGNMENT_PENDING
        or (record.state is AssignmentState.MANUAL_REVIEW and record.reason in WAITS_FOR_TABLES)
    )


def is_unfinished(record: AssignmentRecord) -> bool:
    """Whether it is one of those that `RecordQuery.unfinished` asks for."""
    if record.owner is Owner.PIPELINE and record.state is AssignmentState.MANUAL_REVIEW:
        return True
    return may_be_due(record) and record.state in UNSETTLED and record.next_attempt_at is None


def may_be_due(record: AssignmentRecord) -> bool:
    """
    Whether the sweep is to take it up when its time has come.

    What legacy answers for is let be; only not what it was handed and has not answered: that is in progress.
    """
    return record.owner is Owner.PIPELINE or record.state is AssignmentState.ASSIGNMENT_IN_PROGRESS


@attrs.frozen(kw_only=True)
class AssignmentContext:
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


@attrs.frozen(kw_only=True)
class RecordQuery:
    """
    Which records to read.

    Attributes:
        restaurant_id: Of that restaurant only.

        states: In those states only; none means all.

        booking_ids: Of those bookings only; none means all.

        after: Only those whose booking id sorts behind this one: where the last page ended.

        unfinished: Only what the pipeline has in review, and what `may_be_due` but is neither settled nor due; of all
            restaurants and states.

        sitting: Only those whose party sits at its tables.

        reviews: Only those in manual review; the soonest arrival first, and those without a booking last. Then *after*
            is the ``next`` of such a page: see `place_in_queue`.

        limit: At most so many.
    """

    restaurant_id: str | None = None
    states: tuple[AssignmentState, ...] = ()
    booking_ids: tuple[str, ...] = ()
    after: str | None = None
    unfinished: bool = False
    sitting: bool = False
    reviews: bool = False
    limit: int = 100


NEVER = dt.datetime.max.replace(tzinfo=dt.UTC, microsecond=0)
"""When a review without a booking counts as arriving."""


def urgency(record: AssignmentRecord) -> tuple[dt.datetime, str]:
    """What the review queue is in the order of: the arrival, and the booking's id."""
    return (record.booking.start_at if record.booking else NEVER), record.booking_id


def place_in_queue(record: AssignmentRecord) -> str:
    """Where a page of reviews ends whose last record that is: whatever comes or goes before it, the rest follows."""
    arrival, booking_id = urgency(record)
    return f"{arrival.isoformat()} {booking_id}"


def read_place(after: str | None) -> tuple[dt.datetime, str] | None:
    """
    What `place_in_queue` has made *after* of.

    Raises:
        InvalidValueError: It is nothing of that kind.
    """
    if after is None:
        return None
    arrival, _, booking_id = after.partition(" ")
    try:
        found = dt.datetime.fromisoformat(arrival)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not booking_id:
        raise InvalidValueError("after", "the `next` of a page of reviews", repr(after[:200]))
    return found, booking_id


def in_page(record: AssignmentRecord, query: RecordQuery) -> bool:
    """Whether a record comes behind ``RecordQuery.after``, in the order of the page."""
    if query.reviews:
        behind = read_place(query.after)
        return record.state is AssignmentState.MANUAL_REVIEW and (behind is None or urgency(record) > behind)
    return query.after is None or record.booking_id > query.after


@attrs.frozen(kw_only=True)
class RecordPage:
    """
    Records, by booking id; those of `RecordQuery.reviews` by arrival.

    Attributes:
        now: The store's time.

        records: The records.

        next: What `RecordQuery.after` continues with, or None if that was all.
    """

    now: dt.datetime = attrs.field(converter=to_utc)
    records: tuple[AssignmentRecord, ...]
    next: str | None = None


class AssignmentStore(Protocol):
    """
    The pipeline's own records, and the transactions that guard them.

    Every method raises `StoreUnavailableError` if the store cannot be reached and
    nothing was written, and `SchemaMismatchError` if its schema does not fit.
    Implementations pass `assignment_pipeline.testing.AssignmentStoreContract`.
    """

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        """
        Everything that planning for those bookings looks at, in one snapshot.

        Returns:
            The context; None if a booking that was named by its id alone is known to nobody.

        Raises:
            VenueNotFoundError: The host has no such restaurant.
        """
        ...

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        """
        Apply all of *changes*, one a booking, in one transaction, or none.

        In that transaction the versions of the records, what the plans take for granted, the caps
        that new arrivals have to fit and the rollout's generation are compared; tables that the changes give up are
        freed before any are taken. Tables given up make the overlapping pending
        bookings, and the reviews that wait for tables, due at once.

        A party that sits has its tables for as long as `Allocation.occupied` says at the store's time: no
        other booking takes them then. No two parties sit at one table.

        Raises:
            StaleRecordError: A record, or what its plan took for granted, has moved; or one of the changes has landed
                before.
            StaleRolloutError: The rollout has moved on.
            TableConflictError: A table is already taken for part of its window, by us, a block or the host.
            CommitUnknownError: The answer was lost; `knows` tells whether it landed.
            ValueError: Two changes are about one booking.
        """
        ...

    def knows(self, restaurant_id: str, change_id: str) -> bool:
        """Whether the change with that id has landed, asked behind whatever commit is still in flight."""
        ...

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        """
        Keep everybody off tables for a while, and tell *events* of it: all in one transaction, or none of it.

        Bookings there stay, and are returned. Later commits find the tables taken. What comes again with
        the same id is written once.

        Args:
            blocks: One or more, of one restaurant.

            events: What is told.

        Returns:
            The bookings that have one of the tables for part of its time, the host's among them, sorted.

        Raises:
            CommitUnknownError: The answer was lost.
        """
        ...

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        """
        End blocks of one restaurant, and tell *events* of it in the same transaction.

        Whom it helps is made due, as by a commit. Blocks that have ended already are passed over.

        Returns:
            Whether there was one of them; if not, nothing is told.

        Raises:
            CommitUnknownError: The answer was lost.
        """
        ...

    def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        """A restaurant's blocks that end after *since*: by when they begin, and by id."""
        ...

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        """
        Claim at most *limit* bookings whose time has come, as `in_turn` has it: restaurants take turns.

        Only the `MOST_DUE` longest due have to be looked at.

        Among them what legacy was handed and has not answered in time; nothing else of legacy's: see `may_be_due`.

        A claim pushes `next_attempt_at` a minute ahead and counts a delivery in the same
        statement, so that two sweepers never get the same one. A booking that was handed out before and never came
        back is claimed alone: see `alone`. A claim that ends later than any claim can is over: see `is_ahead`.
        """
        ...

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        """
        Give up claims that led to nothing, for no fault of their bookings: those deliveries do not count.

        Each booking is due again when *after* has passed, a claim's time at most. A claim that somebody else has made
        since stays, and only the count goes back; a booking that was committed since is left as it is: see
        `Due.given_back`. It waits for no commit of the same restaurant.
        """
        ...

    def records(self, query: RecordQuery) -> RecordPage:
        """A page of records."""
        ...

    def history(self, booking_id: str) -> tuple[StateChange, ...]:
        """A booking's transitions, oldest first."""
        ...

    def booking(self, booking_id: str) -> Booking | None:
        """The host's view of a booking."""
        ...

    def waiting(self) -> Waiting:
        """The store's time, and the restaurants with pending bookings that have no record here."""
        ...

    def unassigned(
        self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None
    ) -> tuple[Booking | UnreadableBooking, ...]:
        """
        The host's pending bookings that start after *since* and have no record here, at most *limit*, soonest first.

        Args:
            restaurants: Of those only; None for all. Only where `waiting` names restaurants.
        """
        ...

    def check_schema(self) -> None:
        """
        Make sure that the schema is there and of the right version.

        Raises:
            SchemaMismatchError: It is not.
        """
        ...


class AsyncAssignmentStore(Protocol):
    """`AssignmentStore`, for asyncio: the same promises."""

    async def load(self, query: LoadQuery) -> AssignmentContext | None:
        """Everything that planning for those bookings looks at, in one snapshot. See `AssignmentStore.load`."""
        ...

    async def commit(self, changes: Sequence[AssignmentChange]) -> None:
        """Apply all of *changes*, one a booking, in one transaction, or none. See `AssignmentStore.commit`."""
        ...

    async def knows(self, restaurant_id: str, change_id: str) -> bool:
        """
        Whether the change with that id has landed, asked behind whatever commit is still in flight.

        See `AssignmentStore.knows`.
        """
        ...

    async def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        """
        Keep everybody off a table for a while, and tell *events* of it in the same transaction.

        See `AssignmentStore.block`.
        """
        ...

    async def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        """End a block, and tell *events* of it in the same transaction. See `AssignmentStore.unblock`."""
        ...

    async def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        """
        A restaurant's blocks that end after *since*: by when they begin, and by id.

        See `AssignmentStore.blocked`.
        """
        ...

    async def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        """Claim at most *limit* bookings whose time has come. See `AssignmentStore.due`."""
        ...

    async def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        """
        Give up claims that led to nothing, for no fault of their bookings: those deliveries do not count.

        See `AssignmentStore.put_back`.
        """
        ...

    async def records(self, query: RecordQuery) -> RecordPage:
        """A page of records. See `AssignmentStore.records`."""
        ...

    async def history(self, booking_id: str) -> tuple[StateChange, ...]:
        """A booking's transitions, oldest first. See `AssignmentStore.history`."""
        ...

    async def booking(self, booking_id: str) -> Booking | None:
        """The host's view of a booking. See `AssignmentStore.booking`."""
        ...

    async def waiting(self) -> Waiting:
        """
        The store's time, and the restaurants with pending bookings that have no record here.

        See `AssignmentStore.waiting`.
        """
        ...

    async def unassigned(
        self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None
    ) -> tuple[Booking | UnreadableBooking, ...]:
        """
        The host's pending bookings that start after *since* and have no record here, at most *limit*, soonest first.

        See `AssignmentStore.unassigned`.
        """
        ...

    async def check_schema(self) -> None:
        """Make sure that the schema is there and of the right version. See `AssignmentStore.check_schema`."""
        ...
