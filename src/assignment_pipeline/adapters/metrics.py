"""From the rows of queries to metrics: what every adapter that counts in SQL has in common."""

from __future__ import annotations

import datetime as dt
import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from assignment_pipeline.domain.counts import (
    CALL_KINDS,
    OUTCOME_KINDS,
    Agreement,
    Backlog,
    Calls,
    Latency,
    Outcomes,
    ReverseAgreement,
    Volume,
)
from assignment_pipeline.domain.events import EventType
from assignment_pipeline.domain.in_sql import in_sql
from assignment_pipeline.domain.metrics import (
    LATE,
    OVERDUE,
    SETTLING,
    Bucket,
    Group,
    Metrics,
    MetricsQuery,
    Seen,
    Series,
)
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.errors import InvalidValueError

Row = Sequence[Any]
Rows = Mapping[str, Sequence[Row]]

SERIES = ("outcomes", "calls")
"""The queries that `series` is made of."""

MEASURES = (
    *SERIES,
    "latency",
    "agreement",
    "volume",
    "attempts",
    "strategies",
    "reasons",
    "review",
    "overdue",
    "lost",
)
"""Those that `measure` is."""

_ALL = 10**12  # Seconds: a stretch that any window is within.
_SECOND = dt.timedelta(seconds=1)
_HEADING = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@functools.cache
def queries(package: str) -> Mapping[str, str]:
    """The queries in ``sql/metrics.sql`` of a package, by name."""
    import importlib.resources  # noqa: PLC0415 - it loads tempfile and more, for SQL alone

    text = in_sql((importlib.resources.files(package) / "sql" / "metrics.sql").read_text("utf-8"))
    _, *parts = _HEADING.split(text)
    return dict(zip(parts[::2], (part.strip().removesuffix(";") for part in parts[1::2]), strict=True))


def values(
    query: MetricsQuery,
    now: dt.datetime,
    text_of: Callable[[dt.datetime], str],
    width: dt.timedelta | None = None,
    *,
    each: bool = False,
) -> dict[str, Any]:
    """
    What the queries' placeholders stand for.

    Args:
        query: What to count over.

        now: The store's time.

        text_of: Writes a time as the database reads it.

        width: How long each stretch is; None for one.

        each: Whether outcomes are told apart by restaurant.

    Raises:
        ValueError: See `MetricsStore.series`.
    """
    if width is not None and (query.since.microsecond or width < _SECOND or width % _SECOND):
        raise InvalidValueError("series", "whole seconds", f"{width} from {query.since.isoformat()}")
    until = query.until or now
    return {
        "since": text_of(query.since),
        "until": text_of(until),
        "settling_since": text_of(query.since - SETTLING),
        "settling_until": text_of(until - SETTLING),
        "late_since": text_of(query.since - LATE),
        "late_until": text_of(until - LATE),
        "overdue": text_of(now - OVERDUE),
        "restaurant": query.restaurant_id,
        "each": each,
        "start": int(query.since.replace(microsecond=0).timestamp()),
        "width": _ALL if width is None else width // _SECOND,
    }


def metrics_of(
    rows: Rows, query: MetricsQuery, now: dt.datetime, moment_of: Callable[[Any], dt.datetime | None]
) -> Metrics:
    """What the rows of `MEASURES` come to; *moment_of* reads a time as the database writes it."""
    groups = _groups(rows)
    outcomes, calls = groups.get(0, ({}, {}))
    [(attempts, attempted)] = rows["attempts"]
    [(review, review_overdue)] = rows["review"]
    [(overdue, overdue_since, stuck)] = rows["overdue"]
    [(known, told)] = rows["lost"]
    return Metrics(
        since=query.since,
        until=query.until or now,
        restaurant_id=query.restaurant_id,
        outcomes=outcomes,
        calls=calls,
        latency={
            _group(owner, mode): Latency(calls=number, p50=p50, p95=p95, p99=p99)
            for owner, mode, number, p50, p95, p99 in rows["latency"]
        },
        agreement=Agreement(**_verdicts(rows["agreement"], Owner.PIPELINE)),
        reverse=ReverseAgreement(**_verdicts(rows["agreement"], Owner.LEGACY)),
        volume={Mode(mode): Volume(bookings=asked, told=told) for mode, asked, told in rows["volume"]},
        attempts=attempts,
        attempted=attempted,
        strategies=dict(map(tuple, rows["strategies"])),
        reasons=dict(map(tuple, rows["reasons"])),
        backlog=Backlog(
            review=review,
            review_overdue=review_overdue,
            overdue=overdue,
            overdue_since=moment_of(overdue_since),
            stuck=stuck,
        ),
        lost=max(0, known - told),
    )


