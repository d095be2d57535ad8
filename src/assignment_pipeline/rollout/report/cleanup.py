"""What is left to do before the old planner goes, and what the numbers already prove of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

import attrs

from assignment_pipeline.domain.metrics import Metrics, MetricsQuery
from assignment_pipeline.domain.record import Owner
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.ports import MetricsStore
from assignment_pipeline.rollout.control import LADDER, Answer, Standing
from assignment_pipeline.rollout.watching import Alert, AlertState

LAST = LADDER.phases[-1]


@attrs.frozen(kw_only=True)
class Item:
    """
    Something to be done, or to be so.

    Attributes:
        text: What.

        proved: Whether the numbers prove it. What only people can do is never proved.

        note: The numbers, or what is missing.
    """

    text: str
    proved: bool = False
    note: str = ""


_FOR_PEOPLE = (
    "Open a task for the removal, and list the code paths of the old planner in it",
    "Let the tests know of the pipeline only",
    "Take out flag checks that nobody needs any more; keep the flags themselves, they are the brake",
    "Archive the rollout with its final numbers: rollout archive FILE",
    "Update runbooks and feature lists",
    "Look back on it with the team",
)


def is_due(standing: Standing) -> bool:
    """Whether the pipeline has been in charge everywhere for as long as the last phase takes."""
    if standing.phase is None or standing.since is None or standing.phase.name != LAST.name:
        return False
    return standing.now - standing.since >= LAST.min_time


def left_to_do(
    standing: Standing, history: Sequence[RolloutRevision], store: MetricsStore, alerts: Iterable[Alert]
) -> tuple[Item, ...]:
    """
    The checklist, with what has been counted since the last phase began; empty before that.

    Raises:
        StoreUnavailableError: The store could not be asked.
    """
    if standing.phase is None or standing.since is None or standing.phase.name != LAST.name:
        return ()
    metrics = store.measure(MetricsQuery(since=standing.since, until=max(standing.now, standing.since)))
    return checklist(standing, history, metrics, alerts)


def checklist(
    standing: Standing, history: Sequence[RolloutRevision], metrics: Metrics, alerts: Iterable[Alert]
) -> tuple[Item, ...]:
    """
    What has to be so, and to be done, before the old planner may be removed.

    Args:
        standing: Where the rollout stands.

        history: Its changes, newest first.

        metrics: What was counted since the last phase began.

        alerts: How the alerts stand.
    """
    return (
        _time(standing),
        _gates(standing),
        _quiet(standing, history, alerts),
        _unused(metrics),
        *(Item(text=text) for text in _FOR_PEOPLE),
    )


def _time(standing: Standing) -> Item:
    spent = standing.now - standing.since if standing.since else dt.timedelta()
    text = f"The pipeline has been in charge everywhere for {LAST.min_time.days} days"
    return Item(text=text, proved=is_due(standing), note=f"for {spent / dt.timedelta(days=1):.1f} days")


def _gates(standing: Standing) -> Item:
    measured = [verdict for verdict in standing.verdicts if verdict.sample is not None]
    holds = [verdict.metric for verdict in measured if verdict.answer is not Answer.PASS]
    note = f"not yet: {', '.join(holds)}" if holds else f"{len(measured)} criteria measured"
    return Item(text="What the last phase asks for holds", proved=bool(measured) and not holds, note=note)


def _quiet(standing: Standing, history: Sequence[RolloutRevision], alerts: Iterable[Alert]) -> Item:
    firing = [alert.rule.name for alert in alerts if alert.state is AlertState.FIRING]
    forced = bool(history) and history[0].phase == LAST.name and history[0].forced
    note = f"firing: {', '.join(firing)}" if firing else "the phase was forced" if forced else "no alert fires"
    reached = standing.phase is not None and standing.phase.name == LAST.name
    return Item(text="Nothing has rolled it back, and nothing fires", proved=reached and not firing, note=note)


def _unused(metrics: Metrics) -> Item:
    calls = sum(found.bookings for (owner, _), found in metrics.calls.items() if owner is Owner.LEGACY)
    note = f"called for {calls} bookings" if calls else "not called once"
    asked = metrics.pipeline.asked
    return Item(text="The old planner is not called any more", proved=not calls and asked > 0, note=note)
