"""What the rollout is judged by, read from where the assignments are kept."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Protocol

from assignment_pipeline.domain.counts import Outcomes
from assignment_pipeline.domain.events import Event, EventType
from assignment_pipeline.domain.metrics import Group, Metrics, MetricsQuery, Seen, Series


class MetricsStore(Protocol):
    """
    One set of numbers for gates, alerts, the doctor and dashboards: what each counts stands in `domain.metrics`.

    Sync only: it is asked off the caller's path. It only reads, each call in one snapshot. Every method raises
    `StoreUnavailableError` if the store cannot be reached, and `SchemaMismatchError` if its schema does not fit.
    Implementations pass `assignment_pipeline.testing.MetricsStoreContract`.
    """

    def now(self) -> dt.datetime:
        """The store's time, in UTC."""
        ...

    def measure(self, query: MetricsQuery) -> Metrics:
        """Everything, over a window; until now, by the store's clock, where the query does not say."""
        ...

    def series(self, query: MetricsQuery, width: dt.timedelta) -> Series:
        """
        Outcomes and calls over a window, in stretches of *width* from its beginning: all of them, oldest first.

        Raises:
            ValueError: The window does not begin on a whole second, or *width* is not some of them.
        """
        ...

    def by_restaurant(self, query: MetricsQuery) -> Mapping[str, Mapping[Group, Outcomes]]:
        """How assignments came out over a window at each restaurant that had any, as `measure` counts them."""
        ...

    def ran(self, query: MetricsQuery) -> Mapping[str, Mapping[Group, int]]:
        """
        How many bookings each planner answered for in a window at each restaurant, by what the flags said to it.

        The pipeline's are those with a transition that no person made and no shadow rehearsed; legacy's are those that
        it answered. What has no mode is left out.
        """
        ...

    def book(self, query: MetricsQuery, restaurants: Sequence[str]) -> Mapping[dt.date, tuple[int, int]]:
        """
        Who seated those that arrive in a window at these restaurants, by service day, the earliest first.

        The service day is the local date five hours before a party's turn begins. Of each day: how many bookings have
        tables that the pipeline, or a person beside it, gave them, and how many have tables.
        """
        ...

    def seen(self, query: MetricsQuery) -> tuple[Seen, ...]:
        """The events in a window, counted by source, type and mode."""
        ...

    def events_of(self, query: MetricsQuery, types: Sequence[EventType]) -> tuple[Event, ...]:
        """The events of these types in a window, oldest first, and of one time by id."""
        ...

    def alarms(self) -> tuple[Event, ...]:
        """The last events about firing and resolved alerts, newest first, a thousand at most."""
        ...
