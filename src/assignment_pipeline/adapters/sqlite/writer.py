"""The one thread of a process that writes to a database file."""

from __future__ import annotations

import collections
import contextlib
import contextvars
import copy
import datetime as dt
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any, Generic, TypeVar

import attrs

from assignment_pipeline import processes
from assignment_pipeline.adapters.sqlite.connections import Connections, Kind
from assignment_pipeline.adapters.sqlite.opening import HookError, primary_code, translate
from assignment_pipeline.errors import CommitUnknownError, StoreUnavailableError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

GROUP = 256
"""Jobs in one transaction at most."""

LINGER = 0.05
"""Seconds for which jobs that nobody waits for are gathered."""

RETRY = (0.00025, 0.00075)
"""
Seconds between two tries to get the write lock, drawn from this range.

SQLite's own busy handler waits longer with every try, so that whoever has waited longest asks
least often: with it, one of 16 writers got one commit in while others got thousands. Asking
at the same rate gives everyone the same chance.
"""

YIELD = 0.001
"""
Seconds between two groups where the second is already waiting.

Longer than anyone's pause between two tries: all who wait ask once before this process asks again.
"""

IDLE = 5.0
"""Seconds without work after which the thread ends."""

ROLLS_BACK = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_CORRUPT,
    }
)
"""The errors on which SQLite may undo the whole transaction by itself."""


@attrs.define(eq=False)
class _Job(Generic[T]):
    context: contextvars.Context  # The caller's: host code that the work calls finds its variables.
    work: Work[T]
    awaited: bool
    weight: int
    answer: futures.Future[T] = attrs.field(factory=futures.Future)


