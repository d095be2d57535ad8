"""What the rollout is judged by: counts over a window of time, and what they come to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from assignment_pipeline.domain.checks import aware, optional_identifier, to_utc
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import Mode, Reason
from assignment_pipeline.lifecycle import AssignmentState

T = TypeVar("T")


def _copied(items: Mapping[Any, Any]) -> dict[Any, Any]:
    return dict(items)


SETTLING = dt.timedelta(minutes=5)
"""How long after it first settled an assignment's outcome is looked at: what mends itself by then counts as mended."""

LATE = dt.timedelta(minutes=15)
"""How long after it was first called for an assignment that has not settled counts as a failure of the pipeline's."""

STUCK = 3
"""How often a booking is handed out without anything coming of it before it counts as stuck."""

OVERDUE = dt.timedelta(minutes=5)
"""How long after it was due a booking counts as overdue."""

WITHDRAWN = frozenset({Reason.HOLD_EXPIRED, Reason.BOOKING_GONE})
"""The reasons for which a booking fails through no fault of an assignment."""

OUTCOMES = frozenset(
    {AssignmentState.ASSIGNED, AssignmentState.MANUAL_REVIEW, AssignmentState.FAILED, AssignmentState.CANCELLED}
)
"""The states that are an outcome, or, with `assigned`, lead to one: nobody is confirmed who was not."""


@attrs.frozen(kw_only=True)
class MetricsQuery:
    """
    What to count over.

    Attributes:
        since: The first instant of the window.

        until: The first instant past it; None for the store's time.

        restaurant_id: Of that restaurant only; None for all of them.
    """

    since: dt.datetime = attrs.field(converter=to_utc, validator=aware)
    until: dt.datetime | None = attrs.field(
        default=None, converter=attrs.converters.optional(to_utc), validator=attrs.validators.optional(aware)
    )
    restaurant_id: str | None = attrs.field(default=None, validator=optional_identifier)


@attrs.frozen(kw_only=True)
class Outcomes:
    """
    How assignments came out, each booking counted once.

    An assignment's outcome is where it stood five minutes after it first settled, people's own actions left aside;
    legacy's is what it last answered in the five minutes after it first did. One that never settles would have no
    outcome at all: fifteen minutes after it was first called for, and for as long as it waits, it is `unsettled`.

    Attributes:
        confirmed: Seated.

        review: Left to a person, and not because it was proved that nothing could be done.

        failed: Ended without tables; for legacy, by an error.

        infeasible: Left to a person because no plan exists. Legacy proves nothing: none of its own are.

        withdrawn: Cancelled by the guest, not paid in time, or gone: these count for nothing.

        unsettled: Still waiting, for longer than the pipeline may take: nobody has seated them, and no person knows.
    """

    confirmed: int = 0
    review: int = 0
    failed: int = 0
    infeasible: int = 0
    withdrawn: int = 0
    unsettled: int = 0

    @property
    def sample(self) -> int:
        """What rates are of: neither withdrawn nor proved infeasible."""
        return self.confirmed + self.review + self.failed + self.unsettled

    @property
    def asked(self) -> int:
        """Those that were proved infeasible, too: what can be held against legacy, which proves nothing."""
        return self.sample + self.infeasible

    @property
    def confirmation_rate(self) -> float | None:
        """Confirmed, of the sample; None of none."""
        return _share(self.confirmed, self.sample)

    @property
    def review_rate(self) -> float | None:
        """Left to a person, of the sample; None of none."""
        return _share(self.review, self.sample)

    @property
    def seated_rate(self) -> float | None:
        """Confirmed, of all that asked; None of none."""
        return _share(self.confirmed, self.asked)

    def __add__(self, other: Outcomes) -> Outcomes:
        return _sum(self, other)


