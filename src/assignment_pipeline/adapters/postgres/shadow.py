"""What shadow runs leave: bundles, and cases that wait for a worker."""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from assignment_pipeline.adapters.columns import (
    BUNDLE,
    BUNDLE_HEAD,
    CASE,
    NEW_CASE,
    Kind,
    Rows,
    with_columns,
)
from assignment_pipeline.adapters.postgres.codec import document, optional_moment_of, optional_text_of
from assignment_pipeline.adapters.postgres.schema import named
from assignment_pipeline.adapters.postgres.store_work import StoreWork
from assignment_pipeline.adapters.postgres.work import Statement, Work
from assignment_pipeline.domain.shadow import ShadowBundle, ShadowVerdict, StoredCase

T = TypeVar("T")

_WRITTEN: Mapping[Kind, Callable[[Any], Any]] = {Kind.WORD: attrgetter("value"), Kind.MOMENT: optional_text_of}
_READ: Mapping[Kind, Callable[[Any], Any]] = {Kind.MOMENT: optional_moment_of}
BUNDLES = Rows(ShadowBundle, BUNDLE, {**_WRITTEN, Kind.DOCUMENT: document}, _READ)
BUNDLE_HEADS = Rows(ShadowBundle, BUNDLE_HEAD, _WRITTEN, _READ)
CASES = Rows(StoredCase, CASE, _WRITTEN, _READ)
NEW_CASES = Rows(StoredCase, NEW_CASE, _WRITTEN, _READ)

KEEP = with_columns("""
INSERT INTO assignment_pipeline.assignment_shadow_bundles ({BUNDLE}) VALUES ({GIVEN_BUNDLE})
ON CONFLICT (id) DO UPDATE SET {EXCLUDED_BUNDLE}
""")

# What others are letting go of just now is left to them: two that trim never wait for each other.
FORGET = """
DELETE FROM assignment_pipeline.assignment_shadow_bundles WHERE id IN (
    SELECT id FROM assignment_pipeline.assignment_shadow_bundles
    WHERE captured_at < %s OR id IN (
        SELECT id FROM assignment_pipeline.assignment_shadow_bundles ORDER BY captured_at DESC, id OFFSET %s
    )
    FOR UPDATE SKIP LOCKED
)
"""

LATEST = with_columns("""
SELECT {READ_BUNDLE_HEAD}
FROM assignment_pipeline.assignment_shadow_bundles
WHERE (%s::text IS NULL OR restaurant_id = %s) AND (%s::text IS NULL OR verdict = %s)
ORDER BY captured_at DESC, id LIMIT %s
""")

FIND = with_columns("""
SELECT {READ_BUNDLE}
FROM assignment_pipeline.assignment_shadow_bundles WHERE id = %s
""")

# One statement: as long as there is room, which two at one time may overdraw by what they bring.
PUT = with_columns("""
WITH given AS (
    SELECT g.*, pg_catalog.row_number() OVER (ORDER BY g.place) AS number
    FROM pg_catalog.jsonb_to_recordset(%s::jsonb) AS g
        (place integer, {TYPED_NEW_CASE})
    WHERE NOT EXISTS (SELECT FROM assignment_pipeline.assignment_shadow_cases known WHERE known.id = g.id)
), room AS (
    SELECT greatest(%s - pg_catalog.count(*), 0) AS places FROM assignment_pipeline.assignment_shadow_cases
), put AS (
    INSERT INTO assignment_pipeline.assignment_shadow_cases ({NEW_CASE})
    SELECT {NEW_CASE} FROM given, room WHERE number <= places
    ON CONFLICT (id) DO NOTHING
)
SELECT pg_catalog.count(*) FROM given, room WHERE number > places
""")

CLAIM = with_columns("""
UPDATE assignment_pipeline.assignment_shadow_cases
SET deliveries = deliveries + 1, claimed_until = coalesce(%s::timestamptz, pg_catalog.clock_timestamp()) + %s
WHERE id IN (
    SELECT id FROM assignment_pipeline.assignment_shadow_cases
    WHERE claimed_until IS NULL OR claimed_until <= coalesce(%s::timestamptz, pg_catalog.clock_timestamp())
    ORDER BY captured_at, id LIMIT %s
    FOR UPDATE SKIP LOCKED
)
RETURNING {READ_CASE}
""")

DROP = "DELETE FROM assignment_pipeline.assignment_shadow_cases WHERE id = ANY (%s)"

ANSWERED = """
SELECT DISTINCT booking_id FROM assignment_pipeline.observability_events
WHERE created_at >= %s AND source = 'auto_assign' AND event_type = 'auto_assign.summary'
    AND restaurant_id = %s AND booking_id IS NOT NULL
"""


class Shadows:
    """The part of both stores that is a `ShadowStore`: sync, for it is asked off the caller's path."""

    _work: StoreWork

    @abstractmethod
    def _do(self, begin: Callable[[], Work[T]]) -> T:
        """Have that work done, by a connection that no event loop has."""

    def _one(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        statement = named(text, self._work.reads.schema)

        def work() -> Work[list[tuple[Any, ...]]]:
            rows: list[tuple[Any, ...]] = yield Statement(statement, values)
            return rows

        return self._do(work)

    def keep_bundle(self, bundle: ShadowBundle, *, most: int, since: dt.datetime) -> None:
        self._one(KEEP, *BUNDLES.row(bundle))
        self._one(FORGET, since, max(most, 0))

    def bundles(
        self, *, restaurant_id: str | None = None, verdict: ShadowVerdict | None = None, limit: int = 100
    ) -> tuple[ShadowBundle, ...]:
        wanted = verdict and ShadowVerdict(verdict).value
        rows = self._one(LATEST, restaurant_id, restaurant_id, wanted, wanted, max(limit, 0))
        return tuple(BUNDLE_HEADS.value(row, document={}) for row in rows)

    def bundle(self, bundle_id: str) -> ShadowBundle | None:
        rows = self._one(FIND, bundle_id)
        return BUNDLES.value(rows[0]) if rows else None

    def put_cases(self, cases: Sequence[StoredCase], *, most: int) -> int:
        new = enumerate({case.id: case for case in cases}.values())
        given = [{"place": place, **NEW_CASES.named_row(case)} for place, case in new]
        [(left,)] = self._one(PUT, document(given), most)
        return int(left)

    def claim_cases(self, limit: int, *, for_: dt.timedelta) -> tuple[StoredCase, ...]:
        now = self._work.reads.now()
        rows = self._one(CLAIM, now, for_, now, max(limit, 0))
        return tuple(sorted(map(CASES.value, rows), key=lambda case: (case.captured_at, case.id)))

    def drop_cases(self, case_ids: Sequence[str]) -> None:
        if case_ids:
            self._one(DROP, list(case_ids))

    def answered_since(self, restaurant_id: str, since: dt.datetime) -> frozenset[str]:
        return frozenset(row[0] for row in self._one(ANSWERED, since, restaurant_id))
