"""The line to the server: how to open a connection, and the time-outs of everything on it."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Generator
from typing import Any, TypeVar

import psycopg
from psycopg import conninfo as conninfos

T = TypeVar("T")

SILENCE = 30.0
"""Seconds to wait for the answer to a statement. Our statements wait ten seconds for a lock, at most."""

LONG_SILENCE = 600.0
"""Seconds to wait for the answer to a statement that counts the rows of several days."""

# A prepared statement belongs to a session of the server, which pgbouncer gives to other clients in transaction mode.
_SESSION: dict[str, Any] = {"autocommit": True, "prepare_threshold": None, "client_encoding": "utf8"}

# If packets get no answer, the kernel gives up after about ten seconds instead of hours.
_LINE: dict[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_NO_TIMEOUT = 130.0
"""Seconds after which the driver gives up if the address asks for no time-out."""

_VARIABLES = {"connect_timeout": "PGCONNECT_TIMEOUT"}


class SilentError(psycopg.OperationalError):
    """The server did not answer a statement in time, and the connection was closed."""


def options(conninfo: str) -> dict[str, Any]:
    """What to connect with, besides *conninfo*, which is left its own say about the line."""
    said = conninfos.conninfo_to_dict(conninfo)
    line = {
        name: value for name, value in _LINE.items() if name not in said and _VARIABLES.get(name, "") not in os.environ
    }
    return {**line, **_SESSION}


def connect_timeout(conninfo: str) -> float:
    """Seconds that an attempt to connect with `options` takes, at most."""
    said = conninfos.conninfo_to_dict(conninfo).get("connect_timeout")
    said = said or os.environ.get("PGCONNECT_TIMEOUT") or _LINE["connect_timeout"]
    try:
        seconds = int(float(said))
    except ValueError:
        seconds = _LINE["connect_timeout"]  # The driver will say it.
    return max(seconds, 2) if seconds > 0 else _NO_TIMEOUT


class Connection(psycopg.Connection[Any]):
    """
    A connection whose statements are waited for `SILENCE` seconds, and no longer.

    Attributes:
        silence: Seconds to wait for instead.
    """

    silence = SILENCE

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        return super().wait(_bounded(gen, self), *args, **options)


class AsyncConnection(psycopg.AsyncConnection[Any]):
    """`Connection`, for asyncio."""

    silence = SILENCE

    async def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        return await super().wait(_bounded(gen, self), *args, **options)


def take_time(connection: Any) -> None:
    """Wait for the answers of this connection for `LONG_SILENCE`, until it is given back."""
    connection.silence = LONG_SILENCE


def _bounded(gen: Generator[Any, Any, T], connection: Connection | AsyncConnection) -> Generator[Any, Any, T]:
    """*gen*, with a time-out. psycopg sends 0 into it every tenth of a second while the server is silent."""
    deadline = time.monotonic() + connection.silence
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:
                connection.pgconn.finish()
                msg = f"the server has not answered for {connection.silence:.0f} seconds"
                raise SilentError(msg)
            wanted = gen.send(ready)
    except StopIteration as stop:
        answer: T = stop.value
        return answer


def is_lost(connection: Connection | AsyncConnection) -> bool:
    """Whether an idle connection cannot be used: the server has sent something unasked, such as its shutdown."""
    if connection.closed:
        return True
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(connection.pgconn.socket, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([connection.pgconn.socket], [], [], 0)[0])
