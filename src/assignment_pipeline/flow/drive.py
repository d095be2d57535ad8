"""Driving flows, for threads and for asyncio: everything else about the two is the handlers' business."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from assignment_pipeline.driving import adrive, drive
from assignment_pipeline.flow.effects import Effect, Flow

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


class Handler(Protocol):
    """What answers effects."""

    def __call__(self, effect: Effect[Any]) -> Any:
        """The answer; what it raises is raised inside the flow."""
        ...

    def release(self) -> None:
        """Let go of what is still held. Never raises."""
        ...


class AsyncHandler(Protocol):
    """`Handler`, for asyncio."""

    async def __call__(self, effect: Effect[Any]) -> Any:
        """See `Handler`."""
        ...

    async def release(self) -> None:
        """See `Handler.release`."""
        ...


def run(flow: Flow[T], handler: Handler) -> T:
    """Drive *flow* to its end; what the handler raises is raised inside the flow."""
    try:
        return drive(flow, handler)
    finally:
        handler.release()


async def arun(flow: Flow[T], handler: AsyncHandler) -> T:
    """The same, for asyncio; what is held is let go of even when the task is cancelled."""
    import asyncio  # noqa: PLC0415 - sync hosts need not load it

    try:
        return await adrive(flow, handler)
    finally:
        await settle(asyncio.ensure_future(handler.release()))


async def settle(task: asyncio.Future[T]) -> T:
    """
    Wait for *task* to its end, whatever happens to the task that waits.

    Raises:
        asyncio.CancelledError: The waiting task was cancelled; *task* has ended all the same.
    """
    import asyncio  # noqa: PLC0415 - sync hosts need not load it

    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except Exception:  # noqa: BLE001, S110 - the answer is taken below, once
            pass
    if cancelled is not None:
        task.exception()  # Looked at, so that asyncio does not complain of an error nobody saw.
        raise cancelled
    return task.result()
