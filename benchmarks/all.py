"""
What one assignment costs, in one table: this build, and others beside it.

    python -m benchmarks.all --quick
    git worktree add /tmp/then 633cff7 && python -m benchmarks.all --quick --beside /tmp/then/src

Each number is taken in a process of its own. The builds take turns, round after round, so that a machine that is busy
for a while is so for all of them. The table shows the median over the rounds, and how many times the first build beside
takes what this one takes. Times are processor time where nothing is waited for.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "src"
PROBES = Path(__file__).with_name("probes.py")
ROWS = {
    "import": ("import assignment_pipeline", "ms"),
    "import_coordinator": ("import Coordinator", "ms"),
    "step": ("one lifecycle step", "µs"),
    "calls": ("functions entered by one assign", ""),
    "memory": ("assign in memory, 60 tables half full", "µs"),
    "asyncio": ("the same for asyncio", "µs"),
    "median_200": ("330 bookings at 200 tables, median", "ms"),
    "p99_200": ("... the 99th percentile", "ms"),
    "max_200": ("... the slowest", "ms"),
    **{
        f"{name}_{tables}{key}": (said.format(tables=tables, moves=moves), unit)
        for tables in (20, 60, 200)
        for name, moves in (("times", "no moves"), ("moves", "moves looked for"))
        for key, said, unit in (
            ("", "480 times, {tables} tables, {moves}", "ms"),
            ("_assign", "... in assigns at a free table", ""),
            ("_preview", "... in previews at a free table", ""),
            ("_all", "... the 480 previews, in availabilities", ""),
        )
    },
    "bare": ("a bare transaction on SQLite, one insert", "ms"),
    "sqlite": ("assign on SQLite, synchronous=FULL", "ms"),
    "one_by_one": ("a day of 200 on SQLite, one by one", "s"),
    "assign_many": ("... with assign_many", "s"),
}
"""For each number of the probes, what it is and its unit."""


PROBED = ("imports", "memory", "asyncio", "large", "availability", "sqlite")


def probed(source: Path, probe: str) -> dict[str, float]:
    """The numbers that a probe takes of the build whose source is in that folder."""
    environment = {**os.environ, "PYTHONPATH": str(source)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, str(PROBES), probe], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.all", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="three rounds instead of nine")
    parser.add_argument("--beside", type=Path, action="append", default=[], help="the src folder of another build")
    arguments = parser.parse_args()
    builds = [HERE, *(path.resolve() for path in arguments.beside)]
    rounds: list[list[dict[str, float]]] = []
    for _ in range(3 if arguments.quick else 9):
        rounds.append([{} for _ in builds])
        for probe in PROBED:
            for build, source in enumerate(builds):
                rounds[-1][build] |= probed(source, probe)
    names = ["this build", *(path.parent.name for path in builds[1:])]
    print(f"{'':44}" + "".join(f"{name:>16}" for name in names) + ("     ratio" if len(names) > 1 else ""))
    for key, (said, unit) in ROWS.items():
        shown = [statistics.median(each[build][key] for each in rounds) for build in range(len(builds))]
        line = f"{said:44}" + "".join(f"{number:13.2f} {unit:2}" for number in shown)
        if len(names) > 1:
            line += f"{statistics.median(each[1][key] / max(each[0][key], 1e-3) for each in rounds):9.2f}"
        print(line)
    print(f"({os.cpu_count()} cores, Python {sys.version.split()[0]}, {len(rounds)} rounds)")


if __name__ == "__main__":
    main()
