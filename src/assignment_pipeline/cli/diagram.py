"""``diagram``: the lifecycle, to look at."""

from __future__ import annotations

from assignment_pipeline import lifecycle


def diagram() -> None:
    """Print the lifecycle of an assignment as a Mermaid state diagram."""
    print(lifecycle.diagram(), end="")
