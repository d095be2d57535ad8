"""
Driving generators: each question that one yields is answered, and what the answering raises is raised inside it.

`relay` drives every generator in this package: flows, the work on a connection, checks of a host. `drive` and `adrive`
are `relay` for threads and for asyncio. `run` and `arun` drive flows: they release what the handler still holds.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")
Question = TypeVar("Question")
Caught = type[BaseException] | tuple[type[BaseException], ...]


@types.coroutine
def relay(
    steps: Generator[Question, Any, T],
    answer: Callable[[Question], Any],
    *,
    caught: Caught = Exception,
    through: Any = types.GeneratorType,
) -> Generator[Any, Any, T]:
    """
    Drive *steps* to their end, from within another generator: this is the loop that all drivers are made of.

    Args:
        steps: What asks.

        answer: The answer to a question.

        caught: What is raised inside *steps* when *answer* raises it. Anything else ends them.

        through: An answer of that type is a generator, or a coroutine, whose result is the answer. What it yields is
            passed on to the driver of this one. Any other answer goes back at once.
    """
    try:
        question = next(steps)
        while True:
            try:
                given: Any = answer(question)
                if isinstance(given, through):
                    given = yield from given
            except caught as error:
                question = steps.throw(error)
            else:
                question = steps.send(given)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()


def drive(steps: Generator[Question, Any, T], answer: Callable[[Question], Any], *, caught: Caught = Exception) -> T:
    """`relay` where every answer is at hand, whatever it is."""
    try:
        relay(steps, answer, caught=caught, through=()).send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    except RuntimeError as error:
        # A host's `next()` that found nothing: no generator can let that one through as it is.
        if isinstance(error.__cause__, StopIteration):
            raise error.__cause__ from None
        raise
    raise AssertionError  # With nothing to go through, it never yields.


def adrive(
    steps: Generator[Question, Any, T], answer: Callable[[Question], Any], *, caught: Caught = Exception
) -> Awaitable[T]:
    """`relay` where an answer that is a coroutine is awaited."""
    awaited: Any = relay(steps, answer, caught=caught, through=types.CoroutineType)
    return cast("Awaitable[T]", awaited)


def resume(steps: Generator[Question, Any, Any], answer: Any, error: BaseException | None = None) -> Question:
    """
    The next question, for who drives *steps* one by one.

    Args:
        steps: What asks; begun with None for an answer.

        answer: The answer to the last question.

        error: What is raised inside *steps* instead, if anything is.

    Raises:
        StopIteration: They have ended.
    """
    return steps.send(answer) if error is None else steps.throw(error)


class Handler(Protocol):
    """What answers the effects of a flow."""

    def __call__(self, effect: Any, /) -> Any:
        """The answer; what it raises is raised inside the flow."""
        ...

    def release(self) -> None:
        """Let go of what is still held. Never raises."""
        ...


class AsyncHandler(Protocol):
    """`Handler`, for asyncio."""

    def __call__(self, effect: Any, /) -> Any:
        """The answer, or a coroutine of it. See `Handler`."""
        ...

    def release(self) -> Coroutine[Any, Any, None] | None:
        """Let go of what is still held; what is left to do about that, if anything is. See `Handler.release`."""
        ...


def run(flow: Generator[Any, Any, T], handler: Handler) -> T:
    """`drive` *flow*, and release what *handler* still holds, however it ends."""
    try:
        return drive(flow, handler)
    finally:
        handler.release()


async def arun(flow: Generator[Any, Any, T], handler: AsyncHandler) -> T:
    """The same, for asyncio; what is held is released even when the task is cancelled."""
    import asyncio  # noqa: PLC0415 - sync hosts need not load it

    try:
        return await adrive(flow, handler)
    finally:
        rest = handler.release()
        if rest is not None:
            await settle(asyncio.ensure_future(rest))


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
