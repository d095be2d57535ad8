"""What is counted of assignments, calls and the shadow, and the rates that it comes to."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypeVar

import attrs

T = TypeVar("T")


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

        infeasible: Left to a person because no plan exists: all is taken, or the house takes no more arrivals then.
            Legacy proves nothing: none of its own are.

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

        errors: Errors that were reported.

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
    How the pipeline's answers compare with legacy's, where one of the two is a candidate in shadow.

    Attributes:
        match: The same tables, or neither found any.

        equivalent: Other tables at the same cost.

        mismatch: Other ones.

        better: Those of the mismatches in which the pipeline did better: it found tables where legacy found none, or
            such as cost less, or legacy's broke a rule.

        legacy_error: Legacy raised.

        pipeline_error: The pipeline did.

        both_error: Both did.

        timeout: The candidate did not answer in time.

        dropped: Cases that were never looked at: the queue was full.

        incomparable: All that could not be compared; the next two are among them.

        unreadable: Legacy answered something else than a `LegacyResult`, or named tables that the floor does not have.

        double_seated: Legacy gave away tables that were taken.
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
    unreadable: int = 0
    double_seated: int = 0

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
class ReverseAgreement(Agreement):
    """The same where the pipeline was in charge: then legacy is the candidate that raises or is too slow."""

    @property
    def comparable(self) -> int:
        """Those in which both answered: the pipeline was in charge, and what legacy did not say is nobody's fault."""
        return self.match + self.equivalent + self.mismatch

    @property
    def errors(self) -> int:
        """None: what the pipeline raised in charge is counted with its calls."""
        return 0


@attrs.frozen(kw_only=True)
class Volume:
    """
    Whether every booking had an event.

    Attributes:
        bookings: Bookings that were assigned: by the pipeline, or in shadow by legacy.

        told: Those of them with a transition, or a shadow's verdict, within five minutes.
    """

    bookings: int = 0
    told: int = 0

    @property
    def rate(self) -> float | None:
        """The share of the bookings that had an event; None of none."""
        return _share(self.told, self.bookings)


@attrs.frozen(kw_only=True)
class Backlog:
    """
    What waits now, whatever the window.

    Attributes:
        review: Bookings that wait for a person.

        review_overdue: Reviews that have had the event ``coordinator.review_overdue``: see `Settings.review_within`.

        overdue: Bookings that the sweep should have taken up five minutes ago.

        overdue_since: When the first of these was due.

        stuck: Unsettled bookings that were handed out at least three times without a result.
    """

    review: int = 0
    review_overdue: int = 0
    overdue: int = 0
    overdue_since: dt.datetime | None = None
    stuck: int = 0


OUTCOME_KINDS = tuple(field.name for field in attrs.fields(Outcomes))
"""What `Outcomes` tells apart, in the order in which the queries have it."""

CALL_KINDS = tuple(field.name for field in attrs.fields(Calls))
"""What `Calls` counts, likewise."""


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _sum(one: T, other: T) -> T:
    kind: Any = type(one)
    names = [field.name for field in attrs.fields(kind)]
    total: T = kind(**{name: getattr(one, name) + getattr(other, name) for name in names})
    return total
