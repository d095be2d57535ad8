"""A sink that keeps what it is told."""

from __future__ import annotations

from collections.abc import Sequence

from assignment_pipeline.domain.events import Event


class MemorySink:
    """
    An `EventSink` that keeps what it is told.

    Attributes:
        events: That, oldest first.
    """

    inline = True

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, events: Sequence[Event]) -> None:
        self.events.extend(events)
