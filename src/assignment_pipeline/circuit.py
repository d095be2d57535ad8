"""A circuit breaker: after enough failures in a row, leave the store alone for a moment."""

from __future__ import annotations

import datetime as dt
import enum
import threading

from assignment_pipeline import processes
from assignment_pipeline.ports import Clock

FAILURES = 5
"""Failures in a row that open a breaker."""

COOLDOWN = 1.0
"""
For how many seconds it stays open. Short: a store that is back is used again as soon as that, and one call a cooldown
is no burden to one that is not.
"""

SUCCESSES = 2
"""Commits in a row that close it again."""


class CircuitState(enum.StrEnum):
    """Where the breaker stands."""

    CLOSED = "closed"
    """Everything goes through."""

    OPEN = "open"
    """Nothing does, until the cooldown is over."""

    HALF_OPEN = "half_open"
    """One call a cooldown does, until the store has answered one; then all do, and the next commits decide."""


class CircuitBreaker(processes.Watched):
    """
    Counts what the store answers, for one process.

    Args:
        clock: Where the time comes from.

    Attributes:
        is_troubled: Whether it is not closed, or has counted a failure: else nothing that succeeds is news to it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.reset_in_child()
        processes.watch(self)

    def reset_in_child(self) -> None:
        """
        Begin afresh, in the child: no other thread is there, and what they held stays held.

        See `Watched.reset_in_child`.
        """
        self._lock = threading.RLock()  # So that a thread that is interrupted inside can go on.
        self.is_troubled = False
        self._state = CircuitState.CLOSED
        self._count = 0
        self._waits_until = 0.0
        self._answers = False

    @property
    def state(self) -> CircuitState:
        """Where it stands."""
        is_over = self._state is CircuitState.OPEN and self._waits_until <= self._clock.monotonic()
        return CircuitState.HALF_OPEN if is_over else self._state

    def remaining(self) -> dt.timedelta:
        """For how long this caller has to leave the store alone: zero if it may ask."""
        with self._lock:
            now = self._clock.monotonic()
            if self._answers or self._is_closed():
                return dt.timedelta()
            if now < self._waits_until:
                return dt.timedelta(seconds=self._waits_until - now)
            # This caller finds out how the store is. The others wait for that, or for another cooldown.
            self._enter(CircuitState.HALF_OPEN)
            self._waits_until = now + COOLDOWN
            return dt.timedelta()

    def reached(self) -> None:
        """The store has answered a question. That it can be written to is not said."""
        if self._state is CircuitState.HALF_OPEN:
            with self._lock:
                self._answers = self._state is CircuitState.HALF_OPEN

    def succeeded(self) -> None:
        """The store has committed."""
        with self._lock:
            if self._state is CircuitState.CLOSED:
                self._enter(CircuitState.CLOSED)
            elif self._state is CircuitState.HALF_OPEN:
                self._count += 1
                if self._count >= SUCCESSES:
                    self._enter(CircuitState.CLOSED)

    def failed(self) -> None:
        """The store has not answered, or not committed."""
        with self._lock:
            if self._state is CircuitState.OPEN:
                return  # Of a call that began before.
            self._count += 1
            self.is_troubled = True
            if self._state is CircuitState.HALF_OPEN or self._count >= FAILURES:
                self._enter(CircuitState.OPEN)
                self._waits_until = self._clock.monotonic() + COOLDOWN

    def _is_closed(self) -> bool:  # As another thread may have left it meanwhile.
        return self._state is CircuitState.CLOSED

    def _enter(self, state: CircuitState) -> None:
        self._state = state
        self.is_troubled = state is not CircuitState.CLOSED
        self._count = 0
        self._answers = False
