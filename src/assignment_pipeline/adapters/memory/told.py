"""The events that a store in memory keeps."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.record import AssignmentChange


class ToldEvents:
    """
    What was told. An event that comes twice is kept once.

    Attributes:
        of_commits: Changes that were committed, whose events are made when somebody reads them.
    """

    def __init__(self) -> None:
        self.of_commits: list[AssignmentChange] = []
        self._known: dict[str, Event] = {}

    def add(self, events: Iterable[Event]) -> None:
        """Keep events of no commit."""
        self.values()  # What came before is kept before.
        for event in events:
            self._known.setdefault(event.id, event)

    def values(self) -> Collection[Event]:
        """All of them, oldest first."""
        for change in self.of_commits:
            for event in change.events:
                self._known.setdefault(event.id, event)
        self.of_commits.clear()
        return self._known.values()
