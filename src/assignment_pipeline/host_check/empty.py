"""A connection that reaches no rows: what answers on it reads none."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any, NoReturn


class _Unreadable:
    def __getattr__(self, name: str) -> NoReturn:
        msg = f"this connection has no {name}: it reaches no rows"
        raise RuntimeError(msg)


class Connection(_Unreadable):
    """Stands for one of psycopg, whose adapters know it by this name."""


class AsyncConnection(_Unreadable):
    """The same, for asyncio."""


@contextlib.contextmanager
def without_rows(connection: Any) -> Iterator[Any]:
    """
    A connection of that kind that reaches no rows, for the block.

    Raises:
        ValueError: There is none: a host in memory keeps what it answers, and has no rows.
    """
    if connection is None:
        msg = "a store in memory has no connection"
        raise ValueError(msg)
    if isinstance(connection, sqlite3.Connection):
        with contextlib.closing(sqlite3.connect(":memory:")) as empty:
            yield empty
        return
    kinds = {base.__name__ for base in type(connection).__mro__}
    yield AsyncConnection() if "AsyncConnection" in kinds else Connection()
