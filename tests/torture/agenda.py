"""What is to be done when."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections.abc import Callable

Action = Callable[[], object]


class Agenda:
    """
    Actions and their times, done one after the other; each late as long as those before it take.

    Args:
        chance: What spans are drawn by.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._actions: list[tuple[float, int, Action]] = []
        self._order = itertools.count()
        self._over = threading.Event()

    def later(self, seconds: float, action: Action) -> None:
        """Do something once, in so many seconds."""
        heapq.heappush(self._actions, (time.monotonic() + seconds, next(self._order), action))

    def often(self, every: float, action: Action) -> None:
        """Do something again and again, with about so many seconds between."""

        def again() -> None:
            action()
            self.later(self._chance.uniform(0.5, 1.5) * every, again)

        self.later(self._chance.uniform(0.5, 1.5) * every, again)

    def run(self, until: float) -> None:
        """Do what is on it, until a time by the monotonic clock, or until `stop`."""
        while self._actions and not self._over.is_set():
            due, _, action = heapq.heappop(self._actions)
            if self._over.wait(max(0.0, min(due, until) - time.monotonic())) or time.monotonic() >= until:
                return
            action()

    def stop(self) -> None:
        """Do nothing more, from whichever thread that is said."""
        self._over.set()
