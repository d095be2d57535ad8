"""The one thread of a process that writes to a database file."""

from __future__ import annotations

import _thread
import collections
import contextlib
import contextvars
import copy
import datetime as dt
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from assignment_pipeline import processes
from assignment_pipeline.adapters.sqlite.connections import Connections, Kind
from assignment_pipeline.adapters.sqlite.jobs import Job, Tally, Work
from assignment_pipeline.adapters.sqlite.opening import FileConnection, HookError, primary_code, roll_back, translate
from assignment_pipeline.errors import CommitUnknownError, StoreUnavailableError

T = TypeVar("T")

GROUP = 256
"""Jobs in one transaction at most."""

LINGER = 0.05
"""Seconds for which jobs that nobody waits for are gathered."""

RETRY = (0.00025, 0.00075)
"""
Seconds between two tries to get the write lock, drawn from this range.

SQLite's own busy handler waits longer with every try, so that the one that has waited longest asks
least often: with it, one of 16 writers got one commit in while others got thousands. Asking
at the same rate gives everyone the same chance.
"""

YIELD = 0.001
"""
Seconds between two groups where the second is already waiting.

Longer than anyone's pause between two tries: all who wait ask once before this process asks again.
"""

INTERRUPTED = 0.5
"""Seconds for which an interrupted caller waits for work that has been begun."""

POLL = 0.001
"""Seconds between two looks whether the thread has ended."""

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

# A savepoint that begins the transaction costs nothing; under any other, SQLite copies each page before it changes it.
# It takes no lock: a statement that writes does, even one that writes nothing.
BEGIN, LOCK = "SAVEPOINT work", "UPDATE assignment_rollout SET generation = generation WHERE 0"
COMMIT = "RELEASE work"

ENDED = "code inside a transaction must not commit it or roll it back"
CLOSED = "code inside a transaction must not close the connection that it was given"


