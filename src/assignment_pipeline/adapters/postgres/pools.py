"""The connections of a process."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Generator, Iterator
from concurrent import futures
from typing import Any, Generic, TypeVar

import attrs
import psycopg
from psycopg.pq import TransactionStatus

from assignment_pipeline import processes
from assignment_pipeline.adapters.postgres.failures import AgainError, place_of
from assignment_pipeline.adapters.postgres.line import AsyncConnection, Connection, connect_timeout, is_lost, options
from assignment_pipeline.adapters.postgres.slots import Place, Slots
from assignment_pipeline.adapters.postgres.work import Work, arun, pauses, run
from assignment_pipeline.driving import adrive, drive
from assignment_pipeline.errors import StoreUnavailableError

T = TypeVar("T")
C = TypeVar("C", Connection, AsyncConnection)

Check = Callable[[str], Work[None]]
"""Checks that a database is the right one. The argument is its name for people."""

SIZE = 10
PATIENCE = dt.timedelta(seconds=5)

RETRY = 0.4
"""Seconds, on average, between two attempts of a process to connect to a server that is away."""

TRIES = 6
"""How many attempts to connect may run at one time while the server does not answer."""


@attrs.frozen
class Wait:
    """Wait for a place in the queue to be served."""

    place: Place[Any]
    seconds: float


@attrs.frozen
class Open:
    """Open a connection."""


@attrs.frozen
class Begin:
    """Begin to open a connection; the answer is a future."""


@attrs.frozen
class FirstOf:
    """Wait until an attempt has ended, for some seconds at most. The answer is the ended attempts."""

    tries: Collection[Any]
    seconds: float


@attrs.frozen
class End:
    """End attempts, and close the connections that they have opened."""

    tries: Collection[Any]


Step = Wait | Open | Begin | FirstOf | End


class _Pool(processes.Watched, Generic[C]):
    """
    What both pools share: nothing is opened before it is needed, and a forked child opens its own.

    A caller that needs a connection opens it. No thread opens connections in the background. So the first call finds a
    server that is back, and only calls try a server that is away.

    Args:
        conninfo: The database, as a URL or in libpq's ``key=value`` form.

        check: What to do once, before anything else.

        size: Connections at most.

        patience: How long to wait for one.
    """

    def __init__(
        self, conninfo: str, check: Check | None = None, *, size: int = SIZE, patience: dt.timedelta = PATIENCE
    ) -> None:
        self.conninfo = conninfo
        self._check = check
        self._checked = check is None
        self._size = size
        self._patience = patience.total_seconds()
        self._closed = False
        self._away: Exception | None = None
        self._not_before = 0.0
        self.where = place_of(conninfo)
        self._options = options(conninfo)
        self._connect_timeout = connect_timeout(conninfo)
        self._slots: Slots[C] = Slots(size)
        processes.watch(self)

    def __del__(self) -> None:
        for connection in getattr(self, "_slots", Slots[C](0)).drain():
            connection.pgconn.finish()

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: the sockets are the parent's."""
        processes.leak(self._slots)
        self._slots = Slots(self._size)

    def _at_hand(self, slots: Slots[C]) -> C | None:
        """An idle connection that can be used, if there is one. The lost ones before it are closed."""
        while (found := slots.idle()) is not None and is_lost(found):
            found.pgconn.finish()
            slots.lost()
            slots.give(None)
        return found

    def _obtaining(self, slots: Slots[C]) -> Generator[Step, Any, C]:
        """
        A connection that can be used where none is at hand, for a driver that does what is yielded.

        Raises:
            StoreUnavailableError: None was to be had.
        """
        deadline = time.monotonic() + self._patience
        found: C | None
        while True:
            self._refuse_closed()
            place = slots.join()
            try:
                found = yield Wait(place, max(deadline - time.monotonic(), 0))
            except BaseException as error:
                slots.leave(place)
                if isinstance(error, TimeoutError):
                    raise self._unavailable(self._away) from (self._away or error)
                raise
            try:
                if found is None:
                    found = yield from self._opening(slots, place, deadline)
            except BaseException:
                slots.gave_up(place)
                raise
            if found is not None:
                return found

    def _opening(self, slots: Slots[C], place: Place[C], deadline: float) -> Generator[Step, Any, C | None]:
        """A connection of the caller's own. None if another caller is connecting, so that this one has to wait."""
        if not slots.is_trying(place):
            try:
                found: C = yield Open()
            except psycopg.OperationalError as error:
                self._away = error
                if not slots.failed(place):
                    return None
                self._not_before = time.monotonic() + _about(RETRY)
            else:
                return self._opened(slots, found)
        tries: list[Any] = []
        try:
            opened = yield from self._trying(tries, deadline)
            yield End(tries)
        except GeneratorExit:
            raise
        except BaseException:
            yield End(tries)
            raise
        return self._opened(slots, opened)

    def _opened(self, slots: Slots[C], connection: C) -> C:
        self._away, self._not_before = None, 0.0
        slots.opened()
        return connection

    def _trying(self, tries: list[Any], deadline: float) -> Generator[Step, Any, C]:
        """
        A connection to a server that may be away. The caller ends the attempts that are left in *tries*.

        A line may lose packets, and then work again. An attempt from before does not notice that, so another attempt
        starts beside it. The first attempt keeps the time-out of the address, because the line may only be slow.
        """
        first: Any = None
        while True:
            now = time.monotonic()
            is_over = now >= deadline or (not tries and self._not_before >= deadline)
            if is_over and (first not in tries):
                raise self._unavailable(self._away)
            if now >= self._not_before:
                self._refuse_closed()
                self._not_before = now + _about(self._connect_timeout / TRIES)
                tries.append((yield Begin()))
                first = first or tries[0]
            until = min(self._not_before, deadline) if now < deadline else self._not_before
            ended = yield FirstOf(tries, max(until - time.monotonic(), 0))
            for one in sorted(ended, key=lambda one: one.exception() is not None):
                tries.remove(one)
                error = one.exception()
                if error is None:
                    found: C = one.result()
                    return found
                if not isinstance(error, psycopg.OperationalError):
                    raise error
                self._away = error
            if ended and not tries:
                self._not_before = time.monotonic() + _about(RETRY)

    def _giving_back(self, slots: Slots[C], connection: C) -> list[C]:
        """Take a connection back. Returns the connections to close: if one line is lost, the others may be, too."""
        if connection.closed:
            slots.lost()
            slots.give(None)
            return slots.drain()
        vars(connection).pop("silence", None)
        slots.give(connection)
        return slots.drain() if self._closed or slots is not self._slots else slots.unused()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise StoreUnavailableError(f"{self.where}: it was closed")

    def _unavailable(self, cause: Exception | None) -> StoreUnavailableError:
        said = str(cause or "").strip() or f"none of {self._size} connections came free in {self._patience:g} seconds"
        error = StoreUnavailableError(f"{self.where}: {said.splitlines()[0]}")
        error.__cause__ = cause
        return error


