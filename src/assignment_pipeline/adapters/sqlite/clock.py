"""This machine's clock."""

from __future__ import annotations

import datetime as dt
import time


class SystemClock:
    """The `Clock` of this machine."""

    def now(self) -> dt.datetime:
        """See `Clock.now`."""
        return dt.datetime.now(dt.UTC)

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()
