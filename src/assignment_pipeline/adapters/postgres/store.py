"""The store."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import psycopg

from assignment_pipeline.adapters.postgres import audit
from assignment_pipeline.adapters.postgres.joined import JoinedStore
from assignment_pipeline.adapters.postgres.metrics import Measures
from assignment_pipeline.adapters.postgres.pools import PATIENCE, SIZE, Pool
from assignment_pipeline.adapters.postgres.rollout import Revisions
from assignment_pipeline.adapters.postgres.schema import SCHEMA
from assignment_pipeline.adapters.postgres.shadow import Shadows
from assignment_pipeline.adapters.postgres.store_work import StoreWork
from assignment_pipeline.adapters.postgres.work import SEAL, HostCall, Work, in_transaction, not_ended
from assignment_pipeline.adapters.unwrapping import unwrap
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
    Host,
    LoadQuery,
    OnCommit,
    RecordPage,
    RecordQuery,
    UnreadableBooking,
    Waiting,
)

T = TypeVar("T")


class PostgresStore(Revisions, Shadows, Measures):
    """
    An `AssignmentStore`, `AuditStore`, `RolloutStore` and `EventSink` in PostgreSQL, for processes on any machines.

    With a `StandaloneHost` and no ``on_commit``, a load is one statement, and so is a commit: one round trip each, and
    one flush. Where the host has rows of its own, or code to run in a commit, that runs on the same connection, inside
    the transaction: with a round trip for each of its questions, and three more for the transaction.

    Nothing is opened before it is needed, and forked processes open their own. Close it, or use it as a context
    manager.

    Args:
        conninfo: The database, as a URL or in libpq's ``key=value`` form. `init` has made the tables there.

        host: The host's side. Its methods get a connection that is in a transaction. Where it has an
            ``on_commit(connection, changes)`` of its own, that is called in every commit, too.

        clock: The store's clock; the server's unless told otherwise, as a test may.

        schema: The schema that the tables are in.

        on_commit: Host code to run inside each commit.

        pool_size: Connections of a process at most.

        patience: How long a call waits for a connection.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        host: Host,
        clock: Clock | None = None,
        schema: str = SCHEMA,
        on_commit: OnCommit | None = None,
        pool_size: int = SIZE,
        patience: dt.timedelta = PATIENCE,
    ) -> None:
        self._work = StoreWork(host, clock, on_commit, schema)
        self._pool = Pool(conninfo, self._work.check, size=pool_size, patience=patience)
        self._options: dict[str, Any] = {"host": host, "clock": clock, "schema": schema, "on_commit": on_commit}
        self._options["patience"] = patience

    def apart(self) -> PostgresStore:
        """The same store over one connection of its own, for the shadow. To be closed by itself."""
        return PostgresStore(self._pool.conninfo, **self._options, pool_size=1)

    def _do(self, begin: Callable[[], Work[T]]) -> T:
        return self._pool.run(begin)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Calls that come later raise."""
        self._pool.close()

    # -- Reading --------------------------------------------------------------------------------------------------

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        return self._pool.run(lambda: self._work.reading(self._work.reads.load(query)))

    def load_all(self, queries: Sequence[LoadQuery]) -> tuple[AssignmentContext | None, ...]:
        return self._pool.run(lambda: self._work.reading(self._work.reads.load_all(queries)))

    def knows(self, change: AssignmentChange) -> bool:
        """See `AssignmentStore.knows`: it waits for the restaurant's commit lock."""
        return self._pool.run(lambda: self._work.reads.knows(change))

    def records(self, query: RecordQuery) -> RecordPage:
        return self._pool.run(lambda: self._work.reads.records(query))

    def history(self, booking_id: str) -> tuple[StateChange, ...]:
        return self._pool.run(lambda: self._work.reads.history(booking_id))

    def trail(self, booking_id: str) -> BookingTrail:
        return self._pool.run(lambda: self._work.reading(audit.trail(self._work.reads, booking_id)))

    def whereabouts(self, restaurant_id: str, at: dt.datetime) -> tuple[Whereabouts, ...]:
        return self._pool.run(lambda: audit.whereabouts(self._work.reads, restaurant_id, at))

    def booking(self, booking_id: str) -> Booking | None:
        return self._pool.run(lambda: self._work.reading(self._work.reads.booking(booking_id)))

    def waiting(self) -> Waiting:
        return self._pool.run(lambda: self._work.reading(self._work.reads.waiting()))

    def unassigned(
        self, since: dt.datetime, limit: int, restaurants: Sequence[str] | None = None
    ) -> tuple[Booking | UnreadableBooking, ...]:
        return self._pool.run(lambda: self._work.reading(self._work.reads.unassigned(since, limit, restaurants)))

    def blocked(self, restaurant_id: str, since: dt.datetime) -> tuple[TableBlock, ...]:
        return self._pool.run(lambda: self._work.reads.blocked(restaurant_id, since))

    def check_schema(self) -> None:
        self._pool.run(lambda: self._work.check(self._pool.where, whole=True))

    # -- Writing --------------------------------------------------------------------------------------------------

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        self._pool.run(lambda: self._work.commit(changes))

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        return self._pool.run(lambda: self._work.block(blocks, events))

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        return self._pool.run(lambda: self._work.unblock(blocks, events))

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        return self._pool.run(lambda: self._work.commits.due(limit, order))

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        self._pool.run(lambda: self._work.commits.put_back(claims, after))

    def emit(self, events: Sequence[Event]) -> None:
        """See `EventSink.emit`: they are written when it returns."""
        if events:
            self._pool.run(lambda: self._work.commits.tell(events))

    def write(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """
        Run *work* in a transaction of its own, which it must not end; what it raises undoes it.

        It is how a standalone host's own rows are written: ``store.write(lambda connection:
        host.put_booking(connection, booking))``. It may run more than once.

        Raises:
            CommitUnknownError: The answer was lost.
        """
        answer: T = self._pool.run(lambda: in_transaction(calling(work)))
        return answer

    def put_venue(self, venue: Venue) -> None:
        """
        Have the standalone host keep a restaurant, or change it.

        Raises:
            InvalidValueError: The host is none of ours.
        """
        host = self.checked_host.keeps_venues
        self.write(lambda connection: host.put_venue(connection, venue))

    @property
    def checked_host(self) -> CheckedHost:
        """The host's side, each answer looked at."""
        return self._work.reads.host

    def probe(self, work: Callable[[psycopg.Connection[Any]], T]) -> T:
        """
        Run *work* in a transaction that is rolled back, whatever comes of it: nothing that it writes stays.

        A commit in it is refused.
        """

        def rolled_back(connection: psycopg.Connection[Any]) -> T:
            with connection.transaction(force_rollback=True):
                with contextlib.suppress(psycopg.errors.InsufficientPrivilege), connection.transaction():
                    connection.execute(SEAL)
                try:
                    return work(connection)
                finally:
                    not_ended(connection)

        answer: T = self._pool.run(lambda: calling(rolled_back))
        return answer

    def joined(self, connection: Any) -> JoinedStore:
        """
        The same store inside a transaction that the host has open on *connection*.

        It is for this thread, and until that transaction ends, which the host's other commits at the same restaurants
        wait for. It never begins, commits or rolls it back.

        Args:
            connection: A psycopg connection, or what SQLAlchemy or Django wrap around one: a Session, a Connection, or
                ``django.db.connection``. At READ COMMITTED, PostgreSQL's default.

        Raises:
            TypeError: There is no psycopg connection in it.
        """
        return JoinedStore(unwrap(connection, psycopg.Connection, "psycopg"), self._work.inside(), self._pool.where)


def calling(work: Callable[..., Any]) -> Work[Any]:
    """The work that is one call."""
    return (yield HostCall(work))
