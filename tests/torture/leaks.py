"""What must not be left when all workers have ended."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from tests.torture.place import WORKERS, Place

PATIENCE = 15.0
"""Seconds in which a server notices that somebody is gone; leases end in less."""

SESSIONS = """
SELECT application_name || ', ' || coalesce(state, '') || ': ' || left(query, 80) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE %s
"""
LEASES = "SELECT key || ' of ' || owner FROM assignment_pipeline.assignment_leases WHERE expires_at > now()"
LEASES_IN_A_FILE = """SELECT "key" || ' of ' || owner FROM assignment_leases WHERE expires_at > datetime('now')"""


def leaks(place: Place, patience: float = PATIENCE) -> list[str]:
    """Sessions and connections of workers, and leases, that are still there after *patience* seconds."""
    looks: list[Callable[[], list[str]]] = [lambda: _leases(place)]
    if place.is_postgres:
        looks.append(lambda: _sessions(place))
    if place.redis is not None:
        looks.append(lambda: _keys(place.redis or ""))
    if place.broker is not None:
        looks.append(lambda: _connections(place.broker or ""))
    deadline = time.monotonic() + patience
    while found := [line for look in looks for line in look()]:
        if time.monotonic() > deadline:
            return found
        time.sleep(0.2)
    return []


def _sessions(place: Place) -> list[str]:
    import psycopg  # noqa: PLC0415 - not for SQLite

    with psycopg.connect(place.at) as connection:
        return [f"a session: {line}" for (line,) in connection.execute(SESSIONS, (f"{WORKERS}%",))]


def _leases(place: Place) -> list[str]:
    with _opened(place) as ask:
        return [f"a lease: {line}" for line in ask(LEASES if place.is_postgres else LEASES_IN_A_FILE)]


@contextlib.contextmanager
def _opened(place: Place) -> Iterator[Callable[[str], list[str]]]:
    with place.open_store("torture-leaks") as store:
        yield lambda query: store.write(lambda connection: [line for (line,) in connection.execute(query).fetchall()])


def _keys(url: str) -> list[str]:
    import redis  # noqa: PLC0415 - an extra

    with redis.Redis.from_url(url) as client:
        return [f"a lease in Redis: {key!r}" for key in client.scan_iter()]


def _connections(url: str) -> list[str]:
    import redis  # noqa: PLC0415 - an extra

    with redis.Redis.from_url(url) as client:
        names = [connection["name"] for connection in client.client_list()]
    return [f"a connection to the broker: {name}" for name in names if name.startswith(WORKERS)]
