"""Async adapters as sync ones, so that the contract suites test both."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """The one event loop, in a thread of its own."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="blocking", daemon=True).start()
    return loop


def blocking(adapter: Any) -> Any:
    """
    A sync adapter around an async one: each call runs on one event loop, and its caller waits.

    It has every public method of *adapter*; those that are no coroutines are called as they are. Callable from any
    number of threads at a time, as the contracts do. Hand it to `AssignmentStoreContract` or `LockManagerContract`.
    """
    methods = {
        name: _waits(method) if inspect.iscoroutinefunction(method) else _calls(name)
        for name, method in inspect.getmembers(type(adapter), inspect.isfunction)
        if not name.startswith("_")
    }
    made = type(f"Blocking{type(adapter).__name__}", (), methods)()
    made.adapter = adapter
    return made


def _waits(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(method(self.adapter, *arguments, **options), _loop()).result()

    return call


def _calls(name: str) -> Callable[..., Any]:
    def call(self: Any, *arguments: Any, **options: Any) -> Any:
        return getattr(self.adapter, name)(*arguments, **options)

    return call
