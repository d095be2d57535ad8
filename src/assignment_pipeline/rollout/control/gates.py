"""Whether a phase may be left for the next: its criteria, measured."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import attrs

from assignment_pipeline.domain.metrics import SETTLING, Metrics, MetricsQuery
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.ports import MetricsStore
from assignment_pipeline.rollout.control.metrics import Count, metric_named
from assignment_pipeline.rollout.control.phases import (
    Criterion,
    Phase,
)
from assignment_pipeline.rollout.control.verdicts import Answer, Verdict

MOST_UNREADABLE = 0.01
"""Of legacy's answers, those that the shadow may fail to read before a gate holds for it: from 0 to 1."""


def decide(criterion: Criterion, counted: Count, since: dt.datetime | None = None) -> Verdict:
    """
    What was counted, held against a criterion. Pure: the same numbers give the same verdict.

    FAIL where the 95 % bound rules the threshold out, however long and however many. PASS where the value meets it,
    enough were counted, and for long enough; just enough is enough. HOLD otherwise, and always of nothing.

    Args:
        criterion: What has to hold.

        counted: What was found.

        since: Since when it has been counted, to say when it can pass at the earliest.
    """
    value = counted.value
    low, high = counted.bounds if value is not None else (None, None)
    answer, missing = Answer.HOLD, None
    passes_at = since + dt.timedelta(hours=counted.min_hours) if since is not None else None
    wants = [] if counted.sample >= max(criterion.min_sample, 1) else [_more(criterion, counted)]
    if counted.unreadable > MOST_UNREADABLE * counted.answered:
        wants.append(f"{counted.unreadable} of {counted.answered} answers of legacy's could not be compared")
    if counted.hours < counted.min_hours:
        wants.append(f"{counted.min_hours - counted.hours:.1f} more hours of {counted.min_hours:g}")
    if value is None:
        missing = "; ".join([_nothing(counted), *(want for want in wants if counted.unreadable and "answers" in want)])
    elif _is_ruled_out(criterion, counted.bounds):
        answer, passes_at = Answer.FAIL, None
        missing = f"{value:.4g} is {_wrong_side(criterion)} {criterion.threshold:g}, and not by chance"
    elif not criterion.is_met(value):
        missing = "; ".join([f"{value:.4g} is {_wrong_side(criterion)} {criterion.threshold:g}", *wants])
    elif wants:
        missing = "; ".join(wants)
    else:
        answer, passes_at = Answer.PASS, None
    if wants and counted.sample < max(criterion.min_sample, 1):
        passes_at = _expected(criterion, counted, since, passes_at)
    return Verdict.of(
        criterion,
        answer,
        value=value,
        sample=counted.sample,
        low=low,
        high=high,
        missing=missing,
        passes_at=passes_at if answer is Answer.HOLD else None,
        numbers=counted.numbers,
    )


def recompute(verdict: Verdict, min_sample: int) -> Answer:
    """
    The answer again, from the numbers that a verdict was recorded with.

    Raises:
        ValueError: They are not those of a gate.
    """
    bound: Any = {verdict.direction: verdict.threshold}
    numbers: Any = dict(verdict.numbers)
    try:
        counted = Count(**numbers)
        criterion = Criterion(metric=verdict.metric, min_sample=min_sample, **bound)
    except TypeError as error:
        raise ValueError(str(error)) from error
    return decide(criterion, counted).answer


def _is_ruled_out(criterion: Criterion, bounds: tuple[float, float]) -> bool:
    low, high = bounds
    return high < criterion.threshold if criterion.at_most is None else low > criterion.threshold


def _wrong_side(criterion: Criterion) -> str:
    return "below" if criterion.at_most is None else "above"


def _more(criterion: Criterion, counted: Count) -> str:
    wanted = max(criterion.min_sample, 1)
    whose = "" if counted.other_whole is None else " on each side" if counted.whole < wanted else " of legacy's"
    return f"{wanted - counted.sample} more of {wanted}{whose}"


def _nothing(counted: Count) -> str:
    if counted.whole and counted.other_whole == 0:
        return "legacy told of no outcome to compare with"
    return "nothing was counted yet"


def _expected(
    criterion: Criterion, counted: Count, since: dt.datetime | None, earliest: dt.datetime | None
) -> dt.datetime | None:
    """When the sample is full if it goes on as it has; None where nothing tells."""
    if since is None or earliest is None or not counted.sample or counted.hours <= 0:
        return None
    hours = counted.hours * max(criterion.min_sample, 1) / counted.sample
    return max(earliest, since + dt.timedelta(hours=min(hours, 24 * 365)))


class StoreGates:
    """
    `Gates` that measure in a store: what `Rollout` asks before it advances.

    Args:
        store: Where the numbers are.

        restaurant_id: Of that restaurant only; None for all.
    """

    def __init__(self, store: MetricsStore, *, restaurant_id: str | None = None) -> None:
        self._store = store
        self._restaurant_id = restaurant_id

    def __call__(self, phase: Phase, since: dt.datetime, now: dt.datetime) -> Sequence[Verdict]:
        """One verdict for each of the phase's criteria, on what has happened since it began."""
        return (
            judge_criteria(phase, self.measure(since, now), since, now)
            if since < now
            else judge_criteria(phase, None, since, now)
        )

    def measure(self, since: dt.datetime, now: dt.datetime) -> Metrics:
        """What has happened since a phase began; assignments that settled before then were of another."""
        query = MetricsQuery(since=since, until=now, restaurant_id=self._restaurant_id)
        settled = self._store.measure(attrs.evolve(query, since=since + SETTLING))
        return attrs.evolve(self._store.measure(query), outcomes=settled.outcomes, volume=settled.volume)


def judge_criteria(phase: Phase, metrics: Metrics | None, since: dt.datetime, now: dt.datetime) -> tuple[Verdict, ...]:
    """
    A phase's criteria, held against what was measured.

    Args:
        phase: The phase.

        metrics: What was measured since it began; None for nothing.

        since: When it began.

        now: The time.

    Raises:
        ValueError: There is no metric of a criterion's name.
    """
    mode = Mode.ACTIVE if phase.settings.enabled else Mode.SHADOW if phase.settings.shadow else Mode.OFF
    hours, min_hours = (now - since) / dt.timedelta(hours=1), phase.min_time / dt.timedelta(hours=1)
    verdicts = []
    for criterion in phase.criteria:
        metric = metric_named(criterion.metric)
        counted = Count() if metrics is None else metric.count(metrics, mode)
        timed = attrs.evolve(counted, hours=max(hours, 0.0), min_hours=min_hours)
        verdicts.append(decide(criterion, timed, since))
    return tuple(verdicts)