class Pool(_Pool[Connection]):
    """Connections for threads."""

    exit_turn = 2  # Sinks write events with them until then.

    def at_exit(self) -> None:
        self.close()

    def close(self) -> None:
        """Close them all. Calls that come later raise."""
        self._closed = True
        for connection in self._slots.drain():
            connection.close()

    def run(self, begin: Callable[[], Work[T]]) -> T:
        """
        Do the work that *begin* makes; from its beginning again where nothing was written and that may help.

        Raises:
            StoreUnavailableError: No connection was to be had.
        """
        for pause in pauses():
            with contextlib.suppress(AgainError):
                return self._once(begin)
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
    def _lend(self) -> Iterator[Connection]:
        """A connection in autocommit mode, for the block. What a block that raises has begun is rolled back."""
        self._refuse_closed()
        slots = self._slots
        connection = self._obtain(slots)
        try:
            yield connection
        finally:
            if connection.pgconn.transaction_status != TransactionStatus.IDLE:
                _abandon(connection)
            for other in self._giving_back(slots, connection):
                other.close()

    def _obtain(self, slots: Slots[Connection]) -> Connection:
        found = self._at_hand(slots)
        return drive(self._obtaining(slots), self._do, caught=BaseException) if found is None else found

    def _do(self, step: Step) -> Any:
        match step:
            case Wait(place, seconds):
                return place.result(seconds)
            case Open():
                return Connection.connect(self.conninfo, **self._options)
            case Begin():
                return self._begin()
            case FirstOf(tries, seconds):
                if tries:
                    return futures.wait(tries, seconds, futures.FIRST_COMPLETED).done
                time.sleep(seconds)
                return ()
            case End(tries):
                return _end(tries)

    def _begin(self) -> futures.Future[Connection]:
        """Begin to open a connection, in a thread of its own: a wait in C cannot be cancelled."""
        begun: futures.Future[Connection] = futures.Future()

        def connect() -> None:
            try:
                opened = Connection.connect(self.conninfo, **self._options)
            except BaseException as error:  # noqa: BLE001 - the caller is told
                with contextlib.suppress(futures.InvalidStateError):
                    begun.set_exception(error)
                return
            try:
                begun.set_result(opened)
            except futures.InvalidStateError:  # Its caller has ended it.
                opened.close()

        try:
            threading.Thread(target=connect, name="assignment-pipeline-connect", daemon=True).start()
        except RuntimeError:  # The interpreter ends, and starts no threads any more.
            connect()
        return begun


