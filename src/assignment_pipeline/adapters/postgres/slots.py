"""Who has which connection, and who waits for one. Opens and closes nothing itself: threads and asyncio share it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import Generic, TypeVar

C = TypeVar("C")

Place = Future["C | None"]
"""A caller's place in the queue. Its result is a connection; or None, and the caller may open one."""

LONGEST_IDLE = 600.0
"""Seconds after which a connection that nobody has used is to be closed."""


class Slots(Generic[C]):
    """
    A number of connections, each idle, lent, or yet to be opened.

    Where the server cannot be reached, one caller at a time tries it, again and again. All others wait for what that
    one finds, so that a server which is away is asked by each process as seldom as by one thread.

    Args:
        size: Connections at most.
    """

    def __init__(self, size: int) -> None:
        self._lock = threading.Lock()
        self._unopened = size
        self._idle: deque[tuple[C, float]] = deque()
        self._queue: deque[Place[C]] = deque()
        self._is_away = False
        self._tries: Place[C] | None = None

    def idle(self) -> C | None:
        """The idle connection that was used last, if there is one."""
        with self._lock:
            return self._idle.pop()[0] if self._idle else None

    def unused(self) -> list[C]:
        """The idle connections that nobody has used for long, for the caller to close."""
        with self._lock:
            found = []
            while self._idle and self._idle[0][1] < time.monotonic() - LONGEST_IDLE:
                found.append(self._idle.popleft()[0])
            self._unopened += len(found)
            return found

    def drain(self) -> list[C]:
        """All idle connections, for the caller to close."""
        with self._lock:
            found = [connection for connection, _ in self._idle]
            self._idle.clear()
            self._unopened += len(found)
            return found

    def join(self) -> Place[C]:
        """A place in the queue; it may be served at once."""
        place: Place[C] = Future()
        with self._lock:
            self._queue.append(place)
            self._serve()
        return place

    def leave(self, place: Place[C]) -> None:
        """Give up waiting, or what came of it meanwhile."""
        with self._lock, contextlib.suppress(ValueError):
            self._queue.remove(place)
        if place.cancel():
            return
        found = place.result()
        if found is None:
            self.gave_up(place)
        else:
            self.give(found)

    def give(self, connection: C | None) -> None:
        """Take back a connection that can be used; or None, for one that is no more."""
        with self._lock:
            if connection is None:
                self._unopened += 1
            else:
                self._idle.append((connection, time.monotonic()))
            self._serve()

    def lost(self) -> None:
        """A connection has ended by itself: the server may be away. One caller finds out, and the others wait."""
        with self._lock:
            self._is_away = True

    def is_trying(self, place: Place[C]) -> bool:
        """Whether this caller is the one that tries a server which is away, or may be."""
        return self._tries is place

    def opened(self) -> None:
        """The server has been reached: the callers that wait may open connections, too."""
        with self._lock:
            self._is_away, self._tries = False, None
            self._serve()

    def failed(self, place: Place[C]) -> bool:
        """The server was not reached. Whether this caller is the one to try again; otherwise its slot is taken back."""
        with self._lock:
            self._is_away = True
            if self._tries in {None, place}:
                self._tries = place
                return True
            self._unopened += 1
            return False

    def gave_up(self, place: Place[C]) -> None:
        """This caller opens no connection after all: the next may try."""
        with self._lock:
            self._unopened += 1
            if self._tries is place:
                self._tries = None
            self._serve()

    def _serve(self) -> None:
        while self._queue and (self._idle or self._may_open):
            place = self._queue.popleft()
            if not place.set_running_or_notify_cancel():
                continue
            if self._idle:
                place.set_result(self._idle.pop()[0])
                continue
            self._unopened -= 1
            if self._is_away:
                self._tries = place
            place.set_result(None)

    @property
    def _may_open(self) -> bool:
        return self._unopened > 0 and not (self._is_away and self._tries)
