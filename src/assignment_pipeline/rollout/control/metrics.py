"""
The metrics of the rollout, each defined once: gates, alerts, the report, Prometheus and the documentation use these.

A new metric is one more row of `METRICS`. One that an alert is to look at also needs its query for Grafana, in
``queries/rules/``.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.counts import Agreement, Volume
from assignment_pipeline.domain.days import ComparedDay
from assignment_pipeline.domain.metrics import PIPELINE, Bucket, Group, Metrics
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.rollout.control.intervals import difference, newcombe, wilson
from assignment_pipeline.rollout.control.sequential import Counted, Differences, mean_sequence

Key = Group | Mode | None
"""Whose a number is: who answered and what the flags said, what the flags said, or everybody's."""


def _differences(days: Mapping[Any, float] | None) -> Differences | None:
    return None if days is None else {int(percent): number for percent, number in days.items()}


def _keyed(days: Mapping[int, float]) -> dict[str, float]:
    return {str(percent): days[percent] for percent in sorted(days)}


def _facts(count: Count) -> dict[str, Any]:
    return attrs.asdict(count, recurse=False)


@attrs.frozen
class Count:
    """
    What a gate or an alert is decided on. All of it stands in a verdict's `numbers`.

    Attributes:
        part: How many of them.

        whole: Of how many.

        other_part: How many of those that it is compared with, where it is.

        other_whole: Of how many.

        hours: How long it has been counted for.

        min_hours: How long it has to be.

        unreadable: Answers of legacy's that the shadow could not compare with anything.

        answered: Of how many of its answers.

        effect: How many bookings of the pipeline's are worth one that is independent of the others. Those of one
            restaurant resemble each other: see `design_effect`.

        other_effect: The same of those that it is compared with.

        explained: How many more of the pipeline's were to be expected than at all restaurants, by their own past; below
            zero, fewer. They are no merit of its, and are taken from `part`: see `explained_by`.

        other_explained: The same of those that it is compared with.

        restaurants: At how many restaurants the pipeline's were, where two sides are compared; None where that was not
            looked for.

        other_restaurants: At how many the others were.

        worst_part: What `part` was when the numbers spoke most clearly against the threshold since the phase began;
            None where that was not looked for.

        worst_whole: What `whole` was then; likewise for the next two.

        worst_other_part: What `other_part` was.

        worst_other_whole: What `other_whole` was.

        days: How many service days have which difference, in percent; None where it is bookings that are counted.

        worst_days: What `days` was when the numbers spoke most clearly against the threshold; None where that was not
            looked for.
    """

    part: int = 0
    whole: int = 0
    other_part: int | None = None
    other_whole: int | None = None
    hours: float = attrs.field(default=0.0, kw_only=True)
    min_hours: float = attrs.field(default=0.0, kw_only=True)
    unreadable: int = attrs.field(default=0, kw_only=True)
    answered: int = attrs.field(default=0, kw_only=True)
    effect: float = attrs.field(default=1.0, kw_only=True)
    other_effect: float = attrs.field(default=1.0, kw_only=True)
    explained: float = attrs.field(default=0.0, kw_only=True)
    other_explained: float = attrs.field(default=0.0, kw_only=True)
    restaurants: int | None = attrs.field(default=None, kw_only=True)
    other_restaurants: int | None = attrs.field(default=None, kw_only=True)
    worst_part: int | None = attrs.field(default=None, kw_only=True)
    worst_whole: int | None = attrs.field(default=None, kw_only=True)
    worst_other_part: int | None = attrs.field(default=None, kw_only=True)
    worst_other_whole: int | None = attrs.field(default=None, kw_only=True)
    days: Differences | None = attrs.field(default=None, kw_only=True, converter=_differences, hash=False)
    worst_days: Differences | None = attrs.field(default=None, kw_only=True, converter=_differences, hash=False)

    @property
    def worst(self) -> Count | None:
        """What had been counted when the numbers spoke most clearly against the threshold; None if nobody looked."""
        if self.worst_days is not None:
            return Count(days=self.worst_days)
        if self.worst_part is None or self.worst_whole is None:
            return None
        then = Count(self.worst_part, self.worst_whole, self.worst_other_part, self.worst_other_whole)
        return then.with_effects_of(self)

    def with_effects_of(self, other: Count) -> Count:
        """The same bookings, at restaurants such as *other*'s: as alike, so that more of each cost more; as good."""
        return attrs.evolve(
            self,
            effect=_effect_of_as_many(self.whole, other.whole, other.effect),
            other_effect=_effect_of_as_many(self.other_whole, other.other_whole, other.other_effect),
            explained=other.explained * self.whole / other.whole if other.whole else 0.0,
            other_explained=other.other_explained * (self.other_whole or 0) / other.other_whole
            if other.other_whole
            else 0.0,
        )

    @property
    def worth(self) -> tuple[Counted, Counted]:
        """Both sides, in bookings that are independent of each other."""
        own, other = _less(self.part, self.explained, self.whole), self.other_whole or 0
        theirs = _less(self.other_part or 0, self.other_explained, other)
        return (own / self.effect, self.whole / self.effect), (theirs / self.other_effect, other / self.other_effect)

    def with_worst(self, worst: Count) -> Count:
        """The same, and what had been counted when it was worst."""
        return attrs.evolve(
            self,
            worst_part=worst.part,
            worst_whole=worst.whole,
            worst_other_part=worst.other_part,
            worst_other_whole=worst.other_whole,
            worst_days=worst.days,
        )

    @property
    def sample(self) -> int:
        """How many were counted; the smaller number where two are compared."""
        if self.days is not None:
            return round(sum(self.days.values()))
        return self.whole if self.other_whole is None else min(self.whole, self.other_whole)

    @property
    def value(self) -> float | None:
        """The share, the difference of the two, or the mean of differences; None of nothing."""
        if self.days is not None:
            number = sum(self.days.values())
            return sum(percent * days for percent, days in self.days.items()) / number / 100 if number else None
        if self.other_part is None or self.other_whole is None:
            return self.part / self.whole if self.whole else None
        if (self.explained or self.other_explained) and self.whole and self.other_whole:
            own, theirs = _less(self.part, self.explained, self.whole), self.other_part
            return own / self.whole - _less(theirs, self.other_explained, self.other_whole) / self.other_whole
        return difference(self.part, self.whole, self.other_part, self.other_whole)

    @property
    def bounds(self) -> tuple[float, float]:
        """Where the true value lies with 95 % confidence, for who looks once."""
        if self.days is not None:
            return mean_sequence(self.days, 0.05)
        if self.other_part is None or self.other_whole is None:
            return wilson(self.part, self.whole)
        return newcombe(self.part, self.whole, self.other_part, self.other_whole)

    @property
    def numbers(self) -> dict[str, Any]:
        """All of it, as a verdict keeps it: as in JSON, the keys of `days` are texts."""
        return {name: _keyed(found) if isinstance(found, Mapping) else found for name, found in _facts(self).items()}

    def __add__(self, other: Count) -> Count:
        if other.days is not None:
            days = dict(self.days or {})
            return Count(days=days | {percent: days.get(percent, 0) + more for percent, more in other.days.items()})
        if other.other_part is None or other.other_whole is None:
            return Count(self.part + other.part, self.whole + other.whole)
        theirs = (self.other_part or 0) + other.other_part, (self.other_whole or 0) + other.other_whole
        return Count(self.part + other.part, self.whole + other.whole, *theirs)


