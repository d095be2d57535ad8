"""The contract of sinks bites."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemorySink
from assignment_pipeline.domain.events import Event
from assignment_pipeline.testing import EventSinkContract

PAUSE = 0.02
"""Seconds for which a racy adapter looks away, that others may do the same."""


class Backwards(MemorySink):
    """Keeps the newest first."""

    def emit(self, events: Sequence[Event]) -> None:
        self.events[:0] = reversed(events)


class WantsEvents(MemorySink):
    """Cannot do with none."""

    def emit(self, events: Sequence[Event]) -> None:
        super().emit([events[0], *events[1:]])


class DropsContext(MemorySink):
    """Keeps what happened and not why."""

    def emit(self, events: Sequence[Event]) -> None:
        super().emit([attrs.evolve(event, context={}) for event in events])


class RefusesRepeats(MemorySink):
    """Takes an event that comes twice for a fault."""

    def emit(self, events: Sequence[Event]) -> None:
        known = {event.id for event in self.events}
        if any(event.id in known for event in events):
            msg = "an event came twice"
            raise ValueError(msg)
        super().emit(events)


class RacySink(MemorySink):
    """Reads, and only then writes."""

    def emit(self, events: Sequence[Event]) -> None:
        seen = list(self.events)
        time.sleep(PAUSE / 20)
        self.events = seen + list(events)


BROKEN_SINKS: list[tuple[type[MemorySink], str]] = [
    (Backwards, "events_arrive_in_their_order"),
    (WantsEvents, "no_events_are_fine"),
    (DropsContext, "all_that_an_event_says_arrives"),
    (RefusesRepeats, "an_event_may_come_twice"),
    (RacySink, "threads_lose_nothing"),
]


def sinks(kind: type[MemorySink]) -> Callable[[], dict[str, Any]]:
    """The fixtures that the sinks' contract wants, for a kind of sink."""

    def make() -> dict[str, Any]:
        sink = kind()
        return {"sink": sink, "recorded": lambda: sink.events}

    return make


@pytest.mark.parametrize(("kind", "test"), BROKEN_SINKS)
def test_a_broken_sink_fails(kind, test, failures):
    """A sink that breaks one promise fails the test of that promise."""
    assert failures(EventSinkContract, sinks(kind), test) == {test}


def test_every_sink_test_bites():
    """There is no test in the contract that no broken sink fails."""
    proven = {test for _, test in BROKEN_SINKS}
    assert {name.removeprefix("test_") for name in dir(EventSinkContract) if name.startswith("test_")} == proven
