"""The store inside a transaction of the host's."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from assignment_pipeline.adapters.sqlite.blocks import Blocks
from assignment_pipeline.adapters.sqlite.codec import event_row
from assignment_pipeline.adapters.sqlite.commits import Commits
from assignment_pipeline.adapters.sqlite.opening import translated
from assignment_pipeline.adapters.sqlite.reads import ReadingStore, Reads
from assignment_pipeline.domain.blocks import TableBlock
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange
from assignment_pipeline.domain.wake_order import WakeOrder
from assignment_pipeline.errors import InvalidValueError, StoreUnavailableError
from assignment_pipeline.ports import Due

T = TypeVar("T")

# It changes nothing, and yet SQLite takes the lock of those that write.
TAKE_WRITE_LOCK = "UPDATE assignment_schema SET version = version WHERE 0"


class JoinedStore(ReadingStore):
    """
    An `AssignmentStore` on a connection whose transaction is the host's. Made by `SQLiteStore.joined`.

    What it writes lands when the host commits. A call that raises leaves nothing of itself behind, and
    the host's transaction as it was.
    """

    inline = True

    def __init__(
        self,
        connection: sqlite3.Connection,
        reads: Reads,
        commits: Commits,
        where: str,
        check: Callable[[sqlite3.Connection], None],
        *,
        wrapped: Any,
    ) -> None:
        self._connection = connection
        self._wrapped = wrapped
        # Inside a savepoint, nobody can tell whether a transaction began before it.
        self._began_before = connection.in_transaction and not self._is_in_savepoint()
        self._reads = reads
        self._commits = commits
        self._where = where
        self._check = check
        self._checked = False

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if not self._connection.in_transaction:
            raise InvalidValueError(
                "connection", "one with a transaction open, such as after BEGIN IMMEDIATE", "one without"
            )
        if not self._began_before and self._is_in_savepoint():
            raise InvalidValueError(
                "connection",
                "one outside of begin_nested(): SQLite keeps what is written in it when the transaction is rolled back",
                "one inside. Begin the transaction (BEGIN IMMEDIATE) and call joined() before begin_nested()",
            )
        with translated(self._where):
            if not self._checked:
                self._check(self._connection)
                self._checked = True
            return work(self._connection)

    def _is_in_savepoint(self) -> bool:
        """Whether SQLAlchemy has a savepoint open. Its driver may not have begun a transaction before it."""
        nested = getattr(self._wrapped, "in_nested_transaction", None)
        return nested is not None and self._connection.isolation_level is not None and bool(nested())

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def saved(connection: sqlite3.Connection) -> T:
            connection.execute("SAVEPOINT assignment_pipeline")
            try:
                answer = work(connection)
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK TO assignment_pipeline")
                    connection.execute("RELEASE assignment_pipeline")
                raise
            if not connection.in_transaction:
                msg = "code inside a transaction must not commit it or roll it back"
                raise RuntimeError(msg)
            connection.execute("RELEASE assignment_pipeline")
            return answer

        return self._read(saved)

    def commit(self, changes: Sequence[AssignmentChange]) -> None:
        """See `AssignmentStore.commit`; it lands with the host's transaction."""
        self._write(lambda connection: self._commits.commit(connection, changes))

    def knows(self, change: AssignmentChange) -> bool:
        return self._read(lambda connection: self._reads.knows(connection, change))

    def block(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> tuple[str, ...]:
        """See `AssignmentStore.block`; it lands with the host's transaction."""
        return self._write(lambda connection: Blocks(self._commits).block(connection, blocks, events))

    def unblock(self, blocks: Sequence[TableBlock], events: Sequence[Event]) -> bool:
        """See `AssignmentStore.unblock`; it lands with the host's transaction."""
        return self._write(lambda connection: Blocks(self._commits).unblock(connection, blocks, events))

    def guard(self, restaurant_ids: Sequence[str]) -> None:  # noqa: ARG002 - one writer for all restaurants
        """
        See `Joined.guard`: it takes the database's write lock, which a ``BEGIN IMMEDIATE`` has taken already.

        Raises:
            StoreUnavailableError: Somebody else is writing, or has written since this transaction first read.
        """
        try:
            self._write(lambda connection: connection.execute(TAKE_WRITE_LOCK))
        except StoreUnavailableError as error:
            if getattr(error.__cause__, "sqlite_errorname", None) != "SQLITE_BUSY_SNAPSHOT":
                raise
            detail = "what this transaction has read is no longer so: roll back, and begin it with BEGIN IMMEDIATE"
            raise StoreUnavailableError(f"{self._where}: {detail}") from error

    def due(self, limit: int, order: WakeOrder = WakeOrder.LONGEST_WAIT) -> tuple[Due, ...]:
        return self._write(lambda connection: self._commits.due(connection, limit, order))

    def put_back(self, claims: Sequence[Due], after: dt.timedelta) -> None:
        self._write(lambda connection: self._commits.put_back(connection, claims, after))

    def check_schema(self) -> None:
        with translated(self._where):
            self._check(self._connection)

    def emit(self, events: Sequence[Event]) -> None:
        """See `EventSink.emit`; they land with the host's transaction."""
        rows = [event_row(event) for event in events]
        self._write(lambda connection: self._commits.tell(connection, rows))
