"""psycopg's connection for asyncio in what SQLAlchemy wraps around it."""

from __future__ import annotations

from typing import Any

import psycopg

from assignment_pipeline.adapters.unwrapping import unwrap


async def unwrap_async(wrapped: Any) -> psycopg.AsyncConnection[Any]:
    """
    The connection in a SQLAlchemy AsyncSession or AsyncConnection, or the thing itself.

    Raises:
        TypeError: There is none.
    """
    found = await wrapped.connection() if hasattr(wrapped, "sync_session") else wrapped
    found = getattr(found, "sync_connection", found)
    try:
        return unwrap(found, psycopg.AsyncConnection, "psycopg")
    except TypeError:
        msg = f"connection: expected a psycopg AsyncConnection, or SQLAlchemy's, got {type(wrapped).__name__}"
        raise TypeError(msg) from None
