"""The store inside a transaction of the host's."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus

from assignment_pipeline.adapters.postgres.failures import AgainError
from assignment_pipeline.adapters.postgres.store_work import StoreWork
from assignment_pipeline.adapters.postgres.unwrapping import unwrap_async
from assignment_pipeline.adapters.postgres.work import Work, arun, in_savepoint, run
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange, StateChange
from assignment_pipeline.domain.wake_order import WakeOrder
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.ports import (
    AssignmentContext,
    Due,
    LoadQuery,
    RecordPage,
    RecordQuery,
    UnreadableBooking,
    Waiting,
)

T = TypeVar("T")

TRIES = 3


class JoinedStore:
    """
    An `AssignmentStore` on a connection whose transaction is the host's. Made by `PostgresStore.joined`.

    What it writes lands when the host commits. A call that raises leaves nothing of itself behind, and
    the host's transaction as it was.
    """

    inline = True

    def __init__(self, connection: psycopg.Connection[Any], work: StoreWork, where: str) -> None:
        self._connection = connection
        self._work = work
        self._where = where

    def _do(self, begin: Callable[[], Work[T]]) -> T:
        _require_transaction(self._connection)
        for tried in itertools.count(1):
            try:
                return run(in_savepoint(begin()), self._connection, self._where)
            except AgainError as again:
                if again.lost or tried == TRIES:
                    raise again.error from again.__cause__
        raise AssertionError  # pragma: no cover - it counts for ever

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        return self._do(lambda: self._work.reads.load(query))

    def load_all(self, queries: Sequence[LoadQuery]) -> tuple[AssignmentContext | None, ...]:
        return self._do(lambda: self._work.reads.load_all(queries))

    def knows(self, change: AssignmentChange) -> bool:
        return self._do(lambda: self._work.reads.knows(change))

    def records(self, query: RecordQuery) -> RecordPage:
        return self._do(lambda: self._work.reads.records(query))

    def history(self, booking_id: str) -> tuple[StateChange, ...]:
        return self._do(lambda: self._work.reads.history(booking_id))

    def booking(self, booking_id: str) -> Booking | None:
        return self._do(lambda: self._work.reads.booking(booking_id))

    def waiting(self) -> Waiting:
        return self._do(self._work.reads.waiting)

    def unassigned(
        self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None
    ) -> tuple[Booking | UnreadableBooking, ...]:
        return self._do(lambda: self._work.reads.unassigned(since, limit, restaurants))

    def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        return self._do(lambda: self._work.reads.blocked(restaurant_id, since))

    def check_schema(self) -> None:
        self._do(lambda: self._work.check(self._where, whole=True))

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        """See `AssignmentStore.commit`; it lands with the host's transaction."""
        self._do(lambda: self._work.commits.commit(changes, lands=False))

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        """See `AssignmentStore.block`; it lands with the host's transaction."""
        return self._do(lambda: self._work.commits.block(blocks, events, lands=False))

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        """See `AssignmentStore.unblock`; it lands with the host's transaction."""
        return self._do(lambda: self._work.commits.unblock(blocks, events, lands=False))

    def guard(self, restaurant_ids: Sequence[str]) -> None:
        """See `Joined.guard`: it takes the commit locks of these restaurants."""
        self._do(lambda: self._work.commits.guard(restaurant_ids))

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        return self._do(lambda: self._work.commits.due(limit, order))

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        self._do(lambda: self._work.commits.put_back(claims, after))

    def emit(self, events: Sequence[Event]) -> None:
        """See `EventSink.emit`; they land with the host's transaction."""
        self._do(lambda: self._work.commits.tell(events))


class AsyncJoinedStore:
    """`JoinedStore`, for asyncio. Made by `AsyncPostgresStore.joined`."""

    def __init__(self, connection: Any, work: StoreWork, where: str) -> None:
        self._given = connection
        self._work = work
        self._where = where

    async def _connection(self) -> psycopg.AsyncConnection[Any]:
        connection = await unwrap_async(self._given)
        _require_transaction(connection)
        return connection

    async def _do(self, begin: Callable[[], Work[T]]) -> T:
        connection = await self._connection()
        for tried in itertools.count(1):
            try:
                return await arun(in_savepoint(begin()), connection, self._where)
            except AgainError as again:
                if again.lost or tried == TRIES:
                    raise again.error from again.__cause__
        raise AssertionError  # pragma: no cover - it counts for ever

    async def load(self, query: LoadQuery) -> AssignmentContext | None:
        return await self._do(lambda: self._work.reads.load(query))

    async def load_all(self, queries: Sequence[LoadQuery]) -> tuple[AssignmentContext | None, ...]:
        return await self._do(lambda: self._work.reads.load_all(queries))

    async def knows(self, change: AssignmentChange) -> bool:
        return await self._do(lambda: self._work.reads.knows(change))

    async def records(self, query: RecordQuery) -> RecordPage:
        return await self._do(lambda: self._work.reads.records(query))

    async def history(self, booking_id: str) -> tuple[StateChange, ...]:
        return await self._do(lambda: self._work.reads.history(booking_id))

    async def booking(self, booking_id: str) -> Booking | None:
        return await self._do(lambda: self._work.reads.booking(booking_id))

    async def waiting(self) -> Waiting:
        return await self._do(self._work.reads.waiting)

    async def unassigned(
        self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None
    ) -> tuple[Booking | UnreadableBooking, ...]:
        return await self._do(lambda: self._work.reads.unassigned(since, limit, restaurants))

    async def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        return await self._do(lambda: self._work.reads.blocked(restaurant_id, since))

    async def check_schema(self) -> None:
        await self._do(lambda: self._work.check(self._where, whole=True))

    async def commit(self, changes: Sequence[AssignmentChange]) -> None:
        await self._do(lambda: self._work.commits.commit(changes, lands=False))

    async def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        return await self._do(lambda: self._work.commits.block(blocks, events, lands=False))

    async def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        return await self._do(lambda: self._work.commits.unblock(blocks, events, lands=False))

    async def guard(self, restaurant_ids: Sequence[str]) -> None:
        await self._do(lambda: self._work.commits.guard(restaurant_ids))

    async def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        return await self._do(lambda: self._work.commits.due(limit, order))

    async def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        await self._do(lambda: self._work.commits.put_back(claims, after))

    async def emit(self, events: Sequence[Event]) -> None:
        await self._do(lambda: self._work.commits.tell(events))


def _require_transaction(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    if connection.pgconn.pipeline_status != PipelineStatus.OFF:
        msg = "connection: expected one outside of pipeline mode: what is committed depends on what was read"
        raise ValueError(msg)
    # Without autocommit, psycopg begins a transaction with the first statement.
    if connection.info.transaction_status is TransactionStatus.IDLE and connection.autocommit:
        raise InvalidValueError(
            "connection", "one with a transaction open, such as after BEGIN", "one in autocommit mode"
        )
