"""The days that each phase takes, as a picture that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from assignment_pipeline.cli.failures import refuse
from assignment_pipeline.rollout.control.forecast import PhaseForecast

_ROW, _BAR, _LEFT, _RIGHT, _HEAD = 34, 18, 170, 330, 34
_TICKS = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000)


def picture(phases: Sequence[PhaseForecast]) -> str:
    """A bar for each phase, on a scale of powers of ten: a day and a year stand on one picture."""
    longest = max((each.days or 1.0 for each in phases), default=1.0)
    most = next((tick for tick in _TICKS if tick >= longest), _TICKS[-1])
    width, height = _LEFT + 420 + _RIGHT, _HEAD + _ROW * len(phases) + 12
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
            ' font-family="sans-serif" font-size="13">'
        ),
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for tick in (tick for tick in _TICKS if tick <= most):
        x = _LEFT + _length(tick, most)
        parts.append(f'<line x1="{x:.0f}" y1="{_HEAD - 6}" x2="{x:.0f}" y2="{height - 8}" stroke="#dde1e6"/>')
        parts.append(f'<text x="{x:.0f}" y="{_HEAD - 12}" text-anchor="middle" fill="#5b6470">{tick:,} d</text>')
    for row, each in enumerate(phases):
        y = _HEAD + row * _ROW
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 15}" text-anchor="end" fill="#1d2329">{each.phase.name}</text>')
        reach = _length(most if each.days is None else max(each.days, 0.5), most)
        colour = "#b3261e" if each.days is None else "#0b7a4b"
        says = "never passes" if each.days is None else f"{math.ceil(each.days):,} days"
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="{reach:.0f}" height="{_BAR}" fill="{colour}"/>')
        note = f"{says}, decided by {each.decided_by}"
        parts.append(f'<text x="{_LEFT + reach + 8:.0f}" y="{y + 15}" fill="#1d2329">{note}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _length(days: float, most: float) -> float:
    """How long a bar is: it begins at half a day."""
    return 420 * math.log(days / 0.5) / math.log(most / 0.5)


def write(path: Path, text: str) -> None:
    """
    Write a picture.

    Raises:
        BadInputError: The file cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        refuse(f"--svg {path}", "a file that can be written to", error.strerror or type(error).__name__)
