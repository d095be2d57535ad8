"""What can be done inside a transaction of the host's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import attrs

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import identifier, sorted_ids
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import AssignmentResult, LegacyResult
from assignment_pipeline.driving import arun, run
from assignment_pipeline.flow.assigning import enqueue
from assignment_pipeline.flow.effects import Flow, Port
from assignment_pipeline.flow.legacy.shadow import observe
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.handlers import AsyncHandler, SyncHandler, Wiring
from assignment_pipeline.on_use import module_on_use

if TYPE_CHECKING:
    from assignment_pipeline.domain.adoption import AdoptReport, LegacySeat
    from assignment_pipeline.flow.legacy import adopt as adopting
    from assignment_pipeline.flow.staff import confirm_and_cancel
else:
    adopting = module_on_use("flow.legacy.adopt")
    confirm_and_cancel = module_on_use("flow.staff.confirm_and_cancel")

T = TypeVar("T")


@attrs.frozen
class _Guarded:
    """The restaurants of one call of `Joined.guard`."""

    restaurant_ids: tuple[str, ...] = attrs.field(converter=sorted_ids)

    @restaurant_ids.validator
    def _are_ids(self, attribute: attrs.Attribute[tuple[str, ...]], ids: tuple[str, ...]) -> None:
        for restaurant_id in ids or ("",):
            identifier(self, attribute, restaurant_id)


class Joined:
    """What can be done inside a transaction of the host's. Made by `Coordinator.joined`."""

    def __init__(self, wiring: Wiring, settings: Settings) -> None:
        self._wiring = wiring
        self._settings = settings

    def enqueue(self, booking: Booking) -> AssignmentRecord | None:
        """Record that *booking* waits for tables. See `Coordinator.enqueue`."""
        return self._run(enqueue.enqueue(booking, self._settings))

    def observe(self, booking: Booking, legacy: LegacyResult | BaseException) -> bool:
        """See `Coordinator.observe`. A transaction that is rolled back afterwards has been observed all the same."""
        return self._run(observe(booking, legacy))

    def adopt(self, seats: Iterable[LegacySeat]) -> AdoptReport:
        """See `Coordinator.adopt`; where it raises, the transaction must not be committed."""
        return self._run(adopting.adopt(seats, self._settings))

    def cancel(
        self, booking_id: str, restaurant_id: str | None = None, *, actor: str | None = None
    ) -> AssignmentResult:
        """
        See `Coordinator.cancel`; only that here, what goes wrong with the store raises.

        Raises:
            StoreUnavailableError: Nothing was cancelled: the transaction must not be committed.
        """
        return self._run(confirm_and_cancel.cancel(booking_id, restaurant_id, self._settings, actor=actor, joined=True))

    def guard(self, *restaurant_ids: str) -> None:
        """
        Block the pipeline's commits at these restaurants until the host's transaction ends.

        For code that gives tables away beside the pipeline, such as a tool of the staff: guard first, then look at what
        the pipeline has given, in statements of their own, then write. Name all restaurants in one call: they are
        locked in one order, so that two callers do not wait for each other.

        Raises:
            ValueError: The transaction is not open, or its reads may be older than the lock.
            StoreUnavailableError: Somebody else has held the lock for too long, or the database is away. The
                transaction must not be committed.
        """
        self._wiring.ports[Port.STORE].guard(_Guarded(restaurant_ids).restaurant_ids)

    def _run(self, flow: Flow[T]) -> T:
        return run(self._wiring.observed(flow), SyncHandler(self._wiring))


class AsyncJoined:
    """`Joined`, for asyncio. Made by `AsyncCoordinator.joined`."""

    def __init__(self, wiring: Wiring, settings: Settings) -> None:
        self._wiring = wiring
        self._settings = settings

    async def enqueue(self, booking: Booking) -> AssignmentRecord | None:
        """Record that *booking* waits for tables. See `Joined.enqueue`."""
        return await self._run(enqueue.enqueue(booking, self._settings))

    async def observe(self, booking: Booking, legacy: LegacyResult | BaseException) -> bool:
        """Report what a legacy planner did elsewhere. See `Joined.observe`."""
        return await self._run(observe(booking, legacy))

    async def adopt(self, seats: Iterable[LegacySeat]) -> AdoptReport:
        """Take over what legacy has already seated. See `Joined.adopt`."""
        return await self._run(adopting.adopt(seats, self._settings))

    async def cancel(
        self, booking_id: str, restaurant_id: str | None = None, *, actor: str | None = None
    ) -> AssignmentResult:
        """Cancel a booking: its tables are free for good. See `Joined.cancel`."""
        return await self._run(
            confirm_and_cancel.cancel(booking_id, restaurant_id, self._settings, actor=actor, joined=True)
        )

    async def guard(self, *restaurant_ids: str) -> None:
        """Block the pipeline's commits at these restaurants until the host's transaction ends. See `Joined.guard`."""
        await self._wiring.ports[Port.STORE].guard(_Guarded(restaurant_ids).restaurant_ids)

    async def _run(self, flow: Flow[T]) -> T:
        return await arun(self._wiring.observed(flow), AsyncHandler(self._wiring))
