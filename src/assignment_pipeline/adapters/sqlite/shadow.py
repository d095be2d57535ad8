"""What shadow runs leave: bundles, and cases that wait for a worker."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from assignment_pipeline.adapters.columns import BUNDLE, BUNDLE_HEAD, CASE, NEW_CASE, Kind, Rows, with_columns
from assignment_pipeline.adapters.sqlite.codec import READ, WRITTEN, text_of
from assignment_pipeline.adapters.sqlite.opening import cursor_of
from assignment_pipeline.adapters.sqlite.reads import Reads
from assignment_pipeline.domain.shadow import ShadowBundle, ShadowVerdict, StoredCase

T = TypeVar("T")

_WRITTEN = {**WRITTEN, Kind.DOCUMENT: json.dumps}
_READ = {**READ, Kind.DOCUMENT: json.loads}  # Lists stay lists.
BUNDLES = Rows(ShadowBundle, BUNDLE, _WRITTEN, _READ)
BUNDLE_HEADS = Rows(ShadowBundle, BUNDLE_HEAD, _WRITTEN, _READ)
CASES = Rows(StoredCase, CASE, _WRITTEN, _READ)
NEW_CASES = Rows(StoredCase, NEW_CASE, _WRITTEN, _READ)

KEEP = with_columns("INSERT OR REPLACE INTO assignment_shadow_bundles ({BUNDLE}) VALUES ({?BUNDLE})")

FORGET_OLD = "DELETE FROM assignment_shadow_bundles WHERE captured_at < ?"

# By the index, whose last rows are the first to go.
FORGET_MANY = """
DELETE FROM assignment_shadow_bundles
WHERE id IN (SELECT id FROM assignment_shadow_bundles ORDER BY captured_at DESC, id LIMIT -1 OFFSET ?)
"""

LATEST = with_columns("""
SELECT {BUNDLE_HEAD} FROM assignment_shadow_bundles
WHERE (:restaurant IS NULL OR restaurant_id = :restaurant) AND (:verdict IS NULL OR verdict = :verdict)
ORDER BY captured_at DESC, id LIMIT :limit
""")

FIND = with_columns("SELECT {BUNDLE} FROM assignment_shadow_bundles WHERE id = ?")

WAITING = "SELECT count(*) FROM assignment_shadow_cases"

KNOWN = "SELECT id FROM assignment_shadow_cases WHERE id IN (SELECT value FROM json_each(?))"

PUT = with_columns("INSERT INTO assignment_shadow_cases ({NEW_CASE}) VALUES ({?NEW_CASE})")

CLAIM = with_columns("""
UPDATE assignment_shadow_cases SET deliveries = deliveries + 1, claimed_until = :until
WHERE id IN (
    SELECT id FROM assignment_shadow_cases WHERE claimed_until IS NULL OR claimed_until <= :now
    ORDER BY captured_at, id LIMIT :limit
)
RETURNING {CASE}
""")

DROP = "DELETE FROM assignment_shadow_cases WHERE id IN (SELECT value FROM json_each(?))"

ANSWERED = """
SELECT DISTINCT booking_id FROM observability_events
WHERE created_at >= ? AND source = 'auto_assign' AND event_type = 'auto_assign.summary'
    AND restaurant_id = ? AND booking_id IS NOT NULL
"""


class Shadows:
    """The part of the embedded store that is a `ShadowStore`."""

    _reads: Reads

    @abstractmethod
    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T: ...

    @abstractmethod
    def _ask(self, work: Callable[[sqlite3.Connection], T]) -> T: ...

    def keep_bundle(self, bundle: ShadowBundle, *, most: int, since: dt.datetime) -> None:
        row = BUNDLES.row(bundle)

        def keep(connection: sqlite3.Connection) -> None:
            connection.execute(KEEP, row)
            connection.execute(FORGET_OLD, (text_of(since),))
            connection.execute(FORGET_MANY, (max(most, 0),))

        self._ask(keep)

    def bundles(
        self, *, restaurant_id: str | None = None, verdict: ShadowVerdict | None = None, limit: int = 100
    ) -> tuple[ShadowBundle, ...]:
        wanted = {
            "restaurant": restaurant_id,
            "verdict": verdict and ShadowVerdict(verdict).value,
            "limit": max(limit, 0),
        }
        rows = self._read(lambda connection: cursor_of(connection).execute(LATEST, wanted).fetchall())
        return tuple(BUNDLE_HEADS.value(row, document={}) for row in rows)

    def bundle(self, bundle_id: str) -> ShadowBundle | None:
        row = self._read(lambda connection: cursor_of(connection).execute(FIND, (bundle_id,)).fetchone())
        return BUNDLES.value(row) if row else None

    def put_cases(self, cases: Sequence[StoredCase], *, most: int) -> int:
        given = {case.id: case for case in cases}

        def put(connection: sqlite3.Connection) -> int:
            rows = cursor_of(connection)
            known = {row[0] for row in rows.execute(KNOWN, (json.dumps([*given]),))}
            new = [case for key, case in given.items() if key not in known]
            room = max(most - int(rows.execute(WAITING).fetchone()[0]), 0)
            rows.executemany(PUT, map(NEW_CASES.row, new[:room]))
            return len(new[room:])

        return self._ask(put)

    def claim_cases(self, limit: int, *, for_: dt.timedelta) -> tuple[StoredCase, ...]:
        """See `ShadowStore.claim_cases`."""

        def claim(connection: sqlite3.Connection) -> list[Any]:
            now = self._reads.clock.now()
            wanted = {"now": text_of(now), "until": text_of(now + for_), "limit": max(limit, 0)}
            return cursor_of(connection).execute(CLAIM, wanted).fetchall()

        return tuple(sorted(map(CASES.value, self._ask(claim)), key=lambda case: (case.captured_at, case.id)))

    def drop_cases(self, case_ids: Sequence[str]) -> None:
        if case_ids:
            self._ask(lambda connection: connection.execute(DROP, (json.dumps([*case_ids]),)).rowcount)

    def answered_since(self, restaurant_id: str, since: dt.datetime) -> frozenset[str]:
        wanted = (text_of(since), restaurant_id)
        rows = self._read(lambda connection: cursor_of(connection).execute(ANSWERED, wanted).fetchall())
        return frozenset(row[0] for row in rows)
