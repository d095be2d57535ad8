"""The driver's connection in what other libraries wrap around it."""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg

C = TypeVar("C")

DEEPEST = 5
"""SQLAlchemy's Session holds a Connection, which holds one of its pool, which holds the driver's."""


def unwrap(wrapped: Any, kind: type[C]) -> C:
    """
    The connection of that *kind* in a SQLAlchemy Session or Connection, or Django's; or the thing itself.

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
        found = inner() if callable(inner) else inner
    msg = (
        f"connection: expected a psycopg {kind.__name__}, or SQLAlchemy's or Django's around one,"
        f" got {type(wrapped).__name__}"
    )
    raise TypeError(msg)


async def unwrap_async(wrapped: Any) -> psycopg.AsyncConnection[Any]:
    """
    The same for asyncio: in a SQLAlchemy AsyncSession or AsyncConnection, or the thing itself.

    Raises:
        TypeError: There is none.
    """
    found = await wrapped.connection() if hasattr(wrapped, "sync_session") else wrapped
    found = getattr(found, "sync_connection", found)
    try:
        return unwrap(found, psycopg.AsyncConnection)
    except TypeError:
        msg = f"connection: expected a psycopg AsyncConnection, or SQLAlchemy's, got {type(wrapped).__name__}"
        raise TypeError(msg) from None
