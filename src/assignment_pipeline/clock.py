"""The time, as the machine has it."""

from __future__ import annotations

import datetime as dt
import time


class SystemClock:
    """The machine's clock."""

    def now(self) -> dt.datetime:
        """The time of day, in UTC."""
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        return time.monotonic()
