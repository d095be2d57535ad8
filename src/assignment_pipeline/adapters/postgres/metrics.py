"""What the rollout is judged by: the queries are in ``sql/metrics.sql``."""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

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
from assignment_pipeline.adapters.postgres.codec import moment_of, optional_moment_of, text_of
from assignment_pipeline.adapters.postgres.line import take_time
from assignment_pipeline.adapters.postgres.reads import Reads
from assignment_pipeline.adapters.postgres.schema import named
from assignment_pipeline.adapters.postgres.store_work import StoreWork
from assignment_pipeline.adapters.postgres.work import HostCall, Statement, Work, in_snapshot
from assignment_pipeline.domain.counts import Outcomes
from assignment_pipeline.domain.events import Event, EventType
from assignment_pipeline.domain.metrics import Group, Metrics, MetricsQuery, Seen, Series

T = TypeVar("T")

NOW = "SELECT pg_catalog.to_json(coalesce(%s::timestamptz, pg_catalog.now()))"

# The offset of local time from UTC at each moment. A time zone that the server does not know is left out.
OFFSETS = """
SELECT z.zone, pg_catalog.array_agg((m.at AT TIME ZONE z.zone) - (m.at AT TIME ZONE 'UTC'::text) ORDER BY m.at)
FROM pg_catalog.unnest(%s::text[]) AS z(zone) CROSS JOIN pg_catalog.unnest(%s::timestamptz[]) AS m(at)
WHERE z.zone IN (SELECT n.name FROM pg_catalog.pg_timezone_names n) GROUP BY z.zone
"""

# A name without a schema finds only the server's own functions. Wrong or missing statistics must not make the planner
# read the whole past.
SETTINGS = "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL enable_seqscan = off; SET LOCAL jit = off"


class Measures:
    """The part of both stores that is a `MetricsStore`: sync, for it is asked off the caller's path."""

    _work: StoreWork

    @abstractmethod
    def _do(self, begin: Callable[[], Work[T]]) -> T:
        """See `Shadows`."""

    def now(self) -> dt.datetime:
        now, _ = self._find((), None)
        return now

    def measure(self, query: MetricsQuery) -> Metrics:
        now, rows = self._find(MEASURES, query)
        return metrics_of(rows, query, now, optional_moment_of)

    def series(self, query: MetricsQuery, width: dt.timedelta) -> Series:
        now, rows = self._find(SERIES, query, width)
        return series_of(rows, query, now, width)

    def by_restaurant(self, query: MetricsQuery) -> dict[str, dict[Group, Outcomes]]:
        _, rows = self._find(("outcomes",), query, each=True)
        return by_restaurant_of(rows["outcomes"])

    def ran(self, query: MetricsQuery) -> dict[str, dict[Group, int]]:
        _, rows = self._find(("ran",), query)
        return ran_of(rows["ran"])

    def book(self, query: MetricsQuery, restaurants: Sequence[str]) -> dict[dt.date, tuple[int, int]]:
        _, rows = self._find(("book",), query, restaurants=restaurants)
        return book_of(rows["book"])

    def seen(self, query: MetricsQuery) -> tuple[Seen, ...]:
        _, rows = self._find(("seen",), query)
        return tuple(seen_of(rows["seen"], optional_moment_of))

    def events_of(self, query: MetricsQuery, types: Sequence[EventType]) -> tuple[Event, ...]:
        _, rows = self._find(("events_of",), query, types=types)
        return tuple(map(_event, rows["events_of"]))

    def alarms(self) -> tuple[Event, ...]:
        _, rows = self._find(("alarms",), None)
        return tuple(map(_event, rows["alarms"]))

    def offsets(self, zones: Sequence[str], moments: Sequence[dt.datetime]) -> Mapping[str, Sequence[dt.timedelta]]:
        """
        How far local time is ahead of UTC, as the server's time zone database has it; without zones that it has not.

        Args:
            zones: IANA names.

            moments: When, in order.
        """
        rows: list[Row] = self._do(lambda: in_snapshot(_offsets(list(zones), list(moments))))
        return {row[0]: row[1] for row in rows}

    def _find(
        self,
        names: Iterable[str],
        query: MetricsQuery | None,
        width: dt.timedelta | None = None,
        *,
        each: bool = False,
        types: Sequence[EventType] = (),
        restaurants: Sequence[str] = (),
    ) -> tuple[dt.datetime, dict[str, list[Row]]]:
        reads = self._work.reads
        lists = {"types": [kind.value for kind in types], "restaurants": list(restaurants)}
        return self._do(lambda: in_snapshot(_found(reads, tuple(names), query, width, each=each, lists=lists)))


def _found(
    reads: Reads,
    names: Iterable[str],
    query: MetricsQuery | None,
    width: dt.timedelta | None,
    *,
    each: bool,
    lists: Mapping[str, list[str]],
) -> Work[tuple[dt.datetime, dict[str, list[Row]]]]:
    texts = queries(__package__ or "")
    yield HostCall(take_time)
    [(moment,)] = yield reads.ask(NOW, reads.now())
    now = moment_of(moment)
    yield Statement(SETTINGS)
    given = {} if query is None else values(query, now, text_of, width, each=each)
    given |= {name: listed for name, listed in lists.items() if listed or name == "restaurants"}
    rows: dict[str, list[Row]] = {}
    for name in names:
        rows[name] = yield Statement(named(texts[name], reads.schema), given)
    return now, rows


def _offsets(zones: list[str], moments: list[dt.datetime]) -> Work[list[Row]]:
    yield Statement(SETTINGS)
    rows: list[Row] = yield Statement(OFFSETS, (zones, moments))
    return rows


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
        context=context,
    )
