"""Feeding event sinks without ever standing in an assignment's way."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Sequence

import attrs

from assignment_pipeline import processes
from assignment_pipeline.domain.events import Event
from assignment_pipeline.plain import Printed
from assignment_pipeline.ports import EventSink
from assignment_pipeline.redaction import redacted

_LOG = logging.getLogger("assignment_pipeline")
_EXIT_TIMEOUT = 2.0
_CAPACITY = 10_000  # Calls whose events wait for the sinks at most.

PATIENCE = 10.0
"""Seconds for which `EventDispatcher.flush` and `EventDispatcher.close` wait for sinks, unless told otherwise."""


@attrs.define(eq=False, repr=False)
class _Mark(Printed):
    """A place in the queue: its caller learns when the thread has come to it."""

    ends: bool  # Whether the thread ends there.
    _ahead: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._ahead.acquire()

    def reach(self) -> None:
        self._ahead.release()

    def wait(self, seconds: float) -> bool:
        return self._ahead.acquire(timeout=seconds)


class EventDispatcher(processes.Watched):
    """
    Hands events to sinks: at once to those that never block, behind a bounded queue to the others.

    Its thread starts with the first event that needs it, once a process.

    Attributes:
        sinks: What it hands events to.

        dropped: Events that a sink was not given, because the queue was full, or because the sinks had not taken them
            when the dispatcher was closed.

        failed: Events on which a sink raised.
    """

    def __init__(self, sinks: Sequence[EventSink], *, show_errors: bool = False) -> None:
        self._show_errors = show_errors
        self.dropped = 0
        self.failed = 0
        self.sinks = tuple(sinks)
        self._inline = tuple(sink for sink in sinks if getattr(sink, "inline", False))
        self._queued = tuple(sink for sink in sinks if not getattr(sink, "inline", False))
        self.reset_in_child()
        processes.watch(self)

    exit_turn = 1  # The shadow tells it what it has found.

    def reset_in_child(self) -> None:
        """See `Watched.reset_in_child`: what was queued is the parent's to tell."""
        self._lock = threading.RLock()  # So that a thread that is interrupted inside can go on.
        self._queue: queue.SimpleQueue[tuple[Event, ...] | _Mark] | None = None
        self._at: EventSink | None = None  # The sink that has been called and has not returned.

    def at_exit(self) -> None:
        """Finish what is pending. See `Watched.at_exit`."""
        self.flush(_EXIT_TIMEOUT)

    def publish(self, events: Sequence[Event]) -> None:
        """Hand *events* to every sink. Never raises, never waits."""
        if not events:
            return
        for sink in self._inline:
            self._feed(sink, events)
        if self._queued:
            with self._lock:  # So that nothing is put behind what ends the thread.
                waiting = self._started()
                if waiting.qsize() < _CAPACITY:
                    waiting.put(tuple(events))
                else:
                    self.dropped += len(events)

    def flush(self, timeout: float | None = None) -> bool:
        """
        Wait until the sinks have what was published; whether they have.

        Args:
            timeout: For how many seconds at most; `PATIENCE` if None.
        """
        waiting = self._queue
        if waiting is None:
            return True
        mark = _Mark(ends=False)
        waiting.put(mark)
        return mark.wait(PATIENCE if timeout is None else timeout)

    def close(self) -> None:
        """
        Wait until the sinks have what was published, for `PATIENCE` at most, and end the thread.

        A sink that does not come back is named in a log line and left behind; what it was not given is counted in
        `dropped`. What is published later starts another thread.
        """
        with self._lock:
            ends, self._queue = self._queue, None
        if ends is None:
            return
        mark = _Mark(ends=True)
        ends.put(mark)
        if not mark.wait(PATIENCE):
            missed = 0
            with contextlib.suppress(queue.Empty):
                while True:
                    batch = ends.get_nowait()
                    missed += 0 if isinstance(batch, _Mark) else len(batch)
            ends.put(mark)  # For the thread, should the sink come back.
            self.dropped += missed
            name = type(self._at).__name__
            _LOG.warning(
                "event sink %s has not come back for %g s: %d events behind it are lost", name, PATIENCE, missed
            )

    def _started(self) -> queue.SimpleQueue[tuple[Event, ...] | _Mark]:
        if self._queue is None:
            self._queue = queue.SimpleQueue()
            threading.Thread(target=self._work, args=(self._queue,), name="event-sinks", daemon=True).start()
        return self._queue

    def _work(self, waiting: queue.SimpleQueue[tuple[Event, ...] | _Mark]) -> None:
        while True:
            batch = waiting.get()
            if isinstance(batch, _Mark):
                batch.reach()
                if batch.ends:
                    return
            else:
                for sink in self._queued:
                    self._at = sink
                    self._feed(sink, batch)

    def _feed(self, sink: EventSink, events: Sequence[Event]) -> None:
        try:
            sink.emit(events)
        except Exception as error:  # noqa: BLE001 - whatever it is, an assignment must not suffer from it
            self.failed += len(events)
            said = redacted(error, show=self._show_errors)
            _LOG.warning("event sink %s failed: %s", type(sink).__name__, said, exc_info=self._show_errors)
