"""What keeps processes running, on a clock that stands still: when one that died is started again."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from assignment_pipeline.cli import supervisor
from assignment_pipeline.testing import FakeClock

TICK = dt.timedelta(milliseconds=100)


class Process:
    """A process that ends when the test says so."""

    numbers = itertools.count(1)

    def __init__(self, **_):
        self.pid = next(self.numbers)
        self.exitcode = None

    def start(self):
        pass

    def is_alive(self):
        return self.exitcode is None


class Watched(supervisor.Supervisor):
    """A supervisor of one such process, which looks at it every tick."""

    def __init__(self, clock):
        self.said = []
        super().__init__(print, (), self.said.append, grace=1)
        self._context = self
        self.Process = Process
        self.clock = clock
        self.slot = supervisor._Slot()
        self._see_to(self.slot)

    def live(self, seconds):
        """The process ends after so many seconds; returns after how many more ticks another is started."""
        self.clock.advance(dt.timedelta(seconds=seconds))
        self.slot.process.exitcode = 3
        began = len(self.said)
        for ticks in itertools.count():
            self._see_to(self.slot)
            if self.said[-1].endswith(" started"):
                assert [line.split(" ", 2)[2] for line in self.said[began:]] == [
                    "has ended (exit code 3): starting another",
                    "started",
                ]
                return ticks
            self.clock.advance(TICK)
        raise AssertionError


@pytest.fixture
def watched(monkeypatch):
    """Such a supervisor, whose time is the test's."""
    clock = FakeClock()
    monkeypatch.setattr(supervisor, "time", clock)
    return Watched(clock)


def test_a_process_that_keeps_dying_is_given_time(watched):
    """It is not started over and over at full speed: each pause is twice the last, and half a minute at most."""
    assert [watched.live(seconds=0) for _ in range(9)] == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_process_that_lived_for_a_while_is_replaced_at_once(watched):
    """And the next that dies early waits no longer than the first did."""
    assert [watched.live(seconds) for seconds in (0, 0, 6, 0)] == [5, 10, 0, 5]
