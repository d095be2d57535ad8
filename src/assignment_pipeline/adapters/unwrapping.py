"""The driver's connection in what other libraries wrap around it."""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

from assignment_pipeline.domain.checks import named

C = TypeVar("C")

DEEPEST = 5
"""SQLAlchemy's Session holds a Connection, which holds one of its pool, which holds the driver's."""


def unwrap(wrapped: Any, kind: type[C], driver: str) -> C:
    """
    The connection of that *kind* in a SQLAlchemy Session or Connection, or Django's; or the thing itself.

    Args:
        driver: The driver's name, for the error.

    Raises:
        TypeError: There is none.
    """
    found = wrapped
    for _ in range(DEEPEST):
        if isinstance(found, kind):
            return found
        if hasattr(found, "ensure_connection"):  # Django's, which may not have opened it yet.
            found.ensure_connection()
        inner = getattr(found, "driver_connection", None) or getattr(found, "connection", None)
        found = inner() if callable(inner) and not isinstance(inner, kind) else inner  # One of sqlite3 can be called.
        if inspect.iscoroutine(found):  # An AsyncSession's, for a store that awaits nothing.
            found.close()
    got = named(type(wrapped))
    msg = f"connection: expected a {driver} {kind.__name__}, or SQLAlchemy's or Django's around one, got {got}"
    raise TypeError(msg)