@attrs.frozen(kw_only=True)
class Calls:
    """
    What calls came to; legacy's are those of its planner.

    Attributes:
        bookings: Bookings that were called for.

        failing: Those of them with an error.

        calls: Calls that ended.

        errors: Errors that were told of.

        contended: Calls that found another worker at the booking.

        retries: Calls that will have to be made again.
    """

    bookings: int = 0
    failing: int = 0
    calls: int = 0
    errors: int = 0
    contended: int = 0
    retries: int = 0

    @property
    def error_rate(self) -> float | None:
        """Bookings with an error, of those called for; None of none."""
        return _share(self.failing, self.bookings)

    @property
    def contention_rate(self) -> float | None:
        """Calls that found another worker there, of all; None of none."""
        return _share(self.contended, self.calls)

    def __add__(self, other: Calls) -> Calls:
        return _sum(self, other)


@attrs.frozen(kw_only=True)
class Latency:
    """
    How long calls took up to their commit, by nearest rank: each is the duration of some call.

    Attributes:
        calls: Of how many.

        p50: Half of them took at most so many milliseconds.

        p95: 95 of 100.

        p99: 99 of 100.
    """

    calls: int
    p50: float
    p95: float
    p99: float


@attrs.frozen(kw_only=True)
class Agreement:
    """
    How the shadow's answers compare with legacy's.

    Attributes:
        match: The same tables, or neither found any.

        equivalent: Other tables at the same cost.

        mismatch: Other ones.

        better: Those of the mismatches in which the pipeline did better: it found tables where legacy found none, or
            such as cost less, or legacy's broke a rule.

        legacy_error: Legacy raised.

        pipeline_error: The pipeline did.

        both_error: Both did.

        timeout: The pipeline did not answer in time.

        dropped: Cases that were never looked at: the queue was full.

        incomparable: The floor had changed otherwise.
    """

    match: int = 0
    equivalent: int = 0
    mismatch: int = 0
    better: int = 0
    legacy_error: int = 0
    pipeline_error: int = 0
    both_error: int = 0
    timeout: int = 0
    dropped: int = 0
    incomparable: int = 0

    @property
    def agreeing(self) -> int:
        """As good as legacy's, or better: a planner that is to be replaced is not the measure of the one that does."""
        return self.match + self.equivalent + self.better

    @property
    def comparable(self) -> int:
        """Those in which legacy answered and the pipeline should have: an error or no answer of its does not agree."""
        return self.match + self.equivalent + self.mismatch + self.pipeline_error + self.timeout

    @property
    def rate(self) -> float | None:
        """Agreeing, of those that can be compared; None of none."""
        return _share(self.agreeing, self.comparable)

    @property
    def errors(self) -> int:
        """Cases in which the pipeline raised or did not answer."""
        return self.pipeline_error + self.both_error + self.timeout


@attrs.frozen(kw_only=True)
class Volume:
    """
    Whether every booking was told of.

    Attributes:
        bookings: Bookings that were assigned: by the pipeline, or in shadow by legacy.

        told: Those of them of which there is a transition, or a shadow's verdict, within five minutes.
    """

    bookings: int = 0
    told: int = 0

    @property
    def rate(self) -> float | None:
        """Told of, of all; None of none."""
        return _share(self.told, self.bookings)


@attrs.frozen(kw_only=True)
class Backlog:
    """
    What waits now, whatever the window.

    Attributes:
        review: Bookings that wait for a person.

        overdue: Bookings that the sweep should have taken up five minutes ago.

        overdue_since: When the first of these was due.

        stuck: Unsettled bookings that were handed out three times and more, and of which nothing came.
    """

    review: int = 0
    overdue: int = 0
    overdue_since: dt.datetime | None = None
    stuck: int = 0


Group = tuple[Owner, Mode | None]
"""Who answered, and what the flags said; no mode is known of what legacy answers for and told nothing of."""

PIPELINE: Group = (Owner.PIPELINE, Mode.ACTIVE)
"""What the pipeline did in earnest: all bookings of its cohort, and no others."""


