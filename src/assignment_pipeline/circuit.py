"""A circuit breaker: after enough failures in a row, leave the store alone for a while."""

from __future__ import annotations

import datetime as dt
import enum
import threading

from assignment_pipeline import processes
from assignment_pipeline.ports import Clock


class CircuitState(enum.StrEnum):
    """Where the breaker stands."""

    CLOSED = "closed"
    """Everything goes through."""

    OPEN = "open"
    """Nothing does, until the cooldown is over."""

    HALF_OPEN = "half_open"
    """Everything does, and the next answers decide."""


class CircuitBreaker(processes.Watched):
    """
    Counts what the store answers, for one process.

    Args:
        clock: Where the time comes from.

        failures: Failures in a row that open it.

        cooldown: For how long it stays open.

        successes: Successes in a row that close it again.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        failures: int = 5,
        cooldown: dt.timedelta = dt.timedelta(seconds=15),
        successes: int = 2,
    ) -> None:
        self._clock = clock
        self._failures = failures
        self._cooldown = cooldown.total_seconds()
        self._successes = successes
        self.reset_in_child()
        processes.watch(self)

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`."""
        self._lock = threading.Lock()
        self._state = CircuitState.CLOSED
        self._count = 0
        self._opened = 0.0

    @property
    def state(self) -> CircuitState:
        """Where it stands."""
        self.remaining()
        return self._state

    def remaining(self) -> dt.timedelta:
        """For how long it still lets nothing through: zero if it lets everything."""
        if self._state is not CircuitState.OPEN:
            return dt.timedelta()
        with self._lock:
            left = self._opened + self._cooldown - self._clock.monotonic()
            if left <= 0 and self._state is CircuitState.OPEN:
                self._enter(CircuitState.HALF_OPEN)
            return dt.timedelta(seconds=max(left, 0.0))

    def succeeded(self) -> None:
        """The store has answered."""
        if self._state is CircuitState.CLOSED and not self._count:
            return
        with self._lock:
            if self._state is CircuitState.CLOSED:
                self._count = 0
            elif self._state is CircuitState.HALF_OPEN:
                self._count += 1
                if self._count >= self._successes:
                    self._enter(CircuitState.CLOSED)

    def failed(self) -> None:
        """The store has not."""
        with self._lock:
            self._count += 1
            if self._state is CircuitState.HALF_OPEN or self._count >= self._failures:
                self._enter(CircuitState.OPEN)
                self._opened = self._clock.monotonic()

    def _enter(self, state: CircuitState) -> None:
        self._state = state
        self._count = 0
