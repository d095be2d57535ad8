"""Somebody who assigns all the time, and so knows how soon the store is used again after an outage."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from typing import Any, Self

from assignment_pipeline.coordinator import Coordinator
from assignment_pipeline.domain.booking import Booking
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.errors import VenueNotFoundError
from assignment_pipeline.rollout.flags import FixedFlags

SOON = 10.0
"""Seconds after which the store is used again for certain, on machines that are busy with all the rest."""

PAUSE = 0.05


class Witness:
    """
    Asks the store for a restaurant that is not there, as a call of `Coordinator.assign`. Use it as a context manager.

    Args:
        store: A store of its own, which it closes.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        self._asked_at = 0.0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="witness")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        self._store.close()

    def until_answered(self) -> float:
        """Wait until the store has answered somebody; the seconds that it took, `SOON` at most."""
        began = time.monotonic()
        while self._asked_at < began and time.monotonic() < began + SOON:
            time.sleep(PAUSE)
        return time.monotonic() - began

    def _ask(self) -> None:
        start = dt.datetime.now(dt.UTC).replace(second=0, microsecond=0) + dt.timedelta(days=1)
        booking = Booking("witness", "nowhere", 2, start)
        logging.getLogger("assignment_pipeline").setLevel(logging.CRITICAL)  # Outages are what it is about.
        with Coordinator(self._store, flags=FixedFlags(Mode.ACTIVE), sinks=(), shadow=None) as coordinator:
            while not self._ends.wait(PAUSE):
                try:
                    coordinator.assign(booking)  # A retry.
                except VenueNotFoundError:
                    self._asked_at = time.monotonic()
