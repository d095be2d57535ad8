"""The connections of a process."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar

import psycopg
import psycopg_pool
from psycopg.pq import TransactionStatus

from assignment_pipeline import processes
from assignment_pipeline.adapters.postgres.failures import AgainError, place_of
from assignment_pipeline.adapters.postgres.work import Work, arun, pauses, run
from assignment_pipeline.errors import StoreUnavailableError

T = TypeVar("T")

Check = Callable[[str], Work[None]]
"""Makes sure that a database, named for people, is the right one."""

SIZE = 10
PATIENCE = dt.timedelta(seconds=5)

# A server-side prepared statement belongs to a session, which pgbouncer hands to somebody else.
_OPTIONS: dict[str, Any] = {"autocommit": True, "prepare_threshold": None, "client_encoding": "utf8"}


class _Pool(processes.Watched):
    """
    What both pools share: nothing is opened before it is needed, and a forked child opens its own.

    Args:
        conninfo: The database, as a URL or in libpq's ``key=value`` form.

        check: What to do once, before anything else.

        size: Connections at most.

        patience: How long to wait for one.
    """

    _pool: Any

    def __init__(
        self, conninfo: str, check: Check | None = None, *, size: int = SIZE, patience: dt.timedelta = PATIENCE
    ) -> None:
        self.conninfo = conninfo
        self._check = check
        self._checked = check is None
        self._size = size
        self._patience = patience.total_seconds()
        self._pool = None
        self._closed = False
        self.where = place_of(conninfo)
        self._renew()
        processes.watch(self)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: the sockets are the parent's."""
        if self._pool is not None:
            processes.leak(self._pool)
        self._pool = None
        self._renew()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreUnavailableError(f"{self.where}: it was closed")

    @property
    def _sizes(self) -> dict[str, Any]:
        # None that nobody has asked for yet: an event loop that ends while one is being opened might never end.
        return {"min_size": 0, "max_size": self._size, "open": False, "timeout": self._patience}

    def _unavailable(self, error: Exception) -> StoreUnavailableError:
        return StoreUnavailableError(f"{self.where}: {error}")


class Pool(_Pool):
    """Connections for threads."""

    _pool: psycopg_pool.ConnectionPool[psycopg.Connection[Any]] | None

    def at_exit(self) -> None:
        """See `Watched.at_exit`."""
        self.close()

    def close(self) -> None:
        """Close them all. Calls that come later raise."""
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def run(self, begin: Callable[[], Work[T]]) -> T:
        """
        Do the work that *begin* makes; from its beginning again where nothing was written and that may help.

        Raises:
            StoreUnavailableError: No connection was to be had.
        """
        for pause in pauses():
            try:
                return self._once(begin)
            except AgainError as again:
                if again.lost:
                    self._mend()
            time.sleep(pause)
        try:
            return self._once(begin)
        except AgainError as again:
            raise again.error from again.__cause__

    def _once(self, begin: Callable[[], Work[T]]) -> T:
        with self._lend() as connection:
            if not self._checked and self._check is not None:
                run(self._check(self.where), connection, self.where)
                self._checked = True
            return run(begin(), connection, self.where)

    @contextlib.contextmanager
    def _lend(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection in autocommit mode, for the block. What a block that raises has begun is rolled back."""
        pool = self._pool or self._open()
        try:
            connection = pool.getconn()
        except (psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed, psycopg_pool.TooManyRequests) as error:
            raise self._unavailable(error) from error
        try:
            yield connection
        finally:
            if connection.info.transaction_status is not TransactionStatus.IDLE:
                _abandon(connection)
            pool.putconn(connection)

    def _mend(self) -> None:
        """Replace the connections that have been lost: where one is, others are."""
        if self._pool is not None:
            with contextlib.suppress(psycopg_pool.PoolClosed):
                self._pool.check()

    def _open(self) -> psycopg_pool.ConnectionPool[psycopg.Connection[Any]]:
        with self._lock:
            self._refuse_closed()
            if self._pool is None:
                pool = psycopg_pool.ConnectionPool(self.conninfo, kwargs=_OPTIONS, **self._sizes)
                pool.open()
                self._pool = pool
            return self._pool


class AsyncPool(_Pool):
    """`Pool`, for asyncio: on the event loop on which it is used first, and on another once that is closed."""

    _pool: psycopg_pool.AsyncConnectionPool[psycopg.AsyncConnection[Any]] | None
    _loop: asyncio.AbstractEventLoop | None

    async def close(self) -> None:
        """Close them all. Calls that come later raise."""
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def run(self, begin: Callable[[], Work[T]]) -> T:
        """See `Pool.run`."""
        for pause in pauses():
            try:
                return await self._once(begin)
            except AgainError as again:
                if again.lost:
                    await self._mend()
            await asyncio.sleep(pause)
        try:
            return await self._once(begin)
        except AgainError as again:
            raise again.error from again.__cause__

    async def _once(self, begin: Callable[[], Work[T]]) -> T:
        async with self._lend() as connection:
            if not self._checked and self._check is not None:
                await arun(self._check(self.where), connection, self.where)
                self._checked = True
            return await arun(begin(), connection, self.where)

    @contextlib.asynccontextmanager
    async def _lend(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        pool = await self._opened()
        try:
            connection = await pool.getconn()
        except (psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed, psycopg_pool.TooManyRequests) as error:
            raise self._unavailable(error) from error
        try:
            yield connection
        finally:
            if connection.info.transaction_status is not TransactionStatus.IDLE:
                await _aabandon(connection)
            await pool.putconn(connection)

    async def _mend(self) -> None:
        if self._pool is not None:
            with contextlib.suppress(psycopg_pool.PoolClosed):
                await self._pool.check()

    async def _opened(self) -> psycopg_pool.AsyncConnectionPool[psycopg.AsyncConnection[Any]]:
        self._refuse_closed()
        loop = asyncio.get_running_loop()
        if self._pool is None or self._loop is not loop:
            self._loop = loop
            self._pool = psycopg_pool.AsyncConnectionPool(self.conninfo, kwargs=_OPTIONS, **self._sizes)
        await self._pool.open()  # At once, if it is open.
        return self._pool

    def _renew(self) -> None:
        super()._renew()
        self._loop = None


def _abandon(connection: psycopg.Connection[Any]) -> None:
    try:
        connection.rollback()
    except psycopg.Error:
        connection.close()


async def _aabandon(connection: psycopg.AsyncConnection[Any]) -> None:
    try:
        await connection.rollback()
    except psycopg.Error:
        await connection.close()
