"""Feeding event sinks without ever standing in an assignment's way."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence

from assignment_pipeline import processes
from assignment_pipeline.domain.events import Event
from assignment_pipeline.ports import EventSink
from assignment_pipeline.redaction import redacted

_LOG = logging.getLogger("assignment_pipeline")
_EXIT_TIMEOUT = 2.0


class Outbox(processes.Watched):
    """
    Hands events to sinks: at once to those that never block, behind a bounded queue to the others.

    Its thread starts with the first event that needs it, once a process.

    Attributes:
        dropped: Events that a sink was not given, because the queue was full.

        failed: Events on which a sink raised.
    """

    def __init__(self, sinks: Sequence[EventSink], *, capacity: int = 10_000, show_errors: bool = False) -> None:
        self._show_errors = show_errors
        self.dropped = 0
        self.failed = 0
        self._inline = tuple(sink for sink in sinks if getattr(sink, "inline", False))
        self._queued = tuple(sink for sink in sinks if not getattr(sink, "inline", False))
        self._capacity = capacity
        self.reset_in_child()
        processes.watch(self)

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: what was queued is the parent's to tell."""
        self._lock = threading.Lock()
        self._queue: queue.Queue[tuple[Event, ...] | None] | None = None

    def at_exit(self) -> None:
        """See `Watched.at_exit`."""
        self.flush(_EXIT_TIMEOUT)

    def publish(self, events: Sequence[Event]) -> None:
        """Hand *events* to every sink. Never raises, never waits."""
        if not events:
            return
        for sink in self._inline:
            self._feed(sink, events)
        if self._queued:
            try:
                with self._lock:  # So that nothing is put behind what ends the thread.
                    self._started().put_nowait(tuple(events))
            except queue.Full:
                self.dropped += len(events)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the sinks have what was published, at most *timeout* seconds; whether they have."""
        waiting = self._queue
        if waiting is None:
            return True
        with waiting.all_tasks_done:
            return waiting.all_tasks_done.wait_for(lambda: not waiting.unfinished_tasks, timeout)

    def close(self) -> None:
        """Wait until the sinks have what was published, and end the thread. What is published later starts another."""
        with self._lock:
            ends, self._queue = self._queue, None
        if ends is not None:
            ends.put(None)
            ends.join()

    def _started(self) -> queue.Queue[tuple[Event, ...] | None]:
        if self._queue is None:
            self._queue = queue.Queue(self._capacity)
            threading.Thread(target=self._work, args=(self._queue,), name="event-sinks", daemon=True).start()
        return self._queue

    def _work(self, events: queue.Queue[tuple[Event, ...] | None]) -> None:
        while True:
            batch = events.get()
            for sink in self._queued if batch is not None else ():
                self._feed(sink, batch or ())
            events.task_done()
            if batch is None:
                return

    def _feed(self, sink: EventSink, events: Sequence[Event]) -> None:
        try:
            sink.emit(events)
        except Exception as error:  # noqa: BLE001 - whatever it is, an assignment must not suffer from it
            self.failed += len(events)
            said = redacted(error, show=self._show_errors)
            _LOG.warning("event sink %s failed: %s", type(sink).__name__, said, exc_info=self._show_errors)
