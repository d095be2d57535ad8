"""
A host in terms of SQLAlchemy 2: its methods get a `Session` in the caller's transaction.

Comes with the extra ``sqlalchemy``. The connection and its transaction stay the store's: sessions begin, commit, roll
back and close nothing.
"""

from __future__ import annotations

import contextvars
import datetime as dt
import functools
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.floor import Occupied
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.windows import TimeWindow
from assignment_pipeline.errors import MissingExtraError
from assignment_pipeline.ports import UnreadableBooking
from assignment_pipeline.ports.fitting import require

try:
    from sqlalchemy import Engine, create_engine, pool
    from sqlalchemy.dialects import registry
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg, PGDialectAsync_psycopg
    from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
    from sqlalchemy.orm import Session
    from sqlalchemy.util import greenlet_spawn
except ModuleNotFoundError as error:
    raise MissingExtraError("sqlalchemy", error.name or "sqlalchemy") from None

__all__ = ["AsyncSQLAlchemyHost", "SQLAlchemyHost", "SessionHost"]

T = TypeVar("T")

METHODS = ("booking", "venue", "occupied", "unassigned", "on_commit")
_EXPECTED = f"a SessionHost, which has the methods {', '.join(METHODS[:-1])} and {METHODS[-1]}"
_PLAIN = "Write it with def, for asyncio, too: SQLAlchemy awaits the database inside it."


class SessionHost(Protocol):
    """
    A `Host` whose methods get a `Session`.

    Methods are plain functions for asyncio, too. They must not commit, roll back or close the session.
    """

    def booking(self, session: Session, booking_id: str) -> Booking | None: ...

    def venue(self, session: Session, restaurant_id: str, known_version: str | None) -> Venue | None: ...

    def occupied(self, session: Session, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]: ...

    def unassigned(self, session: Session, since: dt.datetime, limit: int) -> Iterable[Booking | UnreadableBooking]: ...

    def on_commit(self, session: Session, changes: Sequence[AssignmentChange]) -> None:
        """Write into the host's rows what was decided. What is pending in the session is flushed after it."""
        ...


class SQLAlchemyHost:
    """
    Makes a `Host` of a `SessionHost`, for `SQLiteStore` and `PostgresStore`.

    Each call has a session of its own, so that it sees the rows as they are. It is closed when the method returns. A
    host may have both methods of `RestaurantsHost`, too.

    Attributes:
        session_host: Yours.

    Raises:
        TypeError: It is none, or its methods are coroutines: SQLAlchemy awaits for them.
    """

    def __init__(self, host: SessionHost) -> None:
        require("host", host, METHODS, _EXPECTED, sync=_PLAIN)
        self.session_host = host
        if hasattr(host, "restaurants_waiting"):
            self.restaurants_waiting = self._restaurants_waiting

    def booking(self, connection: Any, booking_id: str) -> Booking | None:
        return _called(connection, self.session_host.booking, booking_id)

    def venue(self, connection: Any, restaurant_id: str, known_version: str | None) -> Venue | None:
        return _called(connection, self.session_host.venue, restaurant_id, known_version)

    def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        return _called(connection, _listed(self.session_host.occupied), restaurant_id, window)

    def unassigned(
        self, connection: Any, since: dt.datetime, limit: int, *, restaurants: Sequence[str] | None = None
    ) -> Iterable[Booking | UnreadableBooking]:
        return _called(connection, _listed(_unassigned(self.session_host, restaurants)), since, limit)

    def _restaurants_waiting(self, connection: Any) -> Iterable[str]:
        return _called(connection, _listed(_restaurants_waiting(self.session_host)))

    def on_commit(self, connection: Any, changes: Sequence[AssignmentChange]) -> None:
        """Write into the host's rows what was decided."""
        _called(connection, self.session_host.on_commit, changes)


class AsyncSQLAlchemyHost:
    """
    Makes a host for `AsyncPostgresStore` of the same `SessionHost`.

    Its methods stay plain functions: SQLAlchemy awaits the database inside them, and the event loop goes on.

    Attributes:
        session_host: Yours.

    Raises:
        TypeError: It is none, or its methods are coroutines: SQLAlchemy awaits for them.
    """

    def __init__(self, host: SessionHost) -> None:
        require("host", host, METHODS, _EXPECTED, sync=_PLAIN)
        self.session_host = host
        if hasattr(host, "restaurants_waiting"):
            self.restaurants_waiting = self._restaurants_waiting

    async def booking(self, connection: Any, booking_id: str) -> Booking | None:
        return await _awaited(connection, self.session_host.booking, booking_id)

    async def venue(self, connection: Any, restaurant_id: str, known_version: str | None) -> Venue | None:
        return await _awaited(connection, self.session_host.venue, restaurant_id, known_version)

    async def occupied(self, connection: Any, restaurant_id: str, window: TimeWindow) -> Iterable[Occupied]:
        return await _awaited(connection, _listed(self.session_host.occupied), restaurant_id, window)

    async def unassigned(
        self, connection: Any, since: dt.datetime, limit: int, *, restaurants: Sequence[str] | None = None
    ) -> Iterable[Booking | UnreadableBooking]:
        return await _awaited(connection, _listed(_unassigned(self.session_host, restaurants)), since, limit)

    async def _restaurants_waiting(self, connection: Any) -> Iterable[str]:
        return await _awaited(connection, _listed(_restaurants_waiting(self.session_host)))

    async def on_commit(self, connection: Any, changes: Sequence[AssignmentChange]) -> None:
        """Write into the host's rows what was decided."""
        await _awaited(connection, self.session_host.on_commit, changes)


