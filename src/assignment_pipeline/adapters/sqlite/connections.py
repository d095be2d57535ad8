"""Lending connections to one database file."""

from __future__ import annotations

import collections
import contextlib
import datetime as dt
import enum
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

import attrs

from assignment_pipeline import processes
from assignment_pipeline.adapters.sqlite.files import Files
from assignment_pipeline.adapters.sqlite.opening import FileConnection, connect, ensure_wal
from assignment_pipeline.errors import SchemaMismatchError, StoreUnavailableError

KEPT = 8
"""Idle connections of a kind that are kept open."""

CACHE_KIB = 8192

PAUSE = 0.001
"""Seconds between two looks whether others have returned theirs."""


class Kind(enum.Enum):
    """What a connection is for."""

    READ = enum.auto()
    WRITE = enum.auto()


@attrs.define(eq=False)
class _Loan:
    thread: int
    connection: FileConnection | None = None


class Connections(processes.Watched):
    """
    Connections to a file, lent to one thread at a time, and opened as they are needed.

    When the process forks, the lending pauses and everything is closed; parent and
    child open connections of their own. A child that was forked while some were out
    for longer than a fork waits is not safe to work in, and is refused.

    When the file is replaced, connections to the old one are closed, and the next are to the new one.

    Nothing here is locked, so that a thread that is interrupted leaves nothing locked: see `jobs`.

    Args:
        where: The file, as `locate` names it.

        synchronous: SQLite's ``synchronous`` for writing: ``FULL`` survives a power cut.

        busy_timeout: How long SQLite waits for others that lock the file.

        prepare: Called with each new connection, to refuse what does not fit.
    """

    def __init__(
        self,
        where: str,
        *,
        synchronous: str,
        busy_timeout: dt.timedelta,
        prepare: Callable[[sqlite3.Connection], None],
    ) -> None:
        self.where = where
        self._synchronous = synchronous
        self._busy_timeout = busy_timeout
        self._prepare = prepare
        self._closed = False
        self._torn = False
        self._files: Files | None = None  # Those that were opened last.
        self._begin_afresh()
        processes.watch(self)

    def _begin_afresh(self) -> None:
        self._paused = False
        self._idle: dict[Kind, collections.deque[FileConnection]] = {kind: collections.deque() for kind in Kind}
        self._out: dict[int, _Loan] = {}

    @property
    def paused(self) -> bool:
        """Whether holders of a connection are asked to return it soon."""
        return self._paused

    @contextlib.contextmanager
    def lend(self, kind: Kind) -> Iterator[FileConnection]:
        """
        A connection, for the length of the block.

        Raises:
            StoreUnavailableError: The file cannot be opened, or is gone, or the lending has been closed.
            SchemaMismatchError: It does not hold what it should.
        """
        loan = _Loan(threading.get_ident())
        out = self._out
        try:
            self._enter(loan)
            loan.connection = self._find(kind)
            yield loan.connection
        finally:
            # After a fork inside the block, in the child, it is somebody else's connection.
            if out is self._out:
                self._take_back(kind, loan)

    def _enter(self, loan: _Loan) -> None:
        """Announce *loan*, and only then look whether a fork waits: `before_fork` does it the other way round."""
        self._out[id(loan)] = loan
        while self._paused:
            del self._out[id(loan)]
            time.sleep(PAUSE)
            self._out[id(loan)] = loan
        if self._closed:
            msg = f"{self.where}: the store has been closed"
            raise StoreUnavailableError(msg)
        if self._torn:
            msg = f"{self.where}: the process was forked in the middle of a transaction, start it anew"
            raise StoreUnavailableError(msg)

    def _find(self, kind: Kind) -> FileConnection:
        now = Files.at(self.where)
        if now == self._files:
            with contextlib.suppress(IndexError):
                return self._idle[kind].pop()
        elif self._files is not None:
            self._leave(self._files, now)
        return self._open(kind)

    def _leave(self, before: Files, now: Files) -> None:
        """Close what is open to files that have lost their names to *now*."""
        if now.database is None:
            # What is open stays so: it keeps the log's number from being given to another file.
            raise StoreUnavailableError(f"{self.where}: {before.became(now)}")
        if now.database != before.database and self._has_open(before):
            before.set_log_aside(self.where, now)
        self._close_idle()
        # SQLite keeps one account of a file for all connections of the process: no new one beside an old one.
        deadline = time.monotonic() + self._busy_timeout.total_seconds()
        while any(now.share_only_the_database(files) for files in self._lent()):
            if time.monotonic() > deadline:
                raise StoreUnavailableError(f"{self.where}: {before.became(now)}")
            time.sleep(PAUSE)

    def _has_open(self, files: Files) -> bool:
        idle = [connection.files for kind in Kind for connection in self._idle[kind].copy()]
        return files in (*idle, *self._lent())

    def _lent(self) -> list[Files]:
        return [loan.connection.files for loan in [*self._out.values()] if loan.connection is not None]

    def _open(self, kind: Kind) -> FileConnection:
        before = Files.at(self.where)
        try:
            connection = connect(self.where, busy_timeout=self._busy_timeout)
        except SchemaMismatchError as error:
            if self._files is None:
                raise
            raise StoreUnavailableError(f"{self.where}: {before.became(before._replace(database=None))}") from error
        try:
            self._prepare(connection)
            ensure_wal(connection, self.where, patience=self._busy_timeout)
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            connection.execute("PRAGMA temp_store = MEMORY")  # Else each savepoint of some size makes a file.
            if kind is Kind.READ:
                connection.execute("PRAGMA query_only = ON")
            else:
                connection.execute(f"PRAGMA synchronous = {self._synchronous}")
                connection.execute("PRAGMA busy_timeout = 0")  # The writer waits by itself.
            connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()  # Makes the other two files.
            connection.files = Files.at(self.where)
            connection.files._replace(database=before.database).require(self.where)
        except BaseException:
            connection.close()
            raise
        self._files = connection.files
        return connection

    def _take_back(self, kind: Kind, loan: _Loan) -> None:
        connection = loan.connection
        if connection is not None:
            idle = self._idle[kind]
            keep = len(idle) < KEPT and connection.files == self._files
            if keep and not connection.is_closed() and not connection.in_transaction:
                idle.append(connection)
            else:
                connection.close()
        self._out.pop(id(loan), None)
        if self._closed:
            self._close_idle()

    def close(self) -> None:
        """Close what is idle now, and what is out when it comes back. For good."""
        self._closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        for idle in self._idle.values():
            with contextlib.suppress(IndexError):
                while True:
                    idle.pop().close()

    def before_fork(self, deadline: float) -> None:
        """See `Watched.before_fork`: everything is closed then."""
        me = threading.get_ident()
        self._paused = True
        while (out := [*self._out.values()]) and not any(loan.thread == me for loan in out):
            if time.monotonic() > deadline:
                break
            time.sleep(PAUSE)
        self._close_idle()

    def after_fork(self) -> None:
        self._paused = False

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: what is still open is the parent's, never touched or closed here."""
        inherited = [loan.connection for loan in self._out.values() if loan.connection is not None]
        inherited += [connection for idle in self._idle.values() for connection in idle]
        for connection in inherited:
            processes.leak(connection)
        self._torn = self._torn or bool(inherited or self._out)
        self._begin_afresh()
