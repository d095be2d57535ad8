"""The embedded store."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from assignment_pipeline.adapters.schema_parts import PIPELINE, STANDALONE
from assignment_pipeline.adapters.sqlite.audit import Audits
from assignment_pipeline.adapters.sqlite.blocks import Blocks
from assignment_pipeline.adapters.sqlite.codec import event_row
from assignment_pipeline.adapters.sqlite.commits import Commits
from assignment_pipeline.adapters.sqlite.connections import PAUSE, Connections, Kind
from assignment_pipeline.adapters.sqlite.joined import JoinedStore
from assignment_pipeline.adapters.sqlite.metrics import Measures
from assignment_pipeline.adapters.sqlite.opening import (
    FileConnection,
    connect,
    data_version,
    locate,
    primary_code,
    roll_back,
    translated,
)
from assignment_pipeline.adapters.sqlite.reads import ReadingStore, Reads
from assignment_pipeline.adapters.sqlite.rollout import Revisions
from assignment_pipeline.adapters.sqlite.schema import check_part
from assignment_pipeline.adapters.sqlite.shadow import Shadows
from assignment_pipeline.adapters.sqlite.writer import Writer
from assignment_pipeline.adapters.unwrapping import unwrap
from assignment_pipeline.adapters.venues import Venues
from assignment_pipeline.clock import SystemClock
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.venue import Venue
from assignment_pipeline.domain.wake_order import WakeOrder
from assignment_pipeline.errors import CommitUnknownError, InvalidValueError, StoreUnavailableError
from assignment_pipeline.ports import (
    AssignmentContext,
    CheckedHost,
    Clock,
    Due,
    Host,
    LoadQuery,
    OnCommit,
)

T = TypeVar("T")

BUSY_TIMEOUT = dt.timedelta(seconds=5)

BACKLOG = 10_000
"""Events that wait to be written, at most."""

_SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")


def _refuse_to_end(action: int, *_: object) -> int:
    return sqlite3.SQLITE_DENY if action == sqlite3.SQLITE_TRANSACTION else sqlite3.SQLITE_OK


def _rolled_back(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    """What *work* answers, whose transaction leaves nothing behind."""
    try:
        return work(connection)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


class SQLiteStore(Revisions, ReadingStore, Shadows, Measures, Audits):
    """
    An `AssignmentStore`, `AuditStore`, `RolloutStore` and `EventSink` in a file, for processes on one machine.

    Reads run beside each other and beside writes, each in one snapshot. All writes of a process go through
    one thread, which commits what is waiting together; between processes they take turns. It
    survives forks, but not beside a connection to the same file that the host has open while the process forks.

    With a `StandaloneHost`, a load and the commit behind it share a connection. What that connection has read or
    written itself is not read again, as long as SQLite says that no other connection has committed.

    Nothing is opened before it is needed. Close it, or use it as a context manager.

    Args:
        path: The database file, which `init` has made or added our tables to.

        host: The host's side. Its methods get a connection to that file. Where it has an
            ``on_commit(connection, changes)`` of its own, that is called in every commit, too.

        clock: The store's clock; this machine's unless told otherwise.

        synchronous: SQLite's setting for commits: ``FULL`` survives a power cut, ``NORMAL`` may lose the last ones
            in it.

        busy_timeout: For how long a call waits for others that lock the file, and then for its own answer.

        on_commit: Host code to run inside each commit.

    Attributes:
        inline: Always true: `emit` never blocks.
    """

    inline = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        host: Host,
        clock: Clock | None = None,
        synchronous: str = "FULL",
        busy_timeout: dt.timedelta = BUSY_TIMEOUT,
        on_commit: OnCommit | None = None,
    ) -> None:
        if synchronous.upper() not in _SYNCHRONOUS:
            raise InvalidValueError("synchronous", f"{', '.join(_SYNCHRONOUS)}", repr(synchronous))
        self._host = host
        self._where = locate(path)
        self._busy_timeout = busy_timeout
        self._connections = Connections(
            self._where, synchronous=synchronous.upper(), busy_timeout=busy_timeout, prepare=self._check
        )
        self._writer = Writer(self._connections, patience=busy_timeout, backlog=BACKLOG)
        self._reads = Reads(CheckedHost(host, on_commit), clock or SystemClock(), Venues())
        self._commits = Commits(self._reads)
        self._blocks = Blocks(self._commits)

    def _check(self, connection: sqlite3.Connection) -> None:
        check_part(connection, self._where)
        check_host = getattr(self._host, "check_schema", None)
        if check_host is not None:
            check_host(connection, self._where)

    def _check_whole(self, connection: sqlite3.Connection) -> None:
        self._check(connection)
        for part in (PIPELINE, STANDALONE) if getattr(self._host, "is_ours", False) else (PIPELINE,):
            check_part(connection, self._where, part, whole=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write the events that are waiting, and close the file. Calls that come later raise."""
        self._writer.close()
        self._connections.close()

    def apart(self) -> SQLiteStore:
        """The same store for the shadow: connections are opened as they are needed, so that nobody waits for one."""
        return self

    # -- Reading --------------------------------------------------------------------------------------------------

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with translated(self._where), self._connections.lend(Kind.READ) as connection:
            connection.execute("BEGIN")
            return _rolled_back(connection, work)

    def load(self, query: LoadQuery) -> AssignmentContext | None:
        """See `AssignmentStore.load`. It reads on the connection that the next commit writes on: see `LastLook`."""
        if not self._reads.asks_no_other:
            return super().load(query)

        with translated(self._where), self._connections.lend(Kind.WRITE) as connection:
            version = self._snapshot(connection)
            known = connection.known_at(version)
            found = _rolled_back(connection, lambda connection: self._reads.look(connection, query, version, known))
            if found is None:
                return None
            context, connection.last_look = found
            return context

    def _snapshot(self, connection: FileConnection) -> int:
        """Begin to read on a connection that does not wait by itself; its `data_version` then."""
        deadline = time.monotonic() + self._busy_timeout.total_seconds()
        while True:
            try:
                connection.execute("BEGIN")
                return data_version(connection)
            except sqlite3.OperationalError as error:
                roll_back(connection)
                if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(PAUSE)

    def check_schema(self) -> None:
        self._read(self._check_whole)

    # -- Writing --------------------------------------------------------------------------------------------------

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        def commit(connection: FileConnection) -> None:
            known = connection.last_look and connection.known_at(data_version(connection))
            connection.last_look = self._commits.commit(connection, changes, known)

        self._writer.run(commit)

    def knows(self, change: AssignmentChange) -> bool:
        """See `AssignmentStore.knows`: it queues behind the commits of this process, and locks out those of others."""
        return self._ask(lambda connection: self._reads.knows(connection, change))

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        return self._writer.run(lambda connection: self._blocks.block(connection, blocks, events))

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        return self._writer.run(lambda connection: self._blocks.unblock(connection, blocks, events))

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        if not self._read(self._commits.any_due):
            return ()  # Most often, and without the write lock.
        return self._ask(lambda connection: self._commits.due(connection, limit, order))

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        self._ask(lambda connection: self._commits.put_back(connection, claims, after))

    def _ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Where it does not matter whether *work* has landed, only that there was no answer."""
        try:
            return self._writer.run(work)
        except CommitUnknownError as error:
            raise StoreUnavailableError(error.detail) from error

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """
        Run *work* in a transaction of its own, which it must not end; what it raises undoes it.

        It is how a standalone host's own rows are written: ``store.write(lambda connection:
        host.put_booking(connection, booking))``.

        Raises:
            CommitUnknownError: The answer was lost.
        """
        return self._writer.run(work)

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
        return self._reads.host

    def probe(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """
        Run *work* in a transaction that is rolled back, whatever comes of it: nothing that it writes stays.

        Others wait with their writes until it ends. A COMMIT in it is refused.
        """
        with translated(self._where), contextlib.closing(connect(self._where, busy_timeout=BUSY_TIMEOUT)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.set_authorizer(_refuse_to_end)
            try:
                return work(connection)
            finally:
                connection.set_authorizer(None)
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def joined(self, connection: Any) -> JoinedStore:
        """
        The same store inside a transaction that the host has open on *connection*.

        It is for this thread, and until that transaction ends. It never begins, commits or rolls it back.

        Args:
            connection: One of sqlite3, or what SQLAlchemy or Django wrap around one: a Session, a Connection, or
                ``django.db.connection``. The driver begins a transaction with the first write; begin it yourself
                where there was none, and before SQLAlchemy's ``begin_nested()``: a savepoint without a transaction
                around it commits by itself.

        Raises:
            TypeError: There is no sqlite3 connection in it.
        """
        inner = unwrap(connection, sqlite3.Connection, "sqlite3")
        return JoinedStore(inner, self._reads, self._commits, self._where, self._check, wrapped=connection)

    # -- Events ---------------------------------------------------------------------------------------------------

    def emit(self, events: Sequence[Event]) -> None:
        """See `EventSink.emit`: they are written shortly, or counted in `lost`. Never blocks."""
        if events:
            rows = [event_row(event) for event in events]
            self._writer.post(lambda connection: self._commits.tell(connection, rows), len(rows))

    @property
    def lost(self) -> int:
        """How many emitted events could not be written, in this process."""
        return self._writer.lost

    def flush(self) -> None:
        """
        Wait until the events that were emitted before are written.

        Raises:
            StoreUnavailableError: They could not be.
        """
        self._ask(lambda connection: None)  # noqa: ARG005 - it only stands in line
