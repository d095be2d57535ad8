"""
What the writer of a database file is asked for.

A caller may be interrupted between any two of its steps: Ctrl-C raises `KeyboardInterrupt` in the main thread,
wherever it is. A lock that is taken there is never released. So callers take no lock that another thread waits for.
Each step here that both sides see is one operation of the interpreter.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from assignment_pipeline.adapters.sqlite.opening import FileConnection

T = TypeVar("T")
Work = Callable[[FileConnection], T]

NOTICED = 0.25
"""
For how long, in seconds, a caller waits at once. Python takes note of an interrupt between two of its own steps: one
that comes just before a wait begins, or to another thread, does not end the wait.
"""


class Job(Generic[T]):
    """
    Work for the writer, and its answer.

    Attributes:
        awaited: Whether a caller waits for the answer.

        weight: What the job counts for in the writer's backlog.

        over: Whether the answer is there.
    """

    __slots__ = ("_answered", "_claimed", "_context", "_error", "_value", "_work", "awaited", "over", "weight")

    def __init__(self, work: Work[T], context: contextvars.Context, *, awaited: bool = True, weight: int = 0) -> None:
        self._work = work
        self._context = context  # The caller's: host code that the work calls finds its variables.
        self._claimed = threading.Lock()  # Never released.
        self._answered = threading.Lock()  # Released once, by the answer.
        self._answered.acquire()
        self._value: Any = None
        self._error: BaseException | None = None
        self.awaited = awaited
        self.weight = weight
        self.over = False

    @classmethod
    def nothing(cls) -> Job[Any]:
        """One that nobody will do: it wakes a writer that waits for jobs."""
        job: Job[Any] = Job(lambda _: None, contextvars.Context(), awaited=False)
        job.claim()
        return job

    def claim(self) -> bool:
        """
        Whether this call is the first: the writer's, which begins the job, or the caller's, which gives it up.

        A caller that is interrupted inside gives it up.
        """
        return self._claimed.acquire(blocking=False)

    @property
    def claimed(self) -> bool:
        """Whether the job has been begun, or given up."""
        return self._claimed.locked()

    def attempt(self, connection: FileConnection) -> T:
        """Do the work, on the caller's behalf."""
        return self._context.run(self._work, connection)

    def answer(self, value: T | None, error: BaseException | None = None) -> None:
        """Give the caller its answer; only the first counts."""
        if not self.over:
            self._value, self._error = value, error
            self.over = True
            self._answered.release()

    def wait(self, seconds: float) -> bool:
        """Wait for the answer for so many seconds; whether it is there. For the one caller."""
        until = time.monotonic() + seconds
        while not self.over and (left := until - time.monotonic()) > 0:
            if self._answered.acquire(timeout=min(left, NOTICED)):
                return True
        return self.over

    def result(self) -> T:
        """The answer, which is there: returned, or raised."""
        try:
            if self._error is not None:
                raise self._error
            return self._value  # type: ignore[no-any-return]
        finally:
            self._error = None  # It refers to this frame.


class Tally:
    """A number to which any thread may add, without a lock."""

    def __init__(self) -> None:
        self._parts: dict[int, int] = {}

    def add(self, number: int) -> None:
        """Add *number*."""
        me = threading.get_ident()
        self._parts[me] = self._parts.get(me, 0) + number

    @property
    def total(self) -> int:
        """What has been added by now."""
        return sum([*self._parts.values()])
