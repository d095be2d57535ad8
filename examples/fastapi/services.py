"""What the endpoints work with, opened once for each process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

import attrs
from fastapi import Depends, Request
from psycopg_pool import AsyncConnectionPool

from assignment_pipeline import AsyncCoordinator, EnvFlags, StoreUnavailableError
from assignment_pipeline.adapters.postgres import AsyncPostgresStore
from assignment_pipeline.rollout.flags import LayeredFlags, StoreFlags
from assignment_pipeline.rollout.shadow import Shadow
from host import BookingHost
from legacy import LegacyPlanner

SWEEP_EVERY = 5.0

log = logging.getLogger(__name__)


@attrs.frozen
class Services:
    """
    What the endpoints work with.

    Attributes:
        pool: The application's own connections.

        host: Reads its tables.

        coordinator: The pipeline.
    """

    pool: AsyncConnectionPool[Any]
    host: BookingHost
    coordinator: AsyncCoordinator


@contextlib.asynccontextmanager
async def opened(conninfo: str, *, sweep_every: float = SWEEP_EVERY) -> AsyncIterator[Services]:
    """Everything, for the block. What was opened last is closed first."""
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(AsyncConnectionPool(conninfo, open=False))
        host = BookingHost()
        store = await stack.enter_async_context(AsyncPostgresStore(conninfo, host=host))
        rollout = stack.enter_context(contextlib.closing(StoreFlags(store)))
        coordinator = await stack.enter_async_context(
            AsyncCoordinator(
                store,
                flags=LayeredFlags(EnvFlags(), rollout),  # Where the pipeline is in charge, the rollout says.
                legacy=LegacyPlanner(pool),
                shadow=Shadow(),
            )
        )
        sweeping = asyncio.create_task(_sweep(coordinator, sweep_every))
        stack.push_async_callback(_stop, sweeping)
        yield Services(pool, host, coordinator)


async def _sweep(coordinator: AsyncCoordinator, every: float) -> None:
    """Take up what is due, for ever; each process may do it."""
    while True:
        try:
            report = await coordinator.sweep()
        except StoreUnavailableError as error:
            log.warning("%s", error)
        else:
            for booking_id, error_text in report.errors:
                log.error("Booking %s made the sweep raise: %s", booking_id, error_text)
        await asyncio.sleep(every)


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def services(request: Request) -> Services:
    """The process's services, for an endpoint."""
    found: Services = request.app.state.services
    return found


Used = Annotated[Services, Depends(services)]
