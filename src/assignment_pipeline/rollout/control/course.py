"""How the criteria of a phase came to where they stand: what looks at them would have found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from assignment_pipeline.domain.metrics import Metrics
from assignment_pipeline.ports import MetricsStore
from assignment_pipeline.rollout.control.gates import counted_of, sequence
from assignment_pipeline.rollout.control.metrics import OF_DAYS, Count, metric_named
from assignment_pipeline.rollout.control.phases import Criterion, Phase
from assignment_pipeline.rollout.control.standing import Standing
from assignment_pipeline.rollout.control.store_gates import STRETCH, StoreGates, compares, has_stretches
from assignment_pipeline.rollout.control.verdicts import Verdict

MOST_POINTS = 60
"""Of a course that is counted in stretches."""

LOOKS = 12
"""Of one that is not: each is a measurement of its own."""


@attrs.frozen
class Look:
    """
    What a look at a criterion would have found.

    Attributes:
        at: When, as a share of the way from the begin of the phase to now. Of service days, which share was compared.

        value: What was found.

        low: The lower bound of its confidence sequence.

        high: The upper bound.
    """

    at: float
    value: float
    low: float
    high: float


def courses_of(store: MetricsStore, standing: Standing) -> Mapping[str, tuple[Look, ...]]:
    """The courses of the phase that a rollout is in; empty where it is in none: see `courses`."""
    if standing.phase is None or standing.since is None or standing.since >= standing.now:
        return {}
    return courses(StoreGates(store), standing.phase, standing.since, standing.now, standing.verdicts)


def courses(
    gates: StoreGates, phase: Phase, since: dt.datetime, now: dt.datetime, verdicts: Iterable[Verdict]
) -> Mapping[str, tuple[Look, ...]]:
    """
    The course of each criterion of a phase, by its metric. A criterion that nothing was counted for has none.

    What is counted in stretches takes one query, service days another; the rest is measured `LOOKS` times.

    Args:
        verdicts: What the criteria say now: each course ends with it.
    """
    latest = {verdict.metric: verdict for verdict in verdicts if verdict.value is not None}
    found: dict[str, tuple[Look, ...]] = {}
    measured: list[tuple[float, dict[str, Count]]] | None = None
    for criterion in phase.criteria:
        verdict = latest.get(criterion.metric)
        if verdict is None or verdict.value is None or verdict.low is None or verdict.high is None:
            continue
        if criterion.metric in OF_DAYS:
            counts = list(_by_day(gates, phase, criterion, since, now))
        elif compares(criterion) and gates.picked():
            counts = []  # The stretches tell of all restaurants, and a gate leaves these aside.
        elif has_stretches(criterion):
            counts = list(_by_stretch(gates, phase, criterion, since, now))
        else:
            if measured is None:
                measured = list(_measured(gates, phase, since, now))
            counts = [(at, by_metric[criterion.metric]) for at, by_metric in measured]
        last = Look(1.0, verdict.value, verdict.low, verdict.high)
        found[criterion.metric] = (*_looks(criterion, counts, counted_of(verdict)), last)
    return found


def _looks(criterion: Criterion, counts: Sequence[tuple[float, Count]], now: Count) -> Iterator[Look]:
    """What was counted, as a gate looks at it."""
    for at, count in counts:
        value = count.value
        if value is not None and at < 1.0:
            yield Look(at, value, *sequence(criterion, count.with_effects_of(now)))


def _by_day(
    gates: StoreGates, phase: Phase, criterion: Criterion, since: dt.datetime, now: dt.datetime
) -> Iterator[tuple[float, Count]]:
    days = gates.days(phase, since, now)
    for number in range(1, len(days) + 1):
        so_far = Metrics(since=since, until=now, days=days[:number])
        yield number / len(days), metric_named(criterion.metric).count(so_far)


def _by_stretch(
    gates: StoreGates, phase: Phase, criterion: Criterion, since: dt.datetime, now: dt.datetime
) -> Iterator[tuple[float, Count]]:
    metric, so_far = metric_named(criterion.metric), Count()
    stretches = gates.stretches(phase, since, now)
    every = max(-(-len(stretches) // MOST_POINTS), 1)
    for number, bucket in enumerate(stretches, 1):
        so_far += metric.count(bucket, phase.mode)
        if number % every == 0 or number == len(stretches):
            yield min((bucket.start + STRETCH - since) / (now - since), 1.0), so_far


def _measured(
    gates: StoreGates, phase: Phase, since: dt.datetime, now: dt.datetime
) -> Iterator[tuple[float, dict[str, Count]]]:
    for number in range(1, LOOKS):
        at = number / LOOKS
        metrics = gates.measure(since, since + at * (now - since))
        names = [criterion.metric for criterion in phase.criteria if criterion.metric not in OF_DAYS]
        yield at, {name: metric_named(name).count(metrics, phase.mode) for name in names}
