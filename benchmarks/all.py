"""
What one assignment costs, in one table: this build, and others beside it.

    python -m benchmarks.all --quick
    git worktree add /tmp/then 633cff7 && python -m benchmarks.all --quick --beside /tmp/then/src

Each number is taken in a process of its own. The builds take turns, round after round, so that a machine that is busy
for a while is so for all of them. The table shows the median over the rounds, and how many times better this build is
than the first beside: how many times what this one takes that one does, and of rates and shares the other way round.
Times are processor time where nothing is waited for. What takes long is measured in the first round only. PostgreSQL,
and Redis for Celery, are found or started as for the tests.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import json
import os
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path

HERE = Path(__file__).resolve().parents[1] / "src"
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
            ("_first", "... the first of an evening, in assigns", ""),
            ("_preview", "... in previews at a free table", ""),
            ("_all", "... the 480 previews, in availabilities", ""),
        )
    },
    **{
        f"{name}_moves_{tables}": (f"480 times on {where}, {tables} tables, in assigns", "")
        for name, where in (("sqlite", "SQLite"), ("pg", "PostgreSQL"))
        for tables in (20, 60, 200)
    },
    "bare": ("a bare transaction on SQLite, one insert", "ms"),
    "sqlite": ("assign on SQLite, synchronous=FULL", "ms"),
    "normal_memory": ("assign in memory, the clock on the wall", "ms"),
    "normal": ("assign on SQLite, synchronous=NORMAL", "ms"),
    "one_by_one": ("a day of 200 on SQLite, one by one", "s"),
    "assign_many": ("... with assign_many", "s"),
    "pg_one_by_one": ("a day of 200 on PostgreSQL, flushes of 2 ms", "s"),
    "pg_assign_many": ("... with assign_many", "s"),
    "pg_around": ("100 bookings at 40 restaurants, one by one", "s"),
    "pg_sweep": ("... all due, in one sweep", "s"),
    "rate_1": ("assignments a second on PostgreSQL, 1 worker", ""),
    "share_1": ("... of the bare commit function", "%"),
    "rate_4": ("the same, 4 workers", ""),
    "share_4": ("... of the bare commit function", "%"),
    "rate_16": ("the same, 16 workers", ""),
    "share_16": ("... of the bare commit function", "%"),
    "celery": ("assign_booking, of a Celery task of nothing", "%"),
    "dbos": ("assignments for one DBOS workflow of 3 steps", ""),
    "resident": ("a worker after 20,000 assignments", "MB"),
    "grown": ("... grown in the last 3,000 of them by", "MB"),
    "idle": ("a restaurant that is known, 60 tables", "kB"),
    "gap": ("a day of 60 tables anew in 1 s: from the bound", "%"),
    "gap_cp_sat": ("... CP-SAT with the same model", "%"),
}
"""For each number of the probes, what it is and its unit."""

MORE_IS_BETTER = {f"{name}_{workers}" for name in ("rate", "share") for workers in (1, 4, 16)}

EACH_ROUND = {
    "probes": ("imports", "memory", "asyncio", "large", "sqlite"),
    "database_probes": ("normal", "postgres"),
}
ONCE = {"probes": ("availability",), "database_probes": ("workers",)}
ONLY_HERE = {"database_probes": ("availability", "memory_of_a_worker", "reoptimize", "celery", "dbos")}
"""The probes, by their module: those of each round and each build, those of one round, and those of this build."""

RATIOS = {
    "assign on SQLite, in bare transactions": ("sqlite", "bare"),
    "... with NORMAL, in assigns in memory": ("normal", "normal_memory"),
    "assign_many, times the rate of single calls": ("one_by_one", "assign_many"),
    "... on PostgreSQL": ("pg_one_by_one", "pg_assign_many"),
    "a sweep, times the rate of single calls": ("pg_around", "pg_sweep"),
    "assign for asyncio, in assigns for threads": ("asyncio", "memory"),
}
"""Numbers of one build that are told by each other, round by round."""

PEERS = ("psycopg", "celery", "dbos", "highspy", "ortools")

Numbers = dict[str, float]


def probed(source: Path, module: str, probe: str) -> Numbers:
    """The numbers that a probe takes of the build whose source is in that folder; none where a package is missing."""
    found_in = [str(source), str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(found_in)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    words = [sys.executable, "-m", f"benchmarks.{module}", probe]
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(f"({module} {probe} of {source}: exit {done.returncode})", file=sys.stderr)
        return {}
    numbers: Numbers = json.loads(done.stdout.splitlines()[-1])
    return numbers


def measured(builds: Sequence[Path], rounds: int) -> list[list[Numbers]]:
    """The numbers of each round, by build: the builds take turns."""
    taken: list[list[Numbers]] = []
    for number in range(rounds):
        taken.append([{} for _ in builds])
        wanted = [(module, probe, builds) for module, probes in EACH_ROUND.items() for probe in probes]
        if number == 0:
            wanted += [(module, probe, builds) for module, probes in ONCE.items() for probe in probes]
            wanted += [(module, probe, builds[:1]) for module, probes in ONLY_HERE.items() for probe in probes]
        for module, probe, asked in wanted:
            for build, source in enumerate(asked):
                taken[-1][build] |= probed(source, module, probe)
    return taken


def median(rounds: Sequence[Sequence[Numbers]], build: int, of: Callable[[Numbers], float]) -> float | None:
    """The median over the rounds that have it."""
    found = []
    for each in rounds:
        with contextlib.suppress(KeyError):
            found.append(of(each[build]))
    return statistics.median(found) if found else None


def versions(builds: Sequence[Path]) -> str:
    """The builds and what stands beside them, by version."""
    told = [f"{name} {_commit(source)}" for name, source in zip(names(builds), builds, strict=True)]
    told.append(f"SQLite {sqlite3.sqlite_version}")
    for peer in PEERS:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            told.append(f"{peer} {importlib.metadata.version(peer)}")
    return ", ".join(told)


def _commit(source: Path) -> str:
    words = ["git", "-C", str(source), "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip() or "of no commit"


def names(builds: Sequence[Path]) -> list[str]:
    """What the columns are called."""
    return ["this build", *(path.parent.name for path in builds[1:])]


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.all", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="three rounds instead of nine")
    parser.add_argument("--beside", type=Path, action="append", default=[], help="the src folder of another build")
    arguments = parser.parse_args()
    builds = [HERE, *(path.resolve() for path in arguments.beside)]
    rounds = measured(builds, 3 if arguments.quick else 9)
    print(f"{'':50}" + "".join(f"{name:>16}" for name in names(builds)) + ("     ratio" if len(builds) > 1 else ""))
    for key, (said, unit) in ROWS.items():
        line = _line(said, unit, [median(rounds, build, itemgetter(key)) for build in range(len(builds))])
        if len(builds) > 1 and key in rounds[0][0] and key in rounds[0][1]:
            pairs = [(each[0][key], each[1][key]) for each in rounds if key in each[0] and key in each[1]]
            line += f"{statistics.median(_better(key, *pair) for pair in pairs):9.2f}"
        print(line)
    for said, (one, other) in RATIOS.items():
        shares = [median(rounds, build, partial(_ratio, one, other)) for build in range(len(builds))]
        print(_line(said, "x", shares))
    print(f"({versions(builds)}; {os.cpu_count()} cores, Python {sys.version.split()[0]}, {len(rounds)} rounds)")


def _better(key: str, here: float, beside: float) -> float:
    more, less = (here, beside) if key in MORE_IS_BETTER else (beside, here)
    return more / max(less, 1e-3)


def _ratio(one: str, other: str, found: Numbers) -> float:
    return found[one] / found[other]


def _line(said: str, unit: str, numbers: Sequence[float | None]) -> str:
    return f"{said:50}" + "".join(
        f"{'-':>13} {unit:2}" if number is None else f"{number:13.2f} {unit:2}" for number in numbers
    )


if __name__ == "__main__":
    main()
