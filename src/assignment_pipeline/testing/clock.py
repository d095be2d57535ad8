"""A clock that goes only when told to."""

from __future__ import annotations

import datetime as dt
import threading

from assignment_pipeline.errors import InvalidValueError

START = dt.datetime(2031, 5, 1, 9, 0, tzinfo=dt.UTC)


class FakeClock:
    """
    A `Clock` that stands still until it is advanced. Threads may share it.

    Args:
        start: The time that it shows at first. Timezone-aware.
    """

    def __init__(self, start: dt.datetime = START) -> None:
        self._lock = threading.Lock()
        self._start = self._now = start.astimezone(dt.UTC)

    def now(self) -> dt.datetime:
        """The time of day. See `Clock.now`."""
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """See `Clock.monotonic`: seconds since the start."""
        with self._lock:
            return (self._now - self._start).total_seconds()

    def advance(self, by: dt.timedelta) -> None:
        """
        Let time pass.

        Raises:
            ValueError: *by* is negative.
        """
        if by < dt.timedelta():
            raise InvalidValueError("by", "a span of time that is not negative", f"{by}")
        with self._lock:
            self._now += by
