"""What the pipeline needs from the outside world. Adapters implement these protocols; hosts may bring their own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import attrs

from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange, AssignmentRecord, Owner, StateChange
from assignment_pipeline.domain.result import WAITS_FOR_TABLES, LegacyResult, Mode
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.lifecycle import AssignmentState

__all__ = [
    "CLAIM",
    "AssignmentContext",
    "AssignmentStore",
    "AsyncAssignmentStore",
    "AsyncLegacyPlanner",
    "AsyncLockManager",
    "Clock",
    "Due",
    "EventSink",
    "FlagDecision",
    "FlagResolver",
    "Host",
    "Lease",
    "Leases",
    "LegacyPlanner",
    "LoadQuery",
    "LockManager",
    "Occupied",
    "OnCommit",
    "RecordPage",
    "RecordQuery",
    "Refused",
    "TableBlock",
    "Wanted",
    "waits",
]

# -- Time ---------------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> dt.datetime:
        """The time of day. Timezone-aware."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


# -- The host -----------------------------------------------------------------------------------------------------


class Host(Protocol):
    """
    The application's side, read only.

    Its store calls it inside its own transactions: *connection* is the store's
    connection, so that a commit sees the host's rows as they are at that moment.
    The in-memory store has none and hands over None. Methods must not commit, roll
    back or wait for anything else.
    """

    def booking(self, connection: Any, booking_id: str) -> Booking | None:
        """The booking as it stands, or None if there is none."""
        ...

    def venue(self, connection: Any, restaurant_id: str, known_version: str | None) -> Venue | None:
        """
        The restaurant's venue, or None if its version is still *known_version*.

        Raises:
            VenueNotFoundError: There is no such restaurant.
        """
        ...

    def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        """What the pipeline did not write (legacy's seats, the staff's) and that overlaps *window*."""
        ...

    def unassigned(self, connection: Any, since: dt.datetime, limit: int) -> Iterable[Booking]:
        """Pending bookings that start after *since* and were never enqueued, at most *limit*, soonest first."""
        ...


CLAIM = dt.timedelta(minutes=1)
"""For how long whoever claims a booking has it to itself: see `AssignmentStore.due`."""


# -- The store ----------------------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class LoadQuery:
    """
    Which bookings of one restaurant to load for.

    Attributes:
        restaurant_id: The restaurant.

        bookings: Bookings that are at hand.

        booking_ids: Bookings of which only the id is.

        day: Also every booking with tables, or waiting for some, whose time overlaps this window.
    """

    restaurant_id: str
    bookings: tuple[Booking, ...] = ()
    booking_ids: tuple[str, ...] = ()
    day: TimeWindow | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all that are named."""
        return (*(booking.id for booking in self.bookings), *self.booking_ids)

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

        taken: Everything taken that overlaps the time that planning looks at: ours, blocks, and the host's.
    """

    now: dt.datetime
    generation: int
    venue: Venue
    records: Mapping[str, AssignmentRecord]
    bookings: Mapping[str, Booking]
    taken: tuple[Occupied, ...]


@attrs.frozen(kw_only=True)
class Due:
    """
    A booking that the sweep is to take up.

    Attributes:
        booking_id: The booking.

        restaurant_id: Its restaurant.

        deliveries: How often it was handed out, this time included, since something last came of it.
    """

    booking_id: str
    restaurant_id: str
    deliveries: int


@attrs.frozen(kw_only=True)
class RecordQuery:
    """
    Which records to read.

    Attributes:
        restaurant_id: Of that restaurant only.

        states: In those states only; none means all.

        booking_ids: Of those bookings only; none means all.

        after: Only those whose booking id sorts behind this one: where the last page ended.

        limit: At most so many.
    """

    restaurant_id: str | None = None
    states: tuple[AssignmentState, ...] = ()
    booking_ids: tuple[str, ...] = ()
    after: str | None = None
    limit: int = 100