def _verdicts(rows: Iterable[Row], candidate: Owner) -> dict[str, int]:
    """The verdicts of one of the two directions, by the names that `Agreement` has for them."""
    found = [row for row in rows if row[5] == candidate.value]
    verdicts = {kind.removeprefix("shadow."): int(number) for kind, number, *_ in found}
    better, unreadable, double_seated = (sum(int(row[place]) for row in found) for place in (2, 3, 4))
    return {**verdicts, "better": better, "unreadable": unreadable, "double_seated": double_seated}


def series_of(rows: Rows, query: MetricsQuery, now: dt.datetime, width: dt.timedelta) -> Series:
    """What the rows of `SERIES` come to."""
    groups = _groups(rows)
    number = -((query.since - (query.until or now)) // width)
    empty: tuple[dict[Group, Outcomes], dict[Group, Calls]] = ({}, {})
    stretches = ((query.since + place * width, groups.get(place, empty)) for place in range(max(number, 0)))
    return tuple(Bucket(start=start, outcomes=outcomes, calls=calls) for start, (outcomes, calls) in stretches)


def seen_of(rows: Iterable[Row], moment_of: Callable[[Any], dt.datetime | None]) -> Iterator[Seen]:
    """The rows of ``seen``, in an order that no database's language has a say in."""
    for source, kind, mode, count, last in sorted(rows, key=lambda row: (row[0], row[1], row[2] or "")):
        moment = moment_of(last)
        assert moment is not None  # noqa: S101 - every event has a time
        yield Seen(source=source, type=kind, mode=mode, count=count, last=moment)


def by_restaurant_of(rows: Iterable[Row]) -> dict[str, dict[Group, Outcomes]]:
    """What the rows of ``outcomes`` come to, told apart by restaurant."""
    found: defaultdict[str, dict[Group, Outcomes]] = defaultdict(dict)
    for _, owner, mode, *numbers, restaurant in rows:
        if restaurant is not None:
            found[restaurant][_group(owner, mode)] = Outcomes(**dict(zip(OUTCOME_KINDS, numbers, strict=True)))
    return dict(found)


def book_of(rows: Iterable[Row]) -> dict[dt.date, tuple[int, int]]:
    """What the rows of ``book`` come to, the earliest day first."""
    return {dt.date.fromisoformat(day): (own, whole) for day, own, whole in sorted(map(tuple, rows))}


def ran_of(rows: Iterable[Row]) -> dict[str, dict[Group, int]]:
    """What the rows of ``ran`` come to."""
    found: defaultdict[str, dict[Group, int]] = defaultdict(dict)
    for restaurant, owner, mode, bookings in rows:
        found[restaurant][_group(owner, mode)] = bookings
    return dict(found)


def _groups(rows: Rows) -> Mapping[int, tuple[dict[Group, Outcomes], dict[Group, Calls]]]:
    found: defaultdict[int, tuple[dict[Group, Outcomes], dict[Group, Calls]]] = defaultdict(lambda: ({}, {}))
    for bucket, owner, mode, *numbers, _ in rows["outcomes"]:
        found[bucket][0][_group(owner, mode)] = Outcomes(**dict(zip(OUTCOME_KINDS, numbers, strict=True)))
    for bucket, owner, mode, *numbers in rows["calls"]:
        found[bucket][1][_group(owner, mode)] = Calls(**dict(zip(CALL_KINDS, numbers, strict=True)))
    return found


def _group(owner: str, mode: str | None) -> Group:
    return Owner(owner), Mode(mode) if mode else None


ALARMS = (EventType.ALERT_FIRING, EventType.ALERT_RESOLVED)
"""What `MetricsStore.alarms` finds."""
