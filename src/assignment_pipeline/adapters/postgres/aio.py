"""The store, for asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self, TypeVar

import psycopg

from assignment_pipeline.adapters.postgres import audit
from assignment_pipeline.adapters.postgres.joined import AsyncJoinedStore
from assignment_pipeline.adapters.postgres.metrics import Measures
from assignment_pipeline.adapters.postgres.pools import PATIENCE, SIZE, AsyncPool, Pool
from assignment_pipeline.adapters.postgres.rollout import Revisions
from assignment_pipeline.adapters.postgres.schema import SCHEMA
from assignment_pipeline.adapters.postgres.shadow import Shadows
from assignment_pipeline.adapters.postgres.store import calling
from assignment_pipeline.adapters.postgres.store_work import StoreWork
from assignment_pipeline.adapters.postgres.work import SEAL, Work, in_transaction, not_ended
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange, StateChange
from assignment_pipeline.domain.trail import BookingTrail, Whereabouts
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.wake_order import WakeOrder
from assignment_pipeline.ports import (
    AssignmentContext,
    CheckedHost,
    Clock,
    Due,
    LoadQuery,
    RecordPage,
    RecordQuery,
    UnreadableBooking,
    Waiting,
)

T = TypeVar("T")


class AsyncPostgresStore(Revisions, Shadows, Measures):
    """
    `PostgresStore`, for asyncio: the same promises, and the same arguments.

    What keeps the rollout, counts, and keeps the shadow's bundles is for threads here, too: `StoreFlags` and the
    command line ask it, over one connection of its own.

    The methods of its host, and ``on_commit``, may be coroutines: they get a `psycopg.AsyncConnection`.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        host: Any,
        clock: Clock | None = None,
        schema: str = SCHEMA,
        on_commit: Callable[[Any, Sequence[AssignmentChange]], Awaitable[None] | None] | None = None,
        pool_size: int = SIZE,
        patience: dt.timedelta = PATIENCE,
    ) -> None:
        self._work = StoreWork(host, clock, on_commit, schema, waits=True)  # type: ignore[arg-type]
        self._pool = AsyncPool(conninfo, self._work.check, size=pool_size, patience=patience)
        # A thread feeds the sinks. It must not use the event loop's connections.
        self._telling = Pool(conninfo, size=1, patience=patience)
        self._options: dict[str, Any] = {"host": host, "clock": clock, "schema": schema, "on_commit": on_commit}
        self._options["patience"] = patience

    def apart(self) -> AsyncPostgresStore:
        """The same store over connections of its own, for the shadow. To be closed by itself."""
        return AsyncPostgresStore(self._pool.conninfo, **self._options, pool_size=1)

    def _do(self, begin: Callable[[], Work[T]]) -> T:
        return self._telling.run(begin)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. Calls that come later raise."""
        await self._pool.close()
        await asyncio.to_thread(self._telling.close)

    # -- Reading --------------------------------------------------------------------------------------------------

    async def load(self, query: LoadQuery) -> AssignmentContext | None:
        return await self._pool.run(lambda: self._work.reading(self._work.reads.load(query)))

    async def load_all(self, queries: Sequence[LoadQuery]) -> tuple[AssignmentContext | None, ...]:
        return await self._pool.run(lambda: self._work.reading(self._work.reads.load_all(queries)))

    async def knows(self, change: AssignmentChange) -> bool:
        return await self._pool.run(lambda: self._work.reads.knows(change))

    async def records(self, query: RecordQuery) -> RecordPage:
        return await self._pool.run(lambda: self._work.reads.records(query))

    def records_in_thread(self, query: RecordQuery) -> RecordPage:
        """`records` for a thread, such as that of `StoreFlags`, over the connection beside the event loop's."""
        return self._telling.run(lambda: self._work.reads.records(query))

    async def history(self, booking_id: str) -> tuple[StateChange, ...]:
        return await self._pool.run(lambda: self._work.reads.history(booking_id))

    async def trail(self, booking_id: str) -> BookingTrail:
        return await self._pool.run(lambda: self._work.reading(audit.trail(self._work.reads, booking_id)))

    async def whereabouts(self, restaurant_id: str, at: dt.datetime) -> tuple[Whereabouts, ...]:
        return await self._pool.run(lambda: audit.whereabouts(self._work.reads, restaurant_id, at))

    async def booking(self, booking_id: str) -> Booking | None:
        return await self._pool.run(lambda: self._work.reading(self._work.reads.booking(booking_id)))

    async def waiting(self) -> Waiting:
        return await self._pool.run(lambda: self._work.reading(self._work.reads.waiting()))

    async def unassigned(
        self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None
    ) -> tuple[Booking | UnreadableBooking, ...]:
        return await self._pool.run(lambda: self._work.reading(self._work.reads.unassigned(since, limit, restaurants)))

    async def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        return await self._pool.run(lambda: self._work.reads.blocked(restaurant_id, since))

    async def check_schema(self) -> None:
        await self._pool.run(lambda: self._work.check(self._pool.where, whole=True))

    # -- Writing --------------------------------------------------------------------------------------------------

    async def commit(self, changes: Sequence[AssignmentChange]) -> None:
        await self._pool.run(lambda: self._work.commit(changes))

    async def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        return await self._pool.run(lambda: self._work.block(blocks, events))

    async def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        return await self._pool.run(lambda: self._work.unblock(blocks, events))

    async def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        return await self._pool.run(lambda: self._work.commits.due(limit, order))

    async def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        await self._pool.run(lambda: self._work.commits.put_back(claims, after))

    def emit(self, events: Sequence[Event]) -> None:
        """See `EventSink.emit`: for a thread, through a connection of its own. They are written when it returns."""
        if events:
            self._telling.run(lambda: self._work.commits.tell(events))

    async def write(self, work: Callable[[psycopg.AsyncConnection[Any]], Awaitable[T]]) -> T:
        """See `PostgresStore.write`; *work* is a coroutine function."""
        answer: T = await self._pool.run(lambda: in_transaction(calling(work)))
        return answer

    async def put_venue(self, venue: Venue) -> None:
        """See `PostgresStore.put_venue`."""
        host = self.checked_host.keeps_venues
        await self.write(lambda connection: host.put_venue(connection, venue))

    @property
    def checked_host(self) -> CheckedHost:
        """The host's side, each answer looked at."""
        return self._work.reads.host

    async def probe(self, work: Callable[[psycopg.AsyncConnection[Any]], Awaitable[T]]) -> T:
        """See `PostgresStore.probe`; *work* is a coroutine function."""

        async def rolled_back(connection: psycopg.AsyncConnection[Any]) -> T:
            async with connection.transaction(force_rollback=True):
                with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
                    async with connection.transaction():
                        await connection.execute(SEAL)
                try:
                    return await work(connection)
                finally:
                    not_ended(connection)

        answer: T = await self._pool.run(lambda: calling(rolled_back))
        return answer

    def joined(self, connection: Any) -> AsyncJoinedStore:
        """
        See `PostgresStore.joined`.

        Args:
            connection: A `psycopg.AsyncConnection`, or what SQLAlchemy wraps around one: an AsyncSession or an
                AsyncConnection. Its methods raise `TypeError` where there is none in it.
        """
        return AsyncJoinedStore(connection, self._work.inside(), self._pool.where)
