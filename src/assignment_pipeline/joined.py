"""What can be done inside a transaction of the host's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from assignment_pipeline.domain.adoption import AdoptReport, LegacySeat
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.record import AssignmentRecord
from assignment_pipeline.domain.result import AssignmentResult, LegacyResult
from assignment_pipeline.flow import free, queue
from assignment_pipeline.flow.adopt import adopt
from assignment_pipeline.flow.drive import arun, run
from assignment_pipeline.flow.effects import Flow
from assignment_pipeline.flow.settings import Settings
from assignment_pipeline.flow.shadow import observe
from assignment_pipeline.handlers import AsyncHandler, SyncHandler, Wiring

T = TypeVar("T")


class Joined:
    """What can be done inside a transaction of the host's. Made by `Coordinator.joined`."""

    def __init__(self, wiring: Wiring, settings: Settings) -> None:
        self._wiring = wiring
        self._settings = settings

    def enqueue(self, booking: Booking) -> AssignmentRecord | None:
        """See `Coordinator.enqueue`."""
        return self._run(queue.enqueue(booking, self._settings))

    def observe(self, booking: Booking, legacy: LegacyResult | BaseException) -> bool:
        """See `Coordinator.observe`. A transaction that is rolled back afterwards has been observed all the same."""
        return self._run(observe(booking, legacy))

    def adopt(self, seats: Iterable[LegacySeat]) -> AdoptReport:
        """See `Coordinator.adopt`; where it raises, the transaction must not be committed."""
        return self._run(adopt(seats, self._settings))

    def cancel(
        self, booking_id: str, restaurant_id: str | None = None, *, actor: str | None = None
    ) -> AssignmentResult:
        """
        See `Coordinator.cancel`; only that here, what goes wrong with the store raises.

        Raises:
            StoreUnavailableError: Nothing was cancelled: the transaction must not be committed.
        """
        return self._run(free.cancel(booking_id, restaurant_id, self._settings, actor=actor, joined=True))

    def _run(self, flow: Flow[T]) -> T:
        return run(self._wiring.observed(flow), SyncHandler(self._wiring))


class AsyncJoined:
    """`Joined`, for asyncio. Made by `AsyncCoordinator.joined`."""

    def __init__(self, wiring: Wiring, settings: Settings) -> None:
        self._wiring = wiring
        self._settings = settings

    async def enqueue(self, booking: Booking) -> AssignmentRecord | None:
        """See `Joined.enqueue`."""
        return await self._run(queue.enqueue(booking, self._settings))

    async def observe(self, booking: Booking, legacy: LegacyResult | BaseException) -> bool:
        """See `Joined.observe`."""
        return await self._run(observe(booking, legacy))

    async def adopt(self, seats: Iterable[LegacySeat]) -> AdoptReport:
        """See `Joined.adopt`."""
        return await self._run(adopt(seats, self._settings))

    async def cancel(
        self, booking_id: str, restaurant_id: str | None = None, *, actor: str | None = None
    ) -> AssignmentResult:
        """See `Joined.cancel`."""
        return await self._run(free.cancel(booking_id, restaurant_id, self._settings, actor=actor, joined=True))

    async def _run(self, flow: Flow[T]) -> T:
        return await arun(self._wiring.observed(flow), AsyncHandler(self._wiring))
