"""All findings about a rollout at one moment, for the report and the archive."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import attrs

from assignment_pipeline.domain.metrics import Metrics, MetricsQuery, Series
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.ports import MetricsStore
from assignment_pipeline.rollout.control import Rollout, Standing
from assignment_pipeline.rollout.control.course import Look, courses_of
from assignment_pipeline.rollout.report.cleanup import Item, left_to_do
from assignment_pipeline.rollout.report.headlines import headlines
from assignment_pipeline.rollout.watching import Alert, Alerts

_MANY = 10_000
_STEPS = tuple(dt.timedelta(minutes=minutes) for minutes in (5, 15, 60, 180, 360, 1440))
_MOST_POINTS = 170
_A_SECOND = dt.timedelta(seconds=1)


@attrs.frozen(kw_only=True)
class Findings:
    """
    What was found.

    Attributes:
        standing: Where the rollout stands.

        history: Its changes, newest first.

        metrics: What was counted over the window: what `metrics` counts at that moment.

        series: The same outcomes and calls, in stretches of `step` from the window's first full second on.

        step: How long a stretch is.

        courses: How each criterion of the phase came to where it is, by its metric.

        alerts: How the alerts stand.

        cleanup: What is left to do before the old planner goes; empty before the last phase.
    """

    standing: Standing
    history: tuple[RolloutRevision, ...]
    metrics: Metrics
    series: Series
    step: dt.timedelta
    courses: Mapping[str, tuple[Look, ...]]
    alerts: tuple[Alert, ...]
    cleanup: tuple[Item, ...]


def find(rollout: Rollout, store: MetricsStore, window: dt.timedelta) -> Findings:
    """
    Look at everything.

    Args:
        rollout: The rollout.

        store: Where its numbers are.

        window: How far to look back.

    Raises:
        StoreUnavailableError: The store could not be asked.
    """
    now = store.now()
    step = next((step for step in _STEPS if window / step <= _MOST_POINTS), _STEPS[-1])
    since = now - window
    begin = (since + _A_SECOND - dt.timedelta(microseconds=1)).replace(microsecond=0)
    standing, history = rollout.status(), rollout.history(_MANY)
    alerts = Alerts(store).check(now, history[0].created_at if history else None)
    return Findings(
        standing=standing,
        history=history,
        metrics=store.measure(MetricsQuery(since=since, until=now)),
        series=store.series(MetricsQuery(since=begin, until=now), step),
        step=step,
        courses=courses_of(store, standing),
        alerts=alerts,
        cleanup=left_to_do(standing, history, store, alerts),
    )


def archived(findings: Findings) -> dict[str, Any]:
    """The final numbers as JSON, for the record."""
    standing, metrics = findings.standing, findings.metrics
    return {
        "at": standing.now.isoformat(),
        "phase": standing.revision.phase,
        "since": standing.since.isoformat() if standing.since else None,
        "window": {"since": metrics.since.isoformat(), "until": metrics.until.isoformat()},
        "verdicts": [verdict.document() for verdict in standing.verdicts],
        "outcomes": _grouped(metrics.outcomes),
        "calls": _grouped(metrics.calls),
        "latency": _grouped(metrics.latency),
        "agreement": attrs.asdict(metrics.agreement),
        "reverse": attrs.asdict(metrics.reverse),
        "headlines": list(headlines(metrics)),
        "strategies": dict(metrics.strategies),
        "reasons": dict(metrics.reasons),
        "attempts": metrics.attempts,
        "attempted": metrics.attempted,
        "lost": metrics.lost,
        "alerts": [alert.document() for alert in findings.alerts],
        "cleanup": [attrs.asdict(item) for item in findings.cleanup],
        "history": [_change(revision) for revision in findings.history],
    }


def _grouped(found: Any) -> list[dict[str, Any]]:
    return [
        {"owner": owner.value, "mode": mode.value if mode else None, **attrs.asdict(value)}
        for (owner, mode), value in sorted(found.items(), key=str)
    ]


def _change(revision: RolloutRevision) -> dict[str, Any]:
    facts = attrs.asdict(revision)
    facts["created_at"] = revision.created_at.isoformat() if revision.created_at else None
    return facts
