"""Lending connections to one database file."""

from __future__ import annotations

import contextlib
import datetime as dt
import enum
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator

from assignment_pipeline import processes
from assignment_pipeline.adapters.sqlite.opening import connect, ensure_wal
from assignment_pipeline.errors import StoreUnavailableError

KEPT = 8
"""Idle connections of a kind that are kept open."""

CACHE_KIB = 8192


class Kind(enum.Enum):
    """What a connection is for."""

    READ = enum.auto()
    WRITE = enum.auto()


class Connections(processes.Watched):
    """
    Connections to a file, lent to one thread at a time, and opened as they are needed.

    When the process forks, the lending pauses and everything is closed; parent and
    child open connections of their own. A child that was forked while some were out
    for longer than a fork waits is not safe to work in, and is refused.

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
        self._begin_afresh()
        processes.watch(self)

    def _begin_afresh(self) -> None:
        self._gate = threading.Condition(threading.Lock())
        self._paused = False
        self._idle: dict[Kind, list[sqlite3.Connection]] = {kind: [] for kind in Kind}
        self._out: dict[object, tuple[int, list[sqlite3.Connection]]] = {}

    @property
    def paused(self) -> bool:
        """Whether whoever has a connection is asked to return it soon."""
        return self._paused

    @contextlib.contextmanager
    def lend(self, kind: Kind) -> Iterator[sqlite3.Connection]:
        """
        A connection, for the length of the block.

        Raises:
            StoreUnavailableError: The file cannot be opened, or the lending has been closed.
            SchemaMismatchError: It does not hold what it should.
        """
        loan = object()
        held: list[sqlite3.Connection] = []
        with self._gate:
            while self._paused:
                self._gate.wait()
            self._refuse_if_unusable()
            if self._idle[kind]:
                held.append(self._idle[kind].pop())
            out = self._out
            out[loan] = (threading.get_ident(), held)
        try:
            if not held:
                held.append(self._open(kind))
            yield held[0]
        finally:
            # After a fork inside the block, in the child, it is somebody else's connection.
            if out is self._out:
                self._take_back(kind, loan, held)

    def _refuse_if_unusable(self) -> None:
        if self._closed:
            msg = f"{self.where}: the store has been closed"
            raise StoreUnavailableError(msg)
        if self._torn:
            msg = f"{self.where}: the process was forked in the middle of a transaction, start it anew"
            raise StoreUnavailableError(msg)

    def _open(self, kind: Kind) -> sqlite3.Connection:
        connection = connect(self.where, busy_timeout=self._busy_timeout)
        try:
            self._prepare(connection)
            ensure_wal(connection, self.where, patience=self._busy_timeout)
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            if kind is Kind.READ:
                connection.execute("PRAGMA query_only = ON")
            else:
                connection.execute(f"PRAGMA synchronous = {self._synchronous}")
                connection.execute("PRAGMA busy_timeout = 0")  # The writer waits by itself.
        except BaseException:
            connection.close()
            raise
        return connection

    def _take_back(self, kind: Kind, loan: object, held: list[sqlite3.Connection]) -> None:
        with self._gate:
            idle = self._idle[kind]
            keep = not self._closed and len(idle) < KEPT
            for connection in held:
                if keep and not connection.in_transaction:
                    idle.append(connection)
                else:
                    connection.close()
            del self._out[loan]
            self._gate.notify_all()

    def close(self) -> None:
        """Close what is idle now, and what is out when it comes back. For good."""
        with self._gate:
            self._closed = True
            self._close_idle()

    def _close_idle(self) -> None:
        for idle in self._idle.values():
            while idle:
                idle.pop().close()

    def before_fork(self, deadline: float) -> None:
        """See `Watched.before_fork`: everything is closed then."""
        me = threading.get_ident()
        with self._gate:
            self._paused = True
            while self._out and not any(thread == me for thread, _ in self._out.values()):
                if not self._gate.wait(max(0.0, deadline - time.monotonic())):
                    break
            self._close_idle()

    def after_fork(self) -> None:
        """See `Watched.after_fork`."""
        with self._gate:
            self._paused = False
            self._gate.notify_all()

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: what is still open is the parent's, never touched or closed here."""
        inherited = [connection for _, held in self._out.values() for connection in held]
        inherited += [connection for idle in self._idle.values() for connection in idle]
        for connection in inherited:
            processes.leak(connection)
        self._torn = self._torn or bool(inherited or self._out)
        self._begin_afresh()
