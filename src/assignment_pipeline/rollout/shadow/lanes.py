"""The threads of a shadow: what each is about, and for how long already."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

import attrs

from assignment_pipeline.domain.shadow import ShadowCase

BATCH = 100
"""Cases that are written down together at most."""


@attrs.define
class ShadowCounts:
    """
    What has become of this process's cases.

    Attributes:
        offered: Cases that were handed over, after sampling.

        dropped: Of those, the ones for which there was no room.

        timeouts: Those whose candidate did not come back in time.

        verdicts: How the others came out.

        stored: Those that were written down for a worker.

        lost: Verdicts, events or cases that could not be written.

        hook_faults: Hooks that raised.

        abandoned: Threads whose candidate has not come back yet.
    """

    offered: int = 0
    dropped: int = 0
    timeouts: int = 0
    verdicts: Counter[str] = attrs.Factory(Counter)
    stored: int = 0
    lost: int = 0
    hook_faults: int = 0
    abandoned: int = 0


@attrs.frozen(eq=False)
class Item:
    """
    A case on the queue.

    Attributes:
        case: The case.

        number: Counts the cases of this process.

        from_store: Whether a worker has taken it from the store.
    """

    case: ShadowCase
    number: int
    from_store: bool = False


class Lane:
    """A thread, and what it is about."""

    def __init__(self, deadline: float) -> None:
        self._lock = threading.Lock()
        self._items: list[Item] = []
        self._deadline = deadline
        self._until = 0.0
        self.given_up = False
        self.ended = False

    @property
    def idle(self) -> bool:
        """Whether it is about nothing that anybody waits for."""
        with self._lock:
            return self.given_up or not self._items

    def take(self, cases: deque[Item], judged: Callable[[Item], bool]) -> list[Item]:
        """What it is about from now on: the next case that is to be judged, or several that are only written down."""
        with self._lock, contextlib.suppress(IndexError):
            self._items = [cases.popleft()]
            self._until = time.monotonic() + self._deadline
            while not judged(self._items[0]) and len(self._items) < BATCH and not judged(cases[0]):
                self._items.append(cases.popleft())
        return self._items

    def end(self) -> bool:
        """It is done; whether anybody has waited for it."""
        with self._lock:
            self._items = []
            return not self.given_up

    def extend(self, seconds: float) -> None:
        """The candidate has answered: what is left may take that long."""
        with self._lock:
            self._until = time.monotonic() + seconds

    def give_up(self) -> list[Item]:
        """What it has been about for too long; nobody waits for it any more."""
        with self._lock:
            if self.given_up or not self._items or time.monotonic() < self._until:
                return []
            self.given_up = True
            return self._items
