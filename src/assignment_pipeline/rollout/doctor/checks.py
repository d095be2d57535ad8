"""What may be wrong, looked for: each check with its evidence, what is likely behind it, and what to do."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from assignment_pipeline.domain.counts import Calls
from assignment_pipeline.domain.metrics import PIPELINE, STUCK, Metrics, MetricsQuery
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.domain.wording import first_few
from assignment_pipeline.errors import MissingRightsError, SchemaMismatchError, StoreUnavailableError
from assignment_pipeline.lifecycle import UNSETTLED, AssignmentState
from assignment_pipeline.ports import MetricsStore, RecordPage, RecordQuery
from assignment_pipeline.ports.records import MOST_DUE
from assignment_pipeline.rollout.doctor.app_flags import AppFlags
from assignment_pipeline.rollout.doctor.diagnosis import ADVICE, Finding, Health, good, wrong
from assignment_pipeline.rollout.doctor.facts import FOLLOWED, Facts
from assignment_pipeline.rollout.doctor.flag_checks import (
    environment_read,
    flags_agree,
    flags_applied,
    shadow_at_work,
)
from assignment_pipeline.rollout.watching.rules import FEW

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(hours=24)

MANY_REVIEWS = 0.10
MUCH_CONTENTION = 0.05
NAMED = 10
_HANDED_OUT = (*sorted(UNSETTLED), AssignmentState.ASSIGNED, AssignmentState.MANUAL_REVIEW)


class Examined(MetricsStore, Protocol):
    """A store that can be looked into."""

    def check_schema(self) -> None:
        """Make sure that the schema is there and of the right version. See `AssignmentStore.check_schema`."""
        ...

    def records(self, query: RecordQuery) -> RecordPage:
        """A page of records. See `AssignmentStore.records`."""
        ...

    def rollout(self) -> RolloutRevision:
        """
        The revision in force; one of generation 0, with nothing in it, before the first change.

        See `RolloutStore.rollout`.
        """
        ...


def examine(
    store: Examined,
    environ: Mapping[str, str],
    dropped: Mapping[str, int] | None = None,
    flags: AppFlags | None = None,
) -> tuple[Finding, ...]:
    """
    Everything that is checked, in the order in which it is worth reading.

    Args:
        store: Where the records are.

        environ: The environment that the workers run in.

        dropped: Events that this process could not pass on, by whose count it is.

        flags: What the application's flags say; None where only a database is known.
    """
    schema = _schema(store)
    if schema.health is Health.WRONG:
        return schema, *environment_read(environ)
    now, revision = store.now(), store.rollout()
    day = store.measure(MetricsQuery(since=now - DAY))
    since = now - HOUR
    if revision.created_at is not None:
        since = max(since, min(revision.created_at + FOLLOWED, now))
    facts = Facts(
        now=now,
        hour=store.measure(MetricsQuery(since=now - HOUR)),
        day=day,
        seen=store.seen(MetricsQuery(since=since)),
        revision=revision,
        environ=environ,
        dropped=dropped or {},
        flags=flags,
        handed_out=_handed_out(store) if day.backlog.stuck else (),
    )
    return (schema, *environment_read(environ), *check_facts(facts))


def check_facts(facts: Facts) -> Iterator[Finding]:
    """The checks of what a store holds. Pure."""
    yield flags_agree(facts)
    yield flags_applied(facts)
    yield shadow_at_work(facts)
    yield _reviews(facts.day)
    yield _contention(facts.day)
    yield _sweep(facts)
    yield _waiting(facts.day)
    yield _stuck(facts)
    yield _unsettled(facts.day)
    yield _events(facts)


def _schema(store: Any) -> Finding:
    try:
        store.check_schema()
    except SchemaMismatchError as error:
        return wrong(
            "schema",
            str(error),
            "the database was not brought up to date before this version was started, or is already ahead of it",
            error.remedy or "run `assignment-pipeline db init` with the version that the workers run",
        )
    except MissingRightsError as error:
        cause = "the tables were made, and this role was granted nothing, or not enough"
        return wrong("schema", str(error), cause, "run what `assignment-pipeline db grants` prints, as their owner")
    except StoreUnavailableError as error:
        return wrong("schema", str(error), "the database is down, or its address is wrong", "repair the database first")
    return good("schema", "the tables are there, and of this version")


def _reviews(day: Metrics) -> Finding:
    outcomes, rate = day.pipeline, day.pipeline.review_rate
    evidence = f"{outcomes.review} of {outcomes.sample} assignments of 24 hours"
    if rate is None or outcomes.sample < FEW or rate <= MANY_REVIEWS:
        return good("reviews", evidence)
    reasons = sorted(day.reasons.items(), key=lambda item: (-item[1], item[0]))
    counts = ", ".join(f"{reason} {number}" for reason, number in reasons)
    fixes = "; ".join(f"{reason}: {ADVICE[reason]}" for reason, _ in reasons if reason in ADVICE)
    return wrong(
        "reviews",
        f"{evidence} were left to a person ({rate:.1%}): {counts or 'no reasons were kept'}",
        "too little room, rules that turn tables away, or too few tries (`max_retries`)",
        fixes or "see `assignment-pipeline review list`",
    )


def _contention(day: Metrics) -> Finding:
    calls = day.calls.get(PIPELINE, Calls())
    evidence = f"{calls.contended} of {calls.calls} calls of 24 hours found another worker at the booking"
    rate = calls.contention_rate
    if rate is None or calls.contended < FEW or rate <= MUCH_CONTENTION:
        return good("contention", evidence)
    return wrong(
        "contention",
        evidence,
        "several workers get the same bookings, or a worker that was killed keeps them for up to 30 seconds",
        "hand each booking to one queue; `sql lock-contention` names them. Nothing is double-booked by it",
    )


def _sweep(facts: Facts) -> Finding:
    backlog = facts.day.backlog
    if not backlog.overdue or backlog.overdue_since is None:
        return good("sweep", "nothing is overdue")
    late = facts.now - backlog.overdue_since
    return wrong(
        "sweep",
        f"{backlog.overdue} bookings are overdue, the first for {late // dt.timedelta(minutes=1)} minutes",
        "nothing sweeps: whatever does claims what is due within seconds",
        "run `assignment-pipeline sweep` every few seconds, or a `worker`",
    )


def _waiting(day: Metrics) -> Finding:
    late = day.backlog.review_overdue
    if not late:
        return good("queue", "nobody has waited for a person for longer than Settings.review_within")
    return wrong(
        "queue",
        f"{late} of {day.backlog.review} bookings in review have waited for longer than Settings.review_within",
        "nobody looks at the queue",
        "`assignment-pipeline review cases` has what can be done about each; a sink on `coordinator.review_overdue`",
    )


def _stuck(facts: Facts) -> Finding:
    stuck, named = facts.day.backlog.stuck, facts.handed_out
    if not stuck:
        return good("stuck", "no booking is handed out over and over")
    which = f": {first_few(named, NAMED, of=stuck)}" if named else ""
    return wrong(
        "stuck",
        f"{stuck} bookings were handed out three times and more, and nothing came of it{which}",
        "code that raises or kills the worker each time, most often the host's; or a row that does not come",
        "see the log and `assignment-pipeline sweep`; after five times, who waits goes to a person, a hold ends, and"
        " who is confirmed is left as it is",
    )


def _handed_out(store: Examined) -> tuple[str, ...]:
    """The first bookings that were handed out over and over; the many that are confirmed are not looked through."""
    page = store.records(RecordQuery(states=_HANDED_OUT, limit=MOST_DUE))
    stuck = (one for one in page.records if one.deliveries >= STUCK and one.next_attempt_at is not None)
    return tuple(one.booking_id for one in itertools.islice(stuck, NAMED))


def _unsettled(day: Metrics) -> Finding:
    unsettled = day.pipeline.unsettled
    if not unsettled:
        return good("unsettled", "no booking waits for more than fifteen minutes")
    return wrong(
        "unsettled",
        f"{unsettled} bookings of 24 hours were called for more than fifteen minutes ago, and have not settled",
        "nothing sweeps, or nobody calls again after `retry`, or each call ends in one: guests wait, and nobody knows",
        "run `assignment-pipeline sweep`, and look at the reasons in the events `coordinator.retry`",
    )


def _events(facts: Facts) -> Finding:
    lost = [f"{number} by {whose}" for whose, number in facts.dropped.items() if number]
    if facts.day.lost:
        lost.append(f"{facts.day.lost} outcomes of 24 hours are in the history, and no event tells of them")
    dropped = facts.day.agreement.dropped + facts.day.reverse.dropped
    if dropped:
        lost.append(f"{dropped} cases that the shadow never looked at")
    if not lost:
        return good("events", "none was lost")
    return wrong(
        "events",
        "; ".join(lost),
        "a sink that is slow or fails, a queue that is full, or somebody who deletes events",
        'repair the sink; give the shadow a worker of its own (`shadow="worker"`); keep events for eight days at least',
    )
