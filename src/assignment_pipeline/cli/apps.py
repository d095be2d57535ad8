"""From ``--app`` to the coordinator of an application, for threads or for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

from assignment_pipeline.cli.failures import BadInputError, raised, refuse
from assignment_pipeline.coordinator import AsyncCoordinator, Coordinator
from assignment_pipeline.handlers import is_async

T = TypeVar("T")

_FACTORY = "a Coordinator, or what returns one"


@contextlib.contextmanager
def from_app(spec: str) -> Iterator[Coordinator]:
    """
    The coordinator that *spec*, ``package.module:factory``, makes or is.

    The factory returns a `Coordinator` or an `AsyncCoordinator`, a coroutine that returns one, or a context manager,
    for threads or for asyncio, that holds one. All coroutines run on one event loop, and an `AsyncCoordinator`
    is called here as a `Coordinator` is.

    Raises:
        BadInputError: There is no such thing, it raises, or it makes something else.
    """
    with contextlib.ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())

        def wait(awaitable: Awaitable[T]) -> T:
            async def awaited() -> T:
                return await awaitable

            return runner.run(awaited())

        coordinator = _made(spec, _load(spec), stack, wait)
        if isinstance(coordinator, Coordinator):
            yield stack.enter_context(coordinator)
        else:
            yield cast("Coordinator", Waiting(coordinator, wait))


def _made(
    spec: str, found: Any, stack: contextlib.ExitStack, wait: Callable[[Any], Any]
) -> Coordinator | AsyncCoordinator:
    """The coordinator that *found* is or makes; what has to be closed after the command is on the *stack*."""
    coordinators = (Coordinator, AsyncCoordinator)
    made, kept = found, False
    try:
        if callable(made) and not isinstance(made, coordinators):
            made = _called(made, wait)
        if inspect.isawaitable(made):
            made = wait(made)
        if not isinstance(made, coordinators) and hasattr(made, "__aenter__"):
            context, kept = made, True
            made = wait(context.__aenter__())
            stack.callback(lambda: wait(context.__aexit__(None, None, None)))
        elif not isinstance(made, coordinators) and hasattr(made, "__enter__"):
            made, kept = stack.enter_context(made), True
    except Exception as error:
        raise BadInputError(f"--app {spec}", "a factory that returns", raised(error)) from error
    if not isinstance(made, coordinators):
        refuse(f"--app {spec}", _FACTORY, f"a {type(made).__name__}")
    if isinstance(made, AsyncCoordinator):
        if not kept and is_async(made.store) and hasattr(made.store, "close"):
            store: Any = made.store  # Its connections belong to this event loop: nobody else can close them.
            stack.callback(lambda: wait(store.close()))
        stack.callback(lambda: wait(made.close()))
    return made


def _called(factory: Callable[[], Any], wait: Callable[[Any], Any]) -> Any:
    """What *factory* returns; one that makes things of an event loop is called on it."""

    async def on_the_loop() -> Any:
        return factory()

    try:
        return factory()
    except RuntimeError as error:
        if str(error) != "no running event loop":
            raise
        return wait(on_the_loop())


class Waiting:
    """
    An object for asyncio, for callers without: a call of a coroutine function returns what it comes to.

    Attributes:
        of: The object.
    """

    def __init__(self, of: Any, wait: Callable[[Any], Any]) -> None:
        self.of = of
        self._wait = wait

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.of, name)
        if inspect.iscoroutinefunction(found):

            @functools.wraps(found)
            def call(*arguments: Any, **options: Any) -> Any:
                return self._wait(found(*arguments, **options))

            return call
        return Waiting(found, self._wait) if is_async(found) else found


def itself(port: Any) -> Any:
    """What a `Waiting` port stands for; any other port is itself."""
    return port.of if isinstance(port, Waiting) else port


def _load(spec: str) -> Any:
    module_name, _, path = spec.partition(":")
    if not module_name or not path:
        refuse("--app", "package.module:factory", repr(spec))
    # As other tools that import what they are told: from where one stands. Behind all else, so that a file there which
    # is called as a module of Python or of a package is never imported in its place, now or later.
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        got = f"ModuleNotFoundError: No module named {missing!r}" if missing else raised(error)
        raise BadInputError(f"--app {spec}", "something to import", got) from error
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            got = f"AttributeError: {getattr(found, '__name__', type(found).__name__)} has no {name!r}"
            refuse(f"--app {spec}", "something to import", got)
    return found
