"""What the pictures of the benchmarks have in common. Extra `bench`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def panels(
    path: Path, rows: int, columns: int, *, size: tuple[float, float], foot: float, entries: int, shared: bool = False
) -> Iterator[list[Any]]:
    """
    The panels of a picture, row by row, to be drawn on. After the block it gets a legend, and is written.

    Args:
        path: Where to; its ending says in which format.

        rows: How many rows of panels.

        columns: How many panels in each.

        size: Width and height, in inches.

        foot: The share of the height that the legend takes.

        entries: How many entries of the legend stand side by side.

        shared: Whether all panels have the same axes.
    """
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    mpl.rcParams |= {"svg.fonttype": "path", "svg.hashsalt": "benchmarks", "font.size": 10}
    figure, grid = plt.subplots(rows, columns, figsize=size, squeeze=False, sharex=shared, sharey=shared)
    yield list(grid.flat)
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=entries, frameon=False)
    figure.tight_layout(rect=(0, foot, 1, 1))
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def plain(panel: Any, *, axis: str = "both", without: tuple[str, ...] = ("top", "right")) -> None:
    """Grey lines behind what is drawn on a panel, on one *axis* or both, and no edges on those sides."""
    panel.grid(axis=axis, color="#e0e0e0")
    panel.set_axisbelow(True)
    for edge in without:
        panel.spines[edge].set_visible(False)