class Writer(processes.Watched):
    """
    Writes for all threads of a process, in the order in which they ask.

    All jobs that are queued when the write lock is acquired go into one transaction, each job behind
    the first in a savepoint of its own: one that raises is undone alone. They are answered once
    the commit has been, so that many writers share one flush of the disk.

    A caller holds no lock that the thread needs, so that an interrupt at any of its steps leaves the others at work:
    see `jobs`.

    Args:
        connections: Where it gets its connection.

        patience: How long callers wait for their job to begin, and then again for its answer.

        backlog: What jobs that nobody waits for may weigh together.
    """

    def __init__(self, connections: Connections, *, patience: dt.timedelta, backlog: int = 0) -> None:
        self._lost = Tally()
        self._connections = connections
        self._patience = patience.total_seconds()
        self._backlog = backlog
        self._closed = False
        self._abandoned = False  # Closed for so long that what is queued is refused.
        self.reset_in_child()
        processes.watch(self)

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: what was queued is the parent's to do."""
        self._inbox: queue.SimpleQueue[Job[Any]] = queue.SimpleQueue()  # From callers to the thread.
        self._queue: collections.deque[Job[Any]] = collections.deque()  # The thread's own.
        self._posted = Tally()
        self._done = 0  # What the thread has taken of what was posted.
        self._starting = False
        self._seat = threading.Lock()  # Held by the thread that serves, and by no caller.
        self._server: int | None = None  # That thread.

    @property
    def lost(self) -> int:
        """What jobs that nobody waited for weighed together, where they could not be done."""
        return self._lost.total

    # -- What callers call ----------------------------------------------------------------------------------------

    def run(self, work: Work[T]) -> T:
        """
        Have *work* done in a transaction, and wait for its answer. What it raises is raised here.

        Raises:
            StoreUnavailableError: It could not be begun, or was undone: nothing was written.
            CommitUnknownError: It was begun, and there was no answer.
        """
        if threading.get_ident() == self._server:
            msg = "code inside a transaction cannot ask for another: use the connection that it was given"
            raise RuntimeError(msg)
        self._refuse_if_closed()
        job = Job(work, contextvars.copy_context())
        try:
            self._inbox.put(job)
            if not self._seat.locked():
                self._start()
            self._await(job)
        except BaseException as error:
            # Interrupted: work that has begun ends first, so that no lock is released before it.
            if not job.claim() and not isinstance(error, Exception):
                job.wait(INTERRUPTED)
            raise
        return job.result()

    def _await(self, job: Job[Any]) -> None:
        where = self._connections.where
        if job.wait(self._patience):
            return
        if job.claim():
            msg = f"{where}: others kept it locked for {self._patience:g} s"
            raise StoreUnavailableError(msg)
        if not job.wait(self._patience):
            msg = f"{where}: no answer within {self._patience:g} s"
            raise CommitUnknownError(msg)

    def post(self, work: Work[object], weight: int) -> None:
        """Have *work* done some time soon. Never waits; where that would be needed, it is lost."""
        if self._closed or self._posted.total - self._done + weight > self._backlog:
            self._lost.add(weight)
            return
        self._inbox.put(Job(work, contextvars.Context(), awaited=False, weight=weight))
        self._posted.add(weight)
        if not self._starting and not self._seat.locked():
            with contextlib.suppress(StoreUnavailableError):  # The next call tries again.
                self._start()

    def close(self) -> None:
        """Do what is queued, and end. Jobs that come later are refused."""
        self._closed = True
        deadline = time.monotonic() + self._patience
        if self._seat.locked() or not self._inbox.empty():
            self._inbox.put(Job.nothing())  # Wakes the thread.
            if not self._seat.locked():
                with contextlib.suppress(StoreUnavailableError):
                    self._start()
        self._wait_for_end(deadline)
        self._abandoned = True
        self._wait_for_end(time.monotonic() + 2 * LINGER)
        while (job := self._from_inbox()) is not None:  # The thread is in host code, or there is none.
            if job.claim():
                self._fail([job], self._closed_error())

    def _wait_for_end(self, deadline: float) -> None:
        while self._is_served() and time.monotonic() < deadline and threading.get_ident() != self._server:
            time.sleep(POLL)

    def _is_served(self) -> bool:
        return not self._inbox.empty() or self._seat.locked()

    exit_turn = 2  # Sinks give it events until then.

    def at_exit(self) -> None:
        if self._is_served():
            self._patience = min(self._patience, processes.PATIENCE / 2)
            self.close()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise self._closed_error()

    def _closed_error(self) -> StoreUnavailableError:
        return StoreUnavailableError(f"{self._connections.where}: the store has been closed")

    def _start(self) -> None:
        """
        Start a thread that serves, unless another does.

        `threading.Thread.start` takes locks that the new thread needs, and so is called in a thread of its own.
        """
        self._starting = True
        try:
            _thread.start_new_thread(self._launch, ())
        except RuntimeError as error:
            self._starting = False
            msg = f"{self._connections.where}: the writer could not be started, {error}"
            raise StoreUnavailableError(msg) from error

    def _launch(self) -> None:
        try:
            threading.Thread(target=self._serve, name="assignment-pipeline-writer", daemon=True).start()
        except RuntimeError:  # There may be no more threads than this.
            self._serve()

    # -- What the thread does -------------------------------------------------------------------------------------

    def _serve(self) -> None:
        seat = self._seat
        while seat.acquire(blocking=False):
            self._server, self._starting = threading.get_ident(), False
            try:
                while self._wait_for_jobs():
                    self._write()
            finally:
                self._server = None
                seat.release()
            if self._inbox.empty():  # Else somebody asked before the seat was free, and started nobody.
                return

    def _take_in(self, seconds: float = 0.0) -> bool:
        """
        Take what callers have asked for into the queue, and drop what they gave up.

        Args:
            seconds: For how long to wait for something, at most.

        Returns:
            Whether there is something to do.
        """
        while seconds or not self._inbox.empty():
            job = self._from_inbox(seconds)
            if job is not None:
                self._queue.append(job)
            seconds = 0.0
        while self._queue and self._queue[0].claimed:
            self._queue.popleft()
        return bool(self._queue)

    def _from_inbox(self, seconds: float = 0.0) -> Job[Any] | None:
        with contextlib.suppress(queue.Empty):
            return self._inbox.get(timeout=seconds)
        return None

    def _wait_for_jobs(self) -> bool:
        """Whether there is something to do; else the thread is to end."""
        until, lingers = time.monotonic() + IDLE, False
        wanted = self._take_in()
        while not self._closed and not self._awaited():
            if wanted and not lingers:
                until, lingers = time.monotonic() + LINGER, True
            left = until - time.monotonic()
            if left <= 0:
                break
            wanted = self._take_in(left)
        return wanted

    def _awaited(self) -> bool:
        return any(job.awaited and not job.claimed for job in self._queue)

    def _write(self) -> None:
        """Write the next group, or refuse all that is queued where it cannot be."""
        answers: list[Callable[[], None]] = []
        try:
            try:
                with self._connections.lend(Kind.WRITE) as connection:
                    if self._begin(connection):
                        answers = self._write_group(connection)
            finally:  # Who has an answer finds the connection where it was: it may be the next to read on it.
                for answer in answers:
                    answer()
            if self._abandoned:
                self._refuse_all(self._closed_error())
            if self._queue or not self._inbox.empty():
                time.sleep(YIELD)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            self._refuse_all(error)

    def _begin(self, connection: FileConnection) -> bool:
        """Get the write lock; False when nobody waits for it any more, or the process is about to fork."""
        while self._take_in() and not self._connections.paused and not self._abandoned:
            try:
                connection.execute(BEGIN)
                connection.execute(LOCK)
            except sqlite3.OperationalError as error:
                roll_back(connection)
                if primary_code(error) != sqlite3.SQLITE_BUSY:
                    raise
            else:
                return True
            time.sleep(random.uniform(*RETRY) if self._awaited() else LINGER)  # noqa: S311 - not a secret
        return False

    def _next(self) -> Job[Any] | None:
        """The next job that its caller has not given up."""
        while self._take_in():
            job = self._queue.popleft()
            if job.claim():
                self._done += job.weight
                return job
        return None

    def _write_group(self, connection: FileConnection) -> list[Callable[[], None]]:
        """Do what is queued in one transaction; what answers those who wait."""
        where = self._connections.where
        group: list[Job[Any]] = []
        answers: list[tuple[Any, BaseException | None]] = []
        committing = False
        try:
            while len(group) < GROUP and (job := self._next()) is not None:
                group.append(job)
                answers.append(_attempt(connection, job, is_first=len(group) == 1))
            connection.files.require(where)
            committing = True
            _end(connection, COMMIT)
            connection.files.require(where)
        except _TransactionEndedError as error:
            roll_back(connection)
            culprit = RuntimeError(str(error))
            culprit.__cause__ = error.__cause__
            ended_by = group[0 if committing else -1]  # The others are looked at when they have ended.
            others = [job for job in group if job is not ended_by]
            unknown = CommitUnknownError(f"{where}: another job ended the transaction")
            return [partial(self._fail, [ended_by], culprit), partial(self._fail, others, unknown)]
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
            roll_back(connection)
            if committing and (isinstance(error, StoreUnavailableError) or primary_code(error) == sqlite3.SQLITE_IOERR):
                # The commit may be on the disk although the disk says that it is not, or in a file without a name.
                detail = error.detail if isinstance(error, StoreUnavailableError) else f"{where}: {error}"
                return [partial(self._fail, group, CommitUnknownError(detail))]
            return [partial(self._fail, group, translate(error, where))]
        return [
            partial(job.answer, value) if failure is None else partial(self._fail, [job], translate(failure, where))
            for job, (value, failure) in zip(group, answers, strict=True)
        ]

    def _refuse_all(self, error: BaseException) -> None:
        """Tell everyone whose job has not begun that it will not."""
        refused = []
        while (job := self._next()) is not None:
            refused.append(job)
        self._fail(refused, translate(error, self._connections.where))

    def _fail(self, jobs: list[Job[Any]], error: BaseException) -> None:
        for job in jobs:
            if not job.awaited:
                self._lost.add(job.weight)
            # Each thread raises one of its own.
            own = error if len(jobs) == 1 else copy.copy(error)
            own.__cause__ = error.__cause__
            job.answer(None, own)


