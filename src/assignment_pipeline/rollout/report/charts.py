"""Percentages over time, as a picture that the page holds in itself."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Sequence
from typing import Any

import attrs

from assignment_pipeline.errors import MissingExtraError

WIDTH, HEIGHT = 9.0, 2.6
"""Inches, at 72 pixels each."""

NARROWEST = (90.0, 75.0, 50.0)
"""Where the scale may begin, where all of it happens above: there the differences are what matters."""

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "assignment-pipeline",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#c5cad1",
    "axes.labelcolor": "#5b6470",
    "xtick.color": "#5b6470",
    "ytick.color": "#5b6470",
    "grid.color": "#e6e9ee",
}


Span = tuple[dt.datetime, dt.datetime]
"""From when to when."""


@attrs.frozen(kw_only=True)
class Line:
    """
    One line of a chart.

    Attributes:
        name: What stands at its end.

        points: Times, each with a percentage, or None where nothing was measured: the line has a gap there.

        colour: Its colour, as CSS has it.
    """

    name: str
    points: Sequence[tuple[dt.datetime, float | None]]
    colour: str

    @property
    def last(self) -> tuple[dt.datetime, float] | None:
        """The last point with a value, if there is one."""
        return next(((time, value) for time, value in reversed(self.points) if value is not None), None)


def draw(
    lines: Sequence[Line], span: Span, threshold: float | None = None, *, floor: float | None = None
) -> str | None:
    """
    The lines as an SVG element, or None where there is nothing to draw.

    Args:
        lines: What to draw.

        span: From when to when the axis goes, whatever of it has points.

        threshold: Where a dashed line is drawn, in percent.

        floor: Where the scale begins, in percent, instead of where it fits.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    values = [value for line in lines for _, value in line.points if value is not None]
    if not values:
        return None
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra
        import matplotlib.dates  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError("report", error.name or "matplotlib") from error

    dates: Any = mpl.dates  # It is not typed.
    lowest = min([*values, *([] if threshold is None else [threshold])])
    low = floor if floor is not None else next((low for low in NARROWEST if lowest >= low), 0.0)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
        axes = figure.subplots()
        for line in lines:
            times: Any = [time for time, _ in line.points]
            shares = [float("nan") if value is None else value for _, value in line.points]
            axes.plot(times, shares, color=line.colour, linewidth=1.8, marker="o", markersize=2.2)
        for line, height in _apart(lines, (100 - low) / 12):
            name = f"{line.name} {line.last[1]:.4g} %" if line.last else line.name
            axes.annotate(
                name, (1.01, height), xycoords=("axes fraction", "data"), color=line.colour, va="center", weight="bold"
            )
        if threshold is not None:
            axes.axhline(threshold, color="#8a4b00", linewidth=1, linestyle=(0, (4, 3)))
        begin, end = span
        axes.set_xlim(begin, end)  # type: ignore[arg-type]  # matplotlib knows of times only once it runs
        axes.set_ylim(low, 100 + (100 - low) / 40)
        axes.yaxis.set_major_formatter("{x:g} %")
        axes.grid(visible=True, axis="y")
        locator = dates.AutoDateLocator(minticks=4, maxticks=9)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    # From the element on: what stands before it belongs to a file of its own.
    text = written.getvalue()
    return text[text.index("<svg") :]


def _apart(lines: Sequence[Line], least: float) -> list[tuple[Line, float]]:
    """The height for each line's label, none on top of another: from the lowest up."""
    placed: list[tuple[Line, float]] = []
    for line in sorted((line for line in lines if line.last), key=lambda line: line.last[1] if line.last else 0):
        height = line.last[1] if line.last else 0.0
        if placed and height < placed[-1][1] + least:
            height = placed[-1][1] + least
        placed.append((line, height))
    return placed
