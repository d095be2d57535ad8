"""What the gates of a phase say, and how each criterion came to it, as pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from assignment_pipeline.console.rendering import words
from assignment_pipeline.rollout.control import Criterion, Look, Phase, Verdict
from assignment_pipeline.rollout.control.metrics import OF_DAYS
from assignment_pipeline.rollout.control.phases import OWN_DAYS, TIME_IN_PHASE
from assignment_pipeline.rollout.report.sequences import Picture, percent, picture_of


@attrs.frozen(kw_only=True)
class Gate:
    """
    What one criterion says.

    Attributes:
        verdict: What it says.

        title: What is measured, for people.

        value: What was found; empty where nothing was.

        asked: What is asked; empty where no number is.

        between: Where the true value lies; empty where that means nothing.

        what: What was counted: bookings or service days; empty where nothing is.

        picture: How it came to that; None where there is nothing to draw.
    """

    verdict: Verdict
    title: str
    value: str
    asked: str
    between: str
    what: str
    picture: Picture | None


def gates_of(phase: Phase, verdicts: Iterable[Verdict], courses: Mapping[str, tuple[Look, ...]]) -> list[Gate]:
    """What all that a phase asks for says."""
    criteria = {criterion.metric: criterion for criterion in phase.criteria}
    return [_gate(verdict, criteria.get(verdict.metric), courses.get(verdict.metric, ())) for verdict in verdicts]


def _gate(verdict: Verdict, criterion: Criterion | None, looks: Sequence[Look]) -> Gate:
    shown = {TIME_IN_PHASE: _hours, OWN_DAYS: _days}.get(verdict.metric, percent)
    low, high = verdict.low, verdict.high
    of_days = verdict.metric in OF_DAYS
    asked = "" if verdict.threshold is None else f"{words(verdict.direction)} {shown(verdict.threshold)}"
    if asked and criterion is not None and criterion.margin:
        asked += f", with a margin of {percent(criterion.margin)}"
    role = verdict.metric.partition(":")[2]
    return Gate(
        verdict=verdict,
        title=f"Sign-off of {words(role)}" if role else words(verdict.metric).capitalize(),
        value="" if verdict.value is None else shown(verdict.value),
        asked=asked,
        between="" if low is None or high is None else f"{percent(low)} to {percent(high)}",
        what="" if verdict.metric in (TIME_IN_PHASE, OWN_DAYS) or role else "service days" if of_days else "bookings",
        picture=picture_of(criterion, looks) if criterion is not None else None,
    )


def _days(value: float) -> str:
    return f"{value:g} days"


def _hours(value: float) -> str:
    return f"{value:.4g} h"