def _listed(function: Callable[..., Iterable[T]]) -> Callable[..., list[T]]:
    return lambda *given: list(function(*given))  # While the session is open.


def _unassigned(host: Any, restaurants: Sequence[str] | None) -> Callable[..., Iterable[Booking | UnreadableBooking]]:
    unassigned: Callable[..., Iterable[Booking | UnreadableBooking]] = host.unassigned
    return unassigned if restaurants is None else functools.partial(unassigned, restaurants=restaurants)


def _restaurants_waiting(host: Any) -> Callable[..., Iterable[str]]:
    waiting: Callable[..., Iterable[str]] = host.restaurants_waiting
    return waiting


# -- Sessions on a connection that is somebody else's ----------------------------------------------------------------


class _Joined:
    """What a dialect leaves alone: the connection and its transaction are the store's."""

    def on_connect(self) -> Any:
        return None  # SQLAlchemy's would add a handler to the connection at each call.

    def do_begin(self, dbapi_connection: Any) -> None:
        pass

    def do_commit(self, dbapi_connection: Any) -> None:
        pass

    def do_rollback(self, dbapi_connection: Any) -> None:
        pass

    def do_close(self, dbapi_connection: Any) -> None:
        pass

    def do_terminate(self, dbapi_connection: Any) -> None:
        pass


class _JoinedPostgres(_Joined):
    # What SQLAlchemy would ask the server at first. With asyncio it would hold a thread's lock meanwhile.
    server_version_info: Any = (14,)
    _backslash_escapes = False

    def initialize(self, connection: Any) -> None:
        pass


class JoinedSQLite(_Joined, SQLiteDialect_pysqlite):
    """SQLite."""

    supports_statement_cache = True


class JoinedPostgres(_JoinedPostgres, PGDialect_psycopg):
    """PostgreSQL, in threads."""

    supports_statement_cache = True


class JoinedAsyncPostgres(_JoinedPostgres, PGDialectAsync_psycopg):
    """PostgreSQL, with asyncio."""

    supports_statement_cache = True


for _name, _dialect in (
    ("sqlite.joined", JoinedSQLite),
    ("postgresql.joined", JoinedPostgres),
    ("postgresql.joined_async", JoinedAsyncPostgres),
):
    registry.register(_name, __name__, _dialect.__name__)


class _Session(Session):
    def commit(self) -> None:
        msg = "a host must not commit: its session is in the transaction of the store"
        raise RuntimeError(msg)

    def rollback(self) -> None:
        msg = "a host must not roll back: its session is in the transaction of the store"
        raise RuntimeError(msg)


_GIVEN: contextvars.ContextVar[Any] = contextvars.ContextVar("given")


def _called(connection: Any, function: Callable[..., T], *arguments: Any) -> T:
    engine = _engine(_url(connection))
    if engine.dialect.is_async:
        msg = "host: expected an AsyncSQLAlchemyHost for a store with asyncio, got a SQLAlchemyHost"
        raise TypeError(msg)
    return _in_session(engine, connection, function, *arguments)


async def _awaited(connection: Any, function: Callable[..., T], *arguments: Any) -> T:
    engine = _engine(_url(connection))
    if not engine.dialect.is_async:
        msg = "host: expected a SQLAlchemyHost for a store on threads, got an AsyncSQLAlchemyHost"
        raise TypeError(msg)
    driver: Any = engine.dialect.dbapi

    def called() -> T:
        given = driver.connect(async_creator_fn=functools.partial(_as_it_is, connection))
        return _in_session(engine, given, function, *arguments)

    return await greenlet_spawn(called)


def _in_session(engine: Engine, connection: Any, function: Callable[..., T], *arguments: Any) -> T:
    token = _GIVEN.set(connection)
    try:
        bound = engine.connect()
    finally:
        _GIVEN.reset(token)
    with bound, _Session(bound) as session:
        answer = function(session, *arguments)
        session.flush()
        if not session.is_active:
            msg = "a host must not go on after an error of the database, except after one in session.begin_nested()"
            raise RuntimeError(msg)
        return answer


async def _as_it_is(connection: Any) -> Any:
    return connection


def _url(connection: Any) -> str:
    if isinstance(connection, sqlite3.Connection):
        return "sqlite+joined://"
    kinds = {base.__name__ for base in type(connection).__mro__}
    if "AsyncConnection" in kinds:
        return "postgresql+joined_async://"
    if "Connection" in kinds:
        return "postgresql+joined://"
    msg = f"connection: expected one of sqlite3 or psycopg, as stores have it, got {type(connection).__name__}"
    raise TypeError(msg)


@functools.cache
def _engine(url: str) -> Engine:
    return create_engine(url, creator=_GIVEN.get, poolclass=pool.NullPool, pool_reset_on_return=None)
