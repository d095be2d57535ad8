"""The tables as a picture: a dot for each size and planner, its whisker the interval. Extra `bench`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.evenings.measure import ACCOMMODATING, ALL
from benchmarks.evenings.replay import CONTENDERS
from benchmarks.evenings.summary import Line
from benchmarks.pictures import panels, plain

COLOURS = ("#9aa0a6", "#5f6368", "#e08e0b", "#1a73e8", "#0b7a4b")
MARKERS = ("v", "s", "o", "D", "*")
TITLES = {ALL: "All requests", ACCOMMODATING: "Accommodating requests"}
TIMES = " \N{MULTIPLICATION SIGN} "
ENOUGH = 5
"""Evenings from which a confidence interval is drawn: that of three would be as wide as the picture."""

SPREAD = 0.14
"""How far apart the planners of one size are drawn, in rows."""


def draw(path: Path, lines: Sequence[Line], mix: str = "standard") -> None:
    """Draw the lines of a *mix*; the ending of *path* says in which format."""
    drawn = [line for line in lines if line.mix == mix]
    sizes = list(dict.fromkeys(line.size for line in drawn))
    names = [name for name in CONTENDERS if any(line.contender == name for line in drawn)]
    height = 1.6 + 0.75 * len(sizes)
    with panels(path, 1, 2, size=(10, height), foot=0.4 / height, entries=len(names), shared=True) as places:
        for panel, (requests, title) in zip(places, TITLES.items(), strict=True):
            for place, name in enumerate(names):
                own = [line for line in drawn if line.requests == requests and line.contender == name]
                style = [*CONTENDERS].index(name)
                panel.errorbar(
                    [100 * line.share.mean for line in own],
                    [sizes.index(line.size) + SPREAD * (place - (len(names) - 1) / 2) for line in own],
                    xerr=[100 * line.share.margin if line.evenings >= ENOUGH else 0 for line in own],
                    fmt=MARKERS[style],
                    color=COLOURS[style],
                    markersize=6,
                    capsize=2,
                    linewidth=1,
                    label=CONTENDERS[name].label,
                )
            panel.set_title(title, fontsize=11)
            panel.set_xlabel("covers, % of the proved bound")
            panel.set_yticks(range(len(sizes)), [size.replace("x", TIMES) for size in sizes])
            plain(panel, axis="x", without=("top", "right", "left"))
            panel.tick_params(axis="y", length=0)
        places[0].invert_yaxis()
        places[0].set_ylabel(f"tables{TIMES}bookings")