def _less(part: int, explained: float, whole: int) -> float:
    return min(max(part - explained, 0.0), float(whole)) if explained else part


def _effect_of_as_many(whole: int | None, of: int | None, effect: float) -> float:
    """The effect of *whole* bookings at the same restaurants where *of* have *effect*: 1 + (size - 1) · correlation."""
    return 1 + (effect - 1) * (whole or 0) / of if of else 1.0


_NOTHING = Count()


@attrs.frozen(kw_only=True)
class Metric:
    """
    A number that the rollout is judged by.

    Attributes:
        name: Its name, in criteria, rules, documents and Prometheus.

        summary: What it is, for Prometheus.

        of: What is counted, for the documentation.

        share: Which part of that, or what it comes to.

        good: The sentence that holds where it is good, for the report.

        counts: Counts it, for each that it is told apart by.

        key: Whose count a gate looks at, given the mode of its phase.

        sample: What `Count.sample` is called in Prometheus, with what it is; None where it is not written.

        in_stretches: Whether the store counts it for each stretch of time, so that an alert can look at it.

        settles: Whether it is known only some minutes after the fact, once an assignment's outcome has settled.

        lowest: The least that it can be: 0 for a share, -1 for a difference of two. The most is 1.
    """

    name: str
    summary: str
    of: str
    share: str
    good: str
    counts: Callable[[Any], Mapping[Any, Count]]
    key: Callable[[Mode], Key]
    sample: tuple[str, str] | None = None
    in_stretches: bool = False
    settles: bool = True
    lowest: float = 0.0

    def count(self, found: Metrics | Bucket, mode: Mode = Mode.ACTIVE) -> Count:
        """What there is of it, of what the pipeline did in *mode*."""
        return self.counts(found).get(self.key(mode), _NOTHING)


