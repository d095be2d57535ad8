"""What the rollout is judged by: counts over a window of time, and what they come to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.checks import aware, optional_identifier, to_utc
from assignment_pipeline.domain.counts import Agreement, Backlog, Calls, Latency, Outcomes, ReverseAgreement, Volume
from assignment_pipeline.domain.days import ComparedDay
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.lifecycle import AssignmentState


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

OUTCOMES = frozenset(
    {AssignmentState.ASSIGNED, AssignmentState.MANUAL_REVIEW, AssignmentState.FAILED, AssignmentState.CANCELLED}
)
"""The states that are an outcome, or, with `assigned`, lead to one: nobody is confirmed who was not."""


@attrs.frozen(kw_only=True)
class MetricsQuery:
    """
    What to count over: what happened in ``[since, until)``, to the microsecond, on every store.

    An event counts at the time when it was told, an outcome `SETTLING` after its booking was first settled, and a
    booking that never settles `LATE` after it was first called for.

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

        reverse: Those where the pipeline was in charge, and legacy the candidate.

        volume: Whether every booking had an event, by mode.

        attempts: Plannings that were recorded.

        attempted: Bookings that they were for.

        strategies: Successful plannings by what found the tables.

        reasons: Assignments that went to a person, by why.

        backlog: What waits now.

        lost: Transitions into an outcome that are in the history and have no event.

        days: Service days that were compared in the window, in the order in which they were. Only what judges a phase
            reads them; a store leaves them out.

        rises: By how many percent more bookings were proved impossible than in the same restaurant's past, for each
            stretch of whole days in which it had enough of them; likewise.
    """

    since: dt.datetime
    until: dt.datetime
    restaurant_id: str | None = None
    outcomes: Mapping[Group, Outcomes] = attrs.field(factory=dict, converter=_copied, hash=False)
    calls: Mapping[Group, Calls] = attrs.field(factory=dict, converter=_copied, hash=False)
    latency: Mapping[Group, Latency] = attrs.field(factory=dict, converter=_copied, hash=False)
    agreement: Agreement = attrs.field(factory=Agreement)
    reverse: ReverseAgreement = attrs.field(factory=ReverseAgreement)
    volume: Mapping[Mode, Volume] = attrs.field(factory=dict, converter=_copied, hash=False)
    attempts: int = 0
    attempted: int = 0
    strategies: Mapping[str, int] = attrs.field(factory=dict, converter=_copied, hash=False)
    reasons: Mapping[str, int] = attrs.field(factory=dict, converter=_copied, hash=False)
    backlog: Backlog = attrs.field(factory=Backlog)
    lost: int = 0
    days: tuple[ComparedDay, ...] = ()
    rises: tuple[int, ...] = ()

    @property
    def pipeline(self) -> Outcomes:
        """The outcomes of the pipeline's own assignments."""
        return own_outcomes(self.outcomes)

    @property
    def legacy(self) -> Outcomes:
        """The outcomes of legacy's, whatever the flags said."""
        return legacy_outcomes(self.outcomes)

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
    def pipeline(self) -> Outcomes:
        """The outcomes of the pipeline's own assignments."""
        return own_outcomes(self.outcomes)

    @property
    def legacy(self) -> Outcomes:
        """The outcomes of legacy's, whatever the flags said."""
        return legacy_outcomes(self.outcomes)


@attrs.frozen(kw_only=True)
class Seen:
    """
    Events of a kind in a window.

    Attributes:
        source: The source of the events.

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


def own_outcomes(outcomes: Mapping[Group, Outcomes]) -> Outcomes:
    """Those of the pipeline's own assignments."""
    return outcomes.get(PIPELINE, Outcomes())


def legacy_outcomes(outcomes: Mapping[Group, Outcomes]) -> Outcomes:
    """Those of legacy's, whatever the flags said."""
    return sum((found for (owner, _), found in outcomes.items() if owner is Owner.LEGACY), Outcomes())
