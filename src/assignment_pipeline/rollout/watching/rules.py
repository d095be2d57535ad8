"""What is bad enough to wake an operator for, and for how long it has to be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import attrs

from assignment_pipeline.domain.counts import Calls, Outcomes
from assignment_pipeline.domain.metrics import PIPELINE, Bucket
from assignment_pipeline.rollout.control.intervals import difference, newcombe, wilson
from assignment_pipeline.rollout.control.phases import (
    CONFIRMATION_RATE,
    ERROR_RATE,
    RELATIVE_CONFIRMATION,
    REVIEW_RATE,
    SAMPLE,
)

FEW = 10
"""Fewer than that say nothing."""


@attrs.frozen
class Count:
    """
    What a rule is held against.

    Attributes:
        part: How many of them.

        whole: Of how many.

        other_part: How many of legacy's, where it is compared with.

        other_whole: Of how many.
    """

    part: int = 0
    whole: int = 0
    other_part: int | None = None
    other_whole: int | None = None

    @property
    def sample(self) -> int:
        """How many were counted; the smaller number where two are compared."""
        return self.whole if self.other_whole is None else min(self.whole, self.other_whole)

    @property
    def value(self) -> float | None:
        """The share, or the difference of the two; None of nothing."""
        if self.other_part is None or self.other_whole is None:
            return self.part / self.whole if self.whole else None
        return difference(self.part, self.whole, self.other_part, self.other_whole)

    @property
    def bounds(self) -> tuple[float, float]:
        """Where the true value lies with 95 % confidence."""
        if self.other_part is None or self.other_whole is None:
            return wilson(self.part, self.whole)
        return newcombe(self.part, self.whole, self.other_part, self.other_whole)

    def __add__(self, other: Count) -> Count:
        if other.other_part is None or other.other_whole is None:
            return Count(self.part + other.part, self.whole + other.whole)
        theirs = (self.other_part or 0) + other.other_part, (self.other_whole or 0) + other.other_whole
        return Count(self.part + other.part, self.whole + other.whole, *theirs)


@attrs.frozen(kw_only=True)
class Rule:
    """
    What is bad, and for how long it has to be.

    Attributes:
        name: Its name.

        metric: What is measured, of what the pipeline did in earnest.

        below: It is bad below that; None where it has a bound from above.

        above: It is bad above that.

        over: The time that is looked at, at least.

        within: How far back it is looked for enough of them, at most.

        hold: For how long it has to be bad before the alert fires; Prometheus calls it ``for``.

        says: What it means, for people.
    """

    name: str
    metric: str
    below: float | None = None
    above: float | None = None
    over: dt.timedelta = dt.timedelta(minutes=10)
    within: dt.timedelta = dt.timedelta(hours=3)
    hold: dt.timedelta = dt.timedelta(minutes=10)
    says: str

    def __attrs_post_init__(self) -> None:
        if (self.below is None) == (self.above is None):
            msg = f"{self.name}: expected either below or above, got {self.below} and {self.above}"
            raise ValueError(msg)

    @property
    def threshold(self) -> float:
        """The bound, whichever it is."""
        bound = self.below if self.below is not None else self.above
        assert bound is not None  # noqa: S101 - one of them is given
        return bound

    def count(self, bucket: Bucket) -> Count:
        """What there is of it in a stretch."""
        outcomes = bucket.outcomes.get(PIPELINE, Outcomes())
        if self.metric == CONFIRMATION_RATE:
            return Count(outcomes.confirmed, outcomes.sample)
        if self.metric == REVIEW_RATE:
            return Count(outcomes.review, outcomes.sample)
        if self.metric == ERROR_RATE:
            calls = bucket.calls.get(PIPELINE, Calls())
            return Count(calls.failing, calls.bookings)
        legacy = bucket.legacy
        return Count(outcomes.confirmed, outcomes.asked, legacy.confirmed, legacy.asked)

    def is_bad(self, count: Count) -> bool:
        """
        Whether those numbers are bad.

        Of 200 and more the rate itself decides; of fewer, down to 10, the rate and that 95 % confidence rules the
        bound out: three failures of twenty may be chance where one in twenty fails.
        """
        value = count.value
        if value is None or count.sample < FEW:
            return False
        low, high = count.bounds if count.sample < SAMPLE else (value, value)
        return high < self.threshold if self.below is not None else low > self.threshold


RULES: Sequence[Rule] = (
    Rule(
        name="confirmation_rate_low",
        metric=CONFIRMATION_RATE,
        below=0.90,
        says="Fewer than 90 % of the pipeline's assignments are confirmed.",
    ),
    Rule(
        name="review_rate_high",
        metric=REVIEW_RATE,
        above=0.20,
        over=dt.timedelta(hours=24),
        within=dt.timedelta(hours=24),
        hold=dt.timedelta(),
        says="More than 20 % of the day's assignments were left to a person.",
    ),
    Rule(
        name="error_rate_high",
        metric=ERROR_RATE,
        above=0.05,
        says="More than 5 % of the bookings that were called for met an error.",
    ),
    # What refuses everybody calls it proved, and then none of the rates above has anything to be of.
    Rule(
        name="far_worse_than_legacy",
        metric=RELATIVE_CONFIRMATION,
        below=-0.25,
        says="The pipeline seats far fewer of those who ask than legacy does at the other restaurants.",
    ),
)
"""The guide's alerts, and one for what refuses everybody."""
