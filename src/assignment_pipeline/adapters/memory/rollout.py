"""The rollout's revisions in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import attrs

from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.ports import Clock


class Revisions:
    """
    The part of the store that is a `RolloutStore`.

    Attributes:
        generation: The rollout's generation, which commits compare.
    """

    clock: Clock
    generation: int = 0
    _lock: threading.RLock
    _revisions: list[RolloutRevision]

    def emit(self, events: Sequence[Event]) -> None:
        raise NotImplementedError

    def rollout(self) -> RolloutRevision:
        with self._lock:
            return self._revisions[-1] if self._revisions else RolloutRevision()

    def revise(self, revision: RolloutRevision, events: Sequence[Event] = ()) -> RolloutRevision:
        with self._lock:
            current = self.rollout()
            if revision.is_same_change(current) and current.created_at is not None:
                return current
            revision.check_follows(current)
            written = attrs.evolve(revision, created_at=self.clock.now())
            self._revisions.append(written)
            self.generation = written.generation
            self.emit(events)
            return written

    def revisions(self, limit: int = 100) -> tuple[RolloutRevision, ...]:
        with self._lock:
            return tuple(self._revisions[::-1][: max(limit, 0)])
