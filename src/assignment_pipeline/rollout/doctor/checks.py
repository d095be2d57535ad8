"""What may be wrong, looked for: each check with its evidence, what is likely behind it, and what to do."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import attrs

from assignment_pipeline.domain.counts import Calls
from assignment_pipeline.domain.metrics import PIPELINE, Metrics, MetricsQuery, Seen
from assignment_pipeline.domain.result import Mode
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.errors import FlagError, MissingRightsError, SchemaMismatchError, StoreUnavailableError
from assignment_pipeline.ports import MetricsStore
from assignment_pipeline.rollout.doctor.diagnosis import ADVICE, Finding, Health
from assignment_pipeline.rollout.flags import EnvFlags, FlagSettings
from assignment_pipeline.rollout.flags.cohorts import BUCKETS
from assignment_pipeline.rollout.flags.document import read_settings
from assignment_pipeline.rollout.flags.environment import VARIABLES
from assignment_pipeline.rollout.watching.rules import FEW

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(hours=24)

MANY_REVIEWS = 0.10
MUCH_CONTENTION = 0.05
_FOLLOWED = dt.timedelta(minutes=1)  # By then, every worker knows of a change of the rollout.
_PREFIX = VARIABLES["enabled"].name


class Examined(MetricsStore, Protocol):
    """A store that can be looked into."""

    def check_schema(self) -> None:
        """Make sure that the schema is there and of the right version. See `AssignmentStore.check_schema`."""
        ...

    def rollout(self) -> RolloutRevision:
        """
        The revision in force; one of generation 0, with nothing in it, before the first change.

        See `RolloutStore.rollout`.
        """
        ...


@attrs.frozen(kw_only=True)
class Facts:
    """
    What the checks look at.

    Attributes:
        now: The store's time.

        hour: What was counted in the last hour.

        day: What was counted in the last 24.

        seen: The events of the last hour, or since the last change of the rollout if that is shorter.

        revision: The rollout as it stands.

        environ: The environment.

        dropped: Events that this process could not pass on, by whose count it is.
    """

    now: dt.datetime
    hour: Metrics
    day: Metrics
    seen: Sequence[Seen]
    revision: RolloutRevision
    environ: Mapping[str, str]
    dropped: Mapping[str, int] = attrs.field(factory=dict)

    @property
    def settings(self) -> FlagSettings | None:
        """What the flags say: the database's, where a phase was entered, else the environment's. None if unreadable."""
        try:
            if self.revision.generation:
                return read_settings(self.revision.settings)
            return EnvFlags(self.environ).settings
        except FlagError:
            return None

    @property
    def says_nothing(self) -> bool:
        """Whether no phase was entered, and no variable of the flags is set here."""
        return not self.revision.generation and not any(one.name in self.environ for one in VARIABLES.values())

    def number(self, mode: Mode, *sources: str) -> int:
        """The number of events in that mode from those sources."""
        return sum(seen.count for seen in self.seen if seen.mode == mode.value and seen.source in sources)


def examine(
    store: Examined, environ: Mapping[str, str], dropped: Mapping[str, int] | None = None
) -> tuple[Finding, ...]:
    """
    Everything that is checked, in the order in which it is worth reading.

    Args:
        store: Where the records are.

        environ: The environment that the workers run in.

        dropped: Events that this process could not pass on, by whose count it is.
    """
    schema = _schema(store)
    if schema.health is Health.WRONG:
        return schema, *_environment(environ)
    now, revision = store.now(), store.rollout()
    since = now - HOUR
    if revision.created_at is not None:
        since = max(since, min(revision.created_at + _FOLLOWED, now))
    facts = Facts(
        now=now,
        hour=store.measure(MetricsQuery(since=now - HOUR)),
        day=store.measure(MetricsQuery(since=now - DAY)),
        seen=store.seen(MetricsQuery(since=since)),
        revision=revision,
        environ=environ,
        dropped=dropped or {},
    )
    return (schema, *_environment(environ), *check_facts(facts))


def check_facts(facts: Facts) -> Iterator[Finding]:
    """The checks of what a store holds. Pure."""
    yield _two_sources(facts)
    yield _applied(facts)
    yield _shadow(facts)
    yield _reviews(facts.day)
    yield _contention(facts.day)
    yield _sweep(facts)
    yield _waiting(facts.day)
    yield _stuck(facts.day)
    yield _unsettled(facts.day)
    yield _events(facts)


def _good(check: str, evidence: str) -> Finding:
    return Finding(check=check, health=Health.GOOD, evidence=evidence)


def _wrong(check: str, evidence: str, cause: str, fix: str) -> Finding:
    return Finding(check=check, health=Health.WRONG, evidence=evidence, cause=cause, fix=fix)


def _schema(store: Any) -> Finding:
    try:
        store.check_schema()
    except SchemaMismatchError as error:
        return _wrong(
            "schema",
            str(error),
            "the database was not brought up to date before this version was started, or is already ahead of it",
            error.remedy or "run `assignment-pipeline db init` with the version that the workers run",
        )
    except MissingRightsError as error:
        cause = "the tables were made, and this role was granted nothing, or not enough"
        return _wrong("schema", str(error), cause, "run what `assignment-pipeline db grants` prints, as their owner")
    except StoreUnavailableError as error:
        return _wrong(
            "schema", str(error), "the database is down, or its address is wrong", "repair the database first"
        )
    return _good("schema", "the tables are there, and of this version")


# -- Flags --------------------------------------------------------------------------------------------------------


def _environment(environ: Mapping[str, str]) -> Iterator[Finding]:
    known = {variable.name for variable in VARIABLES.values()}
    unknown = sorted(name for name in environ if name.startswith(_PREFIX) and name not in known)
    try:
        settings = EnvFlags(environ).settings
    except FlagError as error:
        yield _wrong(
            "environment",
            str(error),
            "a typo: workers that start with it stop at once, running ones keep the last good value",
            f"set {error.variable} to {error.expected}",
        )
        return
    if unknown:
        near = {name: difflib.get_close_matches(name, known, 1, 0.5) for name in unknown}
        meant = ", ".join(f"{name} (meant: {found[0]}?)" if found else name for name, found in near.items())
        yield _wrong(
            "environment", f"nothing reads {meant}", "a typo in a variable's name", "rename it, or take it away"
        )
        return
    unset = VARIABLES["percent"].name not in environ
    if settings.enabled and unset and settings.percent == BUCKETS:
        yield Finding(
            check="environment",
            health=Health.NOTE,
            evidence=f"{_PREFIX} is on, and {VARIABLES['percent'].name} is not set: that is 100 % of the restaurants",
            cause="a row for 10 % or 50 % that has no percentage is a row for all of them",
            fix=f"set {VARIABLES['percent'].name} if fewer are meant, or leave the flags to the database",
        )
        return
    yield _good("environment", "every variable is known and can be read")


def _two_sources(facts: Facts) -> Finding:
    check, names = "flags-agree", (_PREFIX, VARIABLES["shadow"].name)
    stored = facts.settings
    if not facts.revision.generation:
        return _good(check, "the database says nothing: the environment decides")
    if stored is None:
        return _wrong(
            check,
            "the settings in the database cannot be read",
            "somebody has changed the row by hand",
            "enter a phase again: `assignment-pipeline rollout enter PHASE`",
        )
    said = {name: facts.environ[name] for name in names if name in facts.environ}
    if not said:
        return _good(check, "the environment says nothing: the database decides")
    try:
        environment = EnvFlags(facts.environ)
    except FlagError:
        return Finding(check=check, health=Health.NOTE, evidence="the environment cannot be read")
    evidence = f"the environment says {', '.join(f'{name}={value}' for name, value in said.items())}"
    return _hold_against(stored, environment, f"{evidence}; the database is in phase {facts.revision.phase}")


def _hold_against(stored: FlagSettings, environment: EnvFlags, evidence: str) -> Finding:
    check = "flags-agree"
    if environment.is_rollback and (stored.enabled or stored.shadow):
        return _wrong(
            check,
            evidence,
            "the environment rolls back whatever the database says",
            "unset one of the two and start the workers anew, or roll back in the database, too",
        )
    own = environment.settings
    if (own.enabled, own.shadow) != (stored.enabled, stored.shadow) or (own.enabled and own.percent != stored.percent):
        return _wrong(
            check,
            f"{evidence}, which is something else",
            "workers with `EnvFlags` go by the one, workers with `StoreFlags` or `LayeredFlags` by the other",
            "take the variables away, and wire `LayeredFlags` everywhere",
        )
    return _good(check, evidence)


def _applied(facts: Facts) -> Finding:
    check = "flags-applied"
    settings = facts.settings
    calls = {mode: facts.number(mode, "assignment.coordinator", "auto_assign") for mode in Mode}
    told = ", ".join(f"{number} in mode {mode.value}" for mode, number in calls.items() if number) or "none"
    if settings is None or not any(calls.values()):
        return Finding(check=check, health=Health.NOTE, evidence=f"events of calls since the last change: {told}")
    wanted = {mode for mode in Mode if _may_be(mode, settings)}
    if facts.says_nothing:
        return Finding(
            check=check,
            health=Health.NOTE,
            evidence=f"events of calls in the last hour: {told}; neither the environment nor the database sets a flag",
            cause="a day of `demo` or `assign`, or workers with flags or an environment of their own",
            fix="nothing after `demo` or `assign`; else run the doctor in the workers' environment",
        )
    strangers = [mode for mode, number in calls.items() if number and mode not in wanted]
    if strangers:
        return _wrong(
            check,
            f"events of calls since the last change: {told}; by the flags there should be none in mode "
            + ", ".join(mode.value for mode in strangers),
            "workers that still run with older variables, or that are not wired to these flags",
            "restart the workers, or wire `StoreFlags`, which follows within a second; see `flags explain RESTAURANT`",
        )
    return _good(check, f"events of calls since the last change: {told}")


def _may_be(mode: Mode, settings: FlagSettings) -> bool:
    active = settings.enabled and (settings.percent > 0 or bool(settings.restaurants))
    everywhere = settings.enabled and settings.percent == BUCKETS and not settings.exclude
    shadow = settings.shadow and (settings.shadow_percent > 0 or bool(settings.shadow_restaurants))
    shadow_everywhere = settings.shadow and settings.shadow_percent == BUCKETS and not settings.exclude
    if mode is Mode.ACTIVE:
        return active
    if mode is Mode.SHADOW:
        return shadow and not everywhere
    return not (everywhere or shadow_everywhere)


def _shadow(facts: Facts) -> Finding:
    check = "shadow"
    settings = facts.settings
    if settings is None or not settings.shadow:
        return _good(check, "no shadow is switched on")
    legacy = facts.number(Mode.SHADOW, "auto_assign")
    shadowed = facts.number(Mode.SHADOW, "assignment.state_machine", "assignment.shadow")
    called = facts.number(Mode.SHADOW, "assignment.coordinator", "auto_assign")
    agreement = facts.day.agreement
    if agreement.unreadable:
        return _wrong(
            check,
            f"{agreement.unreadable} of {agreement.comparable + agreement.incomparable} answers of legacy's in a day"
            " could not be compared",
            "the legacy planner returns something else than a LegacyResult, or names tables that the floor has not",
            "return LegacyResult(tables) with the ids of the floor's tables; see `shadow list --verdict incomparable`",
        )
    if shadowed:
        return _good(check, f"{shadowed} events of the shadow, {legacy} of legacy's, since the last change")
    if called:
        return _wrong(
            check,
            f"{called} events of calls in mode shadow, and none of the shadow's own",
            "no shadow is wired (reason `shadow_unavailable`), or none of its workers runs, or it samples nothing",
            'give the coordinator a shadow; with `shadow="worker"` run `assignment-pipeline worker`; see the log',
        )
    others = sum(facts.number(mode, "assignment.coordinator", "auto_assign") for mode in (Mode.OFF, Mode.ACTIVE))
    if others:
        return _wrong(
            check,
            f"{others} events of calls, none of them in mode shadow",
            "the flags have not reached the workers, or no restaurant that took a booking is covered",
            "see `flags explain RESTAURANT`, and restart the workers if they go by the environment",
        )
    return Finding(
        check=check,
        health=Health.NOTE,
        evidence="no event since the last change",
        cause="no booking was taken, or the coordinator is not called for them",
        fix="make a booking, and look again",
    )


# -- Work ---------------------------------------------------------------------------------------------------------


def _reviews(day: Metrics) -> Finding:
    outcomes, rate = day.pipeline, day.pipeline.review_rate
    evidence = f"{outcomes.review} of {outcomes.sample} assignments of 24 hours"
    if rate is None or outcomes.sample < FEW or rate <= MANY_REVIEWS:
        return _good("reviews", evidence)
    reasons = sorted(day.reasons.items(), key=lambda item: (-item[1], item[0]))
    counts = ", ".join(f"{reason} {number}" for reason, number in reasons)
    fixes = "; ".join(f"{reason}: {ADVICE[reason]}" for reason, _ in reasons if reason in ADVICE)
    return _wrong(
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
        return _good("contention", evidence)
    return _wrong(
        "contention",
        evidence,
        "several workers get the same bookings, or a worker that was killed keeps them for up to 30 seconds",
        "hand each booking to one queue; `sql lock-contention` names them. Nothing is double-booked by it",
    )


def _sweep(facts: Facts) -> Finding:
    backlog = facts.day.backlog
    if not backlog.overdue or backlog.overdue_since is None:
        return _good("sweep", "nothing is overdue")
    late = facts.now - backlog.overdue_since
    return _wrong(
        "sweep",
        f"{backlog.overdue} bookings are overdue, the first for {late // dt.timedelta(minutes=1)} minutes",
        "nothing sweeps: whatever does claims what is due within seconds",
        "run `assignment-pipeline sweep` every few seconds, or a `worker`",
    )


def _waiting(day: Metrics) -> Finding:
    late = day.backlog.review_overdue
    if not late:
        return _good("queue", "nobody has waited for a person for longer than Settings.review_within")
    return _wrong(
        "queue",
        f"{late} of {day.backlog.review} bookings in review have waited for longer than Settings.review_within",
        "nobody looks at the queue",
        "`assignment-pipeline review cases` has what can be done about each; a sink on `coordinator.review_overdue`",
    )


def _stuck(day: Metrics) -> Finding:
    stuck = day.backlog.stuck
    if not stuck:
        return _good("stuck", "no booking is handed out over and over")
    return _wrong(
        "stuck",
        f"{stuck} bookings were handed out three times and more, and nothing came of it",
        "code that raises or kills the worker each time: most often the host's, with a value that cannot be",
        "the log, and what `assignment-pipeline sweep` says; after five times they go to a person",
    )


def _unsettled(day: Metrics) -> Finding:
    unsettled = day.pipeline.unsettled
    if not unsettled:
        return _good("unsettled", "no booking waits for more than fifteen minutes")
    return _wrong(
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
        return _good("events", "none was lost")
    return _wrong(
        "events",
        "; ".join(lost),
        "a sink that is slow or fails, a queue that is full, or somebody who deletes events",
        'repair the sink; give the shadow a worker of its own (`shadow="worker"`); keep events for eight days at least',
    )