class Writer(processes.Watched):
    """
    Writes for all threads of a process, in the order in which they ask.

    Whatever is queued by the time the write lock is had goes into one transaction, each job in
    a savepoint of its own: one that raises is undone alone. They are answered once
    the commit has been, so that many writers share one flush of the disk.

    Args:
        connections: Where it gets its connection.

        patience: How long callers wait for their job to begin, and then again for its answer.

        backlog: What jobs that nobody waits for may weigh together.

    Attributes:
        lost: What jobs that nobody waited for weighed together, where they could not be done.
    """

    def __init__(self, connections: Connections, *, patience: dt.timedelta, backlog: int = 0) -> None:
        self.lost = 0
        self._connections = connections
        self._patience = patience.total_seconds()
        self._backlog = backlog
        self._closed = False
        self.reset_in_child()
        processes.watch(self)

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: what was queued is the parent's to do."""
        self._queue: collections.deque[_Job[Any]] = collections.deque()
        self._posted = 0
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition(threading.Lock())

    # -- What callers call ----------------------------------------------------------------------------------------

    def run(self, work: Work[T]) -> T:
        """
        Have *work* done in a transaction, and wait for its answer. What it raises is raised here.

        Raises:
            StoreUnavailableError: It could not be begun, or was undone: nothing was written.
            CommitUnknownError: It was begun, and there was no answer.
        """
        if threading.current_thread() is self._thread:
            msg = "code inside a transaction cannot ask for another: use the connection that it was given"
            raise RuntimeError(msg)
        job = _Job(contextvars.copy_context(), work, awaited=True, weight=0)
        self._put(job)
        try:
            return self._await(job)
        except Exception:
            raise
        except BaseException:
            # Interrupted: what is under way is seen to its end, so that no lock is let go of before it.
            if not job.answer.cancel():
                futures.wait([job.answer], self._patience)
            raise

    def _await(self, job: _Job[T]) -> T:
        where = self._connections.where
        with contextlib.suppress(TimeoutError):  # The job's own comes again below.
            return job.answer.result(self._patience)
        if job.answer.cancel():
            msg = f"{where}: others kept it locked for {self._patience:g} s"
            raise StoreUnavailableError(msg)
        if futures.wait([job.answer], self._patience).not_done:
            msg = f"{where}: no answer within {self._patience:g} s"
            raise CommitUnknownError(msg)
        return job.answer.result()

    def post(self, work: Work[object], weight: int) -> None:
        """Have *work* done some time soon. Never waits; where that would be needed, it is lost."""
        try:
            self._put(_Job(contextvars.Context(), work, awaited=False, weight=weight))
        except StoreUnavailableError:
            with self._changed:
                self.lost += weight

    def close(self) -> None:
        """Do what is queued, and end. Jobs that come later are refused."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(self._patience)
        self._refuse_all(StoreUnavailableError(f"{self._connections.where}: the store has been closed"))

    def at_exit(self) -> None:
        """See `Watched.at_exit`."""
        if self._thread is not None:
            self._patience = min(self._patience, processes.PATIENCE / 2)
            self.close()

    def _put(self, job: _Job[Any]) -> None:
        where = self._connections.where
        with self._changed:
            if self._closed:
                msg = f"{where}: the store has been closed"
                raise StoreUnavailableError(msg)
            if not job.awaited and self._posted + job.weight > self._backlog:
                msg = f"{where}: too much is queued"
                raise StoreUnavailableError(msg)
            if self._thread is None:
                self._start(where)
            self._posted += job.weight
            self._queue.append(job)
            self._changed.notify_all()

    def _start(self, where: str) -> None:
        thread = threading.Thread(target=self._serve, name="assignment-pipeline-writer", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            msg = f"{where}: the writer could not be started, {error}"
            raise StoreUnavailableError(msg) from error
        self._thread = thread

    # -- What the thread does -------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while self._wait_for_jobs():
            try:
                with self._connections.lend(Kind.WRITE) as connection:
                    if self._begin(connection):
                        self._write_group(connection)
                        if self._queue:
                            time.sleep(YIELD)
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
                self._refuse_all(error)

    def _wait_for_jobs(self) -> bool:
        """Whether there is something to do; else the thread is to end."""
        with self._changed:
            idle_at = time.monotonic() + IDLE
            while not self._queue:
                if self._closed or not self._changed.wait(idle_at - time.monotonic()):
                    self._thread = None
                    return False
            linger_until = time.monotonic() + LINGER
            while not self._closed and not any(job.awaited for job in self._queue):
                if not self._changed.wait(linger_until - time.monotonic()):
                    break
        return True

    def _begin(self, connection: sqlite3.Connection) -> bool:
        """Get the write lock; False when nobody waits for it any more, or the process is about to fork."""
        while not self._not_wanted():
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if primary_code(error) != sqlite3.SQLITE_BUSY:
                    raise
            else:
                return True
            time.sleep(random.uniform(*RETRY) if self._awaited() else LINGER)  # noqa: S311 - not a secret
        return False

    def _awaited(self) -> bool:
        with self._changed:
            return any(job.awaited for job in self._queue)

    def _not_wanted(self) -> bool:
        if self._connections.paused:
            return True
        with self._changed:
            while self._queue and self._queue[0].answer.cancelled():
                self._queue.popleft()
            return not self._queue

    def _next(self) -> _Job[Any] | None:
        with self._changed:
            while self._queue:
                job = self._queue.popleft()
                self._posted -= job.weight
                if job.answer.set_running_or_notify_cancel():
                    return job
        return None

    def _write_group(self, connection: sqlite3.Connection) -> None:
        where = self._connections.where
        group: list[_Job[Any]] = []
        answers: list[tuple[Any, BaseException | None]] = []
        committing = False
        try:
            while len(group) < GROUP and (job := self._next()) is not None:
                group.append(job)
                answers.append(_attempt(connection, job))
            committing = True
            connection.execute("COMMIT")
        except _TransactionEndedError as error:
            _roll_back(connection)
            culprit = RuntimeError("code inside a transaction must not commit it or roll it back")
            culprit.__cause__ = error.__cause__
            self._fail(group[-1:], culprit)
            self._fail(group[:-1], CommitUnknownError(f"{where}: another job ended the transaction"))
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            _roll_back(connection)
            if committing and primary_code(error) == sqlite3.SQLITE_IOERR:
                # The commit may be on the disk although the disk says that it is not.
                self._fail(group, CommitUnknownError(f"{where}: {error}"))
            else:
                self._fail(group, translate(error, where))
        else:
            for job, (value, failure) in zip(group, answers, strict=True):
                if failure is None:
                    job.answer.set_result(value)
                else:
                    self._fail([job], translate(failure, where))

    def _refuse_all(self, error: BaseException) -> None:
        """Tell everyone whose job has not begun that it will not."""
        refused = []
        while (job := self._next()) is not None:
            refused.append(job)
        self._fail(refused, translate(error, self._connections.where))

    def _fail(self, jobs: list[_Job[Any]], error: BaseException) -> None:
        for job in jobs:
            if not job.awaited:
                with self._changed:
                    self.lost += job.weight
            # Each thread raises one of its own.
            own = error if len(jobs) == 1 else copy.copy(error)
            own.__cause__ = error.__cause__
            job.answer.set_exception(own)


class _TransactionEndedError(Exception):
    """A job has ended the transaction that it was to be a part of."""


def _attempt(connection: sqlite3.Connection, job: _Job[Any]) -> tuple[Any, BaseException | None]:
    """What the job returns or raises; in the latter case, it is undone."""
    connection.execute("SAVEPOINT job")
    value: Any = None
    failure: BaseException | None = None
    try:
        value = job.context.run(job.work, connection)
    except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
        failure = error
    if not connection.in_transaction:
        cause = failure.error if isinstance(failure, HookError) else failure
        if isinstance(cause, sqlite3.Error) and primary_code(cause) in ROLLS_BACK:
            raise cause
        raise _TransactionEndedError from cause
    try:
        if failure is not None:
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")
    except sqlite3.OperationalError as error:
        if primary_code(error) != sqlite3.SQLITE_ERROR:
            raise
        raise _TransactionEndedError from error  # And has begun another.
    return value, failure


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