@attrs.frozen(kw_only=True)
class RecordPage:
    """
    Records, by booking id.

    Attributes:
        now: The store's time.

        records: The records.

        next: What `RecordQuery.after` continues with, or None if that was all.
    """

    now: dt.datetime
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

        In that transaction the versions of the records, what the plans assumed and
        the rollout's generation are compared; tables that the changes give up are
        freed before any are taken. Tables given up make the overlapping pending
        bookings, and the reviews that wait for tables, due at once.

        Raises:
            StaleRecordError: A record, or what its plan assumed, has moved; or one of the changes has landed before.
            StaleRolloutError: The rollout has moved on.
            TableConflictError: A table is already taken for part of its window, by us, a block or the host.
            CommitUnknownError: The answer was lost; `knows` tells whether it landed.
            ValueError: Two changes are about one booking.
        """
        ...

    def knows(self, restaurant_id: str, change_id: str) -> bool:
        """Whether the change with that id has landed, asked behind whatever commit is still in flight."""
        ...

    def block(self, block: TableBlock, events: Sequence[Event]) -> tuple[str, ...]:
        """
        Keep everybody off a table for a while, and tell *events* of it in the same transaction.

        Whoever sits there stays, and is told of; commits that come later find the table taken. What comes again with
        the same id is written once.

        Returns:
            The bookings that have the table for part of that time, the host's among them, sorted.

        Raises:
            CommitUnknownError: The answer was lost.
        """
        ...

    def unblock(self, block: TableBlock, events: Sequence[Event]) -> bool:
        """
        End a block, and tell *events* of it in the same transaction. Whom it helps is made due, as by a commit.

        Returns:
            Whether there was such a block; if not, nothing is told.

        Raises:
            CommitUnknownError: The answer was lost.
        """
        ...

    def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        """A restaurant's blocks that end after *since*: by when they begin, and by id."""
        ...

    def due(self, limit: int) -> tuple[Due, ...]:
        """
        Claim at most *limit* bookings whose time has come: the longest due first.

        A claim pushes `next_attempt_at` a minute ahead and counts a delivery in the same
        statement, so that two sweepers never get the same one.
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

    def unassigned(self, since: dt.datetime, limit: int) -> tuple[Booking, ...]:
        """The host's pending bookings that start after *since* and have no record here."""
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
        """See `AssignmentStore.load`."""
        ...

    async def commit(self, changes: Sequence[AssignmentChange]) -> None:
        """See `AssignmentStore.commit`."""
        ...

    async def knows(self, restaurant_id: str, change_id: str) -> bool:
        """See `AssignmentStore.knows`."""
        ...

    async def block(self, block: TableBlock, events: Sequence[Event]) -> tuple[str, ...]:
        """See `AssignmentStore.block`."""
        ...

    async def unblock(self, block: TableBlock, events: Sequence[Event]) -> bool:
        """See `AssignmentStore.unblock`."""
        ...

    async def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        """See `AssignmentStore.blocked`."""
        ...

    async def due(self, limit: int) -> tuple[Due, ...]:
        """See `AssignmentStore.due`."""
        ...

    async def records(self, query: RecordQuery) -> RecordPage:
        """See `AssignmentStore.records`."""
        ...

    async def history(self, booking_id: str) -> tuple[StateChange, ...]:
        """See `AssignmentStore.history`."""
        ...

    async def booking(self, booking_id: str) -> Booking | None:
        """See `AssignmentStore.booking`."""
        ...

    async def unassigned(self, since: dt.datetime, limit: int) -> tuple[Booking, ...]:
        """See `AssignmentStore.unassigned`."""
        ...

    async def check_schema(self) -> None:
        """See `AssignmentStore.check_schema`."""
        ...


# -- Locks --------------------------------------------------------------------------------------------------------


@attrs.frozen
class Wanted:
    """
    A key to be locked.

    Attributes:
        key: Its name.

        slots: How many may hold it at a time: a lock has one.
    """

    key: str
    slots: int = attrs.field(default=1, validator=attrs.validators.ge(1))


