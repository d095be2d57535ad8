"""A coordinator's methods, awaited: those of a sync one run in a worker thread."""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs
from starlette.concurrency import run_in_threadpool

from assignment_pipeline.coordinator import AsyncCoordinator, Coordinator

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

    async def restaurants(self) -> tuple[str, ...]:
        """The restaurants that the store knows; none where it cannot say."""
        listed = getattr(self.coordinator.store, "restaurants", None)
        if listed is None:
            return ()
        found: tuple[str, ...] = await run_in_threadpool(listed)
        return found
