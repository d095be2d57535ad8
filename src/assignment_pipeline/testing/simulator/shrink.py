"""From a run that broke an invariant to the shortest that is found to break it too."""

from __future__ import annotations

import math
import time

from assignment_pipeline.testing.simulator.choices import Replayed
from assignment_pipeline.testing.simulator.run import Report, Run

Made = tuple[int, ...]


def shrink(run: Run, found: Report, *, seconds: float = math.inf, most: float = math.inf) -> Report:
    """
    Leave out, zero and lower choices for as long as the same invariant breaks.

    Args:
        run: What was simulated.

        found: A report with a failure.

        seconds: How long it may take.

        most: How many runs it may try.

    Returns:
        The report of the simplest run that was found, with its trace.
    """
    assert found.failure is not None
    invariant = found.failure.invariant
    best = _trimmed(found.choices)
    until = time.monotonic() + seconds
    tried = 0

    def breaks(candidate: Made) -> Made | None:
        """What of *candidate* was used, if that is simpler and breaks the same invariant."""
        nonlocal tried
        if tried >= most or time.monotonic() > until or _size(_trimmed(candidate)) >= _size(best):
            return None
        tried += 1
        report = run(Replayed(candidate))
        if report.failure is None or report.failure.invariant != invariant:
            return None
        return min(_trimmed(report.choices), _trimmed(candidate), key=_size)

    before: Made | None = None
    while best != before:
        before = best
        size = len(best)
        while size:
            place = 0
            while place < len(best):
                head, block, tail = best[:place], best[place : place + size], best[place + size :]
                shorter = breaks(head + tail) or (any(block) and breaks(head + (0,) * len(block) + tail))
                if shorter:
                    best = shorter
                else:
                    place += size
            size //= 2
        for place in range(len(best)):
            for lower in (best[place] // 2, best[place] - 1) if place < len(best) else ():
                best = (lower >= 0 and breaks((*best[:place], lower, *best[place + 1 :]))) or best
    return run(Replayed(best), traced=True)


def _trimmed(made: Made) -> Made:
    """Without the zeros at the end, which are what a list that ends is replayed with."""
    end = len(made)
    while end and not made[end - 1]:
        end -= 1
    return made[:end]


def _size(made: Made) -> tuple[int, int, int]:
    return len(made), sum(1 for choice in made if choice), sum(made)
