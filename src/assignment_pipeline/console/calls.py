"""A coordinator's methods, awaited: those of a sync one run in a worker thread."""

from __future__ import annotations

import inspect
from typing import Any, TypeAlias

import attrs
from starlette.concurrency import run_in_threadpool

from assignment_pipeline.coordinator import AsyncCoordinator, Coordinator
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.errors import BookingUnreadableError

AnyCoordinator: TypeAlias = "Coordinator | AsyncCoordinator"


@attrs.frozen
class Calls:
    """
    What the pages ask of a coordinator.

    Attributes:
        coordinator: The coordinator.
    """

    coordinator: AnyCoordinator

    async def __call__(self, method: str, *values: Any, **options: Any) -> Any:
        """What a method of the coordinator answers; it raises what that raises."""
        function = getattr(self.coordinator, method)
        if isinstance(self.coordinator, AsyncCoordinator):
            return await function(*values, **options)
        return await run_in_threadpool(function, *values, **options)

    async def booking(self, booking_id: str) -> Booking | None:
        """The host's view of a booking; None where it has none, or its row makes no sense."""
        try:
            found = await run_in_threadpool(self.coordinator.store.booking, booking_id)
            known: Booking | None = await found if inspect.isawaitable(found) else found
        except BookingUnreadableError:
            return None
        return known

    async def restaurants(self) -> tuple[str, ...]:
        """The restaurants that the store knows; none where it cannot say."""
        listed = getattr(self.coordinator.store, "restaurants", None)
        if listed is None:
            return ()
        found: tuple[str, ...] = await run_in_threadpool(listed)
        return found
