"""A criterion over time as a picture, for the console and the report: its value and its confidence sequence."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import attrs

from assignment_pipeline.rollout.control import Criterion, Look
from assignment_pipeline.rollout.control.metrics import METRICS

WIDTH, HEIGHT = 640, 160
"""Of a picture, in its own units."""

LEGEND = (
    "In each picture, the line is what was found of all so far, the area where the true value lies however often one"
    " looks, the dashed line what is asked, and the dotted one what the margin allows."
)
"""What the pictures show, in a sentence."""

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

    def svg(self, title: str) -> str:
        """The picture as an SVG element of the class ``sequence``; the page's style gives the colours."""
        label = html.escape(f"{title} since the phase began, with its confidence sequence")
        limit = f'<path class="limit" d="M0,{self.limit}H{WIDTH}"/>' if self.limit != self.asked else ""
        return (
            f'<svg class="sequence" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img"'
            f' aria-label="{label}"><polygon points="{self.band}"/><path class="asked" d="M0,{self.asked}H{WIDTH}"/>'
            f'{limit}<polyline points="{self.line}"/><path class="end" d="M{self.end[0]},{self.end[1]}h0"/></svg>'
        )


def percent(value: float) -> str:
    """A share in words, to a hundredth of a point."""
    return f"{100 * value:.2f}".rstrip("0").rstrip(".") + " %"


def picture_of(criterion: Criterion, looks: Sequence[Look]) -> Picture | None:
    """
    The course near what decides: sequences begin wide, and what is far from the threshold is cut off.

    Args:
        criterion: What has to hold.

        looks: Its course, oldest first: see `courses`. Without any, there is nothing to draw.
    """
    if not looks:
        return None
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
        top=percent(top),
        bottom=percent(bottom),
    )
