"""What shadow runs leave, in memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from assignment_pipeline.domain.events import EventType, Source
from assignment_pipeline.domain.shadow import ShadowBundle, ShadowVerdict, StoredCase

if TYPE_CHECKING:
    import threading

    from assignment_pipeline.adapters.memory.told import ToldEvents
    from assignment_pipeline.ports import Clock


class MemoryShadow:
    """The part of the store in memory that is a `ShadowStore`."""

    if TYPE_CHECKING:
        clock: Clock
        _lock: threading.RLock  # type: ignore[valid-type,unused-ignore]
        _events: ToldEvents

    def __init__(self) -> None:
        self._bundles: dict[str, ShadowBundle] = {}
        self._cases: dict[str, StoredCase] = {}
        self._claimed: dict[str, dt.datetime] = {}

    def keep_bundle(self, bundle: ShadowBundle, *, most: int, since: dt.datetime) -> None:
        with self._lock:
            self._bundles[bundle.id] = bundle
            kept = [one for one in self._latest() if one.captured_at >= since][: max(most, 0)]
            self._bundles = {one.id: one for one in kept}

    def _latest(self) -> list[ShadowBundle]:
        by_id = sorted(self._bundles.values(), key=lambda bundle: bundle.id)
        return sorted(by_id, key=lambda bundle: bundle.captured_at, reverse=True)

    def bundles(
        self, *, restaurant_id: str | None = None, verdict: ShadowVerdict | None = None, limit: int = 100
    ) -> tuple[ShadowBundle, ...]:
        with self._lock:
            found = [
                attrs.evolve(bundle, document={})
                for bundle in self._latest()
                if restaurant_id in (None, bundle.restaurant_id) and verdict in (None, bundle.verdict)
            ]
            return tuple(found[: max(limit, 0)])

    def bundle(self, bundle_id: str) -> ShadowBundle | None:
        with self._lock:
            return self._bundles.get(bundle_id)

    def put_cases(self, cases: Sequence[StoredCase], *, most: int) -> int:
        with self._lock:
            new = list({case.id: case for case in cases if case.id not in self._cases}.values())
            room = max(most - len(self._cases), 0)
            self._cases |= {case.id: case for case in new[:room]}
            return len(new[room:])

    def claim_cases(self, limit: int, *, for_: dt.timedelta) -> tuple[StoredCase, ...]:
        with self._lock:
            now = self.clock.now()
            ready = sorted(
                (case for key, case in self._cases.items() if self._claimed.get(key, now) <= now),
                key=lambda case: (case.captured_at, case.id),
            )
            claimed = tuple(attrs.evolve(case, deliveries=case.deliveries + 1) for case in ready[: max(limit, 0)])
            self._cases |= {case.id: case for case in claimed}
            self._claimed |= {case.id: now + for_ for case in claimed}
            return claimed

    def drop_cases(self, case_ids: Sequence[str]) -> None:
        with self._lock:
            for case_id in case_ids:
                self._cases.pop(case_id, None)
                self._claimed.pop(case_id, None)

    def answered_since(self, restaurant_id: str, since: dt.datetime) -> frozenset[str]:
        with self._lock:
            return frozenset(
                event.booking_id
                for event in self._events.values()
                if event.source is Source.LEGACY
                and event.type is EventType.LEGACY_SUMMARY
                and event.restaurant_id == restaurant_id
                and event.booking_id is not None
                and event.created_at >= since
            )
