"""Events about a rollout."""

from __future__ import annotations

import datetime as dt
import uuid

from assignment_pipeline.domain.events import Event, EventType, Severity, Source
from assignment_pipeline.domain.rollout import RolloutRevision
from assignment_pipeline.rollout.control.standing import Standing
from assignment_pipeline.rollout.control.verdicts import Answer


def change_event(kind: EventType, before: RolloutRevision, after: RolloutRevision, *, now: dt.datetime) -> Event:
    """The event that tells of a revision: a warning where it was forced, or leads back."""
    loud = after.forced or kind is EventType.ROLLED_BACK
    return Event(
        str(uuid.uuid4()),
        now,
        Source.ROLLOUT,
        kind,
        severity=Severity.WARNING if loud else Severity.INFO,
        context={
            "change": after.evidence.get("change"),
            "from": before.phase,
            "to": after.phase,
            "generation": after.generation,
            "forced": after.forced,
            "actor": after.actor,
        },
    )


def gate_events(standing: Standing) -> list[Event]:
    """An event for each criterion, with its numbers."""
    return [
        Event(
            str(uuid.uuid4()),
            standing.now,
            Source.ROLLOUT,
            EventType.GATE,
            severity=Severity.INFO if verdict.answer is Answer.PASS else Severity.WARNING,
            context={
                "phase": standing.revision.phase,
                "metric": verdict.metric,
                "answer": verdict.answer.value,
                "value": verdict.value,
                "sample": verdict.sample,
                "low": verdict.low,
                "high": verdict.high,
                "threshold": verdict.threshold,
                "direction": verdict.direction,
            },
        )
        for verdict in standing.verdicts
    ]
