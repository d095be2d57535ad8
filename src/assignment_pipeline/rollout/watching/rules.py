"""What is bad enough to wake an operator for, and for how long it has to be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import attrs

from assignment_pipeline.domain.metrics import Bucket
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.rollout.control.metrics import (
    CONFIRMATION_RATE,
    ERROR_RATE,
    RELATIVE_CONFIRMATION,
    REVIEW_RATE,
    Count,
    metric_named,
)
from assignment_pipeline.rollout.control.phases import SAMPLE

FEW = 10
"""Fewer than that say nothing."""


@attrs.frozen(kw_only=True)
class AlertRule:
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

    Raises:
        ValueError: It has no bound or two, or no metric that an alert can look at.
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
            raise InvalidValueError(self.name, "either below or above", f"{self.below} and {self.above}")
        if not metric_named(self.metric).in_stretches:
            raise InvalidValueError(
                f"{self.name}", "a metric that is counted for each stretch of time", f"{self.metric!r}"
            )

    @property
    def threshold(self) -> float:
        """The bound, whichever it is."""
        bound = self.below if self.below is not None else self.above
        assert bound is not None  # noqa: S101 - one of them is given
        return bound

    def count(self, bucket: Bucket) -> Count:
        """What there is of it in a stretch."""
        return metric_named(self.metric).count(bucket)

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


RULES: Sequence[AlertRule] = (
    AlertRule(
        name="confirmation_rate_low",
        metric=CONFIRMATION_RATE.name,
        below=0.90,
        says="Fewer than 90 % of the pipeline's assignments are confirmed.",
    ),
    AlertRule(
        name="review_rate_high",
        metric=REVIEW_RATE.name,
        above=0.20,
        over=dt.timedelta(hours=24),
        within=dt.timedelta(hours=24),
        hold=dt.timedelta(),
        says="More than 20 % of the day's assignments were left to a person.",
    ),
    AlertRule(
        name="error_rate_high",
        metric=ERROR_RATE.name,
        above=0.05,
        says="More than 5 % of the bookings that were called for met an error.",
    ),
    # What refuses everybody calls it proved, and then none of the rates above has anything to be of.
    AlertRule(
        name="far_worse_than_legacy",
        metric=RELATIVE_CONFIRMATION.name,
        below=-0.25,
        says="The pipeline seats 25 points fewer of those who ask than legacy does at the other restaurants.",
    ),
)
"""The guide's alerts, and one for what refuses everybody."""
