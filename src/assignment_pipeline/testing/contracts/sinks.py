"""What every event sink promises."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs

from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.lifecycle import AssignmentState
from assignment_pipeline.ports import EventSink

Recorded = Callable[[], Sequence[Event]]

THREADS = 8


def event(event_id: str, **fields: Any) -> Event:
    """An event with that id, and *fields* as told."""
    base = Event(
        id=event_id,
        created_at=dt.datetime(2031, 5, 1, 9, 0, 0, 123456, tzinfo=dt.UTC),
        source=Source.COORDINATOR,
        type=EventType.CONFIRMED,
    )
    return attrs.evolve(base, **fields)


class EventSinkContract:
    """
    The suite for an `EventSink`.

    Give it two fixtures: ``sink``, a fresh one, and ``recorded``, a function that
    returns what has arrived, oldest first, once the sink is done with it.

    Attributes:
        once: Whether an event that comes twice is kept once. A sink that only passes events on need not.
    """

    once = False

    def kept(self, event: Event) -> object:
        """What of an event the sink keeps: all of it. Override where it is less."""
        return event

    def assert_recorded(self, recorded: Recorded, events: Sequence[Event]) -> None:
        """Make sure that *events* have arrived, in their order, and no others."""
        assert [self.kept(event) for event in recorded()] == [self.kept(event) for event in events]

    def test_events_arrive_in_their_order(self, sink: EventSink, recorded: Recorded) -> None:
        """Nothing is lost or swapped, within a call and between calls."""
        events = [event(f"e-{number}") for number in (3, 1, 2, 5, 4)]
        sink.emit(events[:3])
        sink.emit(events[3:])
        self.assert_recorded(recorded, events)

    def test_no_events_are_fine(self, sink: EventSink, recorded: Recorded) -> None:
        """A call without events does nothing."""
        sink.emit([])
        self.assert_recorded(recorded, [])

    def test_all_that_an_event_says_arrives(self, sink: EventSink, recorded: Recorded) -> None:
        """Every field is kept, in any script, with every kind of value in the context."""
        full = event(
            "e-Zoë",
            severity=Severity.WARNING,
            source=Source.STATE_MACHINE,
            type=EventType.STATE_TRANSITION,
            restaurant_id="Chez Zoë",
            booking_id="b'1; --",
            context={
                "from": AssignmentState.CREATED.value,
                "version": 3,
                "cost": 1.5,
                "moved": False,
                "reason": None,
                "tables": ("1", "2"),
            },
        )
        sink.emit([full, event("e-2")])
        self.assert_recorded(recorded, [full, event("e-2")])

    def test_an_event_may_come_twice(self, sink: EventSink, recorded: Recorded) -> None:
        """A repeated event raises nothing and displaces no other."""
        sink.emit([event("e-1"), event("e-2")])
        sink.emit([event("e-1"), event("e-3")])
        ids = [event.id for event in recorded()]
        assert list(dict.fromkeys(ids)) == ["e-1", "e-2", "e-3"]
        if self.once:
            assert len(ids) == 3

    def test_threads_lose_nothing(self, sink: EventSink, recorded: Recorded) -> None:
        """Threads that tell at the same time are all heard, each in its own order."""

        def tell(thread: int) -> None:
            for number in range(10):
                sink.emit([event(f"e-{thread}-{number}")])

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(tell, range(THREADS)))
        ids = [event.id for event in recorded()]
        assert len(ids) == 10 * THREADS
        for thread in range(THREADS):
            own = [event_id for event_id in ids if event_id.startswith(f"e-{thread}-")]
            assert own == [f"e-{thread}-{number}" for number in range(10)]
