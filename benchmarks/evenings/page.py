"""The page of the documentation that says how good the plans are: its tables are written by the benchmark."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.evenings.summary import Line, markdown

BEGIN = "<!-- written by python -m benchmarks.evenings report -->"
END = "<!-- until here -->"


def rewrite(path: Path, lines: Sequence[Line]) -> None:
    """
    Put the tables of *lines* between the markers of the page.

    Raises:
        ValueError: The page does not have each marker once.
    """
    text = path.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        msg = f"{path}: expected {BEGIN} and {END}, each once"
        raise ValueError(msg)
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text(f"{before}{BEGIN}\n\n{markdown(lines)}\n\n{END}{after}")
