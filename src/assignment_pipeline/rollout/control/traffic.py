"""The traffic that there is: what a plan of the rollout begins with."""

from __future__ import annotations

import datetime as dt
from typing import Any

import attrs

from assignment_pipeline.domain.metrics import MetricsQuery
from assignment_pipeline.ports import MetricsStore

DAY = dt.timedelta(days=1)

LOOKED_BACK = 28
"""Over so many days the traffic is counted, at most."""


@attrs.frozen(kw_only=True)
class Traffic:
    """
    What was booked.

    Attributes:
        restaurants: At how many restaurants, by either planner.

        bookings_a_day: How many bookings a day they had, all together.

        days: Over how many days that was counted.
    """

    restaurants: int
    bookings_a_day: float
    days: int


def restaurants_of(store: Any) -> frozenset[str]:
    """
    The restaurants that a store has heard of: those with records or floors, and those with outcomes of four weeks.

    While a shadow looks on, none has a record.
    """
    known = frozenset[str](store.restaurants())
    if not hasattr(store, "by_restaurant"):
        return known
    return known.union(store.by_restaurant(MetricsQuery(since=store.now() - LOOKED_BACK * DAY)))


def traffic_of(store: MetricsStore) -> Traffic | None:
    """The traffic of a store in the last four weeks, as far back as it has any; None of none."""
    now = store.now().replace(microsecond=0)
    query = MetricsQuery(since=now - LOOKED_BACK * DAY, until=now)
    booked = [bucket.pipeline.asked + bucket.legacy.asked for bucket in store.series(query, DAY)]
    first = next((place for place, number in enumerate(booked) if number), None)
    if first is None:
        return None
    days = len(booked) - first
    return Traffic(
        restaurants=len(store.by_restaurant(query)), bookings_a_day=round(sum(booked[first:]) / days, 1), days=days
    )