class _TransactionEndedError(Exception):
    """A job has ended the transaction that it was to be a part of."""


def _end(connection: FileConnection, savepoint: str) -> None:
    """Release a savepoint, or go back to it. Without it, a job has ended the transaction, and begun another."""
    try:
        connection.execute(savepoint)
    except sqlite3.OperationalError as error:
        if primary_code(error) != sqlite3.SQLITE_ERROR:
            raise
        raise _TransactionEndedError(ENDED) from error


def _attempt(connection: FileConnection, job: Job[Any], *, is_first: bool) -> tuple[Any, BaseException | None]:
    """What the job returns or raises; in the latter case, it is undone."""
    if not is_first:
        connection.execute("SAVEPOINT job")
    value: Any = None
    failure: BaseException | None = None
    last_look = connection.last_look
    try:
        value = job.attempt(connection)
    except BaseException as error:  # noqa: BLE001 - it is raised where it was asked for
        failure = error
    if connection.last_look is last_look:
        connection.last_look = None  # The job may have written anything, and has not said what.
    if connection.is_closed():
        raise _TransactionEndedError(CLOSED) from failure
    if not connection.in_transaction:
        cause = failure.error if isinstance(failure, HookError) else failure
        if isinstance(cause, sqlite3.Error) and primary_code(cause) in ROLLS_BACK:
            raise cause
        raise _TransactionEndedError(ENDED) from cause
    if failure is not None:
        _end(connection, "ROLLBACK TO work" if is_first else "ROLLBACK TO job")
    if not is_first:
        _end(connection, "RELEASE job")
    return value, failure
