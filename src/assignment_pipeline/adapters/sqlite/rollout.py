"""The rollout's revisions: what the store reads and writes of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeVar

import attrs

from assignment_pipeline.adapters.as_json import dumps
from assignment_pipeline.adapters.sqlite.codec import Row, event_row, optional_moment_of, text_of
from assignment_pipeline.adapters.sqlite.commits import WRITE_EVENT, Commits
from assignment_pipeline.adapters.sqlite.host import StandaloneHost
from assignment_pipeline.adapters.sqlite.opening import cursor_of
from assignment_pipeline.adapters.sqlite.writer import Writer
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.rollout import RolloutRevision

T = TypeVar("T")

# The row in force is what commits compare; who made it so, and why, stands in the history.
IN_FORCE = """
SELECT r.generation, r.phase, r.settings, h.actor, h.reason, h.forced, h.evidence, r.updated_at
FROM assignment_rollout r LEFT JOIN assignment_rollout_history h USING (generation)
WHERE r.id = 1
"""

NEWEST = """
SELECT generation, phase, settings, actor, reason, forced, evidence, created_at
FROM assignment_rollout_history ORDER BY generation DESC LIMIT ?
"""

PUT_IN_FORCE = "UPDATE assignment_rollout SET generation = ?, phase = ?, settings = ?, updated_at = ? WHERE id = 1"

WRITE_REVISION = """
INSERT INTO assignment_rollout_history
    (generation, phase, settings, actor, reason, forced, evidence, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


# Step by step through the index: a scan of all records takes seconds where there are millions.
RESTAURANTS = """
WITH RECURSIVE each (id) AS (
    SELECT min(restaurant_id) FROM assignment_records
    UNION ALL
    SELECT (SELECT min(restaurant_id) FROM assignment_records WHERE restaurant_id > each.id)
    FROM each WHERE each.id IS NOT NULL
)
SELECT id FROM each WHERE id IS NOT NULL
"""

OWN = "SELECT id FROM restaurants"


class Revisions:
    """The part of the store that is a `RolloutStore`."""

    _commits: Commits
    _writer: Writer

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        raise NotImplementedError

    def rollout(self) -> RolloutRevision:
        return self._read(_in_force)

    def revise(self, revision: RolloutRevision, events: Sequence[Event] = ()) -> RolloutRevision:
        """See `RolloutStore.revise`: it is written as commits are, one after the other."""
        return self._writer.run(lambda connection: self._revise(connection, revision, events))

    def revisions(self, limit: int = 100) -> tuple[RolloutRevision, ...]:
        return self._read(lambda connection: _newest(connection, limit))

    def restaurants(self) -> tuple[str, ...]:
        return self._read(self._restaurants)

    def _restaurants(self, connection: sqlite3.Connection) -> tuple[str, ...]:
        rows = cursor_of(connection)
        asked = (RESTAURANTS, OWN) if isinstance(self._commits.reads.host.host, StandaloneHost) else (RESTAURANTS,)
        return tuple(sorted({restaurant_id for text in asked for (restaurant_id,) in rows.execute(text)}))

    def _revise(
        self, connection: sqlite3.Connection, revision: RolloutRevision, events: Sequence[Event]
    ) -> RolloutRevision:
        current = _in_force(connection)
        if revision.is_same_change(current) and current.created_at is not None:
            return current
        revision.check_follows(current)
        written = attrs.evolve(revision, created_at=self._commits.reads.clock.now())
        assert written.created_at is not None  # noqa: S101 - it was set just now
        settings, now = dumps(written.settings), text_of(written.created_at)
        rows = cursor_of(connection)
        rows.execute(PUT_IN_FORCE, (written.generation, written.phase, settings, now))
        facts = (written.actor, written.reason, written.forced, dumps(written.evidence), now)
        rows.execute(WRITE_REVISION, (written.generation, written.phase, settings, *facts))
        rows.executemany(WRITE_EVENT, map(event_row, events))
        return written


def _in_force(connection: sqlite3.Connection) -> RolloutRevision:
    row = cursor_of(connection).execute(IN_FORCE).fetchone()
    return _revision(row) if row else RolloutRevision()


def _newest(connection: sqlite3.Connection, limit: int) -> tuple[RolloutRevision, ...]:
    return tuple(map(_revision, cursor_of(connection).execute(NEWEST, (max(limit, 0),))))


def _revision(row: Row) -> RolloutRevision:
    generation, phase, settings, actor, reason, forced, evidence, created_at = row
    return RolloutRevision(
        generation=generation,
        phase=phase,
        settings=json.loads(settings),
        actor=actor,
        reason=reason,
        forced=bool(forced),
        evidence=json.loads(evidence or "{}"),
        created_at=optional_moment_of(created_at),
    )
