"""
A day planned anew within so many seconds: the guests it seats and the proved bound on them, next to CP-SAT.

    python -m benchmarks.anytime
    python -m benchmarks.anytime --bookings 130 180 --picture docs/concepts/anytime.svg

The days are those of 60 tables, booked one by one before. Both solvers get the same binaries and rows, the plan as it
is as a start, and one thread. Takes the extras ``bench`` and ``optimize``.
"""

from __future__ import annotations

import argparse
import datetime as dt
import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from assignment_pipeline import Coordinator, Settings
from assignment_pipeline.planning import exact, rearrange
from benchmarks.pictures import panels, plain
from benchmarks.probes import evening, restaurant

BUDGETS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
SOLVERS = ("HiGHS", "CP-SAT")


class CpSatModel(exact.Model):
    """The same binaries and rows for CP-SAT."""

    def solve(self, seconds: float, start: Sequence[int] = (), nodes: int | None = None) -> exact.Solution:  # noqa: ARG002
        """See `exact.Model.solve`."""
        from ortools.sat.python import cp_model  # noqa: PLC0415 - an extra

        if seconds <= 0:
            return exact.Solution(exact.Proof.UNKNOWN)
        self._close()
        model = cp_model.CpModel()
        binaries = [model.new_bool_var("") for _ in self.costs]
        for row, (least, most) in enumerate(zip(self._least, self._most, strict=True)):
            span = range(self._starts[row], self._starts[row + 1])
            total = sum(int(self._values[place]) * binaries[self._binaries[place]] for place in span)
            low, high = (None if math.isinf(limit) else int(limit) for limit in (least, most))
            if low is not None:
                model.add(total >= low)
            if high is not None:
                model.add(total <= high)
        model.minimize(sum(int(cost) * binary for cost, binary in zip(self.costs, binaries, strict=True)))
        known = set(start)
        for number, binary in enumerate(binaries):
            model.add_hint(binary, number in known)
        solver = cp_model.CpSolver()
        solver.parameters.max_time_in_seconds, solver.parameters.num_workers = seconds, 1
        status = solver.solve(model)
        if status == cp_model.INFEASIBLE:
            return exact.Solution(exact.Proof.IMPOSSIBLE)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return exact.Solution(exact.Proof.UNKNOWN)  # What it says of the bound then is no bound.
        bound = math.ceil(solver.best_objective_bound - 1e-6)
        chosen = frozenset(number for number, binary in enumerate(binaries) if solver.boolean_value(binary))
        cost = sum(self.costs[number] for number in chosen)
        verdict = exact.Proof.BEST if status == cp_model.OPTIMAL else exact.Proof.FOUND
        return exact.Solution(verdict, chosen, cost, bound)


@attrs.frozen
class Point:
    """
    What a solver made of a day.

    Attributes:
        bookings: How many asked for a table.

        solver: Who looked.

        budget: For how many seconds, at most.

        took: How many it took in all.

        covers: Guests with tables.

        bound: Guests that can have tables at most, as proved.
    """

    bookings: int
    solver: str
    budget: float
    took: float
    covers: int
    bound: int

    @property
    def gap(self) -> float:
        """By how much the plan may fall short of the best, in percent of the bound."""
        return 100 * (self.bound - self.covers) / self.bound


def planned(bookings: int, solver: str, budget: float) -> Point:
    """A day that was booked one by one, planned anew."""
    settings = Settings(max_retries=0, repack_budget=dt.timedelta(seconds=budget))
    coordinator = Coordinator.in_memory(restaurant(60), sinks=(), settings=settings)
    asked = evening(bookings, "x")
    for booking in asked:
        coordinator.assign(booking)
    kept = rearrange.Model
    rearrange.Model = {"HiGHS": exact.Model, "CP-SAT": CpSatModel}[solver]
    try:
        began = time.perf_counter()
        diff = coordinator.reoptimize("r-1", restaurant(60).service_date(asked[0].start_at)).diff
        took = time.perf_counter() - began
    finally:
        rearrange.Model = kept
    return Point(bookings, solver, budget, took, diff.covers_after, diff.bound)


def points(days: Sequence[int], budgets: Sequence[float] = BUDGETS) -> Iterator[Point]:
    """Each day with each budget, the solvers in turns."""
    exact.load()
    for bookings in days:
        for budget in budgets:
            for solver in SOLVERS:
                yield planned(bookings, solver, budget)


def draw(path: Path, found: Sequence[Point]) -> None:
    """Value and bound over time, a panel for each day."""
    days = list(dict.fromkeys(point.bookings for point in found))
    with panels(path, 1, len(days), size=(5 * len(days), 3.4), foot=0.1, entries=4) as places:
        for panel, bookings in zip(places, days, strict=True):
            for solver, colour in zip(SOLVERS, ("#1a73e8", "#e08e0b"), strict=True):
                own = [point for point in found if (point.bookings, point.solver) == (bookings, solver)]
                times = [point.budget for point in own]
                panel.plot(times, [point.covers for point in own], "o-", color=colour, label=f"{solver}, value")
                panel.plot(times, [point.bound for point in own], "v--", color=colour, label=f"{solver}, bound")
            panel.set_xscale("log")
            panel.set_xticks(BUDGETS, [f"{budget:g}" for budget in BUDGETS])
            panel.minorticks_off()
            panel.set_title(f"60 tables, {bookings} bookings", fontsize=11)
            panel.set_xlabel("seconds given")
            panel.set_ylabel("guests")
            plain(panel)


def main() -> None:
    """Measure, print, and draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.anytime", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--bookings", type=int, nargs="+", default=[130, 180, 240])
    parser.add_argument("--picture", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    print("bookings solver   seconds given  taken   guests  bound    gap")
    found = []
    for point in points(arguments.bookings):
        print(
            f"{point.bookings:8d} {point.solver:8} {point.budget:10.2f} s {point.took:6.2f} s {point.covers:6d}"
            f" {point.bound:6d} {point.gap:5.1f} %",
            flush=True,
        )
        found.append(point)
    if arguments.picture:
        draw(arguments.picture, found)
    print(f"(Python {sys.version.split()[0]})")


if __name__ == "__main__":
    main()
