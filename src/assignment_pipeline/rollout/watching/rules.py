"""What is bad enough to wake an operator for, and for how long it has to be."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

import attrs

from assignment_pipeline.domain.metrics import Bucket
from assignment_pipeline.errors import InvalidValueError
from assignment_pipeline.rollout.control.bounds import Bound
from assignment_pipeline.rollout.control.metrics import (
    CONFIRMATION_RATE,
    ERROR_RATE,
    RELATIVE_CONFIRMATION,
    REVIEW_RATE,
    Count,
    metric_named,
)
from assignment_pipeline.rollout.control.sequential import log_evidence_of_difference
from assignment_pipeline.rollout.watching.cusum import Cusum

STEP = dt.timedelta(minutes=5)
"""How far apart the moments are at which a rule is held against the numbers: on the full five minutes."""

FEW = 10
"""Fewer than that say nothing."""

MANY = 400
"""Of so many, in the time that a rule looks at, the rate itself decides: chance moves it by two or three points."""

ANY = (1.0, 1.0)
"""Any rate is as likely as any other: what fails whole is looked for, too."""


@attrs.frozen(kw_only=True)
class AlertRule:
    """
    What is bad, for how long it has to be, and how rarely the alert may be wrong.

    An alert on a rate fires on either of two:

    - A CUSUM test: what has come since the change that is the likeliest shows the rate of `caught` rather than that of
      `healthy`. It says so wrongly once in `false_alarm` on average, however often one looks. While the rollout's last
      change is in sight, the same test begins with it, and says so wrongly in a share of `at_start` of the changes.
    - `enough` bookings in the last `over`, and their rate is bad.

    An alert on a difference fires when that of the last `over` is bad and not by chance.

    Attributes:
        name: Its name.

        metric: What is measured, of what the pipeline did in earnest.

        below: It is bad below that; None where it has a bound from above.

        above: It is bad above that.

        bound: The one of the two that was given.

        over: The time that is looked at, at least.

        within: How far back it is looked for enough of them, at most.

        hold: For how long it has to be bad before the alert fires; Prometheus calls it ``for``.

        healthy: The value of a rollout that is well: half as far from perfect as the bound, unless told otherwise.

        caught: The value that is caught soonest: twice as far, unless told otherwise.

        false_alarm: The mean time from one false alarm to the next while the value is `healthy`, at least.

        at_start: The share of a rollout's changes after which it fires although the value is `healthy`, at most.

        enough: Of so many in the last `over`, the rate itself decides.

        says: What it means, for people.

    Raises:
        ValueError: It has no bound or two, no metric that an alert can look at, or a `caught` that is no worse than
            `healthy`.
    """

    name: str
    metric: str
    below: float | None = None
    above: float | None = None
    bound: Bound = attrs.field(init=False, repr=False, eq=False)
    over: dt.timedelta = dt.timedelta(minutes=10)
    within: dt.timedelta = dt.timedelta(hours=24)
    hold: dt.timedelta = dt.timedelta(minutes=10)
    healthy: float = attrs.field(default=attrs.Factory(lambda self: self.times_as_bad(0.5), takes_self=True))
    caught: float = attrs.field(default=attrs.Factory(lambda self: self.times_as_bad(2), takes_self=True))
    false_alarm: dt.timedelta = dt.timedelta(days=900)
    at_start: float = 0.001
    enough: int = MANY
    says: str

    @bound.default
    def _either(self) -> Bound:
        return Bound.of(self.name, ("below", self.below), ("above", self.above))

    def __attrs_post_init__(self) -> None:
        if not metric_named(self.metric).in_stretches:
            raise InvalidValueError(
                f"{self.name}", "a metric that is counted for each stretch of time", f"{self.metric!r}"
            )
        if not self.is_of_difference and not 0 < self._bad(self.healthy) < self._bad(self.caught) < 1:
            raise InvalidValueError(
                self.name, "caught further from perfect than healthy", f"{self.caught:g} and {self.healthy:g}"
            )

    @property
    def threshold(self) -> float:
        """The bound's value."""
        return self.bound.value

    @property
    def is_of_difference(self) -> bool:
        """Whether it compares the pipeline with legacy, and does not look at a rate."""
        return metric_named(self.metric).lowest < 0

    def times_as_bad(self, times: float) -> float:
        """The value so many times as far from perfect as the bound."""
        return 1 - times * (1 - self.threshold) if self.bound.is_least else times * self.threshold

    def count(self, bucket: Bucket) -> Count:
        """What there is of it in a stretch."""
        return metric_named(self.metric).count(bucket)

    def is_beyond(self, value: float) -> bool:
        """Whether a value is on the wrong side of the bound; the bound itself is not."""
        return self.bound.is_beyond(value)

    def is_bad(self, count: Count) -> bool:
        """
        Whether what was counted at one look is bad by itself.

        Of a rate: enough were counted, and it is beyond the bound. Of a difference: it is beyond the bound, and a look
        would find that by chance with a probability of `STEP` in `false_alarm` at most.
        """
        value = count.value
        if value is None or not self.is_beyond(value) or count.sample < FEW:
            return False
        if count.other_part is None or count.other_whole is None:
            return count.sample >= self.enough
        one, other = (count.part, count.whole), (count.other_part, count.other_whole)
        return log_evidence_of_difference(one, other, 0.0, ANY) >= math.log(self.false_alarm / STEP)

    @property
    def is_of_outcomes(self) -> bool:
        """Whether it looks at how assignments came out: a full evening turns many away at once."""
        return metric_named(self.metric).settles and not self.is_of_difference

    def cusum(self, bookings_a_day: float, alike: float = 0.0) -> Cusum:
        """The test for a change, at that traffic, where bookings of one hour resemble each other so much."""
        every = bookings_a_day * (self.false_alarm / dt.timedelta(days=1))
        return Cusum.of(
            self._bad(self.healthy), self._bad(self.caught), every=every, an_hour=bookings_a_day / 24, alike=alike
        )

    def badly(self, count: Count) -> int:
        """How many of those that were counted are bad."""
        return count.whole - count.part if self.bound.is_least else count.part

    def _bad(self, value: float) -> float:
        return 1 - value if self.bound.is_least else value


RULES: Sequence[AlertRule] = (
    AlertRule(
        name="confirmation_rate_low",
        metric=CONFIRMATION_RATE.name,
        below=0.90,
        false_alarm=dt.timedelta(days=130),
        at_start=0.005,
        says="Fewer than 90 % of the pipeline's assignments are confirmed.",
    ),
    AlertRule(
        name="review_rate_high",
        metric=REVIEW_RATE.name,
        above=0.20,
        over=dt.timedelta(hours=24),
        hold=dt.timedelta(),
        enough=200,
        says="More than 20 % of the day's assignments were left to a person.",
    ),
    AlertRule(
        name="error_rate_high",
        metric=ERROR_RATE.name,
        above=0.05,
        healthy=0.01,
        says="More than 5 % of the bookings that were called for met an error.",
    ),
    # What refuses everybody calls it proved, and then none of the rates above has anything to be of.
    AlertRule(
        name="far_worse_than_legacy",
        metric=RELATIVE_CONFIRMATION.name,
        below=-0.25,
        within=dt.timedelta(hours=3),
        says="The pipeline seats 25 points fewer of those who ask than legacy does at the other restaurants.",
    ),
)
"""The guide's alerts, and one for what refuses everybody."""
