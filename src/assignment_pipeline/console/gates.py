"""What the gates of a phase say, and how each criterion came to it, as pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from assignment_pipeline.console.rendering import words
from assignment_pipeline.rollout.control import Criterion, Phase, Verdict
from assignment_pipeline.rollout.control.course import Look
from assignment_pipeline.rollout.control.metrics import METRICS, OF_DAYS
from assignment_pipeline.rollout.control.phases import OWN_DAYS, TIME_IN_PHASE

WIDTH, HEIGHT = 640, 160
"""Of a picture, in its own units."""

_EDGE = 0.2  # So much of what is of interest is left above and below it,
_LEAST = 0.005  # at least half a point.


@attrs.frozen(kw_only=True)
class Picture:
    """
    A criterion over time: what was found, what was known of the true value, and what is asked.

    Attributes:
        line: What was found of all so far, as the points of a line.

        band: Where the true value lies, as the corners of an area.

        end: The last point of the line.

        asked: At which height the threshold is.

        limit: At which height the value is that is just acceptable: the threshold less the margin.

        top: What the upper edge is, in words.

        bottom: What the lower edge is.
    """

    line: str
    band: str
    end: tuple[float, float]
    asked: float
    limit: float
    top: str
    bottom: str


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


def gates_of(phase: Phase, verdicts: Iterable[Verdict], courses: dict[str, tuple[Look, ...]]) -> list[Gate]:
    """What all that a phase asks for says."""
    criteria = {criterion.metric: criterion for criterion in phase.criteria}
    return [_gate(verdict, criteria.get(verdict.metric), courses.get(verdict.metric, ())) for verdict in verdicts]


def _gate(verdict: Verdict, criterion: Criterion | None, looks: Sequence[Look]) -> Gate:
    shown = {TIME_IN_PHASE: _hours, OWN_DAYS: _days}.get(verdict.metric, _percent)
    low, high = verdict.low, verdict.high
    of_days = verdict.metric in OF_DAYS
    asked = "" if verdict.threshold is None else f"{words(verdict.direction)} {shown(verdict.threshold)}"
    if asked and criterion is not None and criterion.margin:
        asked += f", with a margin of {_percent(criterion.margin)}"
    role = verdict.metric.partition(":")[2]
    return Gate(
        verdict=verdict,
        title=f"Sign-off of {words(role)}" if role else words(verdict.metric).capitalize(),
        value="" if verdict.value is None else shown(verdict.value),
        asked=asked,
        between="" if low is None or high is None else f"{_percent(low)} to {_percent(high)}",
        what="" if verdict.metric in (TIME_IN_PHASE, OWN_DAYS) or role else "service days" if of_days else "bookings",
        picture=_picture(criterion, looks) if criterion is not None and looks else None,
    )


def _percent(value: float) -> str:
    return f"{100 * value:.2f}".rstrip("0").rstrip(".") + " %"


def _days(value: float) -> str:
    return f"{value:g} days"


def _hours(value: float) -> str:
    return f"{value:.4g} h"


def _picture(criterion: Criterion, looks: Sequence[Look]) -> Picture:
    """The course near what decides: sequences begin wide, and what is far from the threshold is cut off."""
    last = looks[-1]
    near = (last.low, last.high, last.value, criterion.threshold, criterion.limit)
    edge = max(_EDGE * (max(near) - min(near)), _LEAST)
    bottom = max(min(near) - edge, METRICS[criterion.metric].lowest)
    top = min(max(near) + edge, 1.0)

    def place(at: float, value: float) -> tuple[float, float]:
        share = (min(max(value, bottom), top) - bottom) / (top - bottom)
        return round(WIDTH * at, 1), round(HEIGHT * (1 - share), 1)

    def points(pairs: Iterable[tuple[float, float]]) -> str:
        return " ".join("{},{}".format(*place(at, value)) for at, value in pairs)

    low, high = [(look.at, look.low) for look in looks], [(look.at, look.high) for look in looks]
    return Picture(
        line=points((look.at, look.value) for look in looks),
        band=points([*low, *reversed(high)]),
        end=place(last.at, last.value),
        asked=place(0, criterion.threshold)[1],
        limit=place(0, criterion.limit)[1],
        top=_percent(top),
        bottom=_percent(bottom),
    )