class AsyncPool(_Pool[AsyncConnection]):
    """`Pool`, for asyncio: on the event loop on which it is used first, and on another once that is closed."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def close(self) -> None:
        """Close them all. Calls that come later raise."""
        self._closed = True
        for connection in self._slots.drain():
            await connection.close()

    async def run(self, begin: Callable[[], Work[T]]) -> T:
        for pause in pauses():
            with contextlib.suppress(AgainError):
                return await self._once(begin)
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
    async def _lend(self) -> AsyncIterator[AsyncConnection]:
        self._refuse_closed()
        self._move_to(asyncio.get_running_loop())
        slots = self._slots
        connection = await self._obtain(slots)
        try:
            yield connection
        finally:
            if connection.pgconn.transaction_status != TransactionStatus.IDLE:
                await _aabandon(connection)
            for other in self._giving_back(slots, connection):
                await other.close()

    def _move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Close the connections of another event loop. Nobody will return them."""
        if self._loop is not loop:
            for connection in self._slots.drain():
                connection.pgconn.finish()
            self._loop, self._slots = loop, Slots(self._size)

    async def _obtain(self, slots: Slots[AsyncConnection]) -> AsyncConnection:
        found = self._at_hand(slots)
        return await adrive(self._obtaining(slots), self._do, caught=BaseException) if found is None else found

    async def _do(self, step: Step) -> Any:
        match step:
            case Wait(place, seconds):
                return place.result() if place.done() else await asyncio.wait_for(asyncio.wrap_future(place), seconds)
            case Open():
                return await AsyncConnection.connect(self.conninfo, **self._options)
            case Begin():
                return asyncio.create_task(AsyncConnection.connect(self.conninfo, **self._options))
            case FirstOf(tries, seconds):
                if tries:
                    return (await asyncio.wait(tries, timeout=seconds, return_when=asyncio.FIRST_COMPLETED))[0]
                await asyncio.sleep(seconds)
                return ()
            case End(tries):
                return await _aend(tries)


def _about(seconds: float) -> float:
    """About *seconds*, at random, so that processes do not connect at the same time."""
    return seconds * random.uniform(0.5, 1.5)  # noqa: S311


def _end(tries: Collection[futures.Future[Connection]]) -> None:
    """End attempts to connect, and close a connection that one of them has opened meanwhile."""
    for one in tries:
        if not one.cancel() and one.exception() is None:
            one.result().close()


async def _aend(tries: Collection[asyncio.Task[AsyncConnection]]) -> None:
    """`_end`, for asyncio."""
    for one in tries:
        one.cancel()
    for opened in await asyncio.gather(*tries, return_exceptions=True):
        if isinstance(opened, AsyncConnection):
            await opened.close()


def _abandon(connection: Connection) -> None:
    try:
        connection.rollback()
    except psycopg.Error:
        connection.close()


async def _aabandon(connection: AsyncConnection) -> None:
    try:
        await connection.rollback()
    except psycopg.Error:
        await connection.close()
