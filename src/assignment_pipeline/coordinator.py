"""The coordinator: the flows, wired to ports."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self, TypeVar

from assignment_pipeline.base_coordinator import AnyLegacy, AnyLocks, AnyStore, BaseCoordinator
from assignment_pipeline.domain.booking import Booking, SeatingPreference
from assignment_pipeline.domain.record import AssignmentRecord, StateChange
from assignment_pipeline.domain.result import AssignmentResult, Decision, LegacyResult
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.driving import arun, run
from assignment_pipeline.flow.assigning import assign
from assignment_pipeline.flow.assigning.decision_context import Target
from assignment_pipeline.flow.effects import Flow, Port
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.handlers import AsyncHandler, SyncHandler, is_async
from assignment_pipeline.on_use import module_on_use
from assignment_pipeline.planning.base import Engine, Strategy
from assignment_pipeline.ports import (
    AssignmentStore,
    AsyncAssignmentStore,
    AsyncLegacyPlanner,
    AsyncLockManager,
    Clock,
    EventSink,
    FlagResolver,
    LegacyPlanner,
    LockManager,
    Observer,
)
from assignment_pipeline.rollout.shadow.settings import Shadow
from assignment_pipeline.staff import AsyncStaffActions, StaffActions

if TYPE_CHECKING:
    from assignment_pipeline import joined as joining
    from assignment_pipeline.domain.adoption import AdoptReport, LegacySeat
    from assignment_pipeline.domain.availability import Availability
    from assignment_pipeline.flow.assigning import assign_many, enqueue, venue_audit
    from assignment_pipeline.flow.assigning import availability as surveying
    from assignment_pipeline.flow.assigning import reassign as reassigning
    from assignment_pipeline.flow.legacy import adopt as adopting
    from assignment_pipeline.flow.legacy import shadow as shadowing
    from assignment_pipeline.flow.staff import confirm_and_cancel, holds
    from assignment_pipeline.flow.sweeping import sweep as sweeping
    from assignment_pipeline.flow.sweeping.sweep import SweepReport
    from assignment_pipeline.joined import AsyncJoined, Joined
    from assignment_pipeline.planning.venue_audit import VenueAudit
    from assignment_pipeline.rollout.watching import Demote, WatchReport
else:
    joining = module_on_use("joined")
    assign_many = module_on_use("flow.assigning.assign_many")
    enqueue = module_on_use("flow.assigning.enqueue")
    venue_audit = module_on_use("flow.assigning.venue_audit")
    surveying = module_on_use("flow.assigning.availability")
    reassigning = module_on_use("flow.assigning.reassign")
    adopting = module_on_use("flow.legacy.adopt")
    shadowing = module_on_use("flow.legacy.shadow")
    confirm_and_cancel = module_on_use("flow.staff.confirm_and_cancel")
    holds = module_on_use("flow.staff.holds")
    sweeping = module_on_use("flow.sweeping.sweep")

T = TypeVar("T")


class Coordinator(BaseCoordinator[AssignmentStore, LockManager, LegacyPlanner], StaffActions):
    """
    Assigns tables to bookings.

    Usable from any thread, and after a fork. Where a method says nothing else, what goes wrong with the infrastructure
    is the outcome ``retry``, and only programming errors raise.

    Args:
        store: The pipeline's records; it brings the host with it.

        flags: Where the pipeline is in charge; by default, what the environment says. If the environment says nothing,
            the pipeline is off everywhere; without a *legacy* planner either, a `UserWarning` says so.

        locks: Keeps two workers from the same booking; by default within this process only. It saves work, and
            guards nothing: the commit does.

        limiter: Bounds the assignments at one restaurant at a time; by default within this process.

        legacy: The planner being replaced, run where the pipeline is off.

        sinks: Who is told what happens; by default the log.

        strategies: The host's say in which tables are best.

        engine: What finds tables, instead of `TableEngine` with those strategies.

        settings: How the flows behave.

        clock: This machine's time, for what does not decide anything; what does is decided by the store's.

        shadow: How the pipeline runs beside legacy where the flags say shadow: in a ``thread``, in a ``worker``
            process, as a `Shadow` says, or not at all.

        observer: Who watches the calls, such as `OpenTelemetry`; by default nobody.
    """

    _awaits = False

    def __init__(
        self,
        store: AssignmentStore,
        *,
        flags: FlagResolver | None = None,
        locks: LockManager | None = None,
        limiter: LockManager | None = None,
        legacy: LegacyPlanner | None = None,
        sinks: Sequence[EventSink] | None = None,
        strategies: Sequence[Strategy] = (),
        engine: Engine | None = None,
        settings: Settings | None = None,
        clock: Clock | None = None,
        shadow: Shadow | str | None = "thread",
        observer: Observer | None = None,
    ) -> None:
        super().__init__(
            store,
            flags=flags,
            locks=locks,
            limiter=limiter,
            legacy=legacy,
            sinks=sinks,
            strategies=strategies,
            engine=engine,
            settings=settings,
            clock=clock,
            shadow=shadow,
            observer=observer,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Wait until the sinks have every event, and the shadow has looked at its cases."""
        if self.shadow is not None:
            self.shadow.close()
        self._process.close()

    def _run(self, flow: Flow[T]) -> T:
        return run(self._wiring.observed(flow), SyncHandler(self._wiring))

    def _assign(self, target: Target, trigger: str, legacy: LegacyPlanner | None) -> AssignmentResult:
        wiring = self._wiring if legacy is None else self._wired_to(legacy)
        flow = assign.assign(target, self.settings, trigger=trigger, legacy=wiring.has_legacy)
        return run(wiring.observed(flow), SyncHandler(wiring))

    def assign(
        self,
        booking: Booking,
        *,
        trigger: str = assign.CREATION,
        legacy: LegacyPlanner | None = None,
        deadline: dt.timedelta | None = None,
    ) -> AssignmentResult:
        """
        Assign tables to *booking*, or return the reason why there are none.

        Args:
            booking: The booking as it stands; it is the truth until it is settled.

            trigger: What brought the call about, for the events. ``manual`` does not wait until a retry is due.

            legacy: The planner to run where the pipeline is off, instead of the one that is wired.

            deadline: For how long moves that make room may be looked for, where no table is free, instead of
                `Settings.reseat_budget` and `Settings.call_budget`.

        Raises:
            VenueNotFoundError: The host has no such restaurant.
            Exception: Whatever the legacy planner raises.
        """
        return self._assign(Target.of(booking, deadline), trigger, legacy)

    def assign_id(
        self,
        booking_id: str,
        restaurant_id: str,
        *,
        trigger: str = "queue",
        legacy: LegacyPlanner | None = None,
        deadline: dt.timedelta | None = None,
    ) -> AssignmentResult:
        """
        Assign a booking by its id, for queues: the host supplies the booking.

        Raises:
            BookingNotFoundError: Nobody knows it.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._assign(Target(booking_id, restaurant_id, deadline=deadline), trigger, legacy)

    def assign_many(self, bookings: Sequence[Booking]) -> tuple[AssignmentResult, ...]:
        """
        Assign *bookings* in their order, with one snapshot and one commit for each restaurant and service day.

        Raises:
            ValueError: A booking comes twice.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(assign_many.assign_many(bookings, self.settings, legacy=self._wiring.has_legacy))

    def preview(self, booking: Booking) -> Decision:
        """
        Plan *booking* without writing anything. The flags do not matter.

        Raises:
            StoreUnavailableError: The store could not be asked.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(enqueue.preview(booking, self.settings))

    def availability(
        self,
        restaurant_id: str,
        date: dt.date,
        party_sizes: Iterable[int],
        *,
        seating: SeatingPreference | str = SeatingPreference.ANY,
        zone: str | None = None,
        accessible: bool = False,
        channel: str | None = None,
        until: dt.date | None = None,
    ) -> Availability:
        """
        Which times can still be had. Nothing is written, and the flags do not matter.

        At the moment of asking, `assign` confirms each slot that is ``available``, confirms each that is
        ``with_moves`` by moving others, and confirms no other.

        Args:
            restaurant_id: The restaurant.

            date: The local date on which the service periods start.

            party_sizes: The sizes to look for.

            seating: Where the party wants to sit.

            zone: The zone it wants, or None.

            accessible: Whether one of its tables must be accessible.

            channel: How the booking would be taken, for caps that hold for a channel.

            until: The last of several dates, fewer than 400 days later; None for *date* alone.

        Raises:
            InvalidValueError: A size, a date or a wish is none; a `ValueError`.
            StoreUnavailableError: The store could not be asked.
            VenueNotFoundError: The host has no such restaurant.
        """
        wishes: dict[str, Any] = {"seating": seating, "zone": zone, "accessible": accessible, "channel": channel}
        return self._run(surveying.availability(restaurant_id, date, party_sizes, self.settings, **wishes, until=until))

    def availability_month(
        self,
        restaurant_id: str,
        month: dt.date,
        party_sizes: Iterable[int],
        *,
        seating: SeatingPreference | str = SeatingPreference.ANY,
        zone: str | None = None,
        accessible: bool = False,
        channel: str | None = None,
    ) -> Availability:
        """
        Which days of a month have anything for a party: `Availability.days`. See `availability`.

        Args:
            restaurant_id: The restaurant.

            month: Any date of the month.

            party_sizes: The sizes to look for.

            seating: Where the party wants to sit.

            zone: The zone it wants, or None.

            accessible: Whether one of its tables must be accessible.

            channel: How the booking would be taken, for caps that hold for a channel.

        Raises:
            InvalidValueError: A size, a date or a wish is none; a `ValueError`.
            StoreUnavailableError: The store could not be asked.
            VenueNotFoundError: The host has no such restaurant.
        """
        wishes: dict[str, Any] = {"seating": seating, "zone": zone, "accessible": accessible, "channel": channel}
        return self._run(surveying.month(restaurant_id, month, party_sizes, self.settings, **wishes))

    def audit(self, restaurant_id: str, *, since: dt.datetime | None = None) -> VenueAudit:
        """
        Hold every booking with tables that is ahead against its restaurant as it is now. Nothing is written.

        Floors, hours and policies change behind bookings. What is found stays seated until somebody acts: `reassign`
        and `reoptimize` give it other tables where there are any.

        Args:
            restaurant_id: The restaurant.

            since: The first arrival to look at; None for the store's time.

        Raises:
            StoreUnavailableError: The store could not be asked.
            InvalidValueError: *since* has no offset, or is not in the years 1971 to 9997.
            VenueNotFoundError: The host has no such restaurant.
        """
        return self._run(venue_audit.audit(restaurant_id, since=since))

    def put_venue(self, venue: Venue) -> VenueAudit:
        """
        Have a standalone host, or the one in memory, keep a restaurant or change it, and `audit` the bookings ahead.

        Returns:
            The bookings that break a rule of the restaurant as it is from now on. They stay seated until somebody acts.

        Raises:
            CommitUnknownError: The store does not say whether it has done it.
            StoreUnavailableError: The store could not be reached; nothing was written.
            ValueError: The store has a host of your own, which keeps its restaurants itself.
        """
        return self._run(venue_audit.put_venue(venue))

    def enqueue(self, booking: Booking) -> AssignmentRecord | None:
        """
        Record that *booking* waits for tables. The sweep assigns it unless another call does so first. Idempotent.

        Returns:
            Its record; None where the pipeline is not in charge.

        Raises:
            FlagsUnreadError: It is not known yet whether the pipeline is in charge; a `StoreUnavailableError`.
            StoreUnavailableError: It could not be noted.
        """
        return self._run(enqueue.enqueue(booking, self.settings))

    def adopt(self, seats: Iterable[LegacySeat]) -> AdoptReport:
        """
        Record bookings that legacy has already seated, so that the pipeline plans around them. Nothing of it is moved.

        Before a restaurant turns active, where the host's ``occupied`` does not show it; and again whenever legacy
        has seated somebody since: what is known is left as it is. It also tells what legacy made of a booking that
        was handed over, where the host ran it itself.

        Raises:
            CommitUnknownError: The store does not say whether it was done. Do it again.
            StoreUnavailableError: The store could not be asked. What was adopted before that stays so.
        """
        return self._run(adopting.adopt(seats, self.settings))

    def observe(self, booking: Booking, legacy: LegacyResult | BaseException) -> bool:
        """
        Report the result of a legacy planner that runs elsewhere, for the shadow to compare.

        Args:
            booking: The booking as legacy was given it.

            legacy: What it answered or raised.

        Returns:
            Whether the shadow was told: the restaurant is in shadow mode, and there is a shadow.
        """
        return self._run(shadowing.observe(booking, legacy))

    def confirm(
        self, booking_id: str, *, actor: str | None = None, restaurant_id: str | None = None
    ) -> AssignmentResult:
        """
        Confirm tables that are held. If the hold has expired and its tables are free, it takes and confirms them.

        If they are not free, nothing is written, and the outcome is `hold_lost`.

        Raises:
            BookingNotFoundError: The booking has no record.
            OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        """
        return self._run(holds.confirm(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    def cancel(
        self, booking_id: str, restaurant_id: str | None = None, *, actor: str | None = None
    ) -> AssignmentResult:
        """
        Cancel a booking: its tables are free for good. An unknown booking is cancelled too: no late call seats it.

        Args:
            restaurant_id: Refuse a booking of another restaurant, by its record and by the host; and the restaurant of
                one that neither the pipeline nor the host knows. Without it, who may cancel which is for the host to
                decide.

            actor: The person, as the audit is to name them; None for a guest or a program.

        Raises:
            OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
        """
        return self._run(confirm_and_cancel.cancel(booking_id, restaurant_id, self.settings, actor=actor))

    def reassign(self, booking: Booking, *, keep: bool = True, actor: str | None = None) -> AssignmentResult:
        """
        Assign *booking* again after a change: its old tables are freed in the commit that takes the new ones.

        A standalone host's row follows in the same commit, unless the outcome is `kept`.

        Args:
            keep: Where there is no plan, leave everything as it was, with the outcome `kept` and the nearest times.
                Otherwise the booking gives up its tables and waits as a new one would.

            actor: The person who changes it, for the history; None for a guest or a program.

        Raises:
            VenueNotFoundError: The host has no such restaurant.
        """
        target, legacy = Target.of(booking), self._wiring.has_legacy
        flow = reassigning.reassign(target, self.settings, keep=keep, actor=actor, legacy=legacy)
        return self._run(flow)

    def record(self, booking_id: str, *, restaurant_id: str | None = None) -> AssignmentRecord | None:
        """
        A booking's assignment record, or None if it has none.

        Args:
            restaurant_id: Refuse a booking of another restaurant. Without it, who may see which is for the host to
                decide.

        Raises:
            OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
            StoreUnavailableError: The store could not be asked.
        """
        return self._run(enqueue.look_up(booking_id, restaurant_id))

    def history(self, booking_id: str, *, restaurant_id: str | None = None) -> tuple[StateChange, ...]:
        """
        A booking's transitions, oldest first.

        Args:
            restaurant_id: Refuse a booking of another restaurant. Without it, who may see which is for the host to
                decide.

        Raises:
            OtherRestaurantError: It is a booking of another restaurant than *restaurant_id*.
            StoreUnavailableError: The store could not be asked.
        """
        return self._run(enqueue.read_history(booking_id, restaurant_id))

    def sweep(self, *, limit: int = 100) -> SweepReport:
        """
        Process at most *limit* due bookings, and those that nobody enqueued.

        Where the pipeline was switched off, those that wait are handed over to the legacy planner that is wired, or
        to a person where none is; or the pipeline finishes them: see `Settings.in_flight`.

        Call it every few seconds, from as many workers as you like.

        Raises:
            StoreUnavailableError: The store could not be asked what is due.
        """
        return self._run(sweeping.sweep(self.settings, limit, legacy=self._wiring.has_legacy, memory=self._sweeps))

    def watch_rollout(self, *, demote: Demote | str = "step") -> WatchReport:
        """
        Look at the rollout's alerts once, and roll back on one that fires; nothing here ever goes on.

        Call it once a minute, from as many workers as you like: what ``rollout watch`` does in a process of its own.
        A rollback that fails does not raise: it is ``WatchReport.error``. In PostgreSQL it takes an operator's rights.

        Args:
            demote: What a firing alert leads to: ``step``, one phase back, ``off``, off everywhere, or ``no``.

        Raises:
            StoreUnavailableError: The store cannot be reached.
            CommitUnknownError: It was rolled back, and it could not be made sure that it is in force: look again.
            TypeError: The store does not count, or keeps no rollout.
        """
        from assignment_pipeline.rollout.watching import Watcher  # noqa: PLC0415 - few processes watch

        return Watcher.of(self.store, self.flags, demote=demote).look()

    def joined(self, connection: Any) -> Joined:
        """
        `enqueue`, `cancel`, `observe` and `adopt` inside a transaction that the host has open on *connection*.

        Assigning happens after the host's commit: enqueue inside, assign after.

        Raises:
            TypeError: The store has no connections.
        """
        return joining.Joined(self._joined(connection), self.settings)


class AsyncCoordinator(BaseCoordinator[AnyStore, AnyLocks, AnyLegacy], AsyncStaffActions):
    """
    `Coordinator`, for asyncio: over async ports, or sync ones that run in a worker thread.

    A task that is cancelled waits for the question that it has put to a port, and lets go of its lock.

    Args:
        store: An `AsyncAssignmentStore`, which is awaited, or an `AssignmentStore`, whose calls run in a worker thread.

        locks: An `AsyncLockManager`, or a `LockManager`, whose calls run in a worker thread.

        limiter: The same, to bound the assignments at one restaurant at a time.

        legacy: A coroutine function, which is awaited, or a function, which runs in a worker thread.

        flags: As for `Coordinator`, and so are *sinks*, *strategies*, *engine*, *settings*, *clock*, *shadow* and
            *observer*: none of these is awaited.
    """

    _awaits = True

    def __init__(
        self,
        store: AssignmentStore | AsyncAssignmentStore,
        *,
        flags: FlagResolver | None = None,
        locks: LockManager | AsyncLockManager | None = None,
        limiter: LockManager | AsyncLockManager | None = None,
        legacy: LegacyPlanner | AsyncLegacyPlanner | None = None,
        sinks: Sequence[EventSink] | None = None,
        strategies: Sequence[Strategy] = (),
        engine: Engine | None = None,
        settings: Settings | None = None,
        clock: Clock | None = None,
        shadow: Shadow | str | None = "thread",
        observer: Observer | None = None,
    ) -> None:
        super().__init__(
            store,
            flags=flags,
            locks=locks,
            limiter=limiter,
            legacy=legacy,
            sinks=sinks,
            strategies=strategies,
            engine=engine,
            settings=settings,
            clock=clock,
            shadow=shadow,
            observer=observer,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Wait until the sinks have every event, and the shadow has looked at its cases."""
        import asyncio  # noqa: PLC0415 - sync hosts need not load it

        if self.shadow is not None:
            await asyncio.to_thread(self.shadow.close)
        await asyncio.to_thread(self._process.close)

    async def _run(self, flow: Flow[T]) -> T:
        return await arun(self._wiring.observed(flow), AsyncHandler(self._wiring))

    async def _assign(
        self, target: Target, trigger: str, legacy: LegacyPlanner | AsyncLegacyPlanner | None
    ) -> AssignmentResult:
        wiring = self._wiring if legacy is None else self._wired_to(legacy)
        flow = assign.assign(target, self.settings, trigger=trigger, legacy=wiring.has_legacy)
        return await arun(wiring.observed(flow), AsyncHandler(wiring))

    async def assign(
        self,
        booking: Booking,
        *,
        trigger: str = assign.CREATION,
        legacy: LegacyPlanner | AsyncLegacyPlanner | None = None,
        deadline: dt.timedelta | None = None,
    ) -> AssignmentResult:
        """Assign tables to *booking*, or return the reason why there are none. See `Coordinator.assign`."""
        return await self._assign(Target.of(booking, deadline), trigger, legacy)

    async def assign_id(
        self,
        booking_id: str,
        restaurant_id: str,
        *,
        trigger: str = "queue",
        legacy: LegacyPlanner | AsyncLegacyPlanner | None = None,
        deadline: dt.timedelta | None = None,
    ) -> AssignmentResult:
        """Assign a booking by its id, for queues: the host supplies the booking. See `Coordinator.assign_id`."""
        return await self._assign(Target(booking_id, restaurant_id, deadline=deadline), trigger, legacy)

    async def assign_many(self, bookings: Sequence[Booking]) -> tuple[AssignmentResult, ...]:
        """
        Assign *bookings* in their order, with one snapshot and one commit for each restaurant and service day.

        See `Coordinator.assign_many`.
        """
        return await self._run(assign_many.assign_many(bookings, self.settings, legacy=self._wiring.has_legacy))

    async def preview(self, booking: Booking) -> Decision:
        """Plan *booking* without writing anything. The flags do not matter. See `Coordinator.preview`."""
        return await self._run(enqueue.preview(booking, self.settings))

    async def availability(
        self,
        restaurant_id: str,
        date: dt.date,
        party_sizes: Iterable[int],
        *,
        seating: SeatingPreference | str = SeatingPreference.ANY,
        zone: str | None = None,
        accessible: bool = False,
        channel: str | None = None,
        until: dt.date | None = None,
    ) -> Availability:
        """Which times can still be had. See `Coordinator.availability`."""
        wishes: dict[str, Any] = {"seating": seating, "zone": zone, "accessible": accessible, "channel": channel}
        return await self._run(
            surveying.availability(restaurant_id, date, party_sizes, self.settings, **wishes, until=until)
        )

    async def availability_month(
        self,
        restaurant_id: str,
        month: dt.date,
        party_sizes: Iterable[int],
        *,
        seating: SeatingPreference | str = SeatingPreference.ANY,
        zone: str | None = None,
        accessible: bool = False,
        channel: str | None = None,
    ) -> Availability:
        """Which days of a month have anything for a party. See `Coordinator.availability_month`."""
        wishes: dict[str, Any] = {"seating": seating, "zone": zone, "accessible": accessible, "channel": channel}
        return await self._run(surveying.month(restaurant_id, month, party_sizes, self.settings, **wishes))

    async def audit(self, restaurant_id: str, *, since: dt.datetime | None = None) -> VenueAudit:
        """Hold every booking with tables that is ahead against its restaurant. See `Coordinator.audit`."""
        return await self._run(venue_audit.audit(restaurant_id, since=since))

    async def put_venue(self, venue: Venue) -> VenueAudit:
        """Have a standalone host keep a restaurant or change it, and audit it. See `Coordinator.put_venue`."""
        return await self._run(venue_audit.put_venue(venue))

    async def enqueue(self, booking: Booking) -> AssignmentRecord | None:
        """Record that *booking* waits for tables. See `Coordinator.enqueue`."""
        return await self._run(enqueue.enqueue(booking, self.settings))

    async def adopt(self, seats: Iterable[LegacySeat]) -> AdoptReport:
        """
        Record bookings that legacy has already seated, so that the pipeline plans around them.

        See `Coordinator.adopt`.
        """
        return await self._run(adopting.adopt(seats, self.settings))

    async def observe(self, booking: Booking, legacy: LegacyResult | BaseException) -> bool:
        """
        Report the result of a legacy planner that runs elsewhere, for the shadow to compare.

        See `Coordinator.observe`.
        """
        return await self._run(shadowing.observe(booking, legacy))

    async def confirm(
        self, booking_id: str, *, actor: str | None = None, restaurant_id: str | None = None
    ) -> AssignmentResult:
        """Confirm tables that are held. See `Coordinator.confirm`."""
        return await self._run(holds.confirm(booking_id, self.settings, actor=actor, restaurant_id=restaurant_id))

    async def cancel(
        self, booking_id: str, restaurant_id: str | None = None, *, actor: str | None = None
    ) -> AssignmentResult:
        """Cancel a booking: its tables are free for good. See `Coordinator.cancel`."""
        return await self._run(confirm_and_cancel.cancel(booking_id, restaurant_id, self.settings, actor=actor))

    async def reassign(self, booking: Booking, *, keep: bool = True, actor: str | None = None) -> AssignmentResult:
        """
        Assign *booking* again after a change: its old tables are freed in the commit that takes the new ones.

        See `Coordinator.reassign`.
        """
        target, legacy = Target.of(booking), self._wiring.has_legacy
        flow = reassigning.reassign(target, self.settings, keep=keep, actor=actor, legacy=legacy)
        return await self._run(flow)

    async def record(self, booking_id: str, *, restaurant_id: str | None = None) -> AssignmentRecord | None:
        """A booking's assignment record, or None if it has none. See `Coordinator.record`."""
        return await self._run(enqueue.look_up(booking_id, restaurant_id))

    async def history(self, booking_id: str, *, restaurant_id: str | None = None) -> tuple[StateChange, ...]:
        """A booking's transitions, oldest first. See `Coordinator.history`."""
        return await self._run(enqueue.read_history(booking_id, restaurant_id))

    async def sweep(self, *, limit: int = 100) -> SweepReport:
        """Process at most *limit* due bookings, and those that nobody enqueued. See `Coordinator.sweep`."""
        return await self._run(
            sweeping.sweep(self.settings, limit, legacy=self._wiring.has_legacy, memory=self._sweeps)
        )

    def joined(self, connection: Any) -> AsyncJoined:
        """
        See `Coordinator.joined`.

        Raises:
            TypeError: The store has no connections for asyncio.
        """
        wiring = self._joined(connection)
        if not is_async(wiring.ports[Port.STORE]):
            msg = f"joined: expected a store for asyncio, such as AsyncPostgresStore, got {type(self.store).__name__}"
            raise TypeError(msg)
        return joining.AsyncJoined(wiring, self.settings)
