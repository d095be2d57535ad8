"""The rollout's revisions: what the store reads and writes of them."""

from __future__ import annotations

import json
import random
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import psycopg

from assignment_pipeline.adapters.postgres.codec import document, events_of, optional_moment_of
from assignment_pipeline.adapters.postgres.purposes import STEERS, TELLS, remedy_for
from assignment_pipeline.adapters.postgres.reads import Reads
from assignment_pipeline.adapters.postgres.store_work import StoreWork
from assignment_pipeline.adapters.postgres.work import Statement, Work
from assignment_pipeline.domain.events import Event
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import (
    CommitUnknownError,
    MissingRightsError,
    StaleRolloutError,
    StoreUnavailableError,
)

T = TypeVar("T")

IN_FORCE = "SELECT pg_catalog.row_to_json(r)::text FROM assignment_pipeline.rollout_in_force r"

NEWEST = """
SELECT pg_catalog.json_agg(revisions)::text FROM (
    SELECT * FROM assignment_pipeline.assignment_rollout_history ORDER BY generation DESC LIMIT %s
) AS revisions
"""

# Jumps from restaurant to restaurant in the index. A scan of millions of records would take seconds.
RESTAURANTS = """
WITH RECURSIVE each (id) AS (
    SELECT pg_catalog.min(restaurant_id) FROM assignment_pipeline.assignment_records
    UNION ALL
    SELECT (
        SELECT pg_catalog.min(restaurant_id) FROM assignment_pipeline.assignment_records
        WHERE restaurant_id > each.id
    )
    FROM each WHERE each.id IS NOT NULL
)
SELECT id FROM each WHERE id IS NOT NULL
"""

OWN = "SELECT id FROM assignment_pipeline.restaurants"

REVISE = "SELECT assignment_pipeline.revise(%s)"

AWAIT_COMMITS = "SELECT assignment_pipeline.await_commits()"

# Rights are held by the role, by one that it is a member of, or by everybody.
LACKS = """
SELECT p.proname::text FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %s::text AND p.proname = ANY (%s::text[])
    AND NOT pg_catalog.has_function_privilege(p.oid, 'EXECUTE'::text)
UNION ALL
SELECT c.relname::text FROM pg_catalog.jsonb_each_text(%s) AS wanted(name, right_)
JOIN pg_catalog.pg_class c ON c.relname = wanted.name JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %s::text AND NOT pg_catalog.has_table_privilege(c.oid, wanted.right_)
"""

PATIENCE = 10.0
"""Seconds to wait for commits that have begun before."""

_PAUSE = (0.01, 0.05)  # Seconds in which other commits get through, between two times of waiting.
_LOCK_TIMEOUT = "55P03"


class Revisions:
    """The part of both stores that is a `RolloutStore`: sync, for it is asked off the caller's path."""

    _work: StoreWork

    @abstractmethod
    def _do(self, begin: Callable[[], Work[T]]) -> T:
        """See `Shadows`."""

    def rollout(self) -> RolloutRevision:
        return self._do(lambda: _in_force(self._work.reads))

    def revise(self, revision: RolloutRevision, events: Sequence[Event] = ()) -> RolloutRevision:
        """
        See `RolloutStore.revise`: in force at once for every commit that begins, whatever is still in flight.

        What is in flight is then waited for, for 10 s at most, without keeping other commits waiting for long.
        """
        written = self._do(lambda: _revise(self._work.reads, revision, events))
        self._await_commits()
        return written

    def revisions(self, limit: int = 100) -> tuple[RolloutRevision, ...]:
        return self._do(lambda: _newest(self._work.reads, limit))

    def restaurants(self) -> tuple[str, ...]:
        return self._do(lambda: _restaurants(self._work.reads))

    def require_rights(self, *, steers: bool) -> None:
        """
        Make sure that this role may keep events and, where it *steers*, move the rollout. Changes nothing.

        Raises:
            MissingRightsError: It may not.
        """
        wanted = {**STEERS, **TELLS} if steers else TELLS
        lacks = self._do(lambda: _lacks(self._work.reads, wanted))
        if lacks:
            remedies = (remedy_for(name) for name in lacks)
            names = f"it may not use {', '.join(lacks)}"
            raise MissingRightsError(names, next(filter(None, remedies), MissingRightsError.remedy))

    def _await_commits(self) -> None:
        give_up_at = time.monotonic() + PATIENCE
        while True:
            try:
                self._do(lambda: _await_commits(self._work.reads))
            except StoreUnavailableError as error:
                if not _is_timeout(error) or time.monotonic() > give_up_at:
                    msg = f"the change is in force, but commits that were in flight may not have ended: {error.detail}"
                    raise CommitUnknownError(msg) from error
            else:
                return
            time.sleep(random.uniform(*_PAUSE))  # noqa: S311 - not a secret


def _is_timeout(error: StoreUnavailableError) -> bool:
    return isinstance(error.__cause__, psycopg.Error) and error.__cause__.sqlstate == _LOCK_TIMEOUT


def _in_force(reads: Reads) -> Work[RolloutRevision]:
    [(answer,)] = yield reads.ask(IN_FORCE)
    return _revision(json.loads(answer))


def _newest(reads: Reads, limit: int) -> Work[tuple[RolloutRevision, ...]]:
    [(answer,)] = yield reads.ask(NEWEST, max(limit, 0))
    return tuple(map(_revision, json.loads(answer or "[]")))


def _revise(reads: Reads, revision: RolloutRevision, events: Sequence[Event]) -> Work[RolloutRevision]:
    facts = {
        "revision": {
            "generation": revision.generation,
            "phase": revision.phase,
            "settings": revision.settings,
            "actor": revision.actor,
            "reason": revision.reason,
            "forced": revision.forced,
            "evidence": revision.evidence,
        },
        "events": events_of(events),
        "now": reads.now(),
    }
    [(answer,)] = yield reads.ask(REVISE, document(facts), commits=True)
    found = _revision(json.loads(answer))
    if not revision.is_same_change(found) or found.created_at is None:
        raise StaleRolloutError(revision.generation - 1, found.generation)
    return found


def _lacks(reads: Reads, wanted: Mapping[str, str]) -> Work[list[str]]:
    functions = [name for name, right in wanted.items() if right == "EXECUTE"]
    tables = {name: right for name, right in wanted.items() if name not in functions}
    rows = yield Statement(LACKS, (reads.schema, functions, document(tables), reads.schema))
    found = {name for (name,) in rows}
    return [name for name in wanted if name in found]


def _restaurants(reads: Reads) -> Work[tuple[str, ...]]:
    found = set()
    for text in (RESTAURANTS, OWN) if reads.standalone else (RESTAURANTS,):
        found |= {restaurant_id for (restaurant_id,) in (yield reads.ask(text))}
    return tuple(sorted(found))


def _await_commits(reads: Reads) -> Work[None]:
    yield reads.ask(AWAIT_COMMITS)


def _revision(facts: Mapping[str, Any]) -> RolloutRevision:
    known = {key: value for key, value in facts.items() if key != "created_at"}
    return RolloutRevision(**known, created_at=optional_moment_of(facts["created_at"]))
