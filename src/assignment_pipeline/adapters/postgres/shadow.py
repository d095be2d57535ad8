"""What shadow runs leave: bundles, and cases that wait for a worker."""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from assignment_pipeline.adapters.postgres.codec import document, moment_of
from assignment_pipeline.adapters.postgres.schema import named
from assignment_pipeline.adapters.postgres.store_work import StoreWork
from assignment_pipeline.adapters.postgres.work import Statement, Work
from assignment_pipeline.domain.shadow import ShadowBundle, ShadowVerdict, StoredCase

T = TypeVar("T")

KEEP = """
INSERT INTO assignment_pipeline.assignment_shadow_bundles
    (id, captured_at, restaurant_id, booking_id, verdict, kind, cost_difference, document)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s::jsonb)
ON CONFLICT (id) DO UPDATE SET
    captured_at = excluded.captured_at, restaurant_id = excluded.restaurant_id, booking_id = excluded.booking_id,
    verdict = excluded.verdict, kind = excluded.kind, cost_difference = excluded.cost_difference,
    document = excluded.document
"""

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

LATEST = """
SELECT id, pg_catalog.to_json(captured_at), restaurant_id, booking_id, verdict, kind, cost_difference, '{}'::jsonb
FROM assignment_pipeline.assignment_shadow_bundles
WHERE (%s::text IS NULL OR restaurant_id = %s) AND (%s::text IS NULL OR verdict = %s)
ORDER BY captured_at DESC, id LIMIT %s
"""

FIND = """
SELECT id, pg_catalog.to_json(captured_at), restaurant_id, booking_id, verdict, kind, cost_difference, document
FROM assignment_pipeline.assignment_shadow_bundles WHERE id = %s
"""

# One statement: as long as there is room, which two at one time may overdraw by what they bring.
PUT = """
WITH given AS (
    SELECT g.*, pg_catalog.row_number() OVER (ORDER BY g.place) AS number
    FROM pg_catalog.jsonb_to_recordset(%s::jsonb) AS g
        (place integer, id text, captured_at timestamptz, restaurant_id text, booking_id text, document jsonb)
    WHERE NOT EXISTS (SELECT FROM assignment_pipeline.assignment_shadow_cases known WHERE known.id = g.id)
), room AS (
    SELECT greatest(%s - pg_catalog.count(*), 0) AS places FROM assignment_pipeline.assignment_shadow_cases
), put AS (
    INSERT INTO assignment_pipeline.assignment_shadow_cases (id, captured_at, restaurant_id, booking_id, document)
    SELECT id, captured_at, restaurant_id, booking_id, document FROM given, room WHERE number <= places
    ON CONFLICT (id) DO NOTHING
)
SELECT pg_catalog.count(*) FROM given, room WHERE number > places
"""

CLAIM = """
UPDATE assignment_pipeline.assignment_shadow_cases
SET deliveries = deliveries + 1, claimed_until = coalesce(%s::timestamptz, pg_catalog.clock_timestamp()) + %s
WHERE id IN (
    SELECT id FROM assignment_pipeline.assignment_shadow_cases
    WHERE claimed_until IS NULL OR claimed_until <= coalesce(%s::timestamptz, pg_catalog.clock_timestamp())
    ORDER BY captured_at, id LIMIT %s
    FOR UPDATE SKIP LOCKED
)
RETURNING id, pg_catalog.to_json(captured_at), restaurant_id, booking_id, document, deliveries
"""

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
        facts = (bundle.id, bundle.captured_at, bundle.restaurant_id, bundle.booking_id, bundle.verdict.value)
        self._one(KEEP, *facts, bundle.kind, bundle.cost_difference, document(bundle.document))
        self._one(FORGET, since, max(most, 0))

    def bundles(
        self, *, restaurant_id: str | None = None, verdict: ShadowVerdict | None = None, limit: int = 100
    ) -> tuple[ShadowBundle, ...]:
        wanted = verdict and ShadowVerdict(verdict).value
        rows = self._one(LATEST, restaurant_id, restaurant_id, wanted, wanted, max(limit, 0))
        return tuple(map(_bundle, rows))

    def bundle(self, bundle_id: str) -> ShadowBundle | None:
        rows = self._one(FIND, bundle_id)
        return _bundle(rows[0]) if rows else None

    def put_cases(self, cases: Sequence[StoredCase], *, most: int) -> int:
        given = [
            {
                "place": place,
                "id": case.id,
                "captured_at": case.captured_at.isoformat(),
                "restaurant_id": case.restaurant_id,
                "booking_id": case.booking_id,
                "document": case.document,
            }
            for place, case in enumerate({case.id: case for case in cases}.values())
        ]
        [(left,)] = self._one(PUT, document(given), most)
        return int(left)

    def claim_cases(self, limit: int, *, for_: dt.timedelta) -> tuple[StoredCase, ...]:
        now = self._work.reads.now()
        rows = self._one(CLAIM, now, for_, now, max(limit, 0))
        return tuple(sorted(map(_case, rows), key=lambda case: (case.captured_at, case.id)))

    def drop_cases(self, case_ids: Sequence[str]) -> None:
        if case_ids:
            self._one(DROP, list(case_ids))

    def answered_since(self, restaurant_id: str, since: dt.datetime) -> frozenset[str]:
        return frozenset(row[0] for row in self._one(ANSWERED, since, restaurant_id))


def _bundle(row: Sequence[Any]) -> ShadowBundle:
    names = ("id", "captured_at", "restaurant_id", "booking_id", "verdict", "kind", "cost_difference", "document")
    facts = dict(zip(names, row, strict=True))
    return ShadowBundle(**{**facts, "captured_at": moment_of(facts["captured_at"])})


def _case(row: Sequence[Any]) -> StoredCase:
    names = ("id", "captured_at", "restaurant_id", "booking_id", "document", "deliveries")
    facts = dict(zip(names, row, strict=True))
    return StoredCase(**{**facts, "captured_at": moment_of(facts["captured_at"])})
