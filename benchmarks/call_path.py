"""
What one call runs through: the files of the library, and the functions in each.

``python -m benchmarks.call_path`` prints them for an `assign` in memory. It counts what a newcomer has to read.
"""

from __future__ import annotations

import collections
import datetime as dt
import sys
from pathlib import Path
from typing import Any

import assignment_pipeline
from assignment_pipeline import Booking, Coordinator, FloorPlan, Table, Venue

LIBRARY = Path(assignment_pipeline.__file__).parent
TOMORROW = dt.datetime.now(dt.UTC).replace(hour=19, minute=0, second=0, microsecond=0) + dt.timedelta(days=1)


def main() -> None:
    """Assign one booking, and print each file with its functions, those with the most first."""
    floor = FloorPlan([Table("T1", 2), Table("T2", 2), Table("T3", 6)], adjacent=[("T1", "T2")])
    coordinator = Coordinator.in_memory(Venue("R1", "Europe/Paris", floor), sinks=())
    coordinator.assign(Booking("B0", "R1", 2, TOMORROW))  # What is done only once is not counted.
    found: dict[str, set[str]] = collections.defaultdict(set)

    def profile(frame: Any, event: str, _: object) -> None:
        path = Path(frame.f_code.co_filename)
        if event == "call" and path.is_relative_to(LIBRARY):
            found[str(path.relative_to(LIBRARY))].add(frame.f_code.co_qualname)

    booking = Booking("B1", "R1", 2, TOMORROW)
    sys.setprofile(profile)
    result = coordinator.assign(booking)
    sys.setprofile(None)
    coordinator.close()
    for path, functions in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        print(f"{len(functions):4} {path}: {', '.join(sorted(functions))}")
    print(f"{result.outcome}: {len(found)} files, {sum(map(len, found.values()))} functions")


if __name__ == "__main__":
    main()
