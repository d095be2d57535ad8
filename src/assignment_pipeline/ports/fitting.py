"""Whether what a host wires in can do what it is asked: found where it is handed in, not deep inside."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from typing import Any

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.checks import named


def is_coroutine_function(function: Any) -> bool:
    """Whether calling *function* makes a coroutine: a function, a partial of one, a method, or an object to call."""
    while isinstance(function, functools.partial | functools.partialmethod):
        function = function.func
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return True
    call = getattr(type(function), "__call__", None)  # noqa: B004 - what is asked is how it is written
    return inspect.iscoroutinefunction(call)


def require(name: str, value: Any, methods: Iterable[str], expected: str, *, sync: str | None = None) -> None:
    """
    Refuse *value* for the argument *name* unless it has *methods*.

    Args:
        expected: What it should be, in words.

        sync: Where its methods must not be coroutines, what to do about that, in words.

    Raises:
        TypeError: It is something else.
    """
    if isinstance(value, type):
        msg = f"{name}: expected {expected}, got the class {value.__name__} itself. Make one: {value.__name__}(...)."
        raise TypeError(msg)
    missing = [method for method in methods if not callable(getattr(value, method, None))]
    if missing:
        msg = f"{name}: expected {expected}, got {named(type(value))}, which has no method {missing[0]}"
        raise TypeError(msg)
    if sync is not None:
        for method in methods:
            called = value if method == "__call__" else getattr(value, method)
            if is_coroutine_function(called):
                shown = getattr(called, "__qualname__", None) or f"{type(value).__name__}.{method}"
                msg = f"{name}: {shown} is a coroutine function, which nobody awaits here. {sync}"
                raise TypeError(msg)


def require_kind(name: str, value: Any, kind: type, hint: str = "") -> None:
    """
    Refuse *value* for the argument *name* unless it is a *kind*.

    Raises:
        TypeError: It is something else.
    """
    if not isinstance(value, kind):
        msg = f"{name}: expected {named(kind)}, got {named(type(value))}{hint and '. '}{hint}"
        raise TypeError(msg)


def require_booking(booking: Any) -> None:
    """
    Refuse what is no `Booking`, such as a row of the host's.

    Raises:
        TypeError: It is something else.
    """
    require_kind("booking", booking, Booking, "Make one of your row, as Host.booking does.")


def is_awaitable(answer: Any) -> bool:
    """Whether somebody would have to await an answer, or go through it with ``async for``."""
    kind: Any = type(answer)
    return _is_awaited(kind)


@functools.lru_cache(maxsize=1_000)
def _is_awaited(kind: Any) -> bool:
    return hasattr(kind, "__await__") or hasattr(kind, "__aiter__")


def refuse_awaitable(answer: Any, who: str, instead: str) -> None:
    """
    Refuse an answer that somebody would have to await.

    Raises:
        TypeError: It is one.
    """
    if is_awaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()  # It never runs: nothing of it is half done.
        msg = f"{who} answered {named(type(answer))}, which nobody awaits here. {instead}"
        raise TypeError(msg)
