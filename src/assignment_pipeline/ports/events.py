"""Who is told what happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from assignment_pipeline.domain.events import Event


@runtime_checkable
class EventSink(Protocol):
    """
    Receives events.

    A sink may raise or block: it is called behind a bounded queue, off the caller's
    path, unless it has an attribute ``inline`` that is true because it never blocks.
    """

    def emit(self, events: Sequence[Event]) -> None:
        """Take note of *events*, in their order. An event may come twice; its id is the same then."""
        ...