@attrs.frozen
class Lease:
    """
    A lock held until a time.

    Attributes:
        key: What is locked.

        owner: Who holds it, for people to read.

        nonce: Random; what release compares, so that only the holder lets go.

        expires_at: When it ends by itself, by the lock server's clock where there is one.
    """

    key: str
    owner: str = attrs.field(eq=False)
    nonce: str = attrs.field(eq=False, repr=False)
    expires_at: dt.datetime = attrs.field(eq=False)


@attrs.frozen
class Leases:
    """
    All the keys that were wanted.

    Attributes:
        leases: One a key, in the order in which they were wanted.
    """

    leases: tuple[Lease, ...]


@attrs.frozen
class Refused:
    """
    None of the keys that were wanted.

    Attributes:
        key: The first that had no free slot.
    """

    key: str


class LockManager(Protocol):
    """
    Exclusion between workers.

    Advisory: it saves double work, it does not guard data. Implementations
    pass `assignment_pipeline.testing.LockManagerContract`.
    """

    def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        """
        Take every key in *wanted* for *ttl* from now, or none of them. Never waits.

        Returns:
            The leases, or `Refused` with the first key that had no free slot.

        Raises:
            LockManagerUnavailableError: The lock server cannot be reached.
        """
        ...

    def release(self, leases: Leases) -> None:
        """
        Let go of what is still held of *leases*; what was lost meanwhile is left alone.

        Raises:
            LockManagerUnavailableError: The lock server cannot be reached.
        """
        ...


class AsyncLockManager(Protocol):
    """`LockManager`, for asyncio: the same promises."""

    async def acquire(self, wanted: Sequence[Wanted], *, ttl: dt.timedelta) -> Leases | Refused:
        """See `LockManager.acquire`."""
        ...

    async def release(self, leases: Leases) -> None:
        """See `LockManager.release`."""
        ...


# -- Events, flags, legacy ----------------------------------------------------------------------------------------


@runtime_checkable
class EventSink(Protocol):
    """
    Whoever is told what happened.

    A sink may raise or block: it is called behind a bounded queue, off the caller's
    path, unless it has an attribute ``inline`` that is true because it never blocks.
    """

    def emit(self, events: Sequence[Event]) -> None:
        """Take note of *events*, in their order. An event may come twice; its id is the same then."""
        ...


@attrs.frozen(kw_only=True)
class FlagDecision:
    """
    What the flags say about a restaurant.

    Attributes:
        mode: What the pipeline does there.

        max_parallel: Assignments at one time there, at most.

        reason: The rule that decided: ``disabled``, ``excluded``, ``listed``, ``percent``, ...

        source: Where the flags came from, such as ``environment``.

        bucket: Where the restaurant stands in the cohorts, from 0 to 9,999; None where that did not matter.

        generation: The rollout's generation that this was read under; None where no store was asked.
    """

    mode: Mode
    max_parallel: int
    reason: str
    source: str
    bucket: int | None = None
    generation: int | None = None


class FlagResolver(Protocol):
    """What decides whether the pipeline is in charge of a restaurant. Never blocks, does no I/O."""

    def resolve(self, restaurant_id: str) -> FlagDecision:
        """What the flags say about that restaurant, now."""
        ...


LegacyPlanner = Callable[[Booking], LegacyResult]
"""The planner being replaced. What it answers or raises passes through untouched."""

AsyncLegacyPlanner = Callable[[Booking], Awaitable[LegacyResult]]
"""The same, for asyncio."""

OnCommit = Callable[[Any, Sequence[AssignmentChange]], None]
"""
Host code inside the store's transaction: gets its connection and what is being committed.

What it raises rolls the commit back and reaches the caller. It may run more than once for one
commit, so it has no effects outside the transaction; it must not commit or roll back.
"""