def _of_outcomes(part: str, whole: str) -> Callable[[Metrics | Bucket], Mapping[Group, Count]]:
    def counts(found: Metrics | Bucket) -> Mapping[Group, Count]:
        return {group: Count(getattr(came, part), getattr(came, whole)) for group, came in found.outcomes.items()}

    return counts


def _errors(found: Metrics | Bucket) -> Mapping[Group, Count]:
    return {group: Count(calls.failing, calls.bookings) for group, calls in found.calls.items()}


def _volumes(found: Metrics) -> Mapping[Mode, Count]:
    counted = {mode: Count(volume.told, volume.bookings) for mode, volume in found.volume.items()}
    shadow = counted.setdefault(Mode.SHADOW, Count(Volume().told, Volume().bookings))
    counted[Mode.SHADOW] = _with_unreadable(shadow, found.agreement)
    return counted


def _agreement(found: Metrics) -> Mapping[None, Count]:
    verdicts = found.agreement
    return {None: _with_unreadable(Count(verdicts.agreeing, verdicts.comparable), verdicts)}


def _with_unreadable(count: Count, found: Agreement) -> Count:
    return attrs.evolve(count, unreadable=found.unreadable, answered=found.comparable + found.incomparable)


def _relative(found: Metrics | Bucket) -> Mapping[Group, Count]:
    # Legacy cannot prove that nothing could be done: such bookings count on both sides.
    own, legacy = found.pipeline, found.legacy
    return {PIPELINE: Count(own.confirmed, own.asked, legacy.confirmed, legacy.asked)}


def _of_days(difference: Callable[[ComparedDay], int | None]) -> Callable[[Any], Mapping[None, Count]]:
    def counts(found: Any) -> Mapping[None, Count]:
        differences = [difference(day) for day in getattr(found, "days", ())]
        days = collections.Counter(each for each in differences if each is not None)
        return {None: Count(days=days)} if days else {}

    return counts


_SAMPLE = ("sample", "Those that rates are of.")

CONFIRMATION_RATE = Metric(
    name="confirmation_rate",
    summary="Confirmed, of the sample.",
    of="sample = confirmed + review + failed + unsettled",
    share="confirmed / sample",
    good="Bookings are confirmed without a person",
    counts=_of_outcomes("confirmed", "sample"),
    key=lambda _: PIPELINE,
    sample=_SAMPLE,
    in_stretches=True,
)
"""Of the bookings settled, those that were seated without a person: from 0 to 1."""

REVIEW_RATE = Metric(
    name="review_rate",
    summary="Left to a person, of the sample.",
    of="the same",
    share="review / sample",
    good="Few are left to a person",
    counts=_of_outcomes("review", "sample"),
    key=lambda _: PIPELINE,
    sample=_SAMPLE,
    in_stretches=True,
)
"""Of the bookings settled, those that wait for a person: from 0 to 1."""

ERROR_RATE = Metric(
    name="error_rate",
    summary="Bookings that met an error, of those called for.",
    of="bookings called for, in the phase's mode",
    share="with a `coordinator.error`; in shadow with a verdict `pipeline_error`, `both_error` or `timeout`",
    good="Calls do not end in an error",
    counts=_errors,
    key=lambda mode: (Owner.PIPELINE, mode),
    sample=("bookings", "Bookings that were called for."),
    in_stretches=True,
    settles=False,
)
"""Of the bookings called for, those that met an error: from 0 to 1."""

