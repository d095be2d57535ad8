"""Feeding event sinks without ever standing in an assignment's way."""

from __future__ import annotations

import atexit
import logging
import os
import queue
import threading
import weakref
from collections.abc import Sequence

from assignment_pipeline.domain.events import Event
from assignment_pipeline.ports import EventSink

_LOG = logging.getLogger("assignment_pipeline")
_EXIT_TIMEOUT = 2.0


class Outbox:
    """
    Hands events to sinks: at once to those that never block, behind a bounded queue to the others.

    Its thread starts with the first event that needs it, once a process.

    Attributes:
        dropped: Events that a sink was not given, because the queue was full.

        failed: Events on which a sink raised.
    """

    def __init__(self, sinks: Sequence[EventSink], *, capacity: int = 10_000) -> None:
        self.dropped = 0
        self.failed = 0
        self._inline = tuple(sink for sink in sinks if getattr(sink, "inline", False))
        self._queued = tuple(sink for sink in sinks if not getattr(sink, "inline", False))
        self._capacity = capacity
        self._lock = threading.Lock()
        self._pid = 0
        self._queue: queue.Queue[tuple[Event, ...]] = queue.Queue(capacity)
        _all.add(self)

    def publish(self, events: Sequence[Event]) -> None:
        """Hand *events* to every sink. Never raises, never waits."""
        if not events:
            return
        for sink in self._inline:
            self._feed(sink, events)
        if self._queued:
            self._start()
            try:
                self._queue.put_nowait(tuple(events))
            except queue.Full:
                self.dropped += len(events)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the sinks have what was published, at most *timeout* seconds; whether they have."""
        if self._pid != os.getpid():
            return True
        with self._queue.all_tasks_done:
            return self._queue.all_tasks_done.wait_for(lambda: not self._queue.unfinished_tasks, timeout)

    def _start(self) -> None:
        if self._pid == os.getpid():
            return
        with self._lock:
            if self._pid != os.getpid():
                self._queue = queue.Queue(self._capacity)
                threading.Thread(target=self._work, args=(self._queue,), name="event-sinks", daemon=True).start()
                self._pid = os.getpid()

    def _work(self, events: queue.Queue[tuple[Event, ...]]) -> None:
        while True:
            batch = events.get()
            for sink in self._queued:
                self._feed(sink, batch)
            events.task_done()

    def _feed(self, sink: EventSink, events: Sequence[Event]) -> None:
        try:
            sink.emit(events)
        except Exception:  # noqa: BLE001 - whatever it is, an assignment must not suffer from it
            self.failed += len(events)
            _LOG.warning("event sink %s failed", type(sink).__name__, exc_info=True)


_all: weakref.WeakSet[Outbox] = weakref.WeakSet()


@atexit.register
def _flush_all() -> None:
    for outbox in tuple(_all):
        outbox.flush(_EXIT_TIMEOUT)
