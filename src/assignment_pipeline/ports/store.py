"""The pipeline's own records, and the transactions that guard them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange, StateChange
from assignment_pipeline.domain.wake_order import WakeOrder
from assignment_pipeline.ports.loading import AssignmentContext, LoadQuery

if TYPE_CHECKING:
    from assignment_pipeline.domain.blocks import TableBlock
    from assignment_pipeline.ports.claims import Due
    from assignment_pipeline.ports.records import RecordPage, RecordQuery
    from assignment_pipeline.ports.waiting import UnreadableBooking, Waiting


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

    def load_all(self, queries: Sequence[LoadQuery]) -> tuple[AssignmentContext | None, ...]:
        """What `load` answers to each of *queries*, in their order, and all in one snapshot."""
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

    def knows(self, change: AssignmentChange) -> bool:
        """Whether *change* has landed, asked behind whatever commit at its restaurant is still in flight."""
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

    async def load_all(self, queries: Sequence[LoadQuery]) -> tuple[AssignmentContext | None, ...]:
        """What `load` answers to each of *queries*, in their order, and all in one snapshot."""
        ...

    async def commit(self, changes: Sequence[AssignmentChange]) -> None:
        """Apply all of *changes*, one a booking, in one transaction, or none. See `AssignmentStore.commit`."""
        ...

    async def knows(self, change: AssignmentChange) -> bool:
        """
        Whether *change* has landed, asked behind whatever commit at its restaurant is still in flight.

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