@attrs.frozen(kw_only=True)
class Metrics:
    """
    Everything that gates, alerts, the doctor and dashboards count by.

    Attributes:
        since: The first instant of the window.

        until: The first instant past it, by the store's clock.

        restaurant_id: Whose they are; None for all.

        outcomes: How assignments came out, by who answered.

        calls: What calls came to, by the same.

        latency: How long they took, by the same.

        agreement: The shadow's verdicts.

        volume: Whether every booking was told of, by mode.

        attempts: Plannings that were recorded.

        attempted: Bookings that they were for.

        strategies: Successful plannings by what found the tables.

        reasons: Assignments that went to a person, by why.

        backlog: What waits now.

        lost: Transitions into an outcome of which the history knows and no event tells.
    """

    since: dt.datetime
    until: dt.datetime
    restaurant_id: str | None = None
    outcomes: Mapping[Group, Outcomes] = attrs.field(factory=dict, converter=_copied, hash=False)
    calls: Mapping[Group, Calls] = attrs.field(factory=dict, converter=_copied, hash=False)
    latency: Mapping[Group, Latency] = attrs.field(factory=dict, converter=_copied, hash=False)
    agreement: Agreement = attrs.field(factory=Agreement)
    volume: Mapping[Mode, Volume] = attrs.field(factory=dict, converter=_copied, hash=False)
    attempts: int = 0
    attempted: int = 0
    strategies: Mapping[str, int] = attrs.field(factory=dict, converter=_copied, hash=False)
    reasons: Mapping[str, int] = attrs.field(factory=dict, converter=_copied, hash=False)
    backlog: Backlog = attrs.field(factory=Backlog)
    lost: int = 0

    @property
    def pipeline(self) -> Outcomes:
        """The outcomes of the pipeline's own assignments."""
        return self.outcomes.get(PIPELINE, Outcomes())

    @property
    def legacy(self) -> Outcomes:
        """The outcomes of legacy's, whatever the flags said."""
        return _legacy(self.outcomes)

    @property
    def relative_confirmation(self) -> float | None:
        """How far the pipeline's share of those seated, of all who asked, lies above legacy's; None of none."""
        own, legacy = self.pipeline.seated_rate, self.legacy.seated_rate
        return None if own is None or legacy is None else own - legacy

    @property
    def attempts_per_booking(self) -> float | None:
        """Plannings a booking; None of none."""
        return self.attempts / self.attempted if self.attempted else None


@attrs.frozen(kw_only=True)
class Bucket:
    """
    A stretch of time, and what came out in it.

    Attributes:
        start: Its first instant.

        outcomes: How assignments came out, by who answered.

        calls: What calls came to, by the same. A booking counts in each bucket in which it was called for.
    """

    start: dt.datetime
    outcomes: Mapping[Group, Outcomes] = attrs.field(factory=dict, converter=_copied, hash=False)
    calls: Mapping[Group, Calls] = attrs.field(factory=dict, converter=_copied, hash=False)

    @property
    def legacy(self) -> Outcomes:
        """The outcomes of legacy's, whatever the flags said."""
        return _legacy(self.outcomes)


@attrs.frozen(kw_only=True)
class Seen:
    """
    Events of a kind in a window.

    Attributes:
        source: Who told of them.

        type: What happened.

        mode: What the flags said, or None.

        count: How many.

        last: When the last was.
    """

    source: str
    type: str
    mode: str | None
    count: int
    last: dt.datetime


Series = tuple[Bucket, ...]


def _legacy(outcomes: Mapping[Group, Outcomes]) -> Outcomes:
    return sum((found for (owner, _), found in outcomes.items() if owner is Owner.LEGACY), Outcomes())


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _sum(one: T, other: T) -> T:
    kind: Any = type(one)
    names = [field.name for field in attrs.fields(kind)]
    total: T = kind(**{name: getattr(one, name) + getattr(other, name) for name in names})
    return total
