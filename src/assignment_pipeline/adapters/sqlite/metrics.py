"""What the rollout is judged by: the queries are in ``sql/metrics.sql``."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from assignment_pipeline.adapters.metrics import (
    MEASURES,
    SERIES,
    Row,
    book_of,
    by_restaurant_of,
    metrics_of,
    queries,
    ran_of,
    seen_of,
    series_of,
    values,
)
from assignment_pipeline.adapters.sqlite.codec import moment_of, optional_moment_of, text_of
from assignment_pipeline.adapters.sqlite.opening import cursor_of
from assignment_pipeline.adapters.sqlite.reads import Reads
from assignment_pipeline.domain.counts import Outcomes
from assignment_pipeline.domain.events import Event, EventType
from assignment_pipeline.domain.metrics import Group, Metrics, MetricsQuery, Seen, Series

T = TypeVar("T")


class Measures:
    """The part of the store that is a `MetricsStore`."""

    _reads: Reads

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        raise NotImplementedError

    def now(self) -> dt.datetime:
        return self._reads.clock.now()

    def measure(self, query: MetricsQuery) -> Metrics:
        now = self._reads.clock.now()
        return metrics_of(self._find(MEASURES, values(query, now, text_of)), query, now, optional_moment_of)

    def series(self, query: MetricsQuery, width: dt.timedelta) -> Series:
        now = self._reads.clock.now()
        return series_of(self._find(SERIES, values(query, now, text_of, width)), query, now, width)

    def by_restaurant(self, query: MetricsQuery) -> dict[str, dict[Group, Outcomes]]:
        given = values(query, self._reads.clock.now(), text_of, each=True)
        return by_restaurant_of(self._find(("outcomes",), given)["outcomes"])

    def ran(self, query: MetricsQuery) -> dict[str, dict[Group, int]]:
        return ran_of(self._find(("ran",), values(query, self._reads.clock.now(), text_of))["ran"])

    def book(self, query: MetricsQuery, restaurants: Sequence[str]) -> dict[dt.date, tuple[int, int]]:
        given = values(query, self._reads.clock.now(), text_of)
        return book_of(self._find(("book",), {**given, "restaurants": json.dumps(list(restaurants))})["book"])

    def seen(self, query: MetricsQuery) -> tuple[Seen, ...]:
        found = self._find(("seen",), values(query, self._reads.clock.now(), text_of))
        return tuple(seen_of(found["seen"], optional_moment_of))

    def events_of(self, query: MetricsQuery, types: Sequence[EventType]) -> tuple[Event, ...]:
        given = values(query, self._reads.clock.now(), text_of)
        found = self._find(("events_of",), {**given, "types": json.dumps([kind.value for kind in types])})
        return tuple(map(_event, found["events_of"]))

    def alarms(self) -> tuple[Event, ...]:
        return tuple(map(_event, self._find(("alarms",), {})["alarms"]))

    def _find(self, names: Iterable[str], given: Mapping[str, Any]) -> dict[str, list[Row]]:
        texts = queries(__package__ or "")
        return self._read(
            lambda connection: {name: list(cursor_of(connection).execute(texts[name], given)) for name in names}
        )


def _event(row: Row) -> Event:
    event_id, created_at, source, kind, severity, restaurant_id, booking_id, context = row
    return Event(
        id=event_id,
        created_at=moment_of(created_at),
        source=source,
        type=kind,
        severity=severity,
        restaurant_id=restaurant_id,
        booking_id=booking_id,
        context=json.loads(context),
    )
