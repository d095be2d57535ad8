"""The time, as the machine has it."""

from __future__ import annotations

import datetime as dt
import functools
import time
from collections.abc import Callable


class SystemClock:
    """
    The machine's clock.

    Attributes:
        now: The time of day, in UTC.

        monotonic: Seconds since some fixed moment; never goes back.
    """

    now: Callable[[], dt.datetime] = staticmethod(functools.partial(dt.datetime.now, dt.UTC))
    monotonic: Callable[[], float] = staticmethod(time.monotonic)
