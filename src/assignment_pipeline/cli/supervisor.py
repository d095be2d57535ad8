"""Several processes that do the same until they are told to stop."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Self

from assignment_pipeline.cli.failures import BAD_INPUT, GOOD, NO

_POLL = 0.1
_SHORT_LIFE = 5.0
_LONGEST_PAUSE = 30.0


class Stop:
    """
    Whether this process has been asked to stop: by SIGTERM, by SIGINT, or by the end of its parent.

    As a context manager, the signals are as they were when its block ends.

    Attributes:
        signals: How often it was asked.
    """

    def __init__(self) -> None:
        self.signals = 0
        self._asked = threading.Event()
        self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGTERM, signal.SIGINT)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.signals += 1
        self._asked.set()

    def __bool__(self) -> bool:
        parent = multiprocessing.parent_process()
        return self._asked.is_set() or (parent is not None and not parent.is_alive())

    def wait(self, seconds: float) -> None:
        """Wait, for no longer than until it is asked."""
        end = time.monotonic() + seconds
        while not self and (left := end - time.monotonic()) > 0:
            self._asked.wait(min(left, 1.0))

    @contextlib.contextmanager
    def at_the_latest(self, grace: float, give_up: Callable[[], None]) -> Iterator[None]:
        """Call *give_up*, on another thread, at the second signal in the block, or *grace* seconds after the first."""
        over = threading.Event()

        def watch() -> None:
            end = None
            while not over.wait(_POLL):
                if self.signals and end is None:
                    end = time.monotonic() + grace
                if self.signals > 1 or (end is not None and time.monotonic() >= end):
                    give_up()
                    return

        watcher = threading.Thread(target=watch, name="grace", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()


class Supervisor:
    """
    Keeps processes running.

    They are started afresh, not forked: nothing that this process has is shared.

    Args:
        target: What each of them does; a function of a module, as it is imported there.

        arguments: What it is called with.

        say: Is told what happens, a line at a time.

        grace: Seconds for which they may finish what they are at, once they are asked to stop.
    """

    def __init__(
        self, target: Callable[..., None], arguments: tuple[Any, ...], say: Callable[[str], None], grace: float
    ) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._target = target
        self._arguments = arguments
        self._say = say
        self._grace = grace

    def run(self, count: int) -> int:
        """
        Keep *count* processes running until this one is asked to stop.

        One that dies is replaced: at once if it lived for a while, else after a pause that grows. One that ends with
        `BAD_INPUT` is not, and the others are asked to stop: they would find the same.

        Returns:
            The exit code: `NO` if some did not end by themselves.
        """
        stop = Stop()
        slots = [_Slot() for _ in range(count)]
        while not (stop or any(slot.is_final for slot in slots)):
            for slot in slots:
                self._see_to(slot)
            stop.wait(_POLL)
        final = any(slot.is_final for slot in slots)
        if not self._end(slots, stop):
            return NO
        return BAD_INPUT if final else GOOD

    def _see_to(self, slot: _Slot) -> None:
        if slot.is_final:
            return
        now = time.monotonic()
        if slot.process is not None and not slot.process.is_alive():
            lived = now - slot.started
            slot.pause = 0.0 if lived > _SHORT_LIFE else min(max(2 * slot.pause, 0.5), _LONGEST_PAUSE)
            slot.due = now + slot.pause
            self._say(f"process {slot.process.pid} has ended ({_how(slot.process.exitcode)}): starting another")
            slot.process = None
        if slot.process is None and now >= slot.due:
            slot.process = self._context.Process(target=self._target, args=self._arguments)
            slot.process.start()
            slot.started = now
            self._say(f"process {slot.process.pid} started")

    def _end(self, slots: list[_Slot], stop: Stop) -> bool:
        running = [slot.process for slot in slots if slot.process is not None]
        for process in running:
            process.terminate()
        asked, end = stop.signals, time.monotonic() + self._grace
        for process in running:
            while process.is_alive() and time.monotonic() < end and stop.signals == asked:
                process.join(_POLL)
        late = [process for process in running if process.is_alive()]
        for process in late:
            self._say(f"process {process.pid} is still at work: killed")
            process.kill()
            process.join()
        return not late


class _Slot:
    """A process, and those that were there before it."""

    def __init__(self) -> None:
        self.process: Any = None
        self.started = 0.0
        self.pause = 0.0
        self.due = 0.0

    @property
    def is_final(self) -> bool:
        """Whether its process has found that there is no use in another."""
        return self.process is not None and self.process.exitcode == BAD_INPUT


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