EVENT_VOLUME = Metric(
    name="event_volume",
    summary="Bookings with events, of those assigned.",
    of="bookings that the pipeline decided on; in shadow, that legacy was called for",
    share="with a transition, or a shadow's verdict other than `dropped`, within five minutes",
    good="Every booking has its events",
    counts=_volumes,
    key=lambda mode: mode,
)
"""Of the bookings taken, those that have events: from 0 to 1."""

LEGACY_AGREEMENT = Metric(
    name="legacy_agreement",
    summary="Verdicts as good as legacy, or better.",
    of="comparable = match + equivalent + mismatch + pipeline_error + timeout",
    share="(match + equivalent + the mismatches in which the pipeline did better) / comparable",
    good="The shadow does as well as legacy",
    counts=_agreement,
    key=lambda _: None,
    sample=("legacy_comparable", "Verdicts that can be compared."),
)
"""Of the shadow's verdicts that compare, those in which the pipeline did as well as legacy, or better: from 0 to 1."""

RELATIVE_CONFIRMATION = Metric(
    name="relative_confirmation",
    summary="Seated, less legacy.",
    of="all who asked: the sample and what was proved",
    share="confirmed / asked, less the same of legacy",
    good="The cohort does no worse than the restaurants on legacy",
    counts=_relative,
    key=lambda _: PIPELINE,
    sample=("relative_sample", "The smaller number of the two."),
    in_stretches=True,
    lowest=-1.0,
)
"""How far the confirmation rate of the cohort lies above that of the restaurants still on legacy: from -1 to 1."""

CLOSED_LOOP_COVERS = Metric(
    name="closed_loop_covers",
    summary="Guests seated, against legacy, by service day.",
    of="service days that both planners were asked about",
    share="the mean of (guests that the pipeline would have seated - guests of legacy) / the larger of the two",
    good="The pipeline seats as many guests as legacy",
    counts=_of_days(lambda day: day.covers),
    key=lambda _: None,
    lowest=-1.0,
)
"""By which share the pipeline would have seated more guests of a service day than legacy: from -0.25 to 0.25."""

CLOSED_LOOP_PARTIES = Metric(
    name="closed_loop_parties",
    summary="Parties seated, against legacy, by service day.",
    of="the same",
    share="the same of parties",
    good="The pipeline seats as many parties as legacy",
    counts=_of_days(lambda day: day.parties),
    key=lambda _: None,
    lowest=-1.0,
)
"""By which share it would have seated more parties: from -0.25 to 0.25."""

INFEASIBLE_RISE = Metric(
    name="infeasible_rise",
    summary="Proved impossible, less the same restaurant's past.",
    of="whole days of a restaurant in a row, with 20 bookings or more",
    share="the mean of (proved / asked, less what was refused in the 28 days before the pipeline was in charge)",
    good="No more is impossible than was before",
    counts=lambda found: {None: Count(days=collections.Counter(found.rises))} if getattr(found, "rises", ()) else {},
    key=lambda _: None,
    lowest=-1.0,
)
"""By which share more bookings are proved impossible than were refused in the same restaurant's past: -0.25 to 0.25."""

OF_DAYS = frozenset({CLOSED_LOOP_COVERS.name, CLOSED_LOOP_PARTIES.name})
"""The metrics of service days; all others are of bookings."""

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        CONFIRMATION_RATE,
        REVIEW_RATE,
        ERROR_RATE,
        EVENT_VOLUME,
        LEGACY_AGREEMENT,
        RELATIVE_CONFIRMATION,
        CLOSED_LOOP_COVERS,
        CLOSED_LOOP_PARTIES,
        INFEASIBLE_RISE,
    )
}
"""Every metric, by its name."""


def metric_named(name: str) -> Metric:
    """
    The metric of that name.

    Raises:
        ValueError: There is none.
    """
    if name not in METRICS:
        raise InvalidValueError("metric", f"one of {', '.join(METRICS)}", repr(name))
    return METRICS[name]
