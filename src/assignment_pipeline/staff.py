"""What people do, for both coordinators: decide for a booking, tell what goes on in the room, close tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, TypeVar, overload

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.result import AssignmentResult, Move
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.flow.effects import Flow, ReadRecords
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.on_use import module_on_use
from assignment_pipeline.staff_reads import AsyncStaffReads, StaffReads
from assignment_pipeline.staff_service import AsyncServiceActions, ServiceActions

if TYPE_CHECKING:
    from assignment_pipeline.domain.blocks import BlockResult, TableBlock
    from assignment_pipeline.flow.assigning import reoptimize as reoptimizing
    from assignment_pipeline.flow.assigning.reoptimize import Reoptimization
    from assignment_pipeline.flow.legacy import takeover as taking_over
    from assignment_pipeline.flow.staff import blocks, review
    from assignment_pipeline.flow.staff import rearrange as rearranging
    from assignment_pipeline.ports import RecordPage, records
else:
    reoptimizing = module_on_use("flow.assigning.reoptimize")
    taking_over = module_on_use("flow.legacy.takeover")
    blocks = module_on_use("flow.staff.blocks")
    review = module_on_use("flow.staff.review")
    records = module_on_use("ports.records")
    rearranging = module_on_use("flow.staff.rearrange")

T = TypeVar("T")


class StaffActions(ServiceActions, StaffReads):
    """What people do. Each of these is checked, committed and recorded with its actor."""

    settings: Settings

    def _run(self, flow: Flow[T]) -> T:
        raise NotImplementedError

    # -- Bookings -------------------------------------------------------------------------------------------------

    def review_queue(
        self, restaurant_id: str | None = None, *, after: str | None = None, limit: int = 100
    ) -> RecordPage:
        """
        The bookings in manual review: the soonest arrival first. A booking whose time is over leaves by itself.

        Args:
            restaurant_id: Of that restaurant only.

            after: Where the last page ended: its ``next``. Bookings that come or go meanwhile shift nothing.

            limit: At most so many.

        Raises:
            InvalidValueError: *after* is no ``next`` of a page.
            StoreUnavailableError: The store could not be asked.
        """
        return self._run(iter(ReadRecords(records.RecordQuery.in_review(restaurant_id, after, limit))))

    def place(
        self,
        booking: Booking,
        tables: Collection[str],
        *,
        actor: str,
        expect_version: int | None = None,
        allow: Collection[str] = (),
        moves: Sequence[Move] = (),
        pin: bool = True,
    ) -> AssignmentResult:
        """
        Give *booking* the tables that a person chose: a walk-in, a move, or the end of a review.

        A standalone host's row follows *booking* in the same commit.

        Args:
            tables: Their ids.

            actor: The person, as the audit is to name them.

            expect_version: The record's version that the person saw, or None not to compare it.

            allow: Names of rules to overrule, of `assignment_pipeline.planning.base.Rule`. That nobody else has the
                tables cannot be overruled.

            moves: Who makes room, all in one commit: those of a plan in `Decision.suggestion`.

            pin: Whether the booking stays there until a person says otherwise: nothing moves it to make room.

        Raises:
            BookingNotFoundError: One that is to move is not known.
            IllegalTransitionError: The assignment has ended.
            PlacementRefusedError: The tables, of the booking or of one that is to move, break rules that were not
                allowed away.
            OtherTablesError: One that is to move is not at the tables of its ``origin``; a `StaleRecordError`.
            StaleRecordError: The record is not at *expect_version*.
            TableConflictError: Somebody else has one of the tables.
            ValueError: *allow* names no rule, or one that cannot be overruled.
            VenueNotFoundError: The host has no such restaurant.
        """
        wanted = review.Placement.of(tables, expect_version=expect_version, allow=allow, moves=moves, pin=pin)
        flow = review.place(booking, wanted, self.settings, actor=actor)
        return self._run(flow)

    def rearrange(
        self,
        moves: Sequence[Move],
        *,
        actor: str,
        allow: Collection[str] = (),
        pin: bool = True,
        restaurant_id: str | None = None,
    ) -> tuple[AssignmentResult, ...]:
        """
        Give several bookings other tables in one commit: two swap, three move round, a room is cleared.

        The end state counts: all of them leave their tables first. Each party keeps its time. Pins, the policy's
        ``freeze`` and parties that sit do not stand against a person; the event ``booking.reseated`` says what was
        overruled.

        Args:
            moves: Who goes where, each booking once, all of one restaurant. A move's ``origin`` are the tables that the
                person saw the booking at.

            actor: The person, as the audit is to name them.

            allow: Names of rules to overrule, as for `place`.

            pin: Whether the bookings stay there until a person says otherwise.

            restaurant_id: Refuse bookings of another restaurant. Without it, who may move which is for the host to
                decide.

        Returns:
            A result for each move, in their order: ``confirmed`` or ``assigned``, or ``retry`` for all of them where
            the store could not do it.

        Raises:
            BookingNotFoundError: One has no record.
            NoTablesError: One has no tables.
            OtherRestaurantError: They are not all of one restaurant.
            PlacementRefusedError: The tables of one break rules that were not allowed away.
            OtherTablesError: One is not at the tables of its ``origin``; a `StaleRecordError`.
            TableConflictError: Somebody who does not move has one of the tables, or two would get it.
            ValueError: There are no moves, a booking is to move twice, or *allow* names no rule.
        """
        wanted = rearranging.Wanted.of(moves, allow=allow, pin=pin, restaurant_id=restaurant_id)
        return self._run(rearranging.rearrange(wanted, self.settings, actor=actor))

    def reoptimize(
        self, restaurant_id: str, service_date: dt.date, *, apply: bool = False, actor: str | None = None
    ) -> Reoptimization:
        """
        Plan a restaurant's day again: seat waiting bookings, and move bookings off tables that are out of use.

        Nobody moves for nothing, nor does who is pinned, has arrived or is about to.

        Args:
            service_date: The day, as the restaurant counts it.

            apply: Do it, all in one commit, unless there is nothing to gain.

            actor: Who does it, as the audit is to name them.

        Raises:
            CommitUnknownError: Whether it was done could not be found out.
            MissingExtraError: The extra ``optimize`` is not installed.
            StoreUnavailableError: The store could not be asked.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(reoptimizing.reoptimize(restaurant_id, service_date, self.settings, apply=apply, actor=actor))

    def requeue(self, booking_id: str, *, actor: str, restaurant_id: str | None = None) -> AssignmentResult:
        """
        Assign a booking in review, or a confirmed one, again: it is due at once, with no attempt counted.

        Raises:
            BookingNotFoundError: It has no record.
            IllegalTransitionError: It is neither in review nor confirmed.
        """
        return self._run(review.requeue(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    def takeover(self, booking_id: str, *, actor: str, restaurant_id: str | None = None) -> AssignmentResult:
        """
        Make the pipeline the owner of a booking that legacy owns. Activating the pipeline again does not do this.

        Confirmed at tables, the booking keeps them. Otherwise it waits, due at once, where the pipeline is in charge.

        Raises:
            BookingNotFoundError: It has no record.
            OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
            TableConflictError: Legacy has seated it where somebody else sits, too.
        """
        return self._run(taking_over.takeover(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    def reject(self, booking_id: str, *, actor: str, reason: str, restaurant_id: str | None = None) -> AssignmentResult:
        """
        Reject a booking for good.

        Args:
            reason: A short code such as ``guest_withdrew``; never a guest's name or words.

        Raises:
            BookingNotFoundError: It has no record.
            IllegalTransitionError: It is confirmed, or has ended already.
            ValueError: *reason* is not a code.
        """
        return self._run(
            review.reject(booking_id, self.settings, actor=actor, reason=reason, restaurant_id=restaurant_id)
        )

    def pin(self, booking_id: str, *, actor: str, restaurant_id: str | None = None) -> AssignmentResult:
        """
        Pin a booking to its tables: no plan moves it until it is unpinned.

        Raises:
            BookingNotFoundError: It has no record.
            NoTablesError: It has no tables.
        """
        return self._run(review.pin(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    def unpin(self, booking_id: str, *, actor: str, restaurant_id: str | None = None) -> AssignmentResult:
        """
        Unpin a booking: plans may move it again.

        Raises:
            BookingNotFoundError: It has no record.
            NoTablesError: It has no tables.
        """
        return self._run(review.unpin(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    # -- Tables out of service ------------------------------------------------------------------------------------

    def block(
        self,
        restaurant_id: str,
        table_id: str | None = None,
        window: TimeWindow | None = None,
        *,
        zone: str | None = None,
        actor: str,
        reason: str,
    ) -> BlockResult:
        """
        Take a table, or all tables of a zone, out of service for a while: all of them or none. Nobody is seated there.

        Bookings that have the tables already keep them, and are named: they are for a person to move. The same block
        twice is one: the first stays as it is.

        Args:
            table_id: The table, or None where a zone is named.

            window: For how long. It has to be given.

            zone: The zone.

            reason: A short code such as ``maintenance``.

        Raises:
            CommitUnknownError: The store does not say whether it has done it.
            StoreUnavailableError: The store could not be reached; nothing was written.
            TableNotFoundError: The restaurant has no such table.
            ValueError: *reason* is not a code, or not just one of a table and a zone is named.
            VenueNotFoundError: The host has no such restaurant.
            ZoneNotFoundError: No table of the restaurant stands in that zone.
        """
        return self._run(blocks.block(restaurant_id, table_id, window, zone=zone, actor=actor, reason=reason))

    @overload
    def unblock(self, restaurant_id: str, block_id: str, *, actor: str) -> TableBlock: ...

    @overload
    def unblock(
        self, restaurant_id: str, *, zone: str, window: TimeWindow | None = None, actor: str
    ) -> tuple[TableBlock, ...]: ...

    def unblock(
        self,
        restaurant_id: str,
        block_id: str | None = None,
        *,
        zone: str | None = None,
        window: TimeWindow | None = None,
        actor: str,
    ) -> TableBlock | tuple[TableBlock, ...]:
        """
        Put a table, or all tables of a zone, back into service: all of them or none.

        Bookings that wait for tables at that time are due at once. Where no table of the zone is out of service,
        nothing is done.

        Args:
            block_id: The block of one table, or None where a zone is named.

            zone: The zone.

            window: Of the zone's blocks, end only those for just that time; None ends all that have not ended.

        Returns:
            The block that ended, or those of the zone.

        Raises:
            BlockNotFoundError: There is no such block.
            CommitUnknownError: The store does not say whether it has done it.
            StoreUnavailableError: The store could not be reached; nothing was written.
            ValueError: Not just one of a block and a zone is named.
            VenueNotFoundError: The host has no such restaurant.
            ZoneNotFoundError: No table of the restaurant stands in that zone.
        """
        return self._run(blocks.unblock(restaurant_id, block_id, zone=zone, window=window, actor=actor))

    def blocks(self, restaurant_id: str) -> tuple[TableBlock, ...]:
        """
        The tables that are or will be out of service, by start.

        Raises:
            StoreUnavailableError: The store could not be asked.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(blocks.blocks(restaurant_id))


class AsyncStaffActions(AsyncServiceActions, AsyncStaffReads):
    """`StaffActions`, for asyncio."""

    settings: Settings

    async def _run(self, flow: Flow[T]) -> T:
        raise NotImplementedError

    # -- Bookings -------------------------------------------------------------------------------------------------

    async def review_queue(
        self, restaurant_id: str | None = None, *, after: str | None = None, limit: int = 100
    ) -> RecordPage:
        """The bookings in manual review: the soonest arrival first. See `Coordinator.review_queue`."""
        return await self._run(iter(ReadRecords(records.RecordQuery.in_review(restaurant_id, after, limit))))

    async def place(
        self,
        booking: Booking,
        tables: Collection[str],
        *,
        actor: str,
        expect_version: int | None = None,
        allow: Collection[str] = (),
        moves: Sequence[Move] = (),
        pin: bool = True,
    ) -> AssignmentResult:
        """
        Give *booking* the tables that a person chose: a walk-in, a move, or the end of a review.

        See `Coordinator.place`.
        """
        wanted = review.Placement.of(tables, expect_version=expect_version, allow=allow, moves=moves, pin=pin)
        flow = review.place(booking, wanted, self.settings, actor=actor)
        return await self._run(flow)

    async def rearrange(
        self,
        moves: Sequence[Move],
        *,
        actor: str,
        allow: Collection[str] = (),
        pin: bool = True,
        restaurant_id: str | None = None,
    ) -> tuple[AssignmentResult, ...]:
        """Give several bookings other tables in one commit. See `Coordinator.rearrange`."""
        wanted = rearranging.Wanted.of(moves, allow=allow, pin=pin, restaurant_id=restaurant_id)
        return await self._run(rearranging.rearrange(wanted, self.settings, actor=actor))

    async def reoptimize(
        self, restaurant_id: str, service_date: dt.date, *, apply: bool = False, actor: str | None = None
    ) -> Reoptimization:
        """
        Plan a restaurant's day again: seat waiting bookings, and move bookings off tables that are out of use.

        See `Coordinator.reoptimize`.
        """
        return await self._run(
            reoptimizing.reoptimize(restaurant_id, service_date, self.settings, apply=apply, actor=actor)
        )

    async def requeue(self, booking_id: str, *, actor: str, restaurant_id: str | None = None) -> AssignmentResult:
        """
        Assign a booking in review, or a confirmed one, again: it is due at once, with no attempt counted.

        See `Coordinator.requeue`.
        """
        return await self._run(review.requeue(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    async def takeover(self, booking_id: str, *, actor: str, restaurant_id: str | None = None) -> AssignmentResult:
        """
        Make the pipeline the owner of a booking that legacy owns. Activating the pipeline again does not do this.

        See `StaffActions.takeover`.
        """
        return await self._run(
            taking_over.takeover(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id)
        )

    async def reject(
        self, booking_id: str, *, actor: str, reason: str, restaurant_id: str | None = None
    ) -> AssignmentResult:
        """Reject a booking for good. See `Coordinator.reject`."""
        return await self._run(
            review.reject(booking_id, self.settings, actor=actor, reason=reason, restaurant_id=restaurant_id)
        )

    async def pin(self, booking_id: str, *, actor: str, restaurant_id: str | None = None) -> AssignmentResult:
        """Pin a booking to its tables: no plan moves it until it is unpinned. See `Coordinator.pin`."""
        return await self._run(review.pin(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    async def unpin(self, booking_id: str, *, actor: str, restaurant_id: str | None = None) -> AssignmentResult:
        """Unpin a booking: plans may move it again. See `Coordinator.unpin`."""
        return await self._run(review.unpin(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    # -- Tables out of service ------------------------------------------------------------------------------------

    async def block(
        self,
        restaurant_id: str,
        table_id: str | None = None,
        window: TimeWindow | None = None,
        *,
        zone: str | None = None,
        actor: str,
        reason: str,
    ) -> BlockResult:
        """Take a table, or all tables of a zone, out of service for a while. See `Coordinator.block`."""
        return await self._run(blocks.block(restaurant_id, table_id, window, zone=zone, actor=actor, reason=reason))

    @overload
    async def unblock(self, restaurant_id: str, block_id: str, *, actor: str) -> TableBlock: ...

    @overload
    async def unblock(
        self, restaurant_id: str, *, zone: str, window: TimeWindow | None = None, actor: str
    ) -> tuple[TableBlock, ...]: ...

    async def unblock(
        self,
        restaurant_id: str,
        block_id: str | None = None,
        *,
        zone: str | None = None,
        window: TimeWindow | None = None,
        actor: str,
    ) -> TableBlock | tuple[TableBlock, ...]:
        """Put a table, or all tables of a zone, back into service. See `Coordinator.unblock`."""
        return await self._run(blocks.unblock(restaurant_id, block_id, zone=zone, window=window, actor=actor))

    async def blocks(self, restaurant_id: str) -> tuple[TableBlock, ...]:
        """The tables that are or will be out of service, by start. See `Coordinator.blocks`."""
        return await self._run(blocks.blocks(restaurant_id))
