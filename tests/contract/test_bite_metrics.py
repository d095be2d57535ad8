"""The contract of a store that counts can fail: stores that count wrongly are told apart."""

import attrs
import pytest

from assignment_pipeline.adapters.memory import MemoryStore
from assignment_pipeline.domain.counts import Latency, Outcomes
from assignment_pipeline.domain.metrics import SETTLING
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.testing import MetricsStoreContract


class AtOnce(MemoryStore):
    """Counts outcomes the moment that they settle."""

    def measure(self, query):
        until = (query.until or self.clock.now()) + SETTLING
        return super().measure(attrs.evolve(query, until=until))


class Everywhere(MemoryStore):
    """Counts all restaurants."""

    def measure(self, query):
        return super().measure(attrs.evolve(query, restaurant_id=None))


class Lenient(MemoryStore):
    """Counts what was proved infeasible as a review."""

    def measure(self, query):
        found = super().measure(query)
        outcomes = {
            group: Outcomes(
                confirmed=one.confirmed, review=one.review + one.infeasible, failed=one.failed, withdrawn=one.withdrawn
            )
            for group, one in found.outcomes.items()
        }
        return attrs.evolve(found, outcomes=outcomes)


class Mean(MemoryStore):
    """Has the median for every percentile."""

    def measure(self, query):
        found = super().measure(query)
        latency = {
            group: Latency(calls=took.calls, p50=took.p50, p95=took.p50, p99=took.p50)
            for group, took in found.latency.items()
        }
        return attrs.evolve(found, latency=latency)


class Gappy(MemoryStore):
    """Leaves out the stretches in which nothing was."""

    def series(self, query, width):
        return tuple(bucket for bucket in super().series(query, width) if bucket.outcomes or bucket.calls)


class Alike(MemoryStore):
    """Has the outcomes of all for every restaurant."""

    def by_restaurant(self, query):
        return dict.fromkeys(super().by_restaurant(query), self.measure(query).outcomes)


class Loud(MemoryStore):
    """Takes what a shadow has rehearsed for what ran."""

    def ran(self, query):
        found = super().ran(query)
        if any(seen.mode == "shadow" for seen in self.seen(query)):
            found["r-1"] = found.get("r-1", {}) | {(Owner.PIPELINE, Mode.SHADOW): 1}
        return found


class Greedy(MemoryStore):
    """Takes what legacy has seated for its own."""

    def book(self, query, restaurants):
        return {day: (whole, whole) for day, (_, whole) in super().book(query, restaurants).items()}


class Forgetful(MemoryStore):
    """Finds no alarms."""

    def alarms(self):
        return ()


class ByTheClock(MemoryStore):
    """Takes every review that was there a moment ago for one that is overdue."""

    def measure(self, query):
        found = super().measure(query)
        return attrs.evolve(found, backlog=attrs.evolve(found.backlog, review_overdue=found.backlog.review))


class Backwards(MemoryStore):
    """Finds what was told newest first."""

    def events_of(self, query, types):
        return super().events_of(query, types)[::-1]


@pytest.mark.parametrize(
    ("kind", "caught"),
    [
        (AtOnce, "an_outcome_counts_once_it_has_stood_for_five_minutes"),
        (Everywhere, "a_restaurant_can_be_looked_at_alone"),
        (Lenient, "outcomes_are_told_apart"),
        (Mean, "percentiles_are_durations_of_calls"),
        (Alike, "outcomes_are_told_apart_by_restaurant"),
        (Loud, "what_ran_is_told_apart_by_restaurant_and_flags"),
        (Greedy, "who_seated_a_service_day"),
        (Gappy, "a_series_is_the_window_in_stretches"),
        (ByTheClock, "reviews_that_are_overdue"),
        (Backwards, "what_was_told_is_found_oldest_first"),
        (Forgetful, "alarms_are_found_newest_first"),
    ],
)
def test_a_store_that_counts_wrongly_fails(kind, caught, failures, stores):
    """Where it does; and the reference passes."""
    assert failures(MetricsStoreContract, stores(kind), only=caught) == {caught}
    assert failures(MetricsStoreContract, stores(MemoryStore), only=caught) == set()
